package gear

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/bus"
	"constat/collector/desk"
	"constat/collector/store"
	"constat/collector/store/query"
	"constat/collector/store/storetest"
	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/fault/fixture"
	"constat/internal/identity"
	"constat/internal/lab"
	"constat/internal/snapshot"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// desk5 is the ifIndex of Gi1/0/5.
const desk5 = 10105

// plant is a collector's watch and desk, at a time of its own.
type plant struct {
	testing.TB
	*Watch
	desk *desk.Desk
	at   time.Time
	log  bytes.Buffer
}

func newPlant(t testing.TB, s *store.Store) *plant {
	t.Helper()
	key, err := identity.NewKeyFile(filepath.Join(t.TempDir(), "sealing.key"))
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	hints, err := bus.Embedded(t.Context(), bus.Cluster{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hints.Close)
	p := &plant{TB: t, desk: desk.New(s, hints, catalog), at: time.Now()}
	p.Watch = NewWatch(s, key, catalog, slog.New(slog.NewTextHandler(&p.log, nil)))
	p.now = func() time.Time { return p.at }
	p.spread = func(d time.Duration) time.Duration { return d }
	return p
}

// community keeps a credential.
func (p *plant) community(name, community string) {
	p.Helper()
	if err := p.PutCredential(p.Context(), &deskv1.PutCredentialRequest{Name: name, Community: community}); err != nil {
		p.Fatal(err)
	}
}

func (p *plant) add(address, credential string) {
	p.Helper()
	if err := p.Add(p.Context(), address, credential, "head office"); err != nil {
		p.Fatal(err)
	}
}

// turn polls what is due after a while, and tells how many that were.
func (p *plant) turn(later time.Duration) int {
	p.Helper()
	p.at = p.at.Add(later)
	due, err := p.claim(p.Context(), atOnce)
	if err != nil {
		p.Fatal(err)
	}
	var polls sync.WaitGroup
	for _, device := range due {
		polls.Go(func() { p.visit(p.Context(), device) })
	}
	polls.Wait()
	return len(due)
}

func (p *plant) device(name string) *deskv1.GetGearResponse {
	p.Helper()
	found, err := p.desk.Device(p.Context(), name)
	if err != nil {
		p.Fatal(err)
	}
	return found
}

// A switch through its life: read, read again with what its counters counted, a
// port that it switches off itself, and silence. Another community shows another
// recording at the same address.
func TestWatch(t *testing.T) {
	octets := fmt.Sprintf("1.3.6.1.2.1.31.1.1.1.6.%d", desk5)
	played := lab.Play(t,
		lab.Recording{Community: "first", Text: switchOf(8).recording()},
		lab.Recording{Community: "busy", Text: switchOf(8).set("1.3.6.1.2.1.1.3.0", ticksType, 864000000+30000).
			set(octets, counterType, 1<<40+750_000_000).set(fmt.Sprintf("1.3.6.1.2.1.2.2.1.14.%d", desk5), "65", 7).recording()},
		lab.Recording{Community: "off", Text: switchOf(8).set("1.3.6.1.2.1.1.3.0", ticksType, 864000000+36000).errDisabled(desk5, 2).recording()},
		lab.Recording{Community: "restarted", Text: switchOf(8).set("1.3.6.1.2.1.1.3.0", ticksType, 6000).recording()},
	)
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPlant(t, s)
		if err := p.Add(t.Context(), played.Address, "floors", ""); err == nil || !strings.Contains(err.Error(), "gear credential set floors") {
			t.Errorf("a device without a credential: %v", err)
		}
		p.community("floors", "first")
		p.add(played.Address, "floors")
		if n := p.turn(0); n != 1 {
			t.Fatalf("%d devices were due", n)
		}
		first := p.device("SW-FLOOR-2")
		if d := first.GetDevice(); d.GetState() != "ok" || d.GetModel() != "WS-C2960X-24PS-L" || len(d.GetFaults()) != 0 || d.GetCredential() != "floors" {
			t.Fatalf("device %v", d)
		}
		if i := portOf(first.GetGear()); i.DeltaSeconds != nil || i.GetVlan() != 10 || first.GetGear().Restarted != nil {
			t.Errorf("first poll: %v", i)
		}
		if n := p.turn(10 * time.Second); n != 0 {
			t.Errorf("%d devices were due at once again", n)
		}

		p.community("floors", "busy") // makes it due
		p.turn(290 * time.Second)
		busy := p.device(played.Address)
		if i := portOf(busy.GetGear()); i.GetDeltaSeconds() != 300 || i.GetInBitsPerSecond() != 20_000_000 || busy.GetGear().GetRestarted() {
			t.Errorf("after 300 s: %v", i)
		}

		// What the status poll finds changed has all read again at once.
		p.seal("floors", "off")
		p.turn(70 * time.Second)
		off := p.device("sw-floor-2")
		if i := portOf(off.GetGear()); i.GetErrDisableCause() != "bpduGuard" || i.GetOperStatus() != "down" || !slices.Equal(off.GetDevice().GetFaults(), []string{"cisco-errdisable-bpduguard"}) {
			t.Errorf("status: %v, %v", i, off.GetDevice())
		}
		if p.turn(0) != 1 || p.turn(0) != 0 {
			t.Error("a change did not have all read once")
		}

		p.community("floors", "restarted")
		p.turn(time.Minute)
		if g := p.device("sw-floor-2").GetGear(); !g.GetRestarted() || portOf(g).DeltaSeconds != nil {
			t.Errorf("a restart: %v, %v", g.GetRestarted(), portOf(g))
		}

		// Silence is said once, asked less and less often, and what was known stays.
		p.community("floors", "nobody knows this one")
		said := strings.Count(p.log.String(), "can't be read")
		for _, later := range []time.Duration{0, time.Minute, 2 * time.Minute} {
			if n := p.turn(later); n != 1 {
				t.Errorf("%d polls after %v of silence", n, later)
			}
		}
		silent := p.device("sw-floor-2")
		if silent.GetDevice().GetState() != "timeout" || silent.GetDevice().GetReason() == "" || len(silent.GetGear().GetInterfaces()) != 9 {
			t.Errorf("silent: %v", silent.GetDevice())
		}
		if n := strings.Count(p.log.String(), "can't be read") - said; n != 1 {
			t.Errorf("said %d times that it is silent:\n%s", n, p.log.String())
		}
		for _, secret := range []string{"first", "nobody knows"} {
			if strings.Contains(p.log.String(), secret) {
				t.Errorf("the log tells %q", secret)
			}
		}
		if err := p.RemoveCredential(t.Context(), "floors"); err == nil {
			t.Error("a credential in use was removed")
		}
		if err := p.Remove(t.Context(), silent.GetDevice().GetId()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.desk.Device(t.Context(), "sw-floor-2"); err == nil {
			t.Error("it is still there")
		}
	})
}

// seal changes what a credential holds without asking devices at once.
func (p *plant) seal(name, community string) {
	p.Helper()
	content, err := proto.Marshal(&deskv1.PutCredentialRequest{Name: name, Community: community})
	if err != nil {
		p.Fatal(err)
	}
	sealed, err := p.key.Seal(sealedName(name), content)
	if err != nil {
		p.Fatal(err)
	}
	p.write(func(ctx context.Context, q *query.Queries) error {
		return q.PutCredential(ctx, query.PutCredentialParams{Name: name, Sealed: sealed, Version: "2c"})
	})
}

func (p *plant) write(change func(context.Context, *query.Queries) error) {
	p.Helper()
	if err := p.store.Write(p.Context(), change); err != nil {
		p.Fatal(err)
	}
}

func portOf(g *constatv1.Gear) *constatv1.GearInterface {
	for _, i := range g.GetInterfaces() {
		if i.GetIfIndex() == desk5 {
			return i
		}
	}
	return nil
}

// Two collectors of one database poll each device once.
func TestLeases(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPlant(t, s)
		p.community("c", "x")
		for i := range 50 {
			p.add(fmt.Sprintf("192.0.2.%d", i+1), "c")
		}
		other := NewWatch(s, p.key, p.catalog, p.Watch.log)
		var got [2]map[string]bool
		var both sync.WaitGroup
		for i, w := range []*Watch{p.Watch, other} {
			got[i] = map[string]bool{}
			both.Go(func() {
				for range 10 {
					due, err := w.claim(t.Context(), 7)
					if err != nil {
						t.Error(err)
					}
					for _, d := range due {
						got[i][d.ID] = true
					}
				}
			})
		}
		both.Wait()
		for id := range got[0] {
			if got[1][id] {
				t.Errorf("both claimed %s", id)
			}
		}
		if n := len(got[0]) + len(got[1]); n != 50 {
			t.Errorf("%d of 50 claimed", n)
		}
		p.at = p.at.Add(lease + time.Second) // who claimed them is gone
		if due, err := p.claim(t.Context(), 100); err != nil || len(due) != 50 {
			t.Errorf("after the leases: %d, %v", len(due), err)
		}
	})
}

// station puts an address behind a port, in the table with VLANs.
func (d device) station(mac string, bridgePort int) device {
	var index strings.Builder
	for _, part := range strings.Split(mac, ":") {
		n := 0
		fmt.Sscanf(part, "%x", &n)
		fmt.Fprintf(&index, ".%d", n)
	}
	return d.set("1.3.6.1.2.1.17.7.1.2.2.1.2.10"+index.String(), integerType, bridgePort)
}

// fabricSwitch is a switch with a bridge of its own: bridge port n is the desk
// port n, 49 the first uplink and 50 the second.
func fabricSwitch(name, base string, ports int) device {
	d := switchOf(ports).set("1.3.6.1.2.1.1.5.0", textType, name).set("1.3.6.1.2.1.47.1.1.1.1.11.1001", textType, "FOC"+name)
	d.set("1.3.6.1.2.1.17.1.1.0", hexType, strings.ReplaceAll(base, ":", ""))
	for oid := range d { // switchOf's uplink knows a neighbour; here each has its own
		if strings.HasPrefix(oid, "1.3.6.1.4.1.9.9.23.") {
			delete(d, oid)
		}
	}
	d.port(10150, "Gi1/1/2", strings.ReplaceAll(base, ":", "")[:10]+"fe")
	d.set(fmt.Sprintf("1.3.6.1.2.1.2.2.1.6.%d", uplink), hexType, strings.ReplaceAll(base, ":", "")[:10]+"ff")
	for n := range ports {
		d.set(fmt.Sprintf("1.3.6.1.2.1.2.2.1.6.%d", 10101+n), hexType, fmt.Sprintf("%s%02x", strings.ReplaceAll(base, ":", "")[:10], n+1))
		d.set(fmt.Sprintf("1.3.6.1.2.1.17.1.4.1.2.%d", n+1), integerType, 10101+n)
	}
	return d.set("1.3.6.1.2.1.17.1.4.1.2.49", integerType, uplink).set("1.3.6.1.2.1.17.1.4.1.2.50", integerType, 10150)
}

// neighbour has CDP know a device at a port.
func (d device) neighbour(ifIndex int, name, at, capabilities string) device {
	row := func(column int) string { return fmt.Sprintf("1.3.6.1.4.1.9.9.23.1.2.1.1.%d.%d.1", column, ifIndex) }
	return d.set(row(6), textType, name).set(row(7), textType, at).set(row(9), hexType, capabilities)
}

// Forty machines at three switches: each is found at its own port, also behind a
// phone and behind a small switch under a desk, and no uplink is ever named,
// whether the switch at its end announces itself or not.
func TestFortyMachines(t *testing.T) {
	core := fabricSwitch("core-1", "02:aa:00:00:01:00", 8).neighbour(uplink, "floor-1.example.org", "Gi1/1/1", "00000029")
	floors := []device{
		fabricSwitch("floor-1", "02:aa:00:00:02:00", 24).neighbour(uplink, "core-1", "Gi1/1/1", "00000029"),
		fabricSwitch("floor-2", "02:aa:00:00:03:00", 24), // says nothing, and hears nothing
	}
	all := []device{core, floors[0], floors[1]}
	names := []string{"core-1", "floor-1", "floor-2"}
	type seat struct {
		at   int // of all
		port int
	}
	machines := map[string]seat{}
	for i := range 40 {
		s := seat{1, i + 1} // floor-1, ports 1 to 20
		switch {
		case i >= 36:
			s = seat{0, i - 35}
		case i >= 33:
			s = seat{2, 14} // three behind a small switch
		case i >= 20:
			s = seat{2, i - 19}
		}
		machines[fmt.Sprintf("02:00:5e:00:00:%02x", i+1)] = s
	}
	// Phones share a port with a machine, and announce themselves.
	floors[0].neighbour(10102, "SEP00112233", "Port 1", "00000490").station("02:00:5e:00:ff:01", 2)
	towards := [3][3]int{{0, 49, 50}, {49, 0, 49}, {49, 49, 0}} // the port of one switch towards another
	for mac, s := range machines {
		for i, d := range all {
			if i == s.at {
				d.station(mac, s.port)
			} else {
				d.station(mac, towards[i][s.at])
			}
		}
	}
	for i, d := range all { // switches see each other
		for j := range all {
			if i != j {
				d.station(fmt.Sprintf("02:aa:00:00:%02x:00", j+1), towards[i][j])
			}
		}
	}
	var addresses []string
	for i, d := range all {
		addresses = append(addresses, lab.Play(t, lab.Recording{Community: names[i], Text: d.recording()}).Address)
	}
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPlant(t, s)
		for i, address := range addresses {
			p.community(names[i], names[i])
			p.add(address, names[i])
		}
		if n := p.turn(0); n != 3 {
			t.Fatalf("%d devices polled\n%s", n, p.log.String())
		}
		check := func(when string) {
			found := 0
			for mac, s := range machines {
				a, err := p.desk.Where(t.Context(), strings.ReplaceAll(strings.ToUpper(mac), ":", "-"))
				if err != nil {
					t.Fatal(err)
				}
				if want := fmt.Sprintf("%s Gi1/0/%d", names[s.at], s.port); a.GetGearName()+" "+a.GetPort().GetName() != want || a.GetEvidence() != "forwarding" {
					t.Errorf("%s: %s is at %s %s, want %s", when, mac, a.GetGearName(), a.GetPort().GetName(), want)
				} else {
					found++
				}
			}
			t.Logf("%s: %d of %d", when, found, len(machines))
		}
		check("at once")
		if a, err := p.desk.Where(t.Context(), "02:00:5e:99:99:99"); err != nil || a != nil {
			t.Errorf("a stranger is at %v (%v)", a, err)
		}
		if a, _ := p.desk.Where(t.Context(), "02:00:5e:00:00:01"); a.GetUplink().GetName() != "Gi1/1/1" || !a.GetGearReachable() {
			t.Errorf("uplink %v", a.GetUplink())
		}
		// One machine is switched off: its entry ages out everywhere, and its last
		// port is kept.
		gone := "02:00:5e:00:00:05"
		seen, err := s.Read().Sightings(t.Context(), gone)
		if err != nil || len(seen) != 3 {
			t.Fatal(seen, err)
		}
		for _, row := range seen {
			p.write(func(ctx context.Context, q *query.Queries) error {
				return q.PutStation(ctx, query.PutStationParams{
					Mac: gone, GearID: row.GearID, IfIndex: row.IfIndex, Vlan: row.Vlan, Evidence: row.Evidence, SeenAt: row.SeenAt - 600_000,
				})
			})
		}
		check("with one switched off")
	})
}

// Both ends of a cable: the computer sees no signal, its switch says that it
// switched the port off itself. The ticket names that.
func TestBothEnds(t *testing.T) {
	played := lab.Play(t, lab.Recording{Community: "shut", Text: switchOf(8).errDisabled(desk5, 2).recording()})
	cases, err := fixture.Cases(filepath.Join("..", "..", "internal", "fault", "testdata"), "cisco-errdisable-bpduguard")
	if err != nil {
		t.Fatal(err)
	}
	var seen *constatv1.Snapshot
	for _, c := range cases {
		if strings.TrimPrefix(c.Name, "cisco-errdisable-bpduguard: ") == "faulty no signal at the computer, a cause at its port" {
			seen = c.Snapshot
		}
	}
	if seen == nil {
		t.Fatal("the fixture is gone")
	}
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPlant(t, s)
		p.community("floors", "shut")
		p.add(played.Address, "floors")
		p.turn(0)

		own := proto.CloneOf(seen) // as an agent sees it, which heard the switch before
		own.Gear, own.Attachment, own.Fleet = nil, nil, nil
		own.Manifest.Groups = slices.DeleteFunc(own.Manifest.Groups, func(g *constatv1.GroupEntry) bool {
			return slices.Contains([]string{"attachment", "fleet", "gear", "polled"}, g.GetGroup())
		})
		own.Manifest.Id, own.Manifest.TakenAt = uuid.Must(uuid.NewV7()).String(), timestamppb.Now()
		heard := timestamppb.New(time.Now().Add(-2 * time.Hour).Truncate(time.Hour))
		own.Network.Neighbours = []*constatv1.LinkNeighbour{{ // names its port in the other protocol only
			Link: proto.String("eth0"), Protocol: proto.String("lldp"), SystemName: proto.String("sw-floor-2.example.org"), PortId: proto.String("lan0"), HeardAt: heard,
		}, {
			Link: proto.String("eth0"), Protocol: proto.String("cdp"), SystemName: proto.String("sw-floor-2.example.org"), PortId: proto.String("GigabitEthernet1/0/5"), HeardAt: heard,
		}}
		internet, _ := diagnosis.Lookup("internet")
		found := diagnosis.Judge(p.catalog, internet, own, time.Now(), "en")
		found.Id = uuid.Must(uuid.NewV7()).String()
		if c := found.GetRootCauses(); len(c) == 0 || c[0].GetFault() != "net-link-no-carrier" {
			t.Fatalf("the agent alone says %v", c)
		}
		if err := p.desk.NewEnrolmentToken(t.Context(), []byte("t"), 1, time.Now().Add(time.Hour), ""); err != nil {
			t.Fatal(err)
		}
		pc, err := p.desk.Enroll(t.Context(), []byte("t"), &constatv1.EnrollRequest{Hostname: "pc-1", MachineHash: "h", OsFamily: "linux"},
			func(string) (string, time.Time, error) { return "01", time.Now().Add(time.Hour), nil })
		if err != nil {
			t.Fatal(err)
		}
		receipts, err := p.desk.Ingest(t.Context(), pc, []*constatv1.Report{
			{Content: &constatv1.Report_Snapshot{Snapshot: &constatv1.SnapshotReport{Manifest: own.Manifest, Payloads: snapshot.Payloads(own)}}},
			{Content: &constatv1.Report_Diagnosis{Diagnosis: found}},
			{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{
				Id: uuid.Must(uuid.NewV7()).String(), Complaint: "internet", Text: "no network", Language: "en", DiagnosisId: found.GetId(),
			}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range receipts {
			if r.GetStatus() != "stored" {
				t.Fatalf("receipt %v", r)
			}
		}
		ticket, err := p.desk.Ticket(t.Context(), receipts[2].GetTicketNumber())
		if err != nil {
			t.Fatal(err)
		}
		if ticket.GetTicket().GetRootCause() != "cisco-errdisable-bpduguard" {
			t.Errorf("the ticket names %q: %s", ticket.GetTicket().GetRootCause(), ticket.GetTicket().GetTitle())
		}
		last := ticket.GetTimeline()[len(ticket.GetTimeline())-1].GetDiagnosis()
		if c := last.GetRootCauses(); len(c) != 1 || c[0].GetComponent() != "Gi1/0/5" || !slices.Contains(last.GetSymptoms(), "net-link-no-carrier") {
			t.Errorf("the collector's diagnosis: %v", last)
		}
		socket, err := p.desk.Socket(t.Context(), pc)
		if err != nil || socket.GetPort().GetName() != "Gi1/0/5" || socket.GetEvidence() != "cdp" || socket.Link.GetName() != "eth0" || socket.GetGearName() != "sw-floor-2" {
			t.Errorf("socket %v (%v)", socket, err)
		}
	})
}

// What is asked for while a device is polled is not written over by the end of the
// poll: an event that may have come too late for it, a reading of everything, and
// another password.
func TestHintsDuringAVisit(t *testing.T) {
	played := lab.Play(t, lab.Recording{Community: "first", Text: switchOf(2).recording()})
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPlant(t, s)
		p.community("floors", "first")
		p.add(played.Address, "floors")
		p.turn(0)
		row := func() query.Gear {
			rows, err := s.Read().GearByAddress(t.Context(), played.Address)
			if err != nil || len(rows) != 1 {
				t.Fatalf("%d devices (%v)", len(rows), err)
			}
			return rows[0]
		}
		// during polls the device, while something else happens.
		during := func(what func(id string)) {
			t.Helper()
			p.at = p.at.Add(2 * time.Minute)
			due, err := p.claim(t.Context(), 1)
			if err != nil || len(due) != 1 {
				t.Fatalf("%d due (%v)\n%s", len(due), err, p.log.String())
			}
			what(due[0].ID)
			p.visit(t.Context(), due[0])
		}
		notice := func(kind string) func(string) {
			return func(id string) {
				e := &constatv1.GearEvent{Source: proto.String("syslog"), Kind: proto.String(kind), Mnemonic: proto.String("TEST-5-" + kind), At: timestamppb.New(p.at)}
				if _, err := p.Notice(t.Context(), id, e); err != nil {
					t.Fatal(err)
				}
			}
		}
		during(func(string) {})
		if r := row(); r.DueAt != store.Millis(p.at.Add(statusEvery)) {
			t.Errorf("nobody asked, and it is due in %v", store.Time(r.DueAt).Sub(p.at))
		}
		during(notice("linkDown"))
		if r := row(); r.DueAt != store.Millis(p.at.Add(rest)) || r.WholeDueAt == 0 {
			t.Errorf("after an event: due in %v, whole at %d", store.Time(r.DueAt).Sub(p.at), r.WholeDueAt)
		}
		during(notice("configChanged"))
		if r := row(); r.DueAt != store.Millis(p.at.Add(rest)) || r.WholeDueAt != 0 {
			t.Errorf("after a change of configuration: due in %v, whole at %d", store.Time(r.DueAt).Sub(p.at), r.WholeDueAt)
		}
		if n := p.turn(rest); n != 1 || row().WholeDueAt < store.Millis(p.at.Add(wholeEvery/2)) {
			t.Errorf("%d polled, whole due at %d", n, row().WholeDueAt)
		}
		if n := p.turn(rest); n != 0 {
			t.Errorf("%d polled once more", n)
		}
		// The old password was tried while the new one came.
		p.seal("floors", "nobody")
		during(func(string) { p.community("floors", "first") })
		if n := p.turn(0); n != 1 || row().State != "ok" {
			t.Errorf("with the new password: %d polled, %s", n, row().State)
		}
	})
}
