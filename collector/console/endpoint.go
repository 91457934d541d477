package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/internal/diagnosis"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// endpointsPerPage is how many machines the list shows at once.
const endpointsPerPage = 100

// ticketsBeside is how many tickets of a machine stand beside its facts.
const ticketsBeside = 10

// endpointsView is the list of machines.
type endpointsView struct {
	Query     string
	Endpoints []*deskv1.Endpoint
	// Next is the address of the next page; empty: this is the last.
	Next string
}

// endpoints lists the machines by name.
func (c *console) endpoints(w http.ResponseWriter, v *visit) error {
	form := v.URL.Query()
	list, err := c.desk.Endpoints(v.Context(), &deskv1.ListEndpointsRequest{
		Query: form.Get("q"), After: form.Get("after"), Limit: endpointsPerPage,
	})
	if err != nil {
		return err
	}
	view := endpointsView{Query: form.Get("q"), Endpoints: list.GetEndpoints()}
	if list.GetNext() != "" {
		view.Next = "/endpoints?" + url.Values{"q": {view.Query}, "after": {list.GetNext()}}.Encode()
	}
	return c.render(w, v, http.StatusOK, "endpoints", "endpoints", view)
}

// endpointView is the page of one machine.
type endpointView struct {
	// Maintenances are under way or to come.
	Maintenances []*deskv1.Maintenance
	Endpoint     *deskv1.Endpoint
	Groups       []factGroup
	TakenAt      *timestamppb.Timestamp
	Changes      []*constatv1.Change
	Diagnoses    []*constatv1.Diagnosis
	History      []desk.Recurrence
	// Remedies came to an end there, newest first.
	Remedies []*constatv1.RemedyResult
	// Peripherals are what it has that other machines may have had.
	Peripherals []*desk.Peripheral
	Tickets     []*constatv1.Ticket
	Procedures  []*diagnosis.Procedure
	// Sites can be chosen by who MaySite.
	Sites   []string
	MaySite bool
	// MayErase: the visitor may have it forgotten; Problem says why it was not.
	MayErase bool
	Problem  string
	live
}

// endpoint shows one machine: its facts, what changed, what was found
// wrong, its tickets.
func (c *console) endpoint(w http.ResponseWriter, v *visit) error {
	return c.renderEndpoint(w, v, http.StatusOK, "")
}

func (c *console) renderEndpoint(w http.ResponseWriter, v *visit, status int, problem string) error {
	found, err := c.desk.Endpoint(v.Context(), v.PathValue("id"))
	if err != nil {
		return err
	}
	endpoint := found.GetEndpoint()
	list, err := c.desk.Tickets(v.Context(), &deskv1.ListTicketsRequest{EndpointId: endpoint.GetId(), Limit: ticketsBeside})
	if err != nil {
		return err
	}
	view := endpointView{
		Endpoint: endpoint, Groups: v.speech.factGroups(found.GetSnapshot()),
		TakenAt: found.GetSnapshot().GetManifest().GetTakenAt(), Changes: found.GetChanges(),
		Diagnoses: found.GetDiagnoses(), Remedies: found.GetRemedies(),
		Tickets: list.GetTickets(), Procedures: diagnosis.Procedures(),
		MayErase: maySites(v), Problem: problem,
	}
	if view.History, err = c.desk.History(v.Context(), desk.Subject{Endpoint: endpoint.GetId()}); err != nil {
		return err
	}
	if view.Peripherals, err = c.desk.PeripheralsAt(v.Context(), endpoint.GetId()); err != nil {
		return err
	}
	view.MaySite = mayLead(v)
	if view.Sites, err = c.desk.Sites(v.Context()); err != nil {
		return err
	}
	if view.Maintenances, err = c.maintenancesOn(v, endpoint.GetId()); err != nil {
		return err
	}
	view.live = liveOf("/endpoints/"+url.PathEscape(endpoint.GetId()), v.URL.Query().Get("run"))
	return c.render(w, v, status, "endpoint", "endpoints", view)
}

// eraseEndpoint forgets a machine, whose name the visitor typed.
func (c *console) eraseEndpoint(w http.ResponseWriter, v *visit) error {
	tickets, err := c.desk.EraseEndpoint(v.Context(), v.actor(), v.PathValue("id"), v.PostFormValue("name"))
	if errors.Is(err, desk.ErrInvalid) {
		return c.renderEndpoint(w, v, http.StatusUnprocessableEntity, v.say("endpoint.erase.other"))
	}
	if err != nil {
		return err
	}
	return c.back(w, v, "/endpoints", v.speech.count("endpoint.erased", tickets), "")
}

// setEndpointSite says at which site a machine is.
func (c *console) setEndpointSite(w http.ResponseWriter, v *visit) error {
	if _, err := c.desk.SetEndpointSite(v.Context(), v.actor(), v.PathValue("id"), v.PostFormValue("site")); err != nil {
		return err
	}
	return c.back(w, v, "/endpoints/"+url.PathEscape(v.PathValue("id")), "flash.saved", "")
}

// diagnoseEndpoint asks a machine for a diagnosis that belongs to no ticket.
func (c *console) diagnoseEndpoint(w http.ResponseWriter, v *visit) error {
	id := v.PathValue("id")
	command, err := c.desk.Diagnose(v.Context(), v.actor(), &deskv1.DiagnoseRequest{
		EndpointId: id, Procedure: cmp.Or(v.PostFormValue("procedure"), "full"),
	})
	if err != nil {
		return err
	}
	return c.showRun(w, v, "endpoint", "/endpoints/"+url.PathEscape(id), command)
}
