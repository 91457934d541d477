package console

import (
	"net/http"
	"slices"
	"strings"

	"constat/collector/desk"
	"constat/internal/fault"
)

// faultDomain is a chapter of the reference.
type faultDomain struct {
	Name   string
	Faults []*fault.Fault
}

// faultView is the page of one fault.
type faultView struct {
	Fault *fault.Fault
	// ExplainedBy are the faults whose consequence it can be.
	ExplainedBy []*fault.Fault
}

// faults is the reference: all that can be recognised, by domain.
func (c *console) faults(w http.ResponseWriter, v *visit) error {
	var domains []faultDomain
	for _, f := range c.catalog.Faults() {
		i := slices.IndexFunc(domains, func(d faultDomain) bool { return d.Name == f.Domain })
		if i < 0 {
			i, domains = len(domains), append(domains, faultDomain{Name: f.Domain})
		}
		domains[i].Faults = append(domains[i].Faults, f)
	}
	slices.SortFunc(domains, func(a, b faultDomain) int { return strings.Compare(a.Name, b.Name) })
	return c.render(w, v, http.StatusOK, "faults", "faults", struct{ Domains []faultDomain }{domains})
}

// fault is the page of one fault: what it is, how it is known, what to do.
func (c *console) fault(w http.ResponseWriter, v *visit) error {
	f := c.catalog.Lookup(v.PathValue("id"))
	if f == nil {
		return desk.ErrNotFound
	}
	view := faultView{Fault: f}
	for _, other := range c.catalog.Faults() {
		if slices.Contains(other.Explains, f.ID) {
			view.ExplainedBy = append(view.ExplainedBy, other)
		}
	}
	return c.render(w, v, http.StatusOK, "fault", "faults", view)
}
