package wire

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"constat/agent/uplink"
	"constat/collector/desk"
	"constat/collector/intake"
	"constat/internal/lab"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

const (
	tickets = 200
	// rounds is how often something is killed.
	rounds = 50
	// shortRound and longRound bound the random time from new tickets to a kill.
	// In the short one the agent is still writing or the collector storing them;
	// in the long one a collector that was just started becomes ready.
	shortRound = 25 * time.Millisecond
	longRound  = 700 * time.Millisecond
)

// TestNothingIsLost sends tickets, every other one with a diagnosis, while agent
// and collector are killed (SIGKILL) at random moments and started again. At the
// end each ticket is in the collector exactly once: those the agent has
// acknowledged to its user, and those it had not and was asked for again.
func TestNothingIsLost(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewPCG(seed, 0))
	agentDir, collectorDir, address := t.TempDir(), t.TempDir(), lab.FreeAddress(t, "tcp")
	enrolAgent(t, agentDir, collectorDir, address)

	var orders []order
	for i := range tickets {
		o := order{Ticket: newID(t)}
		if i%2 == 0 {
			o.Diagnosis = newID(t)
		}
		orders = append(orders, o)
	}
	w := &world{put: map[string]bool{}, numbers: map[string]int32{}, asked: map[string]bool{}}
	w.agent, w.collector = start(t, "agent", agentDir, address), start(t, "collector", collectorDir, address)
	kills := 0
	for round := range rounds {
		w.send(t, orders[:(round+1)*tickets/rounds])
		length := []time.Duration{shortRound, longRound}[random.IntN(2)]
		w.listen(t, time.After(time.Duration(random.Int64N(int64(length)))))
		if random.IntN(2) == 0 {
			w.kill(t, w.agent)
			w.agent = start(t, "agent", agentDir, address)
			kills++
		}
		if random.IntN(3) == 0 {
			w.kill(t, w.collector)
			w.collector = start(t, "collector", collectorDir, address)
			kills++
		}
	}
	// Now in peace: what was not acknowledged is asked for again, by the same
	// id, and all of it must arrive.
	spool, err := uplink.OpenSpool(filepath.Join(agentDir, "spool"), uplink.SpoolLimits{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		w.send(t, orders)
		w.listen(t, time.After(20*time.Millisecond))
		waiting, err := spool.Waiting()
		if err != nil {
			t.Fatal(err)
		}
		if len(w.put) == tickets && waiting == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d tickets were put, %d reports still wait", len(w.put), tickets, waiting)
		}
	}
	w.kill(t, w.agent)
	w.kill(t, w.collector)
	t.Logf("%d kills; %d tickets were asked for again; the receipts of %d were heard", kills, w.again, len(w.numbers))
	verify(t, collectorDir, orders, w.numbers)
}

// world is the test's view of the two processes.
type world struct {
	agent, collector *process
	sent             map[string]bool // to this life of the agent
	put              map[string]bool // the agent has acknowledged them
	numbers          map[string]int32
	asked            map[string]bool // in any life
	again            int
}

// send asks the agent for what it has not acknowledged.
func (w *world) send(t *testing.T, orders []order) {
	t.Helper()
	if w.sent == nil {
		w.sent = map[string]bool{}
	}
	to := json.NewEncoder(w.agent.stdin)
	for _, o := range orders {
		if w.put[o.Ticket] || w.sent[o.Ticket] {
			continue
		}
		if err := to.Encode(o); err != nil {
			t.Fatal(err)
		}
		if w.asked[o.Ticket] {
			w.again++
		}
		w.sent[o.Ticket], w.asked[o.Ticket] = true, true
	}
}

// listen hears the agent until then.
func (w *world) listen(t *testing.T, until <-chan time.Time) {
	t.Helper()
	for {
		select {
		case e, ok := <-w.agent.events:
			if !ok {
				t.Fatal("the agent has ended by itself")
			}
			w.hear(t, e)
		case <-until:
			return
		}
	}
}

func (w *world) hear(t *testing.T, e event) {
	t.Helper()
	if e.Put != "" {
		w.put[e.Put] = true
	}
	if e.Stored != "" {
		if former := w.numbers[e.Stored]; former != 0 && former != e.Number {
			t.Errorf("ticket %s was given the numbers %d and %d", e.Stored, former, e.Number)
		}
		w.numbers[e.Stored] = e.Number
	}
}

// kill ends a process and hears its last words: what the agent had acknowledged
// before it died counts.
func (w *world) kill(t *testing.T, p *process) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for e := range p.events {
		w.hear(t, e)
	}
	p.kill()
	if p == w.agent {
		w.sent = nil
	}
}

func newID(t *testing.T) string {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

// enrolAgent makes the collector's database and joins the agent to it.
func enrolAgent(t *testing.T, agentDir, collectorDir, address string) {
	t.Helper()
	c, err := openCollector(t.Context(), collectorDir)
	if err != nil {
		t.Fatal(err)
	}
	token, err := intake.NewToken(t.Context(), c.desk, c.authority, 1, time.Now().Add(time.Hour), "test", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	collector := start(t, "collector", collectorDir, address)
	defer collector.kill()
	about := &constatv1.EnrollRequest{Hostname: "pc", MachineHash: "pc", OsFamily: "linux"}
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := uplink.Enroll(t.Context(), address, token, agentDir, about, uplink.Proxy(uplink.Direct))
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// verify opens the collector's database and looks for each ticket.
func verify(t *testing.T, dir string, orders []order, numbers map[string]int32) {
	t.Helper()
	ctx := context.Background()
	c, err := openCollector(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	found := allTickets(t, c.desk)
	if len(found) != len(orders) {
		t.Errorf("%d tickets are stored, want %d", len(found), len(orders))
	}
	byID := map[string]*constatv1.Ticket{}
	for _, f := range found {
		if byID[f.GetId()] != nil {
			t.Errorf("ticket %s is stored twice", f.GetId())
		}
		byID[f.GetId()] = f
	}
	for _, o := range orders {
		f := byID[o.Ticket]
		if f == nil {
			t.Errorf("ticket %s is lost", o.Ticket)
			continue
		}
		if told := numbers[o.Ticket]; told != 0 && told != f.GetNumber() {
			t.Errorf("ticket %s was told as number %d and is number %d", o.Ticket, told, f.GetNumber())
		}
		whole, err := c.desk.Ticket(ctx, f.GetNumber())
		if err != nil {
			t.Fatal(err)
		}
		var attached []string
		for _, e := range whole.GetTimeline() {
			if d := e.GetDiagnosis(); d != nil {
				attached = append(attached, d.GetId())
			}
		}
		if o.Diagnosis == "" && len(attached) > 0 || o.Diagnosis != "" && (len(attached) != 1 || attached[0] != o.Diagnosis) {
			t.Errorf("ticket %s has the diagnoses %v, want %q once", o.Ticket, attached, o.Diagnosis)
		}
	}
}

func allTickets(t *testing.T, d *desk.Desk) []*constatv1.Ticket {
	t.Helper()
	var all []*constatv1.Ticket
	for before := int32(0); ; {
		page, err := d.Tickets(t.Context(), &deskv1.ListTicketsRequest{Limit: 200, Before: before})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.GetTickets()) == 0 {
			return all
		}
		all = append(all, page.GetTickets()...)
		before = all[len(all)-1].GetNumber()
	}
}
