package remedy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// shop is a print service that is stopped until somebody starts it.
type shop struct {
	*Bench
	running bool
	did     []string
	// does is what a verb does; nil: it starts the print service.
	does func(verb string) error
}

func newShop(t *testing.T, dir string) *shop {
	t.Helper()
	s := &shop{}
	s.Bench = &Bench{
		Look: func(context.Context, []string, string) *constatv1.Snapshot {
			state := map[bool]string{false: "stopped", true: "running"}[s.running]
			return &constatv1.Snapshot{
				Manifest: &constatv1.Manifest{Groups: []*constatv1.GroupEntry{{Group: "printing", Observation: &constatv1.Observation{Status: "observed"}}}},
				Printing: &constatv1.Printing{
					Spooler: &constatv1.Spooler{State: proto.String(state)},
					Queues:  []*constatv1.Queue{{Name: proto.String("front"), State: proto.String(map[bool]string{false: "stopped", true: "idle"}[s.running]), PendingJobs: proto.Int32(1), AcceptingJobs: proto.Bool(true), StateReasons: []string{"paused"}}},
				},
			}
		},
		Catalog: fault.Builtin,
		Do: func(_ context.Context, verb, argument string) ([]byte, error) {
			s.did = append(s.did, strings.TrimSpace(verb+" "+argument))
			if s.does != nil {
				return []byte("done"), s.does(verb)
			}
			s.running = true
			return []byte("the print service was started anew"), nil
		},
	}
	if err := s.Open(dir); err != nil {
		t.Fatal(err)
	}
	return s
}

const id = "0197d1a0-0000-7000-8000-00000000000"

func request(n int, verb, component string) *constatv1.RemedyRequest {
	return &constatv1.RemedyRequest{
		Id: id + fmt.Sprint(n), Verb: verb, Component: component, RequestedBy: "Léa", RequesterRole: "technician",
		ExpiresAt: timestamppb.New(time.Now().Add(time.Hour)),
	}
}

func consent(life time.Duration) *constatv1.RemedyConsent {
	return &constatv1.RemedyConsent{By: "anna", At: timestamppb.Now(), ExpiresAt: timestamppb.New(time.Now().Add(life))}
}

func TestEveryVerbOfTheCatalogIsThereAndUsed(t *testing.T) {
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, f := range catalog.Faults() {
		for _, verb := range f.Remedies {
			used[verb] = true
			if _, known := Lookup(verb); !known {
				t.Errorf("%s names the remedy %q, which nobody can do", f.ID, verb)
			}
		}
	}
	for _, v := range Verbs() {
		if !used[v.ID] {
			t.Errorf("%s is for no fault", v.ID)
		}
		for _, text := range []fault.Text{v.Title, v.Consent, v.Failed} {
			for _, lang := range []string{"en", "fr"} {
				if said := text.About(lang, "X1"); said == "" || strings.ContainsAny(said, "{|}") || v.Subject == "" && strings.Contains(said, "X1") {
					t.Errorf("%s in %s: %q", v.ID, lang, said)
				}
			}
		}
	}
	if !slices.IsSortedFunc(Verbs(), func(a, b *Verb) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("the verbs are not sorted")
	}
}

func TestFixedWithProof(t *testing.T) {
	s := newShop(t, t.TempDir())
	r := s.Run(t.Context(), request(1, "restart-printing", ""), consent(time.Minute))
	if r.GetOutcome() != Fixed || r.GetFault() != "printer-spooler-stopped" || r.GetBefore().GetState() != present || r.GetAfter().GetState() != absent || r.GetConsentedBy() != "anna" || r.GetRequestedBy() != "Léa" {
		t.Fatal(r)
	}
	if got, want := r.GetProof().GetEn(), "The print service answers; before: the print service does not answer."; got != want {
		t.Errorf("proof %q, want %q", got, want)
	}
	if got, want := r.GetProof().GetFr(), "Le service d’impression répond ; avant : le service d’impression ne répond pas."; got != want {
		t.Errorf("proof %q, want %q", got, want)
	}
}

// What may not be done is not done, and says why.
func TestNothingIsDone(t *testing.T) {
	for name, c := range map[string]struct {
		request *constatv1.RemedyRequest
		consent *constatv1.RemedyConsent
		before  func(*shop)
		outcome string
		reason  string
	}{
		"without consent":         {request(1, "restart-printing", ""), nil, nil, Refused, "nobody"},
		"consent that is over":    {request(1, "restart-printing", ""), consent(-time.Second), nil, Expired, "after its time"},
		"request that is over":    {&constatv1.RemedyRequest{Id: id + "1", Verb: "restart-printing", ExpiresAt: timestamppb.New(time.Now().Add(-time.Second))}, consent(time.Minute), nil, Expired, "after its time"},
		"a verb that is none":     {request(1, "rm -rf /", ""), consent(time.Minute), nil, Refused, "knows no remedy"},
		"no fault":                {request(1, "restart-printing", ""), consent(time.Minute), func(s *shop) { s.running = true }, Refused, "not needed"},
		"another fault's remedy":  {&constatv1.RemedyRequest{Id: id + "1", Verb: "restart-printing", Fault: "os-disk-full"}, consent(time.Minute), nil, Refused, "no fault os-disk-full"},
		"another queue":           {request(1, "resume-queue", "back"), consent(time.Minute), nil, Refused, "not needed"},
		"what could not be seen":  {request(1, "set-clock", ""), consent(time.Minute), nil, Refused, "could not be seen"},
		"a name no machine gives": {request(1, "resume-queue", "front\nroot"), consent(time.Minute), nil, Refused, "no name"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, t.TempDir())
			if c.before != nil {
				c.before(s)
			}
			r := s.Run(t.Context(), c.request, c.consent)
			if said := r.GetTold(); said.GetEn() == "" || said.GetFr() == "" {
				t.Errorf("a person is told %v", said)
			}
			if r.GetOutcome() != c.outcome || !strings.Contains(r.GetReason(), c.reason) || len(s.did) > 0 {
				t.Errorf("%v; done: %v", r, s.did)
			}
			if len(s.Results()) != 1 {
				t.Error("the journal does not tell it")
			}
		})
	}
}

// The lid was closed, and opened long after. Where that was before the verb began
// nothing is done any more: the consent is over. A verb that had begun is ended,
// looked at and told like any other.
func TestTheLidIsClosedMeanwhile(t *testing.T) {
	asleep := func(until *timestamppb.Timestamp) {
		ctx, cancel := context.WithDeadline(t.Context(), until.AsTime())
		defer cancel()
		<-ctx.Done()
	}
	t.Run("while it looks", func(t *testing.T) {
		s, agreed := newShop(t, t.TempDir()), consent(50*time.Millisecond)
		look := s.Look
		s.Look = func(ctx context.Context, groups []string, program string) *constatv1.Snapshot {
			defer asleep(agreed.GetExpiresAt())
			return look(ctx, groups, program)
		}
		r := s.Run(t.Context(), request(1, "restart-printing", ""), agreed)
		if r.GetOutcome() != Expired || len(s.did) > 0 || r.GetTold().GetFr() != toldLate.FR || r.GetBefore().GetState() != present {
			t.Errorf("%v; done: %v", r, s.did)
		}
		if again := s.Run(t.Context(), request(2, "restart-printing", ""), consent(time.Minute)); again.GetOutcome() != Fixed {
			t.Errorf("asked again: %v", again)
		}
	})
	t.Run("while it is done", func(t *testing.T) {
		s, agreed := newShop(t, t.TempDir()), consent(50*time.Millisecond)
		s.does = func(string) error {
			asleep(agreed.GetExpiresAt())
			s.running = true
			return nil
		}
		if r := s.Run(t.Context(), request(1, "restart-printing", ""), agreed); r.GetOutcome() != Fixed || r.GetAfter().GetState() != absent || len(s.did) != 1 {
			t.Errorf("%v; done: %v", r, s.did)
		}
	})
}

// What fails is taken back, where that can be.
func TestTakenBack(t *testing.T) {
	s := newShop(t, t.TempDir())
	s.does = func(verb string) error {
		if verb == "resume-queue" {
			return errors.New("CUPS refuses")
		}
		return nil
	}
	r := s.Run(t.Context(), request(1, "resume-queue", "front"), consent(time.Minute))
	if want := []string{"resume-queue front", "pause-queue front stopped"}; r.GetOutcome() != Undone || !slices.Equal(s.did, want) {
		t.Errorf("%v; done: %v", r, s.did)
	}
	s.does = func(string) error { return fmt.Errorf("masked: %w", fs.ErrPermission) }
	if r := s.Run(t.Context(), request(2, "restart-printing", ""), consent(time.Minute)); r.GetOutcome() != Refused {
		t.Errorf("%v", r)
	}
}

// Why a verb failed is kept for technicians; a person is told what it means to
// them, in their language, without the words of programs.
func TestFailureInPlainWords(t *testing.T) {
	s := newShop(t, t.TempDir())
	s.does = func(string) error {
		return errors.New("/usr/bin/apt-get: systemd, StartTransientUnit constat-remedy-package.service: failed")
	}
	r := s.Run(t.Context(), request(1, "restart-printing", ""), consent(time.Minute))
	verb, _ := Lookup("restart-printing")
	if r.GetOutcome() != Failed || !strings.Contains(r.GetReason(), "constat-remedy-package.service") || r.GetTold().GetEn() != verb.Failed.EN || r.GetTold().GetFr() != verb.Failed.FR {
		t.Error(r)
	}
}

func TestTheSecondIsRefused(t *testing.T) {
	s := newShop(t, t.TempDir())
	begun, goOn := make(chan bool), make(chan bool)
	s.does = func(string) error {
		begun <- true
		<-goOn
		s.running = true
		return nil
	}
	first := make(chan *constatv1.RemedyResult)
	go func() { first <- s.Run(t.Context(), request(1, "restart-printing", ""), consent(time.Minute)) }()
	<-begun
	if r := s.Run(t.Context(), request(2, "restart-printing", ""), consent(time.Minute)); r.GetOutcome() != Refused || !strings.Contains(r.GetReason(), "under way, restart-printing") {
		t.Error(r)
	}
	if err := s.Ask(request(3, "restart-printing", "")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Consent(t.Context(), id+"3", consent(time.Minute)); err == nil || len(s.Waiting(time.Now())) != 1 {
		t.Errorf("a consent beside a run: %v", err)
	}
	close(goOn)
	if r := <-first; r.GetOutcome() != Fixed {
		t.Error(r)
	}
}

// An agent that was ended in the middle ends it at its next start: the lid was
// closed, the power went.
func TestRecover(t *testing.T) {
	for _, c := range []struct {
		verb, component string
		done            bool
		outcome         string
		did             []string
	}{
		{"restart-printing", "", true, Fixed, nil},
		{"restart-printing", "", false, NotFixed, nil},
		{"resume-queue", "front", false, Undone, []string{"pause-queue front stopped"}},
	} {
		dir := t.TempDir()
		s := newShop(t, dir)
		copied := filepath.Join(t.TempDir(), journalFile)
		s.does = func(string) error { // what is on the disk while the verb works
			content, err := os.ReadFile(filepath.Join(dir, journalFile))
			if err == nil {
				err = os.WriteFile(copied, content, 0o600)
			}
			s.running = true
			return err
		}
		s.Run(t.Context(), request(1, c.verb, c.component), consent(time.Minute))
		next := newShop(t, filepath.Dir(copied))
		next.running = c.done
		next.does = func(string) error { return nil }
		r := next.Recover(t.Context())
		if r.GetOutcome() != c.outcome || r.GetId() != id+"1" || !strings.Contains(r.GetReason(), "ended in the middle") || !slices.Equal(next.did, c.did) {
			t.Errorf("%s: %v; done: %v", c.verb, r, next.did)
		}
		next.Close()
		if again := newShop(t, filepath.Dir(copied)).Recover(t.Context()); again != nil {
			t.Errorf("%s is ended twice: %v", c.verb, again)
		}
	}
}

// One that was ended between the consent and the verb did nothing, and says so:
// the request does not vanish.
func TestInterruptedBeforeItBegan(t *testing.T) {
	dir, copied := t.TempDir(), filepath.Join(t.TempDir(), journalFile)
	s := newShop(t, dir)
	if err := s.Ask(request(1, "restart-printing", "")); err != nil {
		t.Fatal(err)
	}
	look := s.Look
	s.Look = func(ctx context.Context, groups []string, program string) *constatv1.Snapshot { // what is on the disk while it looks
		content, err := os.ReadFile(filepath.Join(dir, journalFile))
		if err == nil && len(s.did) == 0 {
			err = os.WriteFile(copied, content, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
		return look(ctx, groups, program)
	}
	if _, err := s.Consent(t.Context(), id+"1", consent(time.Minute)); err != nil {
		t.Fatal(err)
	}
	next := newShop(t, filepath.Dir(copied))
	r := next.Recover(t.Context())
	if r.GetOutcome() != Refused || r.GetId() != id+"1" || r.GetConsentedBy() != "anna" || !strings.Contains(r.GetReason(), "interrupted") || len(next.did) > 0 {
		t.Errorf("%v; done: %v", r, next.did)
	}
	if waiting := next.Waiting(time.Now()); len(waiting) > 0 {
		t.Errorf("it waits again: %v", waiting)
	}
}

// The journal is one process's; what another finds there it was told.
func TestTheJournalIsHeldAlone(t *testing.T) {
	dir := t.TempDir()
	s := newShop(t, dir)
	if err := (&Bench{}).Open(dir); !errors.Is(err, ErrElsewhere) {
		t.Errorf("a second one opens the journal: %v", err)
	}
	s.Run(t.Context(), request(1, "restart-printing", ""), consent(time.Minute))
	s.Run(t.Context(), request(2, "restart-printing", ""), consent(time.Minute))
	if err := s.Told(id + "1"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if past, err := Past(dir); err != nil || len(past) != 2 {
		t.Error(past, err)
	}
	if untold := newShop(t, dir).Untold(); len(untold) != 1 || untold[0].GetId() != id+"2" {
		t.Errorf("still to be told: %v", untold)
	}
}

func TestRequestsWaitForAnAnswer(t *testing.T) {
	dir := t.TempDir()
	s := newShop(t, dir)
	for n := range 3 {
		for range 2 { // delivered twice, it waits once
			if err := s.Ask(request(n, "restart-printing", "")); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Close()
	s = newShop(t, dir)
	if got := s.Waiting(time.Now()); len(got) != 3 {
		t.Fatalf("after a start %d wait", len(got))
	}
	if r, err := s.Decline(id+"0", "anna"); err != nil || r.GetOutcome() != Refused || r.GetReason() != "declined by anna" || r.GetConsentedBy() != "" {
		t.Error(r, err)
	}
	if r, err := s.Consent(t.Context(), id+"1", consent(time.Minute)); err != nil || r.GetOutcome() != Fixed {
		t.Error(r, err)
	}
	if _, err := s.Consent(t.Context(), id+"1", consent(time.Minute)); !errors.Is(err, ErrUnknown) {
		t.Error("it is done twice:", err)
	}
	late := s.Expire(time.Now().Add(2 * time.Hour))
	if len(late) != 1 || late[0].GetOutcome() != Expired || len(s.Waiting(time.Now())) != 0 {
		t.Error(late)
	}
	if _, err := s.Consent(t.Context(), id+"2", consent(time.Minute)); !errors.Is(err, ErrUnknown) {
		t.Error("consent after its time:", err)
	}
	if err := s.Ask(request(5, "format-disk", "")); err == nil {
		t.Error("an unknown verb waits")
	}
	for n := range maxWaiting {
		if err := s.Ask(&constatv1.RemedyRequest{Id: fmt.Sprint("x", n), Verb: "flush-dns"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ask(&constatv1.RemedyRequest{Id: "y", Verb: "flush-dns"}); err == nil {
		t.Error("more wait than may")
	}
}

// A look that was cut short saw nothing of some groups: what is then said of them is
// in both languages, and takes nothing for granted.
func TestNothingWasSeen(t *testing.T) {
	for _, v := range Verbs() {
		for _, s := range []*constatv1.Snapshot{{}, {Probes: &constatv1.Probes{}, Wifi: &constatv1.Wifi{}, Network: &constatv1.Network{}}} {
			is := v.measure(&scene{Snapshot: s, component: "x"})
			if is.EN == "" || is.FR == "" {
				t.Errorf("%s says %q, %q", v.ID, is.EN, is.FR)
			}
			if _, err := v.target(&scene{Snapshot: s, component: "x"}); err == nil && v.Subject != "" {
				t.Errorf("%s would be done to what nobody saw", v.ID)
			}
		}
	}
}
