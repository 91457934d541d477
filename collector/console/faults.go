package console

import (
	"net/http"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"constat/collector/desk"
	"constat/internal/fault"
	deskv1 "constat/proto/constat/desk/v1"
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
	Proof       proof
	// Articles are the team's own words on it.
	Articles []*deskv1.Article
}

// faults is the reference: all that can be recognised, by domain, or what of it
// has the words that are looked for.
func (c *console) faults(w http.ResponseWriter, v *visit) error {
	var domains []faultDomain
	query := strings.TrimSpace(v.FormValue("q"))
	for _, f := range c.catalog.Faults() {
		if !c.mentions(v.speech, f, query) {
			continue
		}
		i := slices.IndexFunc(domains, func(d faultDomain) bool { return d.Name == f.Domain })
		if i < 0 {
			i, domains = len(domains), append(domains, faultDomain{Name: f.Domain})
		}
		domains[i].Faults = append(domains[i].Faults, f)
	}
	slices.SortFunc(domains, func(a, b faultDomain) int { return strings.Compare(a.Name, b.Name) })
	return c.render(w, v, http.StatusOK, "faults", "faults", struct {
		Query   string
		Domains []faultDomain
	}{query, domains})
}

// mentions tells whether every word stands somewhere in a fault's texts, as its
// reader sees them, whatever the case and accents.
func (c *console) mentions(s *speech, f *fault.Fault, query string) bool {
	text := plain(strings.Join([]string{
		f.ID, f.Domain, s.word("domain", f.Domain), f.Title.In(s.language), f.Explanation.In(s.language),
		f.User.In(s.language), f.Technician.In(s.language), f.Source,
	}, " "))
	for _, word := range strings.Fields(plain(query)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// fault is the page of one fault: what it is, how it is known, what to do.
func (c *console) fault(w http.ResponseWriter, v *visit) error {
	f := c.catalog.Lookup(v.PathValue("id"))
	if f == nil {
		return desk.ErrNotFound
	}
	view := faultView{Fault: f, Proof: c.proof(v.speech, f.ID)}
	for _, other := range c.catalog.Faults() {
		if slices.Contains(other.Explains, f.ID) {
			view.ExplainedBy = append(view.ExplainedBy, other)
		}
	}
	var err error
	if view.Articles, err = c.desk.Articles(v.Context(), v.actor(), &deskv1.ListArticlesRequest{Fault: f.ID}); err != nil {
		return err
	}
	return c.render(w, v, http.StatusOK, "fault", "faults", view)
}

// proof words how a fault is known. The rules are those of the catalog in this
// program, as trees.
func (c *console) proof(s *speech, id string) proof {
	for _, entry := range c.compiled.GetFaults() {
		if entry.GetId() == id {
			return s.proofOf(entry, c.terms)
		}
	}
	return proof{}
}

// plain is text without case and accents.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(strings.ToLower(text)))
}
