package desk_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// A ticket that came by telephone is given its machine, or another one: which is asked,
// and what was found on the one before is no cause any more.
func TestTicketGetsItsMachine(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, second := h.enroll(t, "pc-1"), h.enroll(t, "pc-2")
		if _, err := h.SetEndpointSite(t.Context(), lead, second, "Lyon"); err != nil {
			t.Fatal(err)
		}
		number := h.comes(t, "Nothing works").GetNumber()
		set := func(a desk.Actor, endpoint string) (*constatv1.Ticket, error) {
			return h.Update(t.Context(), a, &deskv1.UpdateTicketRequest{Number: number, Version: h.ticket(t, number).GetTicket().GetVersion(), Endpoint: &endpoint})
		}
		asked := func(endpoint string) string {
			t.Helper()
			var ids []string
			err := h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
				rows, err := q.PendingCommands(ctx, endpoint, 0)
				for _, row := range rows {
					ids = append(ids, row.ID)
				}
				return err
			})
			if err != nil || len(ids) != 1 {
				t.Fatalf("%s was asked %q (%v)", endpoint, ids, err)
			}
			return ids[0]
		}
		told, err := set(tech, "PC-1")
		if err != nil || told.GetEndpointName() != "pc-1" {
			t.Fatalf("it is about %v (%v)", told, err)
		}
		command := asked(first)
		found := diskFull()
		found.CommandId = command
		h.ingest(t, first, diagnosisReport(found))
		if got := h.ticket(t, number).GetTicket(); got.GetRootCause() != found.GetRootCauses()[0].GetFault() {
			t.Fatalf("the machine found %v", got)
		}
		if told, err = set(tech, "pc-2"); err != nil || told.GetEndpointId() != second || told.GetRootCause() != "" || told.GetSite() != "Lyon" {
			t.Errorf("of another machine it is %v (%v)", told, err)
		}
		asked(second)
		// What the first one says late is of another ticket's machine.
		late := diskFull()
		late.CommandId = command
		h.ingest(t, first, diagnosisReport(late))
		if got := h.ticket(t, number).GetTicket(); got.GetRootCause() != "" {
			t.Errorf("another machine's answer became its cause: %v", got)
		}
		again, err := set(tech, "pc-2")
		if err != nil || again.GetVersion() != h.ticket(t, number).GetTicket().GetVersion() {
			t.Errorf("once more is a change: %v (%v)", again, err)
		}
		for _, bad := range []string{"nowhere", strings.Repeat("x", 1<<20), "\x00"} {
			_, err := set(tech, bad)
			wantKind(t, err, desk.ErrInvalid)
		}
		// Who sees only a site gives it no machine of another.
		_, err = set(desk.Actor{ID: "x", Name: "Zoé", Role: "technician", Sites: []string{"Lyon"}}, "pc-1")
		wantKind(t, err, desk.ErrInvalid)
		if none, err := set(tech, ""); err != nil || none.GetEndpointId() != "" {
			t.Errorf("without a machine: %v (%v)", none, err)
		}
		var story []string
		for _, entry := range h.ticket(t, number).GetTimeline() {
			for _, c := range entry.GetChanges() {
				if c.GetField() == "endpoint" {
					story = append(story, c.GetBefore()+">"+c.GetAfter())
				}
			}
		}
		if got := strings.Join(story, " "); got != ">pc-1 pc-1>pc-2 pc-2>" {
			t.Errorf("the timeline says %q", got)
		}
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: number, Status: proto.String("solved")})
	})
}
