package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	constatv1 "constat/proto/constat/v1"
)

// maxRetries bounds how often a change is tried again on a ticket that others
// keep changing.
const maxRetries = 3

// edit is one field of a ticket as a technician saw it and as they want it.
type edit struct {
	field, was, want string
}

// conflictView shows what two people made of the same ticket.
type conflictView struct {
	Ticket      *constatv1.Ticket
	Differences []difference
	reply
}

// difference is a field that both changed.
type difference struct {
	// Label is the id of a message.
	Field, Label         string
	Mine, Theirs         string
	MineText, TheirsText string
}

// work saves what a technician did on a ticket: fields first, then the text.
// When another one changed the same fields meanwhile nothing is saved, and both
// versions are shown.
func (c *console) work(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	if err := v.ParseForm(); err != nil {
		return err
	}
	written := reply{Entry: v.PostFormValue("entry"), Kind: v.PostFormValue("kind"), Text: v.PostFormValue("text")}
	edits := edited(v)
	text := strings.TrimSpace(written.Text)
	if len(edits) == 0 && text == "" {
		written.Problem = v.say("work.nothing")
		return c.renderTicket(w, v, http.StatusUnprocessableEntity, number, written)
	}
	version, _ := strconv.ParseInt(v.PostFormValue("version"), 10, 32)
	theirs, err := c.change(v.Context(), v.actor(), number, int32(version), edits)
	switch {
	case errors.Is(err, desk.ErrConflict) && theirs != nil:
		return c.render(w, v, http.StatusConflict, "conflict", "tickets", conflictView{
			Ticket: theirs, Differences: v.differences(theirs, edits), reply: written,
		})
	case errors.Is(err, desk.ErrInvalid):
		written.Problem = err.Error()
		return c.renderTicket(w, v, http.StatusUnprocessableEntity, number, written)
	case err != nil:
		return err
	}
	if text != "" {
		_, err := c.desk.AddEntry(v.Context(), v.actor(), &constatv1.AddEntryRequest{
			Number: number, Id: written.Entry, Kind: written.Kind, Text: written.Text,
		})
		if errors.Is(err, desk.ErrInvalid) {
			written.Problem = err.Error()
			return c.renderTicket(w, v, http.StatusUnprocessableEntity, number, written)
		}
		if err != nil {
			return err
		}
	}
	return c.back(w, v, fmt.Sprintf("/tickets/%d", number), "flash.saved", fmt.Sprintf("ticket-%d", number))
}

// edited gives the fields of the form that differ from what its reader saw.
func edited(v *visit) []edit {
	var edits []edit
	for _, field := range []string{"status", "assignee", "resolution"} {
		if !v.PostForm.Has(field) {
			continue
		}
		e := edit{field: field, was: v.PostFormValue(field + "Was"), want: strings.TrimSpace(v.PostFormValue(field))}
		if e.want != e.was {
			edits = append(edits, e)
		}
	}
	return edits
}

// change writes edits that were made on a version of a ticket. A newer version
// in place is no conflict as long as it left the same fields alone, such as
// when a diagnosis arrived meanwhile. On desk.ErrConflict it gives the ticket
// as it stands now.
func (c *console) change(ctx context.Context, who desk.Actor, number, version int32, edits []edit) (*constatv1.Ticket, error) {
	if len(edits) == 0 {
		return nil, nil
	}
	request := &constatv1.UpdateTicketRequest{Number: number, Version: version}
	for _, e := range edits {
		switch e.field {
		case "status":
			request.Status = proto.String(e.want)
		case "assignee":
			request.Assignee = proto.String(e.want)
		case "resolution":
			request.Resolution = proto.String(e.want)
		}
	}
	for range maxRetries {
		_, err := c.desk.Update(ctx, who, request)
		if !errors.Is(err, desk.ErrConflict) {
			return nil, err
		}
		found, err := c.desk.Ticket(ctx, number)
		if err != nil {
			return nil, err
		}
		for _, e := range edits {
			if now := valueOf(found.GetTicket(), e.field); now != e.was && now != e.want {
				return found.GetTicket(), desk.ErrConflict
			}
		}
		request.Version = found.GetTicket().GetVersion()
	}
	return nil, desk.ErrConflict
}

// valueOf is the present value of a field that the form can change.
func valueOf(ticket *constatv1.Ticket, field string) string {
	switch field {
	case "status":
		return ticket.GetStatus()
	case "resolution":
		return ticket.GetResolution()
	}
	return ticket.GetAssignee()
}

// differences lists the edits with what stands in the ticket now.
func (v *visit) differences(theirs *constatv1.Ticket, edits []edit) []difference {
	var list []difference
	for _, e := range edits {
		now := valueOf(theirs, e.field)
		name := func(value string) string {
			switch {
			case e.field == "status":
				return v.speech.word("status", value)
			case value == "" && e.field == "assignee":
				return v.say("ticket.nobody")
			}
			return value
		}
		list = append(list, difference{
			Field: e.field, Label: "ticket." + e.field, Mine: e.want, Theirs: now, MineText: name(e.want), TheirsText: name(now),
		})
	}
	return list
}
