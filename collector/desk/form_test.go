package desk_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

const laptop = `name: {en: New laptop, fr: Nouvel ordinateur portable}
help: {en: It takes two weeks.}
category: peripheral
queue: Hardware
urgency: normal
fields:
  - {key: model, kind: choice, required: true, label: {en: Model, fr: Modèle}, choices: [{en: Light, fr: Léger}, {en: Strong, fr: Puissant}]}
  - {key: needed-by, kind: date, label: {en: Needed by, fr: Souhaité pour le}}
  - {key: why, label: {en: Why, fr: Raison}}
checklist:
  - {en: Order it, fr: Le commander}
  - {en: Set it up, fr: Le préparer}
`

func (h *house) keepForm(t *testing.T, source string) *deskv1.RequestForm {
	t.Helper()
	f, err := h.SaveForm(t.Context(), chief, &deskv1.RequestForm{Id: newID(), Source: source})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func asks(f *deskv1.RequestForm, text, language string, pairs ...string) *deskv1.CreateTicketRequest {
	r := &deskv1.CreateTicketRequest{Draft: draft(text), Form: &deskv1.FilledForm{Id: f.GetId(), Version: f.GetVersion()}}
	r.Draft.Language = language
	for i := 0; i < len(pairs); i += 2 {
		r.Form.Answers = append(r.Form.Answers, &deskv1.FormAnswer{Key: pairs[i], Value: pairs[i+1]})
	}
	return r
}

// A service request is a ticket on the same path, with what the form says and asks.
func TestRequestByForm(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		f := h.keepForm(t, laptop)
		r := asks(f, "<b>Please</b> مرحبا", "fr-FR", "model", "2", "why", "The old one is {slow}")
		first, err := h.Create(t.Context(), tech, r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := h.Create(t.Context(), tech, r) // sent twice
		if err != nil || again.GetNumber() != first.GetNumber() {
			t.Fatalf("sent twice it is %v (%v)", again, err)
		}
		got := h.ticket(t, first.GetNumber())
		k := got.GetTicket()
		if k.GetTitle() != "Nouvel ordinateur portable" || k.GetType() != "request" || k.GetQueue() != "Hardware" || k.GetCategory() != "peripheral" || k.GetUrgency() != "normal" || !k.GetUrgencySet() {
			t.Errorf("the ticket is %v", k)
		}
		if text := got.GetTimeline()[0].GetText(); text != "Modèle: Puissant\nRaison: The old one is {slow}\n\n<b>Please</b> مرحبا" {
			t.Errorf("it says %q", text)
		}
		if list := got.GetChecklist(); len(list) != 2 || list[0].GetText() != "Le commander" || list[0].GetDoneAt() != nil {
			t.Errorf("to do: %v", list)
		}

		// Done is told once, by whom, and may be taken back.
		tick := &deskv1.CheckItemRequest{Number: first.GetNumber(), Position: 2, Done: true}
		for range 2 {
			if list, err := h.CheckItem(t.Context(), tech, tick); err != nil || list[1].GetDoneBy() != tech.Name || list[1].GetDoneAt() == nil || list[0].GetDoneAt() != nil {
				t.Fatalf("ticked: %v (%v)", list, err)
			}
		}
		told := 0
		for _, e := range h.ticket(t, first.GetNumber()).GetTimeline() {
			for _, c := range e.GetChanges() {
				if c.GetField() == "checked" && c.GetAfter() == "Le préparer" && e.GetActor() == tech.Name {
					told++
				}
			}
		}
		if told != 1 {
			t.Errorf("told %d times", told)
		}
		_, err = h.CheckItem(t.Context(), tech, &deskv1.CheckItemRequest{Number: first.GetNumber(), Position: 9})
		wantKind(t, err, desk.ErrNotFound)
		_, err = h.CheckItem(t.Context(), desk.Actor{ID: "9", Role: "requester"}, tick)
		wantKind(t, err, desk.ErrForbidden)

		// Merged, nothing that is to be done gets lost.
		other, err := h.Create(t.Context(), tech, asks(f, "", "en", "model", "1", "needed-by", "2031-05-04"))
		if err != nil {
			t.Fatal(err)
		}
		if text := h.ticket(t, other.GetNumber()).GetTimeline()[0].GetText(); text != "Model: Light\nNeeded by: 2031-05-04" {
			t.Errorf("the other says %q", text)
		}
		_, err = h.Merge(t.Context(), tech, &deskv1.MergeTicketRequest{Number: first.GetNumber(), Version: h.ticket(t, first.GetNumber()).GetTicket().GetVersion(), Into: other.GetNumber()})
		if err != nil {
			t.Fatal(err)
		}
		if list := h.ticket(t, first.GetNumber()).GetChecklist(); len(list) != 4 || list[3].GetDoneBy() != tech.Name || list[3].GetPosition() != 4 {
			t.Errorf("after the merge: %v", list)
		}
	})
}

func TestFormIsRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for what, c := range map[string]struct{ source, says string }{
			"unknown key":     {"name: {en: x}\nnmae: {en: y}\n", "2:1"},
			"no name":         {"queue: x\n", "name is missing"},
			"critical":        {"name: {en: x}\nurgency: critical\n", "no urgency"},
			"twice":           {"name: {en: x}\nfields: [{key: a, label: {en: A}}, {key: a, label: {en: B}}]\n", "two fields"},
			"no choices":      {"name: {en: x}\nfields: [{key: a, kind: choice, label: {en: A}}]\n", "a choice has choices"},
			"kind":            {"name: {en: x}\nfields: [{key: a, kind: file, label: {en: A}}]\n", "not \"file\""},
			"no label":        {"name: {en: x}\nfields: [{key: a}]\n", "fields[1].label is missing"},
			"an empty text":   {"name: {en: x}\nchecklist: [{en: ' '}]\n", "checklist[1]"},
			"not YAML":        {"name: [", "the form"},
			"10 MB":           {"# " + strings.Repeat("x", 10<<20), "at most 32"},
			"ten thousand":    {"name: {en: x}\nchecklist:\n" + strings.Repeat("  - {a: b}\n", 2000), "at most"},
			"a key of spaces": {"name: {en: x}\nfields: [{key: 'a b', label: {en: A}}]\n", "not of the form"},
		} {
			_, err := h.SaveForm(t.Context(), chief, &deskv1.RequestForm{Id: newID(), Source: c.source})
			wantKind(t, err, desk.ErrInvalid)
			if err == nil || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 500 {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err := h.SaveForm(t.Context(), tech, &deskv1.RequestForm{Id: newID(), Source: laptop})
		wantKind(t, err, desk.ErrForbidden)

		f := h.keepForm(t, laptop)
		for what, answers := range map[string][]string{
			"not answered": {}, "no such choice": {"model", "3"}, "a word for a choice": {"model", "Light"}, "no day": {"model", "1", "needed-by", "31.12.2031"},
			"not asked": {"model", "1", "colour", "red"}, "twice": {"model", "1", "model", "2"}, "too long": {"model", "1", "why", strings.Repeat("x", 10<<20)},
		} {
			if _, err := h.Create(t.Context(), tech, asks(f, "x", "en", answers...)); err == nil || len(err.Error()) > 500 {
				t.Errorf("%s: %v", what, err)
			} else {
				wantKind(t, err, desk.ErrInvalid)
			}
		}
		// Changed meanwhile, retired, or of a site that one does not see.
		stale := proto.CloneOf(f)
		f.Source = strings.Replace(laptop, "kind: date", "kind: text", 1)
		if f, err = h.SaveForm(t.Context(), chief, f); err != nil || f.GetVersion() != 2 {
			t.Fatalf("%v (%v)", f, err)
		}
		_, err = h.SaveForm(t.Context(), chief, stale)
		wantKind(t, err, desk.ErrConflict)
		_, err = h.Create(t.Context(), tech, asks(stale, "x", "en", "model", "1"))
		wantKind(t, err, desk.ErrConflict)
		f.State = "retired"
		if f, err = h.SaveForm(t.Context(), chief, f); err != nil {
			t.Fatal(err)
		}
		_, err = h.Create(t.Context(), tech, asks(f, "x", "en", "model", "1"))
		wantKind(t, err, desk.ErrInvalid)
		paris := h.keepForm(t, laptop+"site: Paris\n")
		lyon := desk.Actor{ID: "3", Name: "Lou", Role: "lead", Sites: []string{"Lyon"}}
		_, err = h.Create(t.Context(), lyon, asks(paris, "x", "en", "model", "1"))
		wantKind(t, err, desk.ErrNotFound)
		_, err = h.SaveForm(t.Context(), lyon, paris)
		wantKind(t, err, desk.ErrNotFound)
		if list, err := h.Forms(t.Context(), lyon, true); err != nil || len(list) != 1 {
			t.Errorf("Lyon sees %v (%v)", list, err)
		}
	})
}

func FuzzForm(f *testing.F) {
	f.Add(laptop, "model", "1")
	f.Fuzz(func(t *testing.T, source, key, value string) {
		form, err := desk.ReadForm(source)
		if err != nil {
			return
		}
		for _, field := range form.GetFields() {
			if desk.InLanguage(field.GetLabel(), "fr") == "" || fmt.Sprint(field.GetKind()) == "" {
				t.Errorf("%q has a field without a label: %v", source, field)
			}
		}
	})
}
