package gear

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"
	"google.golang.org/protobuf/proto"

	"constat/collector/store/query"
	"constat/collector/store/storetest"
	"constat/internal/lab"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// world is one case of the lab, and where it is played.
type world struct {
	*gearCase
	row   gearRow
	where string // of all: its shape and what is odd about it
	id    string
	// v3: it is asked by SNMPv3.
	v3 bool
	// of and seen are the case of the computer at the port, where there is one, and
	// peers tells of colleagues at the switch.
	of, seen string
	peers    bool
	// beside are the tables that a real device shows per VLAN, by the end of the
	// community.
	beside map[string]string
}

func (w *world) faults() []string {
	if w.row.fault == "" {
		return nil
	}
	return strings.Split(w.row.fault, "+")
}

func (w *world) String() string {
	return fmt.Sprintf("%s, %s: %s [%s]", w.after.shape.name, cmp.Or(w.row.fault, "healthy"), w.row.how, w.where)
}

// chance is that of one world: the same words give the same.
func chance(words ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintln(h, words...)
	return rand.New(rand.NewPCG(h.Sum64(), 0))
}

// newWorld draws a world of a row.
func newWorld(row gearRow, seed string, n int) *world {
	draw := chance(seed, "gear", row.fault, row.how, n)
	var fitting []*shape
	for _, s := range slices.Concat(shapes, printerShapes) {
		if row.fits(s) {
			fitting = append(fitting, s)
		}
	}
	kind := fitting[draw.IntN(len(fitting))]
	make := newBox
	if kind.prints != nil {
		make = newPrinter
	}
	before := make(kind, draw)
	w := &world{row: row, id: fmt.Sprintf("w%x", draw.Uint32()), v3: oneOf(draw, 4), gearCase: &gearCase{before: before, draw: draw}}
	odd := []string{fmt.Sprintf("%d ports", len(before.edge)), map[bool]string{true: "SNMPv3", false: "SNMPv2c"}[w.v3]}
	for _, o := range slices.Concat(gearOddities, printerOddities) {
		if o.fits(before.shape) && oneOf(draw, 5) {
			odd = append(odd, o.how)
			o.make(before)
		}
	}
	w.after = before.later(300)
	w.port = w.after.used[draw.IntN(len(w.after.used))]
	row.make(w.gearCase)
	w.where = strings.Join(odd, ", ")
	return w
}

// recordings are what snmpsim plays of a world, a community or a context each.
func (w *world) recordings() (all []lab.Recording) {
	for phase, b := range w.phases() {
		all = append(all, lab.Recording{Community: w.at(phase), Text: b.recording()})
		for end, text := range w.beside {
			all = append(all, lab.Recording{Community: w.at(phase) + end, Text: text})
		}
	}
	return all
}

func (w *world) phases() []*box {
	return slices.DeleteFunc(append(append([]*box{w.before}, w.steps...), w.after, w.aged), func(b *box) bool { return b == nil })
}

func (w *world) at(phase int) string { return fmt.Sprintf("%s-%d", w.id, phase) }

// opens changes what a credential holds, as somebody who changes both ends.
func (p *plant) opens(request *deskv1.PutCredentialRequest) {
	p.Helper()
	content, err := proto.Marshal(request)
	if err != nil {
		p.Fatal(err)
	}
	sealed, err := p.key.Seal(sealedName(request.Name), content)
	if err != nil {
		p.Fatal(err)
	}
	p.write(func(ctx context.Context, q *query.Queries) error {
		return q.PutCredential(ctx, query.PutCredentialParams{Name: request.Name, Sealed: sealed, Version: map[bool]string{true: "3", false: "2c"}[request.User != ""]})
	})
}

func (w *world) credential(played lab.Played, phase int) *deskv1.PutCredentialRequest {
	if !w.v3 {
		return &deskv1.PutCredentialRequest{Name: "lab", Community: w.at(phase)}
	}
	c := played.V3(w.at(phase))
	return &deskv1.PutCredentialRequest{
		Name: "lab", User: c.User, Auth: c.Auth, AuthPassword: c.AuthPassword, Privacy: c.Privacy, PrivacyPassword: c.PrivacyPassword, Context: c.Context,
	}
}

// nowhere is an address of a net for documentation (RFC 5737), at which nobody is.
const nowhere = "192.0.2.77:161"

// run plays a world to a collector's watch: it is read when all is well, and again
// when what happens has happened.
func (w *world) run(t *testing.T, played lab.Played) lab.Run {
	p := newPlant(t, storetest.SQLite(t))
	p.opens(w.credential(played, 0))
	p.add(played.Address, "lab")
	p.turn(0)
	if w.peers {
		w.colleagues(t, p)
	}
	first := p.device(played.Address)
	if first.GetDevice().GetState() != "ok" || len(first.GetGear().GetInterfaces()) == 0 {
		t.Errorf("%s: at first it is %s: %s", w, first.GetDevice().GetState(), first.GetDevice().GetReason())
	}
	if first.GetDiagnosis().GetVerdict() == "fault" && !slices.Equal(first.GetDevice().GetFaults(), w.faults()) {
		t.Errorf("%s: before anything happened: %v", w, said(first.GetDiagnosis()))
	}
	var on *listening
	if len(w.lines)+len(w.traps) > 0 && (w.after.shape.vlans != "" || w.after.shape.prints != nil) {
		on = p.listen()
	}
	began := time.Now()
	for phase, b := range w.phases()[1:] {
		took := cmp.Or(w.wait, 5*time.Minute)
		if phase < len(w.steps) || len(w.steps) > 0 && b == w.after {
			took = time.Minute
		}
		c := w.credential(played, phase+1)
		switch {
		case w.refused:
			if c.User == "" {
				c.Community += "x"
			} else {
				c.AuthPassword += "x"
			}
		case w.silent:
			p.vanish(first.GetDevice().GetId())
		}
		p.opens(c)
		p.at = p.at.Add(took)
		if on != nil && b == w.after {
			w.tell(t, on, played)
		}
		for again := 0; again < 4 && p.turn(lookEvery) > 0; again++ {
		}
	}
	last := p.device(map[bool]string{true: nowhere, false: played.Address}[w.silent])
	run := lab.Run{
		How: w.String(), Procedure: "gear", At: p.at.UTC().Truncate(time.Second), Live: true, ElapsedMs: int(time.Since(began).Milliseconds()),
		Diagnosis: last.GetDiagnosis(), Snapshot: Snapshot(last.GetGear(), "snmp", p.at),
	}
	if state := last.GetDevice().GetState(); state != "ok" && state != "partial" { // what was judged then
		v := &visited{state: state, last: Known{Gear: last.GetGear()}}
		if state == "timeout" {
			v.pings = silence(t.Context(), last.GetDevice().GetAddress(), last.GetGear())
		}
		run.Snapshot = Snapshot(v.mute(), "snmp", p.at)
	}
	if w.of != "" {
		w.complain(t, p, w.of, w.seen, &run)
	}
	if faults := w.faults(); len(faults) > 0 {
		run.Fault = faults[0]
		if len(faults) > 1 {
			run.Faults = faults
		}
	}
	return run
}

// vanish has a device, with all that it said, at an address where nobody answers.
func (p *plant) vanish(id string) {
	p.Helper()
	facts, err := p.store.Read().GearFacts(p.Context(), id)
	if err != nil {
		p.Fatal(err)
	}
	if err := p.Remove(p.Context(), id); err != nil {
		p.Fatal(err)
	}
	p.add(nowhere, "lab")
	facts.GearID = p.device(nowhere).GetDevice().GetId()
	p.write(func(ctx context.Context, q *query.Queries) error {
		return q.PutGearFacts(ctx, query.PutGearFactsParams(facts))
	})
}

// tell has the device tell what happens, and waits until it is kept.
func (w *world) tell(t *testing.T, on *listening, played lab.Played) {
	conn, err := net.Dial("udp", on.syslog)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for n, line := range w.lines {
		if _, err := fmt.Fprintf(conn, "<187>%d: %s: %s", 1000+n, on.at.UTC().Format("Jan  2 15:04:05.000"), line); err != nil {
			t.Fatal(err)
		}
	}
	host, port, _ := net.SplitHostPort(on.traps)
	number, _ := strconv.Atoi(port)
	sender := &gosnmp.GoSNMP{Target: host, Port: uint16(number), Version: gosnmp.Version2c, Community: "traps", Timeout: time.Second, Transport: "udp"}
	if len(w.traps) > 0 {
		on.opens(&deskv1.PutCredentialRequest{Name: "traps", Community: "traps"})
		if err := sender.Connect(); err != nil {
			t.Fatal(err)
		}
		defer sender.Conn.Close()
	}
	for _, trap := range w.traps {
		pdu := gosnmp.SnmpTrap{Variables: []gosnmp.SnmpPDU{
			{Name: "." + upTime, Type: gosnmp.TimeTicks, Value: uint32(w.after.uptime)},
			{Name: ".1.3.6.1.6.3.1.1.4.1.0", Type: gosnmp.ObjectIdentifier, Value: "." + trap.oid},
		}}
		for oid, value := range trap.objects {
			pdu.Variables = append(pdu.Variables, gosnmp.SnmpPDU{Name: "." + oid, Type: gosnmp.Integer, Value: value})
		}
		if _, err := sender.SendTrap(pdu); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for _, line := range w.lines {
		if l, ok := readLine([]byte("<187>1: " + line)); ok && l.event(on.at) != nil {
			kept++
		}
	}
	on.until("what it tells", func() bool {
		n := 0
		for _, e := range on.device(played.Address).GetEvents() {
			n += int(e.GetCount())
		}
		return n >= kept+len(w.traps)
	})
}

func said(d *constatv1.Diagnosis) string {
	var named []string
	for _, c := range d.GetRootCauses() {
		named = append(named, fmt.Sprintf("%s (%s, %s)", c.GetFault(), c.GetCertainty(), c.GetComponent()))
	}
	return cmp.Or(strings.Join(named, ", "), d.GetVerdict())
}

// wrong says what is wrong with a run; "": nothing.
func wrong(r lab.Run) string {
	roots := r.Diagnosis.GetRootCauses()
	place := func(id string) int {
		return slices.IndexFunc(roots, func(c *constatv1.RootCause) bool { return c.GetFault() == id })
	}
	switch sure := r.Diagnosis.GetVerdict() == "fault"; {
	case r.Fault == "" && sure:
		return "false alarm"
	case r.Fault == "" && r.Diagnosis.GetVerdict() != "healthy":
		return "healthy, and not seen to be"
	case r.Fault == "":
		return ""
	case len(r.Faults) > 1 && (place(r.Faults[0]) < 0 || place(r.Faults[1]) < 0):
		return "did not name both"
	case len(r.Faults) > 1:
		return ""
	case place(r.Fault) != 0:
		return "not named first"
	case !sure && r.Fault != "cisco-config-change-suspect":
		return "no answer"
	}
	return ""
}

// TestLabGear plays Cisco's switches, routers and firewalls, and makers' printers,
// to the collector's own watch: healthy ones with what is odd and harmless, then ones to which something
// happens, and compares what it names with what was done.
//
// FAULT=id runs the rows of one fault, FAULT=healthy those without any;
// CONSTAT_LAB=whole draws as many as the report wants, SEED=words draws others.
func TestLabGear(t *testing.T) {
	seed, only := cmp.Or(os.Getenv("SEED"), "constat"), os.Getenv("FAULT")
	whole := os.Getenv("CONSTAT_LAB") == "whole"
	var worlds []*world
	rows := slices.Concat(gearRows, healthyGear, printerRows, healthyPrinters)
	for _, d := range deskRows {
		rows = append(rows, d.gearRow)
	}
	for i, row := range rows {
		variants := 1
		switch {
		case whole && row.fault == "":
			variants = 4
		case whole || only != "":
			variants = 3
		case i%6 != int(chance(seed, "part").UintN(6)): // a part of them will do
			continue
		}
		faults := strings.Split(cmp.Or(row.fault, "healthy"), "+")
		if only != "" && !slices.Contains(faults, only) && !(only == "double" && len(faults) > 1) {
			continue
		}
		for n := range variants {
			w := newWorld(row, seed, n)
			if at := i - (len(rows) - len(deskRows)); at >= 0 {
				w.of, w.seen, w.peers = deskRows[at].of, deskRows[at].seen, deskRows[at].peers
			}
			worlds = append(worlds, w)
		}
	}
	if whole || only != "" {
		for _, w := range realWorlds(t, seed) {
			if only == "" || only == cmp.Or(w.row.fault, "healthy") {
				worlds = append(worlds, w)
			}
		}
	}
	if len(worlds) == 0 {
		t.Skipf("FAULT=%s has no row in this part of the lab", only)
	}
	const each = 60 // worlds that one program plays
	var mu sync.Mutex
	right, of := 0, 0
	t.Run("worlds", func(t *testing.T) {
		for part := range slices.Chunk(worlds, each) {
			t.Run("part", func(t *testing.T) {
				t.Parallel()
				var recordings []lab.Recording
				for _, w := range part {
					recordings = append(recordings, w.recordings()...)
				}
				played := lab.Play(t, recordings...)
				for _, w := range part {
					t.Run(cmp.Or(w.row.fault, "healthy"), func(t *testing.T) {
						run := w.run(t, played)
						lab.Record(t, "gear", run)
						mu.Lock()
						defer mu.Unlock()
						of++
						switch bad := wrong(run); {
						case bad == "":
							right++
							t.Logf("%s: right, %s, %d ms", w, said(run.Diagnosis), run.ElapsedMs)
						case whole:
							t.Logf("%s: MISS, %s: %s", w, bad, said(run.Diagnosis))
						default:
							t.Errorf("%s: %s: %s", w, bad, said(run.Diagnosis))
						}
					})
				}
			})
		}
	})
	t.Logf("seed %q: %d of %d right", seed, right, of)
}
