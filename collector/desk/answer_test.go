package desk_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

var chief = desk.Actor{ID: "2", Name: "Ada", Role: "lead"}

// answer is one of the team in two languages.
func answer(body, corps string) *deskv1.Answer {
	return &deskv1.Answer{Id: newID(), Texts: []*deskv1.AnswerText{
		{Language: "fr", Title: "Redémarrer le poste", Body: corps}, {Language: "en", Title: "Restart the machine", Body: body},
	}}
}

func (h *house) keepAnswer(t *testing.T, a desk.Actor, one *deskv1.Answer) *deskv1.Answer {
	t.Helper()
	saved, err := h.SaveAnswer(t.Context(), a, one)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func (h *house) filled(t *testing.T, a desk.Actor, r *deskv1.FillAnswersRequest) []*deskv1.FilledAnswer {
	t.Helper()
	list, err := h.FillAnswers(t.Context(), a, r)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// An answer gets a ticket's values, in its requester's language first; what has no
// value is told, and cannot be sent as it stands.
func TestAnswerIsFilled(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.keepAnswer(t, chief, answer("Hello {requester.name}, please restart {endpoint.hostname} {{now}.", "Bonjour {requester.name}, redémarrez {endpoint.hostname} ({cause.title}, n° {ticket.number})."))
		pc := h.enroll(t, "pc-1")
		found := diskFull()
		found.RootCauses[0].Fault = "os-disk-full"
		d := draft("Tout est lent")
		d.DiagnosisId, d.Language = found.Id, "fr-CA"
		number := h.ingest(t, pc, diagnosisReport(found), ticketReport(d))[1].TicketNumber
		list := h.filled(t, tech, &deskv1.FillAnswersRequest{Number: number})
		if len(list) != 2 || list[0].GetLanguage() != "fr" {
			t.Fatalf("filled %v", list)
		}
		if got := list[0].GetText(); !strings.HasPrefix(got, "Bonjour alice, redémarrez pc-1 (") || !strings.HasSuffix(got, ", n° 1).") || strings.ContainsAny(got, "{}") || len(list[0].GetMissing()) > 0 {
			t.Errorf("in French: %q, without %v", got, list[0].GetMissing())
		}
		if got := list[1].GetText(); got != "Hello alice, please restart pc-1 {now}." {
			t.Errorf("in English: %q", got)
		}
		if list := h.filled(t, tech, &deskv1.FillAnswersRequest{Number: number, Query: "REDEMARRER lent"}); len(list) != 0 {
			t.Errorf("found by a word that it lacks: %v", list)
		}
		if list := h.filled(t, tech, &deskv1.FillAnswersRequest{Number: number, Query: "redemar", Language: "fr"}); len(list) != 1 {
			t.Errorf("not found without its accent: %v", list)
		}

		// A ticket of no machine: the text shows what is missing, and is refused.
		plain := h.open(t, "Ma souris")
		left := h.filled(t, tech, &deskv1.FillAnswersRequest{Number: plain.GetNumber(), Language: "en"})[0]
		if fmt.Sprint(left.GetMissing()) != "[{endpoint.hostname}]" || !strings.Contains(left.GetText(), "restart {endpoint.hostname}") {
			t.Fatalf("without a machine: %v", left)
		}
		entry := &deskv1.AddEntryRequest{Number: plain.GetNumber(), Id: newID(), Kind: "message", Text: left.GetText()}
		_, err := h.AddEntry(t.Context(), tech, entry)
		wantKind(t, err, desk.ErrInvalid)
		if err == nil || !strings.Contains(err.Error(), "{endpoint.hostname}") {
			t.Errorf("the refusal does not name it: %v", err)
		}
		entry.Kind = "note" // which nobody else reads
		if _, err := h.AddEntry(t.Context(), tech, entry); err != nil {
			t.Error(err)
		}
	})
}

// open opens a ticket of no machine.
func (h *house) open(t *testing.T, text string) *constatv1.Ticket {
	t.Helper()
	ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft(text)})
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func TestAnswerIsRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for what, c := range map[string]struct {
			body, says string
		}{
			"unknown":     {"Hello\nyou, {requester.nam}!", "line 2, column 6: there is no variable {requester.nam}"},
			"after é":     {"éé {x}", "line 1, column 4"},
			"open":        {"a { b", "line 1, column 3"},
			"never ends":  {"{requester.name", "does not end"},
			"over a line": {"{requester.\nname}", "does not end"},
			"nested":      {"{requester.{name}}", "does not end"},
			"nothing":     {"  \n", "says nothing"},
			"10 MB":       {strings.Repeat("long ", 2<<20), "an answer at most 20"},
		} {
			_, err := h.SaveAnswer(t.Context(), chief, answer(c.body, "Bonjour"))
			wantKind(t, err, desk.ErrInvalid)
			if err == nil || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 500 {
				t.Errorf("%s: %v", what, err)
			}
		}
		twice := answer("a", "b")
		twice.Texts[0].Language = "en"
		_, err := h.SaveAnswer(t.Context(), chief, twice)
		wantKind(t, err, desk.ErrInvalid)
		other := answer("a", "b")
		other.Owner = "Marc"
		_, err = h.SaveAnswer(t.Context(), chief, other)
		wantKind(t, err, desk.ErrInvalid)
		if all, err := h.Answers(t.Context(), chief, ""); err != nil || len(all) != 0 {
			t.Errorf("kept %v (%v)", all, err)
		}
	})
}

// One's own answers are nobody else's; the team's are changed by leads, and those of
// a site by who sees it.
func TestAnswersOfWhom(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		own := answer("Regards, {technician.name}", "Bien à vous")
		own.Owner = tech.Name
		own = h.keepAnswer(t, tech, own)
		if all, err := h.Answers(t.Context(), chief, ""); err != nil || len(all) != 0 {
			t.Errorf("another's own are listed: %v (%v)", all, err)
		}
		_, err := h.SaveAnswer(t.Context(), chief, own)
		wantKind(t, err, desk.ErrInvalid)
		wantKind(t, h.DeleteAnswer(t.Context(), chief, own.GetId()), desk.ErrNotFound)
		_, err = h.SaveAnswer(t.Context(), tech, answer("a", "b"))
		wantKind(t, err, desk.ErrForbidden)

		paris := answer("Come to room 12", "Venez salle 12")
		paris.Site, paris.Queue = "Paris", "Network"
		paris = h.keepAnswer(t, chief, paris)
		lyon := desk.Actor{ID: "3", Name: "Lou", Role: "lead", Sites: []string{"Lyon"}}
		wantKind(t, h.DeleteAnswer(t.Context(), lyon, paris.GetId()), desk.ErrNotFound)
		_, err = h.SaveAnswer(t.Context(), lyon, answer("a", "b"))
		wantKind(t, err, desk.ErrForbidden)
		// It is for tickets of its site and queue only.
		ticket := h.open(t, "Hello")
		if list := h.filled(t, tech, &deskv1.FillAnswersRequest{Number: ticket.GetNumber(), Language: "en"}); len(list) != 1 || !list[0].GetOwn() || list[0].GetText() != "Regards, Léa" {
			t.Errorf("elsewhere: %v", list)
		}
		moved, err := h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{Number: ticket.GetNumber(), Version: h.ticket(t, ticket.GetNumber()).GetTicket().GetVersion(), Site: proto.String("Paris"), Queue: proto.String("Network")})
		if err != nil {
			t.Fatal(err)
		}
		if list := h.filled(t, tech, &deskv1.FillAnswersRequest{Number: moved.GetNumber(), Language: "en"}); len(list) != 2 {
			t.Errorf("at its site: %v", list)
		}

		// Two who write at once: the second looks again. Sent twice, made once.
		stale := proto.CloneOf(paris)
		paris.Texts[0].Body = "Come to room 13"
		if next := h.keepAnswer(t, chief, paris); next.GetVersion() != 2 || next.GetTexts()[0].GetBody() != "Come to room 13" {
			t.Errorf("the next version is %v", next)
		}
		_, err = h.SaveAnswer(t.Context(), chief, stale)
		wantKind(t, err, desk.ErrConflict)
		if err := h.DeleteAnswer(t.Context(), tech, own.GetId()); err != nil {
			t.Error(err)
		}
		_, err = h.Answer(t.Context(), tech, own.GetId())
		wantKind(t, err, desk.ErrNotFound)
	})
}

// Whatever the values hold (braces, HTML, right to left), they come into the text as
// they are and are read no second time; and text without variables stays itself.
func TestAnswerProperties(t *testing.T) {
	values := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"{ticket.number}", "{{", "<script>alert(1)</script>", "عبد الله", "\u202eevil", "}{", ""}))
	rapid.Check(t, func(t *rapid.T) {
		all := map[string]string{}
		for _, name := range desk.AnswerVariables {
			all[name] = values.Draw(t, name)
		}
		var body, want strings.Builder
		var missing []string
		for range rapid.IntRange(0, 8).Draw(t, "parts") {
			if name := rapid.SampledFrom(append([]string{""}, desk.AnswerVariables...)).Draw(t, "variable"); name != "" {
				body.WriteString("{" + name + "}")
				if all[name] == "" {
					missing = append(missing, "{"+name+"}")
					want.WriteString("{" + name + "}")
				}
				want.WriteString(all[name])
				continue
			}
			text := rapid.String().Draw(t, "text")
			body.WriteString(strings.ReplaceAll(text, "{", "{{"))
			want.WriteString(text)
		}
		got, left, err := desk.Fill(body.String(), all)
		if err != nil || got != want.String() {
			t.Fatalf("%q became %q, want %q (%v)", body.String(), got, want.String(), err)
		}
		for _, one := range missing {
			if !strings.Contains(fmt.Sprint(left), one) {
				t.Fatalf("%s is not told: %v", one, left)
			}
		}
		if len(missing) > 0 && desk.Unfilled(got) == "" {
			t.Fatalf("%q could be sent", got)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{"{requester.name}", "{{}", "{", "{{{ticket.number}}", "}{"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		text, _, err := desk.Fill(body, map[string]string{})
		if err == nil && !strings.Contains(body, "{") && text != body {
			t.Errorf("%q became %q", body, text)
		}
	})
}
