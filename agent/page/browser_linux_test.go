package page

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/local"
	"constat/internal/diagnosis"
	"constat/internal/lab/chrome"
	constatv1 "constat/proto/constat/v1"
)

// desk is an agent of which a test says what it finds. The real one, with faults
// that are there, is met in internal/lab.
type desk struct {
	constatv1.UnimplementedLocalServiceServer

	mu sync.Mutex
	// healthy: nothing is found. mends: the remedy helps. offline: tickets wait.
	healthy, mends, offline bool
	// held keeps a diagnosis from ending until it is closed.
	held chan struct{}
	// mending keeps a remedy from ending, likewise.
	mending   chan struct{}
	runs      []string
	submitted []*constatv1.SubmitTicketRequest
}

func in(language, en, fr string) string {
	if language == "fr" {
		return fr
	}
	return en
}

func (d *desk) script(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func (d *desk) GetStatus(_ context.Context, r *constatv1.GetStatusRequest) (*constatv1.GetStatusResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &constatv1.GetStatusResponse{Enrolled: true, Connected: !d.offline, Phone: "01 23 45 67 89", Found: []*constatv1.Finding{
		{At: timestamppb.Now(), Fault: "hw-disk-failing", Title: in(r.GetLanguage(), "The disk will fail soon", "Le disque va bientôt lâcher"), Event: "daily", Procedure: "full", Certainty: "probable"},
	}}, nil
}

func (d *desk) RunDiagnosis(r *constatv1.RunDiagnosisRequest, s grpc.ServerStreamingServer[constatv1.RunDiagnosisResponse]) error {
	d.mu.Lock()
	d.runs = append(d.runs, r.GetProcedure())
	held, healthy := d.held, d.healthy
	d.mu.Unlock()
	p, _ := diagnosis.Lookup(r.GetProcedure())
	early := ""
	for i, group := range p.Groups {
		if i > 2 && !healthy {
			early = in(r.GetLanguage(), "The line was stopped.", "Le guichet est fermé.")
		}
		if err := s.Send(&constatv1.RunDiagnosisResponse{Event: &constatv1.RunDiagnosisResponse_Progress{Progress: &constatv1.Progress{Phase: "observing", Group: group, Done: int32(i), Total: int32(len(p.Groups)), Found: early}}}); err != nil {
			return err
		}
	}
	if held != nil {
		select {
		case <-held:
		case <-s.Context().Done():
			return s.Context().Err()
		}
	}
	found := &constatv1.Diagnosis{Id: "01950000-0000-7000-8000-000000000001", Procedure: r.GetProcedure(), StartedAt: timestamppb.Now(), Verdict: "healthy"}
	said := map[string]*constatv1.RunDiagnosisResponse_Cause{}
	if !healthy {
		found.Verdict = "fault"
		found.RootCauses = []*constatv1.RootCause{{
			Fault: "printer-queue-paused", Certainty: "confirmed", Title: "Queue <script>alert(1)</script> is paused", Component: "floor2", Remedies: []string{"resume-queue"},
			Evidence: []*constatv1.Evidence{{Fact: "printing.queues[0].state", Value: "stopped"}},
			Advice:   &constatv1.Advice{User: in(r.GetLanguage(), "Somebody paused the printer; we can start it again.", "Quelqu’un a mis l’imprimante en pause ; nous pouvons la relancer."), Technician: "cupsenable floor2"},
		}}
		said["printer-queue-paused"] = &constatv1.RunDiagnosisResponse_Cause{Explanation: in(r.GetLanguage(),
			"Your documents wait in line, but the line was stopped, as with a closed counter.", "Vos documents font la queue, mais le guichet est fermé.")}
	}
	return s.Send(&constatv1.RunDiagnosisResponse{Event: &constatv1.RunDiagnosisResponse_Diagnosis{Diagnosis: found}, Causes: said})
}

func (d *desk) ListRemedies(_ context.Context, r *constatv1.ListRemediesRequest) (*constatv1.ListRemediesResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	answer := &constatv1.ListRemediesResponse{}
	if d.mending != nil {
		answer.Phase = "checking"
	}
	if r.GetPast() {
		answer.Past = []*constatv1.RemedyResult{{At: timestamppb.Now(), Verb: "resume-queue", RequestedBy: "Ada", ConsentedBy: "anna", Outcome: "fixed", Proof: &constatv1.RemedyText{En: "The queue prints.", Fr: "La file imprime."}}}
	}
	if len(d.runs) > 0 && !d.healthy {
		answer.Offers = []*constatv1.RemedyOffer{{Request: &constatv1.RemedyRequest{Verb: "resume-queue", Component: "floor2", Fault: "printer-queue-paused"},
			Title: in(r.GetLanguage(), "Resume the queue floor2", "Relancer la file floor2"), Text: in(r.GetLanguage(), "The queue prints again, also what waits in it. Shall I?", "La file imprime de nouveau, aussi ce qui attend. Je le fais ?")}}
	}
	return answer, nil
}

func (d *desk) RunRemedy(context.Context, *constatv1.RunRemedyRequest) (*constatv1.RunRemedyResponse, error) {
	d.mu.Lock()
	mending := d.mending
	d.mu.Unlock()
	if mending != nil {
		<-mending
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mends {
		d.healthy = true
		return &constatv1.RunRemedyResponse{Result: &constatv1.RemedyResult{Outcome: "fixed", Proof: &constatv1.RemedyText{En: "The queue prints; before: it was paused.", Fr: "La file imprime ; avant : elle était en pause."}}}, nil
	}
	return &constatv1.RunRemedyResponse{Result: &constatv1.RemedyResult{Outcome: "notFixed"}}, nil
}

func (d *desk) Walk(_ context.Context, r *constatv1.WalkRequest) (*constatv1.WalkResponse, error) {
	answer := &constatv1.WalkResponse{Procedure: &constatv1.Procedure{Id: r.GetProcedure(), Version: 1}}
	if len(r.GetTaken()) > 0 {
		answer.Outcome = "support"
		return answer, nil
	}
	answer.Step = &constatv1.Procedure_Step{Id: "paper", Kind: "manual", Text: &constatv1.Procedure_Text{En: "Is there paper in the tray?", Fr: "Y a-t-il du papier dans le bac ?"},
		Answers: []*constatv1.Procedure_Answer{{Id: "yes", Label: &constatv1.Procedure_Text{En: "Yes", Fr: "Oui"}}}}
	answer.Drawing = &constatv1.Procedure_Text{En: "A tray with paper", Fr: "Un bac avec du papier"}
	answer.DrawingSvg = []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" fill="none" stroke="currentColor"><script>window.bad = 1</script><path onload="window.bad = 1" d="M8 8h48v48H8z"/><foreignObject><b>no</b></foreignObject></svg>`)
	return answer, nil
}

func (d *desk) EndWalk(context.Context, *constatv1.EndWalkRequest) (*constatv1.EndWalkResponse, error) {
	return &constatv1.EndWalkResponse{Kept: true}, nil
}

func (d *desk) PreviewTicket(context.Context, *constatv1.PreviewTicketRequest) (*constatv1.PreviewTicketResponse, error) {
	return &constatv1.PreviewTicketResponse{Sections: []*constatv1.PreviewTicketResponse_Section{
		{Name: "Who asks", Facts: []*constatv1.PreviewTicketResponse_Fact{{Name: "Your account", Value: "anna"}}},
		{Group: "printing", Name: "Printing", Facts: []*constatv1.PreviewTicketResponse_Fact{{Name: "Queue", Value: "floor2"}}},
	}}, nil
}

func (d *desk) SubmitTicket(_ context.Context, r *constatv1.SubmitTicketRequest) (*constatv1.SubmitTicketResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.submitted = append(d.submitted, r)
	if r.GetText() == "refuse me" {
		return nil, status.Error(codes.Aborted, "the collector refused it: made up")
	}
	if d.offline {
		return &constatv1.SubmitTicketResponse{Id: "01950000-0000-7000-8000-000000000002"}, nil
	}
	return &constatv1.SubmitTicketResponse{Id: "01950000-0000-7000-8000-00000000000a", Number: 17}, nil
}

func (d *desk) ListTickets(_ context.Context, r *constatv1.ListTicketsRequest) (*constatv1.ListTicketsResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.GetSent() {
		return &constatv1.ListTicketsResponse{Sent: []*constatv1.ListTicketsResponse_Sent{{At: timestamppb.Now(), Kind: "asked", Text: "Printing", By: "Ada"}, {At: timestamppb.Now(), Kind: "facts", Text: "Network, Printing"}}}, nil
	}
	at := timestamppb.Now()
	return &constatv1.ListTicketsResponse{
		Reached: !d.offline,
		Known:   []*constatv1.Finding{{Fault: "printer-offline", Subject: "Floor 2", Title: in(r.GetLanguage(), "The printer “Floor 2” is off.", "L’imprimante « Floor 2 » est éteinte."), At: at}},
		Planned: []*constatv1.PlannedWork{{From: timestamppb.New(at.AsTime().Add(-time.Hour)), Until: timestamppb.New(at.AsTime().Add(time.Hour)), Title: in(r.GetLanguage(), "The disks are replaced.", "Remplacement des disques"), Text: "Leave <b>it</b> on."}},
		Tickets: []*constatv1.PersonTicket{
			{Ticket: &constatv1.Ticket{Id: "01950000-0000-7000-8000-00000000000a", Number: 16, Title: "No paper", Status: "open", Assignee: "Ada", DueAt: timestamppb.New(time.Now().Add(time.Hour))}, Messages: []*constatv1.TicketEntry{
				{Id: "1", At: at, Kind: "message", Actor: "anna", ActorRole: "requester", Text: "Nothing comes out", Files: []*constatv1.TicketFile{{Name: "picture-1.png"}}},
				{Id: "2", At: at, Kind: "message", Actor: "Ada", ActorRole: "technician", Text: "Is it <i>on</i>?"},
			}},
			{Ticket: &constatv1.Ticket{Id: "01950000-0000-7000-8000-00000000000b", Title: "The Internet", Status: "new"}, Messages: []*constatv1.TicketEntry{{Id: "3", At: at, Kind: "waiting", ActorRole: "requester", Text: "Nothing opens"}}},
			{Ticket: &constatv1.Ticket{Id: "01950000-0000-7000-8000-00000000000c", Title: "Sound", Status: "new"}, Messages: []*constatv1.TicketEntry{{Id: "4", At: at, Kind: "refused", ActorRole: "requester", Text: "I hear nothing"}}},
		},
	}, nil
}

// visit is a page that is served in front of a desk, in a browser.
type visit struct {
	*chrome.Tab
	page *Page
	desk *desk
	// end ends the agent; gone is that it was ended, of which the browser tells as
	// often as the page asks: 502 is an answer cut short, 503 none at all.
	end  context.CancelFunc
	gone bool
}

func visitIn(t testing.TB, tab *chrome.Tab, language string) *visit {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	socket := filepath.Join(t.TempDir(), "agent.sock")
	l, err := local.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	v := &visit{Tab: tab, desk: &desk{}}
	var ctx context.Context
	ctx, v.end = context.WithCancel(t.Context())
	go local.Serve(ctx, l, v.desk)
	if v.page, err = Serve(t.Context(), socket, language); err != nil {
		t.Fatal(err)
	}
	return v
}

// enter opens a view as the tray does: by a file.
func (v *visit) enter(view string) {
	v.Helper()
	file, err := v.page.Way(view)
	if err != nil {
		v.Fatal(err)
	}
	v.Enter(file)
}

// good looks at the view that is shown: nothing that keeps anybody out, and nothing
// wider than the window.
func (v *visit) good(where string) {
	v.Helper()
	for _, look := range []struct {
		width  int
		scheme string
	}{{1280, "light"}, {1280, "dark"}, {320, "light"}, {640, "dark"}} { // 640: 1280 at 200 %
		v.Look(look.width, look.scheme)
		if wide := v.Eval("document.documentElement.scrollWidth"); wide != fmt.Sprint(look.width) {
			v.Errorf("%s is %s px wide in a window of %d", where, wide, look.width)
		}
		if pale := v.Eval(chrome.PaleText); pale != "" {
			v.Errorf("%s, %s: text with too little contrast: %s", where, look.scheme, pale)
		}
		if look.width == 1280 {
			for _, barrier := range v.Barriers() {
				v.Errorf("%s, %s: %s", where, look.scheme, barrier)
			}
		}
		v.Keep(fmt.Sprintf("page-%s-%s-%d", where, look.scheme, look.width))
		if os.Getenv("CONSTAT_PICTURES") == "write" && look.width == 1280 && (look.scheme == "light") != strings.HasSuffix(where, "-fr") {
			v.Picture(filepath.Join("..", "..", "docs", "page", where+".webp"))
		}
	}
	// High contrast: the system chooses the colours, and lines show what is what.
	v.Call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "forced-colors", "value": "active"}}}, nil)
	if bare := v.Eval("[...document.querySelectorAll('button:not(.mark), textarea, .card')].filter(e => e.checkVisibility() && getComputedStyle(e).borderTopStyle !== 'solid').map(e => e.outerHTML.slice(0, 80)).join()"); bare != "" {
		v.Errorf("%s: without lines in high contrast: %s", where, bare)
	}
	v.Keep("page-" + where + "-contrast")
	v.Look(1280, "light")
	v.Complaints = slices.DeleteFunc(v.Complaints, func(c string) bool {
		return v.gone && (strings.Contains(c, "a status of 502") || strings.Contains(c, "a status of 503"))
	})
	v.Quiet(where)
}

// The whole way in both languages: every complaint, the answer, a remedy that helps
// and one that doesn't, the steps with their drawing, and help asked for.
func TestPageInChromium(t *testing.T) {
	tab := chrome.Start(t)
	for _, w := range []struct {
		language, title, wrong, yes, checking, fixed, still, again, steps, question, answer, send, now, number, due, healthy, home, works, good string
	}{
		{"en", "Something is not working?", "Here is what is wrong", "Yes, do it", "I look if it helped", "Fixed.", "the problem is still there", "Look again", "Help me step by step", "Is there paper in the tray?", "Yes", "Send to support", "Send now", "Your ticket is number 17.", "You get an answer by", "Everything that the computer can check works.", "Back to the start", "Yes, it works", "Nothing more needs to be done."},
		{"fr", "Quelque chose ne marche pas ?", "Voici ce qui ne va pas", "Oui, allez-y", "Je vérifie si cela a aidé", "Réparé.", "le problème est toujours là", "Vérifier encore", "Me guider pas à pas", "Y a-t-il du papier dans le bac ?", "Oui", "Envoyer à l’assistance", "Envoyer maintenant", "Votre ticket porte le numéro 17.", "Vous aurez une réponse avant", "Tout ce que l’ordinateur peut vérifier fonctionne.", "Revenir au début", "Oui, ça marche", "Il n’y a plus rien à faire."},
	} {
		v := visitIn(t, tab, w.language)
		v.enter("")
		v.Says(w.title)
		if left, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "constat", "open-*")); len(left) > 0 {
			t.Errorf("a way that was taken is left: %v", left)
		}
		v.good("start-" + w.language)
		choices := v.Eval("[...document.querySelectorAll('.choices button')].length")
		if choices != fmt.Sprint(len(diagnosis.Procedures())) {
			t.Errorf("%s choices for %d complaints", choices, len(diagnosis.Procedures()))
		}
		for i := range diagnosis.Procedures() {
			v.Until(fmt.Sprintf("document.querySelectorAll('.choices button').length > %d", i))
			v.Eval(fmt.Sprintf("document.querySelectorAll('.choices button')[%d].click()", i))
			v.Says(w.wrong)
			v.Until("document.querySelector('details').textContent.includes('<script>alert(1)</script>')") // as text, and as nothing else
			v.Says(": floor2.")
			v.Push("Constat")
			v.Says(w.title)
		}
		v.desk.script(func() {
			if len(v.desk.runs) != len(diagnosis.Procedures()) {
				t.Errorf("asked were %v", v.desk.runs)
			}
		})
		v.enter("printing")
		v.Says(w.wrong)
		v.good("answer-" + w.language)
		mending := make(chan struct{})
		v.desk.script(func() { v.desk.mending = mending })
		v.Push(w.yes)
		v.Says(w.checking)
		v.good("mending-" + w.language)
		v.desk.script(func() { v.desk.mending = nil })
		close(mending)
		v.Says(w.still)
		v.desk.script(func() { v.desk.mends = true })
		v.Push(w.again)
		v.Says(w.wrong)
		v.Push(w.yes)
		v.Says(w.fixed)
		v.Push(w.again)
		v.Says(w.healthy)
		v.Push(w.works)
		v.Says(w.good)

		v.desk.script(func() { v.desk.healthy, v.desk.mends = false, false })
		v.enter("printing")
		v.Push(w.steps)
		v.Says(w.question)
		v.Until("document.querySelector('svg.drawing[role=img] path')")
		if bad := v.Eval("[!!window.bad, !!document.querySelector('svg script, svg foreignObject'), document.querySelector('svg path').hasAttribute('onload')].join()"); bad != "false,false,false" {
			t.Errorf("what a drawing must not have is there: %s", bad)
		}
		v.Complaints = nil // it tells that it ran nothing of it
		v.good("step-" + w.language)
		v.Push(w.answer)
		v.Until("document.querySelector('#text')")
		v.good("compose-" + w.language)
		v.Eval("document.querySelector('#text').focus()")
		v.Write("Zwölf Seiten, 印刷")
		v.Push(w.now)
		v.Says(w.number)
		v.Says(w.due)
		v.good("sent-" + w.language)
		v.desk.script(func() {
			if s := v.desk.submitted; len(s) != 1 || s[0].GetText() != "Zwölf Seiten, 印刷" || s[0].GetDiagnosisId() == "" || s[0].GetComplaint() != "printing" {
				t.Errorf("sent was %v", s)
			}
		})
	}
}

// Tickets with what was answered, a reply, and the trace of what left.
func TestTicketsOnThePage(t *testing.T) {
	v := visitIn(t, chrome.Start(t), "en")
	v.enter("tickets")
	v.Says("Ticket 16: we are working on it. Ada takes care of it.")
	v.Says("You get an answer by")
	v.Says("Is it <i>on</i>?")
	v.Says("This ticket waits on this computer for a connection.")
	v.Says("Your help desk did not take this ticket. Your words are kept here")
	v.Says("I hear nothing")
	v.good("tickets")
	v.Eval("document.querySelector('#reply-0').focus()")
	v.Write("It is on")
	// What was typed is there when the page was closed in the middle.
	v.enter("tickets")
	v.Until("document.querySelector('#reply-0')?.value === 'It is on'")
	v.Push("Send the answer")
	v.Until("document.querySelector('#reply-0')?.value === ''")
	v.desk.script(func() {
		if s := v.desk.submitted; len(s) != 1 || s[0].GetReplyTo() != "01950000-0000-7000-8000-00000000000a" || s[0].GetText() != "It is on" {
			t.Errorf("sent was %v", s)
		}
	})
	v.enter("sent")
	v.Says("Ada asked for: Printing.")
	v.Says("Facts about this computer: Network, Printing.")
	v.Says("Ada asked for it, anna said yes. The queue prints. Fixed.")
	v.good("trace")
	v.enter("")
	v.Says("The printer “Floor 2” is off. Others have this too")
	v.Says("Under way on this computer, until ")
	v.Says(": The disks are replaced.\n")
	v.Says("Leave <b>it</b> on.")
}

// Without a network a ticket waits and says so; refused, it stays on the page; and
// whatever ends in the middle, the words are there again.
func TestWordsAreNotLost(t *testing.T) {
	tab := chrome.Start(t)
	v := visitIn(t, tab, "en")
	v.desk.script(func() { v.desk.offline = true })
	compose := func() {
		v.enter("printing")
		v.Push("Send to support")
		v.Until("document.querySelector('#text')")
	}
	compose()
	v.Eval("document.querySelector('#text').focus()")
	v.Write("refuse me")
	v.Push("Send now")
	v.Says("Your help desk did not take it.")
	v.Complaints = nil // the browser tells of the answer 502
	compose()
	v.Until("document.querySelector('#text').value === 'refuse me'")
	v.Eval("document.querySelector('#text').select()")
	v.Write("No page comes out")

	// Two pages at once: each has its own session, and both have the words.
	first := v.Eval("sessionStorage.getItem('session')")
	other := chrome.Start(t)
	w := &visit{Tab: other, page: v.page, desk: v.desk, end: v.end}
	w.enter("slow")
	w.Says("Here is what is wrong")
	if second := other.Eval("sessionStorage.getItem('session')"); second == first || second == "" {
		t.Error("two pages have one session")
	}

	// The tray ends, and another one comes: its page has another address. Meanwhile
	// the clock was put back.
	v.Until("fetch('/drafts', {method: 'POST', body: '{}', headers: {Authorization: 'Bearer ' + sessionStorage.getItem('session')}}).then(a => a.text()).then(a => a.includes('No page comes out'))")
	after, err := Serve(t.Context(), v.page.socket, "en")
	if err != nil {
		t.Fatal(err)
	}
	v.page = after
	v.enter("printing")
	v.Eval("Date.now = () => -1e12")
	v.Push("Send to support")
	v.Until("document.querySelector('#text')?.value === 'No page comes out'")
	v.Push("Send now")
	v.Says("It is sent as soon as there is a connection.")
	v.Push("Back to the start")
	v.Push("The printer does not print")
	v.Push("Send to support")
	v.Until("document.querySelector('#text')?.value === ''") // it was sent
	v.enter("printing")
	v.Push("Send to support")
	v.Until("document.querySelector('#text')")
	v.Eval("document.querySelector('#text').focus()")
	v.Write("No page comes out")
	v.Push("Send now")
	v.Says("It is sent as soon as there is a connection.")
	v.Says("If it can’t wait, phone 01 23 45 67 89.")
	v.good("waits")
	v.desk.script(func() {
		if s := v.desk.submitted; s[len(s)-1].GetText() != "No page comes out" {
			t.Errorf("sent was %v", s)
		}
	})

	// Somebody goes away in the middle of a diagnosis, and the agent does.
	held := make(chan struct{})
	v.desk.script(func() { v.desk.held = held })
	v.enter("printing")
	v.Says("Looking for the cause…")
	v.Push("Stop")
	v.Says("Something is not working?")
	v.Push("The printer does not print")
	v.Says("Looking for the cause…")
	v.Says("This is seen already.")
	v.Says("The line was stopped.")
	v.good("early")
	v.end()
	v.gone = true
	v.Until("document.querySelector('[role=alert]')")
	v.good("agent-gone")
	v.Push("Back to the start")
	v.Says("The Constat service does not run on this computer.")
	v.Complaints = nil // the browser tells of the answer 503
	close(held)
}

// Everything is done by the keyboard alone, and the order is that of reading.
func TestPageByKeyboard(t *testing.T) {
	v := visitIn(t, chrome.Start(t), "en")
	v.Look(1280, "light")
	v.enter("")
	v.Says("Something is not working?")
	to := func(words string) {
		t.Helper()
		for range 40 {
			if v.Eval("document.activeElement.innerText?.trim()") == words {
				if ring := v.Eval("getComputedStyle(document.activeElement).outlineStyle"); ring != "solid" {
					t.Errorf("nobody sees that %q has the focus: %s", words, ring)
				}
				return
			}
			v.Press("Tab")
		}
		t.Fatalf("%q is not reached by Tab; the focus is on %s", words, v.Eval("document.activeElement.outerHTML.slice(0, 200)"))
	}
	to("The printer does not print")
	v.Press("Enter")
	v.Says("Here is what is wrong")
	to("Yes, do it")
	v.Press("Space")
	v.Says("still there")
	to("Send to support")
	v.Press("Enter")
	v.Until("document.querySelector('#text')")
	for v.Eval("document.activeElement.id") != "text" {
		v.Press("Tab")
	}
	v.Write("By keys")
	to("See exactly what is sent")
	v.Press("Enter")
	v.Says("Send Printing")
	for v.Eval("document.activeElement.id") != "send-printing" {
		v.Press("Tab")
	}
	v.Press("Space")
	to("Send now")
	v.Press("Enter")
	v.Says("Your ticket is number 17.")
	v.desk.script(func() {
		if s := v.desk.submitted; len(s) != 1 || s[0].GetText() != "By keys" || len(s[0].GetLeaveOut()) != 1 || s[0].GetLeaveOut()[0] != "printing" {
			t.Errorf("sent was %v", s)
		}
	})
	v.Quiet("by keyboard")
}

// A picture is sent as it is seen: black where it was blacked out, and without
// what the file had beside the picture.
func TestPictureIsBlackedOut(t *testing.T) {
	v := visitIn(t, chrome.Start(t), "en")
	v.Look(1280, "light")
	v.enter("printing")
	v.Push("Send to support")
	v.Until("document.querySelector('#picture')")
	red := image.NewNRGBA(image.Rect(0, 0, 400, 200))
	for i := range red.Pix {
		red.Pix[i] = []byte{220, 30, 30, 255}[i%4]
	}
	var content bytes.Buffer
	if err := png.Encode(&content, red); err != nil {
		t.Fatal(err)
	}
	choose := func(name, kind, base64 string, size int) {
		t.Helper()
		v.Eval(fmt.Sprintf(`(() => {
			const files = new DataTransfer(), raw = atob(%q);
			const bytes = new Uint8Array(%d || raw.length);
			for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
			files.items.add(new File([bytes, "SECRET-IN-THE-FILE"], %q, { type: %q }));
			const input = document.querySelector('#picture');
			input.files = files.files;
			input.dispatchEvent(new Event('change'));
		})()`, base64, size, name, kind))
	}
	choose("huge.png", "image/png", "", 50_000_000)
	v.Says("This picture is too large: 51 MB.")
	choose("page.png", "image/png", base64.StdEncoding.EncodeToString([]byte("<html>")), 0)
	v.Says("“page.png” is no picture")
	choose("screen.png", "image/png", base64.StdEncoding.EncodeToString(content.Bytes()), 0)
	v.Until("document.querySelector('canvas')?.width === 400")
	v.good("picture")
	v.Look(1280, "light")
	// By mouse over the left, by keys over a corner of the right.
	v.Eval("document.querySelector('canvas').scrollIntoView()")
	var at struct{ X, Y, W, H float64 }
	v.EvalInto("(() => { const r = document.querySelector('canvas').getBoundingClientRect(); return { x: r.left, y: r.top, w: r.width, h: r.height } })()", &at)
	mouse := func(kind string, x, y float64) {
		v.Call("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X + x*at.W, "y": at.Y + y*at.H, "button": "left", "buttons": 1, "clickCount": 1}, nil)
	}
	mouse("mousePressed", 0.01, 0.01)
	mouse("mouseMoved", 0.4, 0.98)
	mouse("mouseReleased", 0.4, 0.98)
	v.Eval("document.querySelector('canvas').focus()")
	v.Press("Enter", "Right", "Right", "Right", "Down", "Down", "Down", "Enter")
	v.Until("document.querySelector('#told').textContent === 'Blacked out: 2'")
	v.Push("Send now")
	v.Says("Your ticket is number 17.")
	v.desk.mu.Lock()
	defer v.desk.mu.Unlock()
	pictures := v.desk.submitted[0].GetPictures()
	if len(pictures) != 1 || bytes.Contains(pictures[0], []byte("SECRET")) {
		t.Fatalf("%d pictures were sent, or more than what is seen", len(pictures))
	}
	sent, err := png.Decode(bytes.NewReader(pictures[0]))
	if err != nil {
		t.Fatal(err)
	}
	for point, want := range map[image.Point]color.NRGBA{{50, 100}: {0, 0, 0, 255}, {210, 110}: {0, 0, 0, 255}, {390, 10}: {220, 30, 30, 255}, {180, 50}: {220, 30, 30, 255}} {
		if got := color.NRGBAModel.Convert(sent.At(point.X, point.Y)); got != want {
			t.Errorf("at %v it is %v, want %v", point, got, want)
		}
	}
	if sent.Bounds() != red.Bounds() {
		t.Errorf("it is %v", sent.Bounds())
	}
}

// Pages of others get nothing: not by a frame, not by a form, not by a script, not
// by a name that points here.
func TestHostilePages(t *testing.T) {
	v := visitIn(t, chrome.Start(t), "en")
	v.enter("")
	v.Says("Something is not working?")
	session := v.Eval("sessionStorage.getItem('session')")
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>evil</title><link rel="icon" href="data:,"><iframe id="frame" src="http://%s/"></iframe>`, v.page.address)
	}))
	defer evil.Close()
	v.Open(evil.URL + "/")
	v.Until("document.querySelector('#frame')")
	if inside := v.Eval("(() => { try { return document.querySelector('#frame').contentDocument?.body.innerText ?? 'closed' } catch { return 'closed' } })()"); inside != "closed" && strings.TrimSpace(inside) != "" {
		t.Errorf("a frame shows %q", inside)
	}
	for name, script := range map[string]string{
		"a script without a key": `fetch("http://ADDRESS/agent/GetStatus", {method: "POST", body: "{}"})`,
		"a script with a key":    `fetch("http://ADDRESS/agent/GetStatus", {method: "POST", body: "{}", headers: {Authorization: "Bearer SESSION"}})`,
		"blindly":                `fetch("http://ADDRESS/agent/RunDiagnosis", {method: "POST", mode: "no-cors", body: '{"procedure":"full"}', headers: {"Content-Type": "text/plain"}})`,
	} {
		script = strings.NewReplacer("ADDRESS", v.page.address, "SESSION", session).Replace(script)
		if got := v.Eval(script + `.then(r => r.type + r.status).then(r => r, e => "refused")`); got != "refused" && got != "opaque0" {
			t.Errorf("%s: %s", name, got)
		}
	}
	v.Eval(fmt.Sprintf(`(() => {
		const form = document.createElement('form');
		form.method = 'post'; form.enctype = 'text/plain'; form.target = 'frame'; form.action = 'http://%s/agent/RunDiagnosis';
		const field = document.createElement('input');
		field.name = '{"procedure":"full","x":"'; field.value = '"}';
		form.append(field); document.body.append(form); form.submit();
	})()`, v.page.address))
	// A name that somebody points at this machine.
	port := v.page.address[strings.LastIndex(v.page.address, ":")+1:]
	r, err := http.NewRequest(http.MethodGet, "http://"+v.page.address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example:" + port
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("by another name: %d", answer.StatusCode)
	}
	v.Open(fmt.Sprintf("http://localhost:%s/", port))
	if got := v.Eval("document.body.innerText"); !strings.Contains(got, "one address only") {
		t.Errorf("by the name localhost: %q", got)
	}
	v.desk.script(func() {
		if len(v.desk.runs) != 0 {
			t.Errorf("another page had %v run", v.desk.runs)
		}
	})
	v.Complaints = nil // that is what they were told
}

// BenchmarkPage is from the click to the page with its choices, and from a choice
// to its answer where looking takes no time.
func BenchmarkPage(b *testing.B) {
	b.Setenv("XDG_RUNTIME_DIR", b.TempDir())
	v := visitIn(b, chrome.Start(b), "en")
	b.Run("ready", func(b *testing.B) {
		var inside, script float64
		for b.Loop() {
			v.enter("")
			v.Until("document.querySelector('.choices button')")
			var at struct{ Paint, Script float64 }
			v.EvalInto("{ paint: performance.now(), script: Math.max(...performance.getEntriesByType('resource').filter(e => e.name.endsWith('.js')).map(e => e.responseEnd)) }", &at)
			inside, script = inside+at.Paint, script+at.Script
		}
		// The rest is the browser's, which goes from the file to the page.
		b.ReportMetric(inside/float64(b.N), "ms-in-page")
		b.ReportMetric(script/float64(b.N), "ms-to-scripts")
	})
	b.Run("answer", func(b *testing.B) {
		for b.Loop() {
			v.enter("printing")
			v.Says("Here is what is wrong")
		}
	})
}
