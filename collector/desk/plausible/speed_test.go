package plausible_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"constat/collector/account"
	"constat/collector/api"
	"constat/collector/bus"
	"constat/collector/console"
	"constat/collector/courier"
	"constat/collector/desk"
	"constat/collector/desk/plausible"
	"constat/collector/gear"
	"constat/collector/store"
	"constat/collector/store/storetest"
	"constat/internal/fault"
	"constat/internal/identity"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// service is what the large desk promises.
const service = "zone: Europe/Paris\nhours: mon-fri 08:00-18:00\nreturnAfter: 4h\nunassignedAfter: 2h\n" +
	"urgent: {firstResponse: 30m, nextResponse: 1h, solution: 4h}\nhigh: {firstResponse: 1h, nextResponse: 4h, solution: 16h}\n" +
	"normal: {firstResponse: 4h, solution: 40h}\nlow: {firstResponse: 8h, solution: 80h}\n"

const password = "correct horse battery staple"

// office is a large desk with its console and its API, and a lead who is signed in
// to both.
type office struct {
	testing.TB
	*rand.Rand
	desk    *desk.Desk
	pages   http.Handler
	jar     http.CookieJar
	client  deskv1.DeskServiceClient
	ctx     context.Context
	size    plausible.Size
	tickets []*constatv1.Ticket // some of all
	open    []*constatv1.Ticket
	devices []string
	// promised counts how often something else was promised.
	promised int
	// peripherals are those of some tickets.
	peripherals []string
}

func newOffice(t testing.TB, s *store.Store, size plausible.Size) *office {
	t.Helper()
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := plausible.Fill(t.Context(), s, catalog, 1, begin, size); err != nil {
		t.Fatal(err)
	}
	t.Logf("filled in %s", time.Since(begin).Round(time.Second/10))
	hints, err := bus.Embedded(t.Context(), bus.Cluster{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hints.Close)
	key, err := identity.NewKeyFile(filepath.Join(t.TempDir(), "sealing.key"))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	o := &office{TB: t, Rand: rand.New(rand.NewPCG(1, 1)), desk: desk.New(s, hints, catalog), size: size}
	accounts := account.New(s)
	mails := courier.New(s, hints, o.desk, key, catalog, "", quiet)
	stopping, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	o.pages = console.New(o.desk, accounts, catalog, console.Options{Store: s, Stopping: stopping, Courier: mails, Log: quiet})
	begin = time.Now()
	if _, err := o.desk.SetServiceLevels(t.Context(), desk.System, service); err != nil {
		t.Fatal(err)
	}
	t.Logf("promised in %s", time.Since(begin).Round(time.Millisecond))

	lead, err := accounts.Create(t.Context(), "the-lead", "lead@desk.example", "lead", password)
	if err != nil {
		t.Fatal(err)
	}
	if o.jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	o.post("/sign-in", "name", "the-lead", "password", password)

	server := grpc.NewServer()
	api.New(o.desk, accounts, gear.NewWatch(s, key, catalog, quiet), mails).Register(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	token, err := accounts.NewToken(t.Context(), lead.ID, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	o.client, o.ctx = deskv1.NewDeskServiceClient(conn), metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)

	for len(o.tickets) < 200 {
		found, err := o.desk.Ticket(t.Context(), 1+o.Int32N(int32(size.Tickets)))
		if err != nil {
			t.Fatal(err)
		}
		if found.GetTicket().GetEndpointId() != "" {
			o.tickets = append(o.tickets, found.GetTicket())
		}
	}
	for n := int32(1); len(o.peripherals) < 50 && n < int32(size.Tickets); n++ {
		in, err := o.desk.PeripheralsIn(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range in {
			o.peripherals = append(o.peripherals, p.ID)
		}
	}
	list, err := o.desk.Tickets(t.Context(), &deskv1.ListTicketsRequest{Status: "open", Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	o.open = list.GetTickets()
	devices, err := o.desk.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices.GetDevices() {
		o.devices = append(o.devices, d.GetId())
	}
	return o
}

// ask lets the console answer, without a network between.
func (o *office) ask(r *http.Request) *httptest.ResponseRecorder {
	at := &url.URL{Scheme: "http", Host: r.Host}
	for _, cookie := range o.jar.Cookies(at) {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	o.pages.ServeHTTP(w, r)
	o.jar.SetCookies(at, w.Result().Cookies())
	if w.Code >= 400 {
		o.Fatalf("%s %s: %d", r.Method, r.URL, w.Code)
	}
	return w
}

func (o *office) get(path string) {
	o.ask(httptest.NewRequestWithContext(o.Context(), "GET", path, nil))
}

func (o *office) post(path string, pairs ...string) {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequestWithContext(o.Context(), "POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	o.ask(r)
}

func (o *office) any() *constatv1.Ticket { return o.tickets[o.IntN(len(o.tickets))] }

// some page of the queue.
func (o *office) queue(pairs ...string) {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	o.get("/tickets?" + form.Encode())
}

// check ends the benchmark when a call failed.
func check[T any](o *office) func(T, error) {
	return func(_ T, err error) {
		if err != nil {
			o.Fatal(err)
		}
	}
}

// work is what people and programs do all day.
var work = []struct {
	name string
	do   func(*office)
}{
	{"queue/active", func(o *office) { o.queue() }},
	{"queue/second-page", func(o *office) { o.queue("before", fmt.Sprint(o.open[len(o.open)/2].GetNumber())) }},
	{"queue/mine", func(o *office) { o.queue("assignee", o.any().GetAssignee()) }},
	{"queue/due", func(o *office) { o.queue("status", "due") }},
	{"queue/at-risk", func(o *office) { o.queue("status", "risk") }},
	{"queue/unassigned", func(o *office) { o.queue("assignee", "-") }},
	{"queue/new", func(o *office) { o.queue("status", "new") }},
	{"queue/open", func(o *office) { o.queue("status", "open") }},
	{"queue/pending", func(o *office) { o.queue("status", "pending") }},
	{"queue/closed", func(o *office) { o.queue("status", "closed") }},
	{"queue/merged", func(o *office) { o.queue("status", "merged") }},
	{"queue/all", func(o *office) { o.queue("status", "any") }},
	{"queue/closed-of-one", func(o *office) { o.queue("status", "closed", "assignee", o.any().GetAssignee()) }},
	{"queue/unassigned-pending", func(o *office) { o.queue("status", "pending", "assignee", "-") }},

	{"search/every-ticket-holds-it", func(o *office) { o.queue("status", "any", "q", "a") }},
	{"search/common-word", func(o *office) { o.queue("status", "any", "q", "imprimante") }},
	{"search/accents", func(o *office) { o.queue("status", "any", "q", "déjeuner réseau") }},
	{"search/two-common-words", func(o *office) { o.queue("status", "any", "q", "bonjour imprimante") }},
	{"search/rare-word", func(o *office) { o.queue("status", "any", "q", "fuser") }},
	{"search/nothing", func(o *office) { o.queue("status", "any", "q", "xylophone") }},
	{"search/number", func(o *office) { o.queue("status", "any", "q", fmt.Sprint("#", o.any().GetNumber())) }},
	{"search/serial", func(o *office) { o.queue("status", "any", "q", "5CG"+fmt.Sprint(100+o.IntN(900))) }},
	{"search/hostname", func(o *office) { o.queue("status", "any", "q", o.any().GetEndpointName()) }},
	{"search/best-match", func(o *office) { o.queue("status", "any", "q", "imprimante réseau", "sort", "best") }},
	{"search/best-of-common", func(o *office) { o.queue("status", "any", "q", "imprimante", "sort", "best") }},
	{"search/fault", func(o *office) { o.queue("status", "any", "q", "printer-queue-paused") }},
	{"search/rare-fault", func(o *office) { o.queue("status", "any", "q", "cisco-port-crc-errors") }},
	{"search/person", func(o *office) { o.queue("status", "any", "q", o.any().GetRequester().GetName()) }},
	{"search/active-common", func(o *office) { o.queue("q", "imprimante") }},
	{"search/active-rare", func(o *office) { o.queue("q", "fuser") }},
	{"search/of-one-common", func(o *office) { o.queue("status", "any", "q", "imprimante", "assignee", o.any().GetAssignee()) }},

	{"page/ticket", func(o *office) { o.get(fmt.Sprint("/tickets/", o.any().GetNumber())) }},
	{"page/open-ticket", func(o *office) { o.get(fmt.Sprint("/tickets/", o.open[o.IntN(len(o.open))].GetNumber())) }},
	{"page/new-ticket", func(o *office) { o.get("/tickets/new") }},
	{"page/endpoints", func(o *office) { o.get("/endpoints") }},
	{"page/endpoints-search", func(o *office) { o.get("/endpoints?q=compta-01") }},
	{"page/endpoint", func(o *office) { o.get("/endpoints/" + o.any().GetEndpointId()) }},
	{"page/requester", func(o *office) { o.get("/people/" + o.any().GetRequester().GetId()) }},
	{"page/peripheral", func(o *office) { o.get("/peripherals/" + o.peripherals[o.IntN(len(o.peripherals))]) }},
	{"page/gear", func(o *office) { o.get("/gear") }},
	{"page/gear-device", func(o *office) { o.get("/gear/" + o.devices[o.IntN(len(o.devices))]) }},
	{"page/team", func(o *office) { o.get("/team") }},
	{"page/technician", func(o *office) { o.get("/team/" + url.PathEscape(o.any().GetAssignee())) }},
	{"page/notices", func(o *office) { o.get("/notices") }},
	{"page/articles", func(o *office) { o.get("/articles") }},
	{"page/articles-search", func(o *office) { o.get("/articles?q=imprimante") }},
	{"page/faults", func(o *office) { o.get("/faults") }},
	{"page/service", func(o *office) { o.get("/service") }},

	{"api/list", func(o *office) { check[any](o)(o.client.ListTickets(o.ctx, &deskv1.ListTicketsRequest{Active: true})) }},
	{"api/search", func(o *office) {
		check[any](o)(o.client.ListTickets(o.ctx, &deskv1.ListTicketsRequest{Query: "imprimante"}))
	}},
	{"api/ticket", func(o *office) {
		check[any](o)(o.client.GetTicket(o.ctx, &deskv1.GetTicketRequest{Number: o.any().GetNumber()}))
	}},
	{"api/similar", func(o *office) {
		check[any](o)(o.client.ListSimilar(o.ctx, &deskv1.ListSimilarRequest{Number: o.any().GetNumber()}))
	}},
	{"api/endpoints", func(o *office) { check[any](o)(o.client.ListEndpoints(o.ctx, &deskv1.ListEndpointsRequest{})) }},
	{"api/endpoint", func(o *office) {
		check[any](o)(o.client.GetEndpoint(o.ctx, &deskv1.GetEndpointRequest{Id: o.any().GetEndpointId()}))
	}},
	{"api/technicians", func(o *office) { check[any](o)(o.client.ListTechnicians(o.ctx, &deskv1.ListTechniciansRequest{})) }},
	{"api/preview-month", func(o *office) {
		check[any](o)(o.client.PreviewTechnician(o.ctx, &deskv1.PreviewTechnicianRequest{Technician: &deskv1.Technician{Name: o.any().GetAssignee(), TakesTickets: true, Cap: 5}}))
	}},

	{"write/new-ticket", func(o *office) {
		o.post("/tickets", "id", newID(), "requester", o.any().GetRequester().GetName(), "complaint", "printing", "endpoint", o.any().GetEndpointId(), "text", "L’imprimante ne répond plus, depuis ce matin.")
	}},
	{"write/reply", reply},
	{"write/api-new-ticket", func(o *office) {
		check[any](o)(o.client.CreateTicket(o.ctx, &deskv1.CreateTicketRequest{EndpointId: o.any().GetEndpointId(), Draft: newDraft("Plus de réseau")}))
	}},
}

// BenchmarkDesk gives the server's time of each page and call on a desk of two
// years, as the middle of all and as what 95 of 100 stay below.
func BenchmarkDesk(b *testing.B) {
	for _, engine := range storetest.Engines {
		b.Run(engine.Name, func(b *testing.B) {
			o := newOffice(b, engine.Open(b), plausible.Large)
			for _, w := range work {
				b.Run(w.name, func(b *testing.B) { o.measure(b, w.do) })
			}
			for _, beside := range besides {
				b.Run("write/reply-beside-"+beside.name, func(b *testing.B) {
					ctx, stop := context.WithCancel(b.Context())
					defer o.alone(ctx, beside.do)()
					defer stop()
					o.measure(b, reply)
				})
			}
		})
	}
}

// besides is what the collector does by itself, or an administrator asks of it, that
// must not keep others from writing.
var besides = []struct {
	name string
	do   func(context.Context, *office)
}{
	// Every open ticket has other promises, and is told of.
	{"sweep", func(ctx context.Context, o *office) {
		o.promise(ctx)
		o.desk.Run(ctx)
	}},
	{"other-promises", func(ctx context.Context, o *office) {
		for ctx.Err() == nil {
			o.promise(ctx)
		}
	}},
}

// promise promises something else than before.
func (o *office) promise(ctx context.Context) {
	o.promised++
	text := strings.Replace(service, "solution: 40h", fmt.Sprintf("solution: %dh", 20+o.promised%20), 1)
	if _, err := o.desk.SetServiceLevels(ctx, desk.System, text); err != nil && ctx.Err() == nil {
		o.Error(err)
	}
}

// alone does something in the background; what it returns waits for its end.
func (o *office) alone(ctx context.Context, do func(context.Context, *office)) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(ctx, o)
	}()
	return func() { <-done }
}

func reply(o *office) {
	o.post(fmt.Sprint("/tickets/", o.open[o.IntN(len(o.open))].GetNumber()), "entry", newID(), "kind", "message", "text", "Bonjour, je regarde. Le poste est-il allumé ?")
}

// measure does something again and again, and reports the middle of the times it
// took and what 95 of 100 stay below.
func (o *office) measure(b *testing.B, do func(*office)) {
	was := o.TB
	o.TB = b
	defer func() { o.TB = was }()
	took := make([]time.Duration, 0, b.N)
	for range b.N {
		begin := time.Now()
		do(o)
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	ms := func(percent int) float64 { return float64(took[(len(took)-1)*percent/100].Microseconds()) / 1000 }
	b.ReportMetric(ms(50), "p50-ms")
	b.ReportMetric(ms(95), "p95-ms")
	b.ReportMetric(0, "ns/op")
}

// Every piece of work that is measured is done, and by both engines.
func TestWork(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s, small)
		for _, w := range work {
			w.do(o)
		}
		o.promise(t.Context())
	})
}
