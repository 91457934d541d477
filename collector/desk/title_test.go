package desk_test

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// A title that the desk made is read in the reader's language, one that a person wrote
// as they wrote it.
func TestTitleInTheReadersLanguage(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		known := diskFull()
		known.RootCauses[0].Fault, known.RootCauses[0].Component, known.Language = "os-disk-full", "/home", "fr"
		asked := draft("Plus rien ne marche")
		asked.DiagnosisId, asked.Channel, asked.Language = known.GetId(), "tray", "fr"
		number := h.ingest(t, pc, ticketReport(asked))[0].GetTicketNumber()
		both := func(en, fr string) {
			t.Helper()
			ticket := h.ticket(t, number).GetTicket()
			if got := [2]string{h.TitleIn(ticket, "en"), h.TitleIn(ticket, "fr")}; got != [2]string{en, fr} {
				t.Errorf("%q reads %q, want %q and %q", ticket.GetTitle(), got, en, fr)
			}
		}
		both("I can’t print", "Je n’arrive pas à imprimer")
		h.ingest(t, pc, diagnosisReport(known))
		f := h.Catalog().Lookup("os-disk-full")
		both(f.Title.About("en", "/home"), f.Title.About("fr", "/home"))
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: number, Title: proto.String("Le disque de Claire")})
		both("Le disque de Claire", "Le disque de Claire")
		// So do those who are told of it, and who asked.
		lea := h.user(t, "Lea Two", "technician")
		if _, err := h.SetNoticeRule(t.Context(), lea, &deskv1.NoticeRule{Language: "fr"}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.SetNoticeRule(t.Context(), lea, &deskv1.NoticeRule{Language: "<b>"}); !errors.Is(err, desk.ErrInvalid) {
			t.Errorf("no language: %v", err)
		}
		second := draft("Nothing works")
		second.Channel, second.Language, second.Requester = "tray", "en", &constatv1.Person{Name: "anna"}
		number = h.ingest(t, pc, ticketReport(second))[0].GetTicketNumber()
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: number, Assignee: proto.String("Lea Two")})
		said, err := h.Notices(t.Context(), lea)
		if err != nil || len(said.GetNotices()) != 1 || said.GetNotices()[0].GetTitle() != "Je n’arrive pas à imprimer" {
			t.Errorf("Léa was told %v, %v", said, err)
		}
		if asked := h.read(t, pc, "anna").GetTickets(); len(asked) != 1 || asked[0].GetTicket().GetTitle() != "Je n’arrive pas à imprimer" {
			t.Errorf("who asked reads %v", asked)
		}
		if got := h.TitleIn(&constatv1.Ticket{Title: "Help wanted"}, "fr"); got != "Besoin d'aide" {
			t.Errorf("without anything known it is %q", got)
		}
	})
}

// Who owns what is written learns what was unclear in it, once of each reader and
// version; what nobody in the team owns those who lead learn.
func TestUnclearIsTold(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ana, ben, boss := h.user(t, "Ana", "technician"), h.user(t, "Ben", "technician"), h.user(t, "Boss", "lead")
		one, err := h.SaveArticle(t.Context(), ana, &deskv1.Article{Id: newID(), State: "published", Audience: "team", Owner: "Ana", Text: &deskv1.ArticleText{
			Translations: []*deskv1.ArticleTranslation{{Language: "en", Title: "Resume a queue", Body: "Press the button."}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, rating := range []*deskv1.RateArticleRequest{{Helped: true}, {Unclear: "Which button?"}, {Unclear: "Which one?"}} {
			rating.Id, rating.Version = one.GetId(), one.GetVersion()
			if err := h.RateArticle(t.Context(), ben, rating); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.RateArticle(t.Context(), ana, &deskv1.RateArticleRequest{Id: one.GetId(), Version: 1, Unclear: "my own"}); err != nil {
			t.Fatal(err)
		}
		if got, want := h.news(t, ana), "unclear #0 Ben: /articles/"+one.GetId()+" Which button?"; got != want {
			t.Errorf("the owner was told %q, want %q", got, want)
		}
		found, err := h.Procedure(t.Context(), desk.System, "printing")
		if err != nil {
			t.Fatal(err)
		}
		version := found.GetUse().GetProcedure().GetVersion()
		if err := h.RateProcedure(t.Context(), ben, &deskv1.RateProcedureRequest{Id: "printing", Version: version, Unclear: "Step 2"}); err != nil {
			t.Fatal(err)
		}
		if got, want := h.news(t, boss), "unclear #0 Ben: /procedures/printing Step 2"; got != want {
			t.Errorf("the lead was told %q, want %q", got, want)
		}
		// A person at a machine, in a walk: of a version once of each machine, and never
		// of a version that nobody has.
		pc := h.enroll(t, "pc-1")
		for i, v := range []int32{version, version, version + 1} {
			walk := &constatv1.ProcedureRun{Id: newID(), Procedure: "printing", Version: v, Trigger: "tray", Outcome: "support", Unclear: fmt.Sprint("Which tray? ", i)}
			if r := h.ingest(t, pc, &constatv1.Report{Content: &constatv1.Report_Run{Run: walk}})[0]; r.GetStatus() != "stored" {
				t.Fatal(r)
			}
		}
		if got, want := h.news(t, boss), "unclear #0 Ben: /procedures/printing Step 2\nunclear #0 pc-1: /procedures/printing Which tray? 0"; got != want {
			t.Errorf("the lead was told %q, want %q", got, want)
		}
	})
}
