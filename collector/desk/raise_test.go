package desk_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// TestRaises: who it is for and what comes make a ticket one step more urgent,
// never critical, once however many reasons there are, and the timeline says why.
func TestRaises(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		_, err := h.SetServiceLevels(t.Context(), desk.System, `
zone: Europe/Paris
vip: [Alice, boss@example.org]
deadlines:
  - {name: Payroll, from: 25, until: 2, words: [salaires, paie]}
  - {name: Audit, from: 2026-03-09, until: 2026-03-10, categories: [printing]}
`)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			who, mail, text, day, urgency, why string
		}{
			{"bob", "", "x", "2026-03-05", "normal", ""},
			{"alice", "", "x", "2026-03-05", "high", "vip alice"},
			{"carol", "Boss@Example.org", "x", "2026-03-05", "high", "vip carol"},
			{"bob", "", "Les SALAIRES sont faux", "2026-03-24", "normal", ""},
			{"bob", "", "Les SALAIRES sont faux", "2026-03-25", "high", "deadline Payroll"},
			{"bob", "", "Les SALAIRES sont faux", "2026-04-02", "high", "deadline Payroll"},
			{"bob", "", "Les salairesx sont faux", "2026-04-02", "normal", ""},
			{"bob", "", "x", "2026-03-10", "high", "deadline Audit"},
			{"bob", "", "x", "2026-03-11", "normal", ""},
			{"alice", "", "x", "2026-03-10", "high", "vip alice, deadline Audit"},
			{"bob", "", "The switch hums.\nWe CAN’T work at all", "2026-03-05", "high", "words can't work"},
			{"bob", "", "Rien ne va\n\nJe ne peux plus\ntravailler", "2026-03-05", "normal", ""},
			{"bob", "", "Depuis midi, impossible de TRAVAILLER ici", "2026-03-05", "high", "words impossible de travailler"},
			{"bob", "", "URGENT!!! critical", "2026-03-05", "normal", ""},
			{"alice", "", "Tout est bloque", "2026-03-05", "high", "words tout est bloqué, vip alice"},
		} {
			at, err := time.Parse(time.DateOnly, test.day)
			if err != nil {
				t.Fatal(err)
			}
			h.SetClock(at.Add(12 * time.Hour))
			wish := draft(test.text)
			wish.Channel, wish.Requester = "phone", &constatv1.Person{Name: test.who, Mail: test.mail}
			ticket, err := h.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: wish})
			if err != nil {
				t.Fatal(err)
			}
			// Counting anew raises nothing again.
			_, err = h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{Number: ticket.GetNumber(), Version: ticket.GetVersion(), Impact: proto.String("normal")})
			if err != nil {
				t.Fatal(err)
			}
			found := h.ticket(t, ticket.GetNumber())
			var why []string
			for _, entry := range found.GetTimeline() {
				for _, c := range entry.GetChanges() {
					if by, ok := strings.CutPrefix(c.GetField(), "raised."); ok {
						why = append(why, by+" "+c.GetAfter())
					}
				}
			}
			if got := found.GetTicket().GetUrgency(); got != test.urgency || strings.Join(why, ", ") != test.why {
				t.Errorf("%s on %s, %q: urgency %s because of %q, want %s, %q", test.who, test.day, test.text, got, why, test.urgency, test.why)
			}
		}
		for _, test := range []struct{ text, want string }{
			{"deadlines: [{from: 1, until: 2}]", "needs a name"}, {"deadlines: [{name: x, from: 1, until: 2026-03-03}]", "are two days"},
			{"deadlines: [{name: x, from: 32, until: 33}]", "are two days"}, {"deadlines: [{name: x, from: 2026-03-03, until: 2026-03-02}]", "ends before it begins"},
		} {
			_, err := h.SetServiceLevels(t.Context(), desk.System, test.text)
			if wantKind(t, err, desk.ErrInvalid); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q: %v, want %q", test.text, err, test.want)
			}
		}
	})
}
