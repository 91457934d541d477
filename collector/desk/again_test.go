package desk_test

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/fault/fixture"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// namelessPC is a machine at a port of the named switch whose name servers are
// silent, as its agent sees and judges it.
func namelessPC(t *testing.T, chassis, port string) (snapshotOf, diagnosisOf *constatv1.Report) {
	t.Helper()
	cases, err := fixture.Cases(filepath.Join("..", "..", "internal", "fault", "testdata"), "net-dns-unreachable")
	if err != nil {
		t.Fatal(err)
	}
	s := proto.CloneOf(cases[0].Snapshot)
	s.Gear, s.Attachment, s.Fleet = nil, nil, nil // an agent has none
	s.Manifest.Groups = slices.DeleteFunc(s.Manifest.Groups, func(g *constatv1.GroupEntry) bool {
		return slices.Contains([]string{"attachment", "fleet", "gear", "polled"}, g.GetGroup())
	})
	s.Manifest.Id, s.Manifest.TakenAt = newID(), timestamppb.Now()
	s.Network.Neighbours = []*constatv1.LinkNeighbour{{
		Link: proto.String("eth0"), Protocol: proto.String("lldp"), ChassisId: proto.String(chassis), SystemName: proto.String("floor-2"), PortId: proto.String(port),
	}}
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	p, _ := diagnosis.Lookup("internet")
	found := diagnosis.Judge(catalog, p, s, time.Now(), "en")
	found.Id = newID()
	return snapshotReport(&constatv1.SnapshotReport{Payloads: snapshot.Payloads(s), Manifest: s.Manifest}), diagnosisReport(found)
}

// Machines of one switch that lose their name servers together are told as one
// finding of several: the third machine's ticket says so, whichever of snapshot,
// diagnosis and ticket comes last.
func TestSharedFindings(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		here := "02:00:00:00:aa:01"
		shared := func(number int32) map[string]int32 {
			found := map[string]int32{}
			for _, e := range h.ticket(t, number).GetTimeline() {
				for _, c := range e.GetDiagnosis().GetRootCauses() {
					for _, s := range c.GetShared() {
						found[s.GetScope()+" "+s.GetScopeId()] = s.GetEndpoints()
					}
				}
			}
			return found
		}
		orders := map[string][3]int{"in order": {0, 1, 2}, "the snapshot last": {1, 2, 0}, "the diagnosis last": {2, 0, 1}}
		machine, firstPC := 0, ""
		add := func(chassis string, order [3]int) int32 {
			machine++
			pc := h.enroll(t, fmt.Sprintf("pc-%d", machine))
			firstPC = cmp.Or(firstPC, pc)
			seen, judged := namelessPC(t, chassis, fmt.Sprintf("Gi1/0/%d", machine))
			wanted := draft("no Internet")
			wanted.Complaint, wanted.DiagnosisId = "internet", judged.GetDiagnosis().GetId()
			reports := [3]*constatv1.Report{seen, judged, ticketReport(wanted)}
			number := int32(0)
			for _, i := range order {
				number = max(number, h.ingest(t, pc, reports[i])[0].GetTicketNumber())
			}
			return number
		}
		if got := shared(add(here, orders["in order"])); len(got) != 0 {
			t.Fatalf("a machine alone shares %v", got)
		}
		add("02:00:00:00:bb:01", orders["in order"]) // of the same subnet, at another switch
		n := int32(2)
		for name, order := range orders {
			n++
			got := shared(add(here, order))
			if got["switch floor-2"] != n-1 || got["subnet 192.0.2.0/24"] != n {
				t.Errorf("%s: machine %d shares %v", name, n, got)
			}
		}
		// One that works again is no longer counted.
		h.ingest(t, firstPC, diagnosisReport(&constatv1.Diagnosis{
			Id: newID(), Procedure: "internet", Verdict: "healthy", StartedAt: timestamppb.Now(), Language: "en",
		}))
		if got := shared(add(here, orders["in order"])); got["switch floor-2"] != 4 || got["subnet 192.0.2.0/24"] != 5 {
			t.Errorf("after one was healed: %v", got)
		}
	})
}
