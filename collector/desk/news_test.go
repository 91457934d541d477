package desk_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/fault/fixture"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// unpluggedPC is a machine that feels no signal on its cable, as its agent sees
// and judges it.
func unpluggedPC(t *testing.T) (snapshotOf, diagnosisOf *constatv1.Report) {
	t.Helper()
	cases, err := fixture.Cases(filepath.Join("..", "..", "internal", "fault", "testdata"), "net-link-no-carrier")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(cases, func(c *fixture.Case) bool { return c.Kind == fixture.Faulty })
	s := proto.CloneOf(cases[i].Snapshot)
	s.Gear, s.Attachment, s.Fleet = nil, nil, nil // an agent has none
	s.Manifest.Groups = slices.DeleteFunc(s.Manifest.Groups, func(g *constatv1.GroupEntry) bool {
		return slices.Contains([]string{"attachment", "fleet", "gear", "polled"}, g.GetGroup())
	})
	s.Manifest.Id, s.Manifest.TakenAt = newID(), timestamppb.Now()
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	p, _ := diagnosis.Lookup("internet")
	found := diagnosis.Judge(catalog, p, s, time.Now(), "en")
	found.Id = newID()
	return snapshotReport(&constatv1.SnapshotReport{Payloads: snapshot.Payloads(s), Manifest: s.Manifest}), diagnosisReport(found)
}

// poll stores what a switch tells of one port.
func (h *house) poll(t *testing.T, id string, at time.Time, port *constatv1.GearInterface) {
	t.Helper()
	content, err := store.PackMessage(&constatv1.Gear{
		Identity:   &constatv1.GearIdentity{Vendor: proto.String("Cisco"), Name: proto.String("floor-2")},
		Interfaces: []*constatv1.GearInterface{port}, PollResult: proto.String("ok"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
		return q.PutGearFacts(ctx, query.PutGearFactsParams{
			GearID: id, TakenAt: store.Millis(at), WholeAt: store.Millis(at), Content: content, Counters: []byte{}, Diagnosis: []byte{}, Plan: []byte{},
		})
	}); err != nil {
		t.Fatal(err)
	}
}

// A port that is shut after the ticket was opened is told in it, once.
func TestTicketsAreJudgedAgainByNewsOfTheGear(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		now := time.Now()
		id := newID()
		if err := h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			at := store.Millis(now)
			if _, err := q.AddGear(ctx, query.AddGearParams{ID: id, Address: "192.0.2.2", Credential: "floors", AddedAt: at}); err != nil {
				return err
			}
			if _, err := q.ClaimGear(ctx, query.ClaimGearParams{Owner: "x", Until: at + 1, Now: at, MaxRows: 1}); err != nil {
				return err
			}
			_, err := q.FinishGear(ctx, query.FinishGearParams{ID: id, LeaseOwner: "x", Name: "floor-2", NameKey: "floor-2", State: "ok", StateSince: at, AnsweredAt: at, DueAt: at})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		port := func(state, cause string) *constatv1.GearInterface {
			p := &constatv1.GearInterface{IfIndex: proto.Int32(7), Name: proto.String("Gi1/0/7"), AdminStatus: proto.String("up"), OperStatus: proto.String(state)}
			if cause != "" {
				p.ErrDisableCause = proto.String(cause)
			}
			return p
		}
		h.poll(t, id, now, port("down", ""))
		pc := h.enroll(t, "pc-7")
		heard, _ := namelessPC(t, "02:00:00:00:aa:01", "Gi1/0/7")
		h.ingest(t, pc, heard)
		seen, judged := unpluggedPC(t)
		wanted := draft("no Internet")
		wanted.Complaint, wanted.DiagnosisId = "internet", judged.GetDiagnosis().GetId()
		number := int32(0)
		for _, r := range h.ingest(t, pc, seen, judged, ticketReport(wanted)) {
			number = max(number, r.GetTicketNumber())
		}
		roots := func() (all []string) {
			for _, e := range h.ticket(t, number).GetTimeline() {
				if e.GetDiagnosis() != nil {
					all = append(all, e.GetDiagnosis().GetRootCauses()[0].GetFault())
				}
			}
			return all
		}
		for i, step := range []struct {
			state, cause string
			want         []string
		}{
			{"down", "", []string{"net-link-no-carrier"}},
			{"down", "bpduGuard", []string{"net-link-no-carrier", "cisco-errdisable-bpduguard"}},
			{"down", "bpduGuard", []string{"net-link-no-carrier", "cisco-errdisable-bpduguard"}},
			{"down", "", []string{"net-link-no-carrier", "cisco-errdisable-bpduguard"}},
			{"down", "bpduGuard", []string{"net-link-no-carrier", "cisco-errdisable-bpduguard"}},
		} {
			at := now.Add(time.Duration(i+1) * 5 * time.Minute)
			h.SetClock(at)
			h.poll(t, id, at, port(step.state, step.cause))
			if err := h.ReadNews(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := roots(); !slices.Equal(got, step.want) {
				t.Errorf("after poll %d the ticket says %v, want %v", i, got, step.want)
			}
		}
	})
}
