package gear

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/diagnosis"
	"constat/internal/fault/fixture"
	"constat/internal/lab"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// deskRows are faults that only both ends of a cable show: the device is played
// and polled like the others, the computer at the port is one of the catalog's
// composed ones, as seen by the case, and what it felt comes to the desk with a
// ticket.
var deskRows = []struct {
	gearRow
	// of and seen name the case.
	of, seen string
	// peers: colleagues' computers are at other ports of the switch.
	peers bool
}{
	{gearRow{"cisco-access-vlan-wrong", "a socket is put into the VLAN of another department", catalysts, func(c *gearCase) {
		c.use(6)
		c.after.is(membership, c.port, integerType, c.after.all[2])
		c.configured(60)
	}}, "cisco-access-vlan-wrong", "faulty an address of another department", true},
	{gearRow{"cisco-access-vlan-wrong", "a socket is put into a VLAN without addresses", catalysts, func(c *gearCase) {
		c.use(6)
		c.after.is(membership, c.port, integerType, c.after.all[3])
		c.configured(60)
	}}, "cisco-access-vlan-wrong", "faulty no address", true},
	{gearRow{"cisco-stp-no-portfast", "a computer is switched on, and its port still listens to the tree", catalysts, func(c *gearCase) {
		c.before.makeDown(c.port, c.before.uptime-400_000)
		c.after.is(ifTable+"9", c.port, ticksType, c.after.uptime-1200)
		c.after.set(fmt.Sprintf("%s.%d", stpxFast, c.after.base[c.port]), integerType, 2)
		c.after.set(fmt.Sprintf("%s.%d", stpPortState, c.after.base[c.port]), integerType, 3+c.draw.IntN(2))
	}}, "cisco-stp-no-portfast", "faulty half a minute after start", false},
	{gearRow{"cisco-port-admin-down", "somebody shuts the port of a computer", switches, func(c *gearCase) {
		c.after.falls(c.port)
		c.after.is(ifTable+"7", c.port, integerType, 2)
	}}, "cisco-port-admin-down", "faulty no signal at the computer, its port shut", false},
	{gearRow{"cisco-errdisable-portsecurity", "the switch does not know the new computer", withCauses, func(c *gearCase) {
		c.after.falls(c.port)
		c.after.set(fmt.Sprintf("%s.%d.0", errDisableCause, c.port), integerType, 9)
	}}, "cisco-port-admin-down", "faulty no signal at the computer, its port shut", false},
}

// use has as many ports in use, at least.
func (c *gearCase) use(n int) {
	for _, b := range []*box{c.before, c.after} {
		for _, i := range b.edge {
			if len(b.used) < n && !slices.Contains(b.used, i) {
				b.makeUp(i)
				b.is(ifTable+"7", i, integerType, 1).is(membership, i, integerType, b.vlan).is(memberStatus, i, integerType, 2)
				b.used = append(b.used, i)
			}
		}
	}
}

// computer is what a case's computer saw by itself, at a port that it heard named.
func (w *world) computer(t *testing.T, of, name string, port int, heard *timestamppb.Timestamp) *constatv1.Snapshot {
	t.Helper()
	cases, err := fixture.Cases(filepath.Join("..", "..", "internal", "fault", "testdata"), of)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(cases, func(c *fixture.Case) bool { return strings.TrimPrefix(c.Name, of+": ") == name })
	if i < 0 {
		t.Fatalf("the case %q of %s is gone", name, of)
	}
	own := proto.CloneOf(cases[i].Snapshot)
	own.Gear, own.Attachment, own.Fleet = nil, nil, nil
	own.Manifest.Groups = slices.DeleteFunc(own.Manifest.Groups, func(g *constatv1.GroupEntry) bool {
		return slices.Contains([]string{"attachment", "fleet", "gear", "polled"}, g.GetGroup())
	})
	own.Manifest.Id, own.Manifest.TakenAt = uuid.Must(uuid.NewV7()).String(), timestamppb.Now()
	own.Network.Neighbours = []*constatv1.LinkNeighbour{{
		Link: proto.String("eth0"), Protocol: proto.String("cdp"), SystemName: proto.String(w.after.name), PortId: proto.String(w.after.names[port]), HeardAt: heard,
	}}
	return own
}

// seat has a computer enrolled, with what it saw; it gives its id.
func (p *plant) seat(hostname string, own *constatv1.Snapshot, reports ...*constatv1.Report) (id string, receipts []*constatv1.Receipt) {
	p.Helper()
	return p.seatAs("", hostname, own, reports...)
}

// seatAs is the same for a computer that is enrolled already, by its id.
func (p *plant) seatAs(id, hostname string, own *constatv1.Snapshot, reports ...*constatv1.Report) (_ string, receipts []*constatv1.Receipt) {
	p.Helper()
	if id == "" {
		id = p.enrol(hostname)
	}
	receipts, err := p.desk.Ingest(p.Context(), id, append([]*constatv1.Report{
		{Content: &constatv1.Report_Snapshot{Snapshot: &constatv1.SnapshotReport{Manifest: own.Manifest, Payloads: snapshot.Payloads(own)}}},
	}, reports...))
	if err != nil {
		p.Fatal(err)
	}
	for _, r := range receipts {
		if r.GetStatus() != "stored" {
			p.Fatalf("receipt %v", r)
		}
	}
	return id, receipts
}

func (p *plant) enrol(hostname string) (id string) {
	p.Helper()
	token := []byte(hostname)
	if err := p.desk.NewEnrolmentToken(p.Context(), token, 1, time.Now().Add(time.Hour), ""); err != nil {
		p.Fatal(err)
	}
	id, err := p.desk.Enroll(p.Context(), token, &constatv1.EnrollRequest{Hostname: hostname, MachineHash: hostname, OsFamily: "linux"},
		func(string) (string, time.Time, error) { return hostname, time.Now().Add(time.Hour), nil })
	if err != nil {
		p.Fatal(err)
	}
	return id
}

// colleagues are computers that work, at other ports of the switch.
func (w *world) colleagues(t *testing.T, p *plant) {
	for n, i := range w.after.used {
		if i != w.port && n < 7 {
			own := w.computer(t, "cisco-access-vlan-wrong", "healthy as expected", i, nil)
			p.seat(fmt.Sprintf("pc-%d", 100+n), own)
		}
	}
}

// complain has the computer's user write a ticket, and gives what the desk makes
// of it, with both ends.
func (w *world) complain(t *testing.T, p *plant, of, name string, run *lab.Run) {
	t.Helper()
	// When it worked it told where it is.
	id, _ := p.seat("pc-1", w.computer(t, "cisco-access-vlan-wrong", "healthy as expected", w.port, nil))
	own := w.computer(t, of, name, w.port, timestamppb.New(time.Now().Add(-2*time.Hour).Truncate(time.Hour)))
	internet, _ := diagnosis.Lookup("internet")
	began := time.Now()
	found := diagnosis.Judge(p.catalog, internet, own, time.Now(), "en")
	found.Id = uuid.Must(uuid.NewV7()).String()
	_, receipts := p.seatAs(id, "pc-1", own, &constatv1.Report{Content: &constatv1.Report_Diagnosis{Diagnosis: found}},
		&constatv1.Report{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{
			Id: uuid.Must(uuid.NewV7()).String(), Complaint: "internet", Text: "no network", Language: "en", DiagnosisId: found.GetId(),
		}}})
	ticket, err := p.desk.Ticket(t.Context(), receipts[2].GetTicketNumber())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range ticket.GetTimeline() {
		if d := entry.GetDiagnosis(); d != nil {
			run.Diagnosis = d
		}
	}
	socket, err := p.desk.Socket(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	run.ElapsedMs += int(time.Since(began).Milliseconds())
	run.Procedure, run.Snapshot, run.At = "internet", own, time.Now().UTC().Truncate(time.Second)
	if socket != nil {
		own.Attachment = socket.Attachment
		own.Manifest.Groups = append(own.Manifest.Groups, &constatv1.GroupEntry{
			Group: "attachment", Observation: &constatv1.Observation{Status: "observed", Source: "snmp", At: socket.ReadAt},
		})
	}
}
