package console

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"constat/collector/account"
	"constat/collector/bus"
	"constat/collector/courier"
	"constat/collector/desk"
	"constat/collector/store"
	"constat/collector/store/storetest"
	"constat/internal/fault"
	"constat/internal/identity"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// bench is a console on a real desk on SQLite, with two technicians.
type bench struct {
	testing.TB
	desk     *desk.Desk
	courier  *courier.Courier
	accounts *account.Accounts
	store    *store.Store
	catalog  *fault.Catalog
	address  string
	hints    *bus.Bus
	now      func() time.Time
}

const password = "correct horse battery staple"

func newBench(t testing.TB) *bench {
	t.Helper()
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	hints, err := bus.Embedded(t.Context(), bus.Cluster{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hints.Close)
	s := storetest.SQLite(t)
	b := &bench{TB: t, desk: desk.New(s, hints, catalog), accounts: account.New(s), store: s, catalog: catalog, hints: hints, now: time.Now}
	ca, err := identity.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.desk.SignWith(ca.SignKnowledge)
	for _, name := range []string{"lea", "marc"} {
		if _, err := b.accounts.Create(t.Context(), name, name+"@example.org", "technician", password); err != nil {
			t.Fatal(err)
		}
	}
	key, err := identity.NewKeyFile(filepath.Join(t.TempDir(), "sealing.key"))
	if err != nil {
		t.Fatal(err)
	}
	b.courier = courier.New(s, hints, b.desk, key, catalog, "https://desk.example.org", slog.Default())
	stopping, stop := context.WithCancel(context.Background())
	server := httptest.NewServer(New(b.desk, b.accounts, catalog, Options{Store: s, Stopping: stopping, Courier: b.courier}))
	t.Cleanup(server.Close)
	t.Cleanup(stop)
	b.address = server.URL
	return b
}

// browser is somebody's cookies.
type browser struct {
	*bench
	client *http.Client
}

func (b *bench) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	return &browser{b, &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

// as is a browser in which a technician is signed in.
func (b *bench) as(name string) *browser {
	b.Helper()
	w := b.browser()
	if p := w.post("/sign-in", "name", name, "password", password); p.path != "/tickets" {
		b.Fatalf("signing in as %s led to %s with %d", name, p.path, p.status)
	}
	return w
}

// shown is what a browser ended on, after redirects.
type shown struct {
	status     int
	path, body string
	header     http.Header
}

func (w *browser) do(method, path string, form url.Values, header ...string) shown {
	w.Helper()
	return w.send(method, path, strings.NewReader(form.Encode()), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

// send is do with any body.
func (w *browser) send(method, path string, body io.Reader, header ...string) shown {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.address+path, body)
	if err != nil {
		w.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := w.client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		w.Fatal(err)
	}
	return shown{answer.StatusCode, answer.Request.URL.RequestURI(), string(content), answer.Header}
}

func (w *browser) get(path string, header ...string) shown { return w.do("GET", path, nil, header...) }

// post sends a form; pairs are names and values.
func (w *browser) post(path string, pairs ...string) shown {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return w.do("POST", path, form)
}

// wants fails unless the page has a status and each text.
func (w *browser) wants(p shown, status int, texts ...string) shown {
	w.Helper()
	if p.status != status {
		w.Errorf("%s: status %d, want %d\n%s", p.path, p.status, status, p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			w.Errorf("%s does not hold %q\n%s", p.path, text, p.body)
		}
	}
	return p
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// enrol makes a machine known.
func (b *bench) enrol(hostname string) (endpoint string) {
	b.Helper()
	hash := []byte(newID())
	if err := b.desk.NewEnrolmentToken(b.Context(), hash, 1, b.now().Add(time.Hour), hostname); err != nil {
		b.Fatal(err)
	}
	endpoint, err := b.desk.Enroll(b.Context(), hash, &constatv1.EnrollRequest{
		Hostname: hostname, MachineHash: newID(), AgentVersion: "0.1.0", OsFamily: "linux",
	}, func(string) (string, time.Time, error) { return newID(), time.Now().Add(time.Hour), nil })
	if err != nil {
		b.Fatal(err)
	}
	return endpoint
}

// upload gives the desk reports of a machine.
func (b *bench) upload(endpoint string, reports ...*constatv1.Report) []*constatv1.Receipt {
	b.Helper()
	receipts, err := b.desk.Ingest(b.Context(), endpoint, reports)
	if err != nil {
		b.Fatal(err)
	}
	for _, receipt := range receipts {
		if receipt.GetStatus() != "stored" {
			b.Fatalf("receipt = %v", receipt)
		}
	}
	return receipts
}

func factsReport(s *constatv1.Snapshot) *constatv1.Report {
	payloads := snapshot.Payloads(s)
	return &constatv1.Report{Content: &constatv1.Report_Snapshot{Snapshot: &constatv1.SnapshotReport{Manifest: s.GetManifest(), Payloads: payloads}}}
}

func diagnosisReport(d *constatv1.Diagnosis) *constatv1.Report {
	return &constatv1.Report{Content: &constatv1.Report_Diagnosis{Diagnosis: d}}
}

// machineAsks is a machine whose user asks for help: facts, diagnosis, ticket.
func (b *bench) machineAsks(hostname, requester, text, complaint string, conclude func(id, snapshot string, now time.Time) *constatv1.Diagnosis) (endpoint string, number int32) {
	b.Helper()
	endpoint = b.enrol(hostname)
	facts := machine(newID(), b.now())
	*facts.Host.Hostname = hostname
	facts.Manifest.EndpointId = endpoint
	d := conclude(newID(), facts.GetManifest().GetId(), b.now())
	d.EndpointId = endpoint
	receipts := b.upload(endpoint, factsReport(facts), diagnosisReport(d), &constatv1.Report{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{
		Id: newID(), Complaint: complaint, Text: text, Requester: &constatv1.Person{Name: requester}, DiagnosisId: d.GetId(), Language: "en", Channel: "tray",
	}}})
	return endpoint, receipts[2].GetTicketNumber()
}

// answer lets a machine come online and do the diagnosis it is asked for: its
// print queue is paused. It stops before the end until held is closed; the
// channel tells how it went.
func (b *bench) answer(endpoint string, held <-chan struct{}) <-chan error {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	b.Cleanup(cancel)
	if err := b.desk.Connected(ctx, endpoint, "", &constatv1.Hello{Hostname: "compta-07", OsFamily: "linux"}); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	once := func(command *constatv1.Command) error {
		for i, step := range [][2]string{{"host", "observed"}, {"hardware", "denied"}} {
			err := b.desk.Progress(ctx, endpoint, &constatv1.Progress{
				CommandId: command.GetId(), Phase: "observing", Group: step[0], Status: step[1], Done: int32(i + 1), Total: 3,
			})
			if err != nil {
				return err
			}
		}
		<-held
		d := printerDiagnosis(newID(), "", time.Now())
		d.Trigger = "technician"
		if _, err := b.desk.Ingest(ctx, endpoint, []*constatv1.Report{diagnosisReport(d)}); err != nil {
			return err
		}
		return b.desk.Finish(ctx, endpoint, &constatv1.CommandResult{CommandId: command.GetId(), DiagnosisId: d.GetId(), Status: "done"})
	}
	go b.desk.Commands(ctx, endpoint, func(command *constatv1.Command) error {
		go func() { ended <- once(command) }()
		return nil
	})
	return ended
}
