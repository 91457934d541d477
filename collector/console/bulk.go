package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// bulk makes one change to the tickets that were ticked in the queue, and tells
// there what became of each.
func (c *console) bulk(w http.ResponseWriter, v *visit) error {
	back := inside(cmp.Or(v.PostFormValue("back"), "/tickets"))
	request := &deskv1.ChangeTicketsRequest{Deed: uuid.Must(uuid.NewV7()).String(), Change: &deskv1.UpdateTicketRequest{}}
	for _, ticked := range v.PostForm["ticket"] {
		number, version, _ := strings.Cut(ticked, ":")
		n, err := strconv.ParseInt(number, 10, 32)
		seen, err2 := strconv.ParseInt(version, 10, 32)
		if errors.Join(err, err2) != nil {
			return desk.ErrNotFound
		}
		request.Tickets = append(request.Tickets, &deskv1.SeenTicket{Number: int32(n), Version: int32(seen)})
	}
	change := request.Change
	for name, field := range map[string]**string{"status": &change.Status, "urgency": &change.Urgency, "impact": &change.Impact} {
		if value := v.PostFormValue(name); value != "" {
			*field = proto.String(value)
		}
	}
	switch value := v.PostFormValue("assignee"); value {
	case "":
	case desk.Nobody:
		change.Assignee = proto.String("")
	default:
		change.Assignee = proto.String(value)
	}
	change.AddTags, change.RemoveTags = tagsOf(v.PostFormValue("addTags")), tagsOf(v.PostFormValue("removeTags"))
	if len(request.Tickets) == 0 {
		return c.back(w, v, back, v.say("bulk.none"), "")
	}
	if proto.Size(change) == 0 {
		return c.back(w, v, back, v.say("bulk.nothing"), "")
	}
	results, err := c.desk.ChangeTickets(v.Context(), v.actor(), request)
	if err != nil {
		return err
	}
	return c.backUndo(w, v, back, v.results("bulk.done", results), "", request.Deed)
}

// undo takes back what the visitor did last.
func (c *console) undo(w http.ResponseWriter, v *visit) error {
	back := inside(cmp.Or(v.PostFormValue("back"), "/tickets"))
	results, err := c.desk.Undo(v.Context(), v.actor(), v.PostFormValue("deed"))
	if errors.Is(err, desk.ErrNotFound) {
		return c.back(w, v, back, v.say("undo.late"), "")
	}
	if err != nil {
		return err
	}
	return c.back(w, v, back, v.results("undo.done", results), "")
}

// results says what became of several tickets: how many were done, and which were
// not and why.
func (v *visit) results(done string, results []*deskv1.TicketResult) string {
	var n int
	var conflicts, refused []string
	for _, r := range results {
		switch number := fmt.Sprintf("#%d", r.GetNumber()); r.GetOutcome() {
		case "conflict":
			conflicts = append(conflicts, number)
		case "refused":
			refused = append(refused, number+" ("+r.GetProblem()+")")
		case "done":
			n++
		}
	}
	parts := []string{v.speech.count(done, n)}
	if same := len(results) - n - len(conflicts) - len(refused); same > 0 {
		parts = append(parts, v.speech.count("bulk.unchanged", same))
	}
	if len(conflicts) > 0 {
		parts = append(parts, v.speech.count("bulk.conflict", len(conflicts))+" "+strings.Join(conflicts, ", "))
	}
	if len(refused) > 0 {
		parts = append(parts, v.speech.count("bulk.refused", len(refused))+" "+strings.Join(refused, ", "))
	}
	return strings.Join(parts, " · ")
}

// putView keeps the list that the visitor looks at, as a new view or in place of one.
func (c *console) putView(w http.ResponseWriter, v *visit) error {
	view := &deskv1.View{Id: v.PostFormValue("id"), Name: v.PostFormValue("name"), Shared: v.PostFormValue("shared") != "", Query: v.PostFormValue("query")}
	if strings.TrimSpace(view.Name) == "" {
		present, err := c.desk.Views(v.Context(), v.actor())
		if err != nil {
			return err
		}
		for _, one := range present {
			if one.GetId() == view.Id {
				view.Name = one.GetName()
			}
		}
	}
	if _, err := c.desk.PutView(v.Context(), v.actor(), view); err != nil {
		return err
	}
	return c.back(w, v, inside("/tickets?"+view.Query), "flash.saved", "")
}

// deleteView forgets a list.
func (c *console) deleteView(w http.ResponseWriter, v *visit) error {
	if err := c.desk.DeleteView(v.Context(), v.actor(), v.PathValue("id")); err != nil {
		return err
	}
	return c.back(w, v, "/tickets", "flash.viewGone", "")
}
