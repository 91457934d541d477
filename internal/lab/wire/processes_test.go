// Package wire tries agent and collector together, as processes of their own
// that are killed: the test binary starts itself again in one of their roles.
// The roles run what the programs run (package uplink; store, desk and intake)
// without what a mailbox of tickets does not need.
package wire

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"constat/agent/uplink"
	"constat/collector/bus"
	"constat/collector/desk"
	"constat/collector/intake"
	"constat/collector/store"
	"constat/internal/fault"
	"constat/internal/identity"
	constatv1 "constat/proto/constat/v1"
)

// The environment of a process in a role.
const (
	roleVariable    = "CONSTAT_WIRE_ROLE"
	dirVariable     = "CONSTAT_WIRE_DIR"
	addressVariable = "CONSTAT_WIRE_ADDRESS"
)

var roles = map[string]func(dir, address string) error{
	"agent":     beAgent,
	"collector": beCollector,
	"crowd":     beCrowd,
}

func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv(roleVariable)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := role(os.Getenv(dirVariable), os.Getenv(addressVariable)); err != nil {
		fmt.Fprintln(os.Stderr, os.Getenv(roleVariable)+":", err)
		os.Exit(1)
	}
}

// collector is what a collector has open.
type collector struct {
	store     *store.Store
	bus       *bus.Bus
	desk      *desk.Desk
	authority *identity.Authority
}

func openCollector(ctx context.Context, dir string) (*collector, error) {
	s, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "constat.db"))
	if err != nil {
		return nil, err
	}
	b, err := bus.Embedded(ctx, bus.Cluster{})
	if err != nil {
		return nil, err
	}
	catalog, err := fault.Builtin()
	if err != nil {
		return nil, err
	}
	authority, _, err := intake.OpenAuthority(ctx, s, filepath.Join(dir, "key"), time.Now())
	if err != nil {
		return nil, err
	}
	return &collector{store: s, bus: b, desk: desk.New(s, b, catalog), authority: authority}, nil
}

func (c *collector) close() error {
	c.bus.Close()
	return c.store.Close()
}

func (c *collector) serve(address string) error {
	in := intake.New(c.desk, c.authority, intake.Options{Names: []string{"127.0.0.1"}, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
	server, err := in.Server()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return server.Serve(listener)
}

func beCollector(dir, address string) error {
	c, err := openCollector(context.Background(), dir)
	if err != nil {
		return err
	}
	return c.serve(address)
}

// event is what an agent's process says, a line of JSON each.
type event struct {
	// Put is the id of a report that is durable.
	Put string `json:"put,omitempty"`
	// Stored is that of a ticket that the collector has, Number its number.
	Stored string `json:"stored,omitempty"`
	Number int32  `json:"number,omitempty"`
}

// order is what an agent's process is asked to put.
type order struct {
	Ticket string `json:"ticket"`
	// Diagnosis belongs to the ticket; empty: none.
	Diagnosis string `json:"diagnosis,omitempty"`
}

// beAgent runs the link and puts the tickets it reads from standard input.
func beAgent(dir, _ string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	l, err := uplink.Open(dir, uplink.Proxy(uplink.Direct), uplink.Backoff(5*time.Millisecond, 100*time.Millisecond), uplink.Logger(log))
	if err != nil {
		return err
	}
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	say := func(e event) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(e) // who does not hear it counts it as not said
	}
	go func() {
		for in := json.NewDecoder(os.Stdin); ; {
			var o order
			if in.Decode(&o) != nil {
				return
			}
			if err := putOrder(l, o, say); err != nil {
				fmt.Fprintln(os.Stderr, "agent:", err)
			}
		}
	}()
	return l.Run(context.Background(), uplink.Handlers{})
}

func putOrder(l *uplink.Link, o order, say func(event)) error {
	receipt, _ := l.Expect(o.Ticket)
	go func() {
		r := <-receipt
		say(event{Stored: r.GetId(), Number: r.GetTicketNumber()})
	}()
	if o.Diagnosis != "" {
		d := &constatv1.Diagnosis{Id: o.Diagnosis, EndpointId: l.EndpointID(), Procedure: "printing", Verdict: "healthy", Trigger: "user", Language: "en"}
		if err := l.Spool().Put(&constatv1.Report{Content: &constatv1.Report_Diagnosis{Diagnosis: d}}); err != nil {
			return err
		}
	}
	t := &constatv1.TicketDraft{
		Id: o.Ticket, Complaint: "printing", Text: "ticket " + o.Ticket, Channel: "agent", Language: "en",
		Requester: &constatv1.Person{Name: "ana"}, DiagnosisId: o.Diagnosis,
	}
	if err := l.Spool().Put(&constatv1.Report{Content: &constatv1.Report_Ticket{Ticket: t}}); err != nil {
		return err
	}
	say(event{Put: o.Ticket})
	return nil
}

// process is a running role.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	events chan event // closed when it has ended
	once   sync.Once
}

func start(t testing.TB, role, dir, address string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self), events: make(chan event, 10_000)}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role, dirVariable+"="+dir, addressVariable+"="+address)
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.events)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var e event
			if json.Unmarshal(lines.Bytes(), &e) == nil { // the last may be cut
				p.events <- e
			}
		}
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process without giving it a chance to do anything.
func (p *process) kill() {
	p.once.Do(func() {
		_ = p.cmd.Process.Kill() // it may have ended by itself
		for range p.events {
			// Reading to the end lets Wait close the pipe.
		}
		_ = p.cmd.Wait()
	})
}
