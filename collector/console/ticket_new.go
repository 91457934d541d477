package console

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// complaints are what people come with, as TicketDraft.complaint lists them.
var complaints = []string{"internet", "wifi", "printing", "peripheral", "software", "slow", "power", "sign-in", "other"}

// suggestedEndpoints is how many machines the form offers by name; any other
// can be typed.
const suggestedEndpoints = 200

// draftForm is the form for a new ticket.
type draftForm struct {
	// ID is the ticket's for ever: sending the form twice opens it once.
	ID                                         string
	Requester, Mail, Complaint, Endpoint, Text string
	Problem                                    string
	Complaints                                 []string
	Endpoints                                  []*deskv1.Endpoint
	// Forms are those that can be used, and Form the one that is; nil: none.
	Forms []*deskv1.RequestForm
	Form  *deskv1.RequestForm
	Asked []askedField
}

// newTicket is the empty form, or one filled by a link.
func (c *console) newTicket(w http.ResponseWriter, v *visit) error {
	form := v.URL.Query()
	maps.Copy(form, c.kept(v))
	used, err := c.usedForm(v, form.Get("form"))
	if err != nil {
		return err
	}
	return c.renderDraft(w, v, http.StatusOK, draftForm{
		Form: used, ID: uuid.Must(uuid.NewV7()).String(), Requester: form.Get("requester"), Mail: form.Get("mail"), Complaint: form.Get("complaint"),
		Endpoint: form.Get("endpoint"), Text: form.Get("text"),
	})
}

func (c *console) renderDraft(w http.ResponseWriter, v *visit, status int, form draftForm) error {
	list, err := c.desk.Endpoints(v.Context(), &deskv1.ListEndpointsRequest{Limit: suggestedEndpoints})
	if err != nil {
		return err
	}
	form.Complaints, form.Endpoints = complaints, list.GetEndpoints()
	if form.Forms, err = c.desk.Forms(v.Context(), v.actor(), false); err != nil {
		return err
	}
	form.Asked = v.asked(form.Form)
	return c.render(w, v, status, "ticket-new", "tickets", form)
}

// usedForm is the form that a new ticket comes by; nil: none.
func (c *console) usedForm(v *visit, id string) (*deskv1.RequestForm, error) {
	if id == "" {
		return nil, nil
	}
	return c.desk.Form(v.Context(), v.actor(), id)
}

// createTicket opens a ticket in somebody's name.
func (c *console) createTicket(w http.ResponseWriter, v *visit) error {
	if err := v.ParseForm(); err != nil {
		return err
	}
	field := func(name string) string { return strings.TrimSpace(v.PostFormValue(name)) }
	form := draftForm{
		ID: field("id"), Requester: field("requester"), Mail: field("mail"),
		Complaint: field("complaint"), Endpoint: field("endpoint"), Text: v.PostFormValue("text"),
	}
	request := &deskv1.CreateTicketRequest{Draft: &constatv1.TicketDraft{
		Id: form.ID, Complaint: form.Complaint, Text: form.Text, Channel: "console", Language: v.speech.language,
		Requester: &constatv1.Person{Name: form.Requester, Mail: form.Mail},
	}}
	var err error
	if form.Form, err = c.usedForm(v, field("form")); err != nil {
		return err
	}
	if form.Form != nil {
		version, _ := strconv.ParseInt(field("formVersion"), 10, 32)
		request.Form = &deskv1.FilledForm{Id: form.Form.GetId(), Version: int32(version)}
		for _, asked := range v.asked(form.Form) {
			request.Form.Answers = append(request.Form.Answers, &deskv1.FormAnswer{Key: asked.GetKey(), Value: asked.Value})
		}
	}
	if form.Endpoint != "" {
		found, err := c.desk.Endpoint(v.Context(), form.Endpoint)
		if errors.Is(err, desk.ErrNotFound) {
			form.Problem = v.say("new.noEndpoint", "Name", form.Endpoint)
			return c.renderDraft(w, v, http.StatusUnprocessableEntity, form)
		}
		if err != nil {
			return err
		}
		request.EndpointId = found.GetEndpoint().GetId()
	}
	ticket, err := c.desk.Create(v.Context(), v.actor(), request)
	if errors.Is(err, desk.ErrInvalid) {
		form.Problem = err.Error()
		return c.renderDraft(w, v, http.StatusUnprocessableEntity, form)
	}
	if errors.Is(err, desk.ErrConflict) {
		form.Problem = v.say("form.changed")
		return c.renderDraft(w, v, http.StatusConflict, form)
	}
	if err != nil {
		return err
	}
	return c.back(w, v, fmt.Sprintf("/tickets/%d", ticket.GetNumber()), "flash.created", "new")
}
