package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/diagnosis"
	constatv1 "constat/proto/constat/v1"
)

const (
	// findingHolds is how long a finding that no newer diagnosis took back
	// counts as standing now.
	findingHolds = 30 * time.Minute
	// silentSince bounds who "fell silent lately": one heartbeat may have been
	// missed by chance, and the silence itself takes some minutes to show.
	silentSince = 2 * HeartbeatInterval
)

// againID is the id of the diagnosis that the collector makes from an agent's:
// always the same, so that it stands in a ticket once.
func againID(id string) string {
	return uuid.NewSHA1(uuid.MustParse(id), []byte("judged again by the collector")).String()
}

// judgeAgain judges what an agent judged, with what only the collector knows
// beside it: the switch's port at the other end of its cable, what its printers
// told the polls and their ports, and who else of its switch and subnet has the
// same now. Where that adds something, the second diagnosis stands beside the agent's in its tickets.
// It waits for the snapshot, which may come after the diagnosis.
func (in *intake) judgeAgain(ctx context.Context, found *constatv1.Diagnosis) error {
	again, err := in.again(ctx, found)
	if err != nil || again == nil {
		return err
	}
	if added, err := in.addDiagnosis(ctx, again); err != nil || added == 0 {
		return err
	}
	numbers, err := in.q.TicketsOfDiagnosis(ctx, found.GetId(), in.endpoint)
	if err != nil {
		return err
	}
	for _, number := range numbers {
		if err := in.attach(ctx, number, again); err != nil {
			return err
		}
	}
	return nil
}

// again is the second diagnosis, nil when the collector has nothing to add.
func (in *intake) again(ctx context.Context, found *constatv1.Diagnosis) (*constatv1.Diagnosis, error) {
	procedure, ok := diagnosis.Lookup(found.GetProcedure())
	if !ok || found.GetSnapshotId() == "" {
		return nil, nil
	}
	row, err := in.q.SnapshotOf(ctx, in.endpoint, found.GetSnapshotId())
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fleet, err := in.fleet(ctx, found)
	if err != nil {
		return nil, err
	}
	manifest := &constatv1.Manifest{}
	if err := store.UnpackMessage(row.Manifest, manifest); err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", row.ID, err)
	}
	s, err := assemble(ctx, in.q, manifest)
	if err != nil {
		return nil, err
	}
	endpoint, err := in.q.EndpointByID(ctx, in.endpoint)
	if err != nil {
		return nil, err
	}
	socket, err := locateSocket(ctx, in.q, endpoint, s.GetNetwork(), manifest.GetTakenAt().AsTime())
	if err != nil {
		return nil, err
	}
	var printers []*Printer
	if slices.Contains(procedure.Groups, "printing") {
		if printers, err = printersBehind(ctx, in.q, s.GetPrinting()); err != nil {
			return nil, err
		}
	}
	if fleet == nil && socket == nil && len(printers) == 0 {
		return nil, nil
	}
	if fleet != nil {
		s.Fleet = fleet
		add(s, "fleet", "diagnoses of other machines", in.desk.now())
	}
	if socket != nil {
		s.Attachment = socket.Attachment
		source, at := socket.witness()
		add(s, "attachment", source, at)
	}
	if polled, at, gaps := polledOf(printers, manifest.GetTakenAt().AsTime()); polled != nil {
		s.Polled = polled
		add(s, "polled", "snmp", at, gaps...)
	}
	again := diagnosis.Judge(in.desk.Catalog(), procedure, s, found.GetStartedAt().AsTime(), found.GetLanguage())
	if fleet == nil && (again.GetVerdict() != "fault" || slices.Equal(causes(again), causes(found))) {
		return nil, nil
	}
	again.Id, again.EndpointId, again.Trigger = againID(found.GetId()), in.endpoint, "collector"
	return again, nil
}

// add notes in the manifest where a group of the collector's own comes from.
func add(s *constatv1.Snapshot, group, source string, at time.Time, gaps ...*constatv1.Gap) {
	s.Manifest.Groups = append(s.Manifest.Groups, &constatv1.GroupEntry{Group: group, Observation: &constatv1.Observation{
		Status: "observed", Source: source, At: timestamppb.New(at), Gaps: gaps,
	}})
	slices.SortFunc(s.Manifest.Groups, func(a, b *constatv1.GroupEntry) int { return cmp.Compare(a.GetGroup(), b.GetGroup()) })
}

// fleet is what others see at the time of a diagnosis; nil when they see nothing
// that concerns it.
func (in *intake) fleet(ctx context.Context, found *constatv1.Diagnosis) (*constatv1.Fleet, error) {
	if found.GetVerdict() != "fault" {
		return nil, nil
	}
	place, err := in.place(ctx)
	if err != nil {
		return nil, err
	}
	now := in.desk.now()
	fleet := &constatv1.Fleet{}
	for _, cause := range found.GetRootCauses() {
		standing := store.Millis(now.Add(-findingHolds))
		if place.SwitchID != "" {
			on, err := in.q.SharedOnSwitch(ctx, cause.GetFault(), standing, place.SwitchID)
			if err != nil {
				return nil, err
			}
			fleet.Shared = appendShared(fleet.Shared, cause.GetFault(), "switch", place.SwitchName, on.Endpoints, on.Since)
		}
		if place.Subnet != "" {
			in, err := in.q.SharedInSubnet(ctx, cause.GetFault(), standing, place.Subnet)
			if err != nil {
				return nil, err
			}
			fleet.Shared = appendShared(fleet.Shared, cause.GetFault(), "subnet", place.Subnet, in.Endpoints, in.Since)
		}
	}
	lately := store.Millis(now.Add(-silentSince))
	silent := int64(0)
	if place.SwitchID != "" {
		peers, err := in.q.PeersOnSwitch(ctx, query.PeersOnSwitchParams{Now: store.Millis(now), Place: place.SwitchID, Itself: in.endpoint, Lately: lately})
		if err != nil {
			return nil, err
		}
		fleet.SwitchPeers, fleet.SwitchPeersSilent = proto.Int32(int32(peers.Reporting+peers.Silent)), proto.Int32(int32(peers.Silent))
		silent += peers.Silent
	}
	if place.Subnet != "" {
		peers, err := in.q.PeersInSubnet(ctx, query.PeersInSubnetParams{Now: store.Millis(now), Place: place.Subnet, Itself: in.endpoint, Lately: lately})
		if err != nil {
			return nil, err
		}
		fleet.SubnetPeers, fleet.SubnetPeersSilent = proto.Int32(int32(peers.Reporting+peers.Silent)), proto.Int32(int32(peers.Silent))
		silent += peers.Silent
	}
	if len(fleet.Shared) == 0 && silent == 0 {
		return nil, nil
	}
	return fleet, nil
}

// appendShared adds a finding that others have too.
func appendShared(to []*constatv1.SharedFinding, fault, scope, id string, endpoints, since int64) []*constatv1.SharedFinding {
	if endpoints < 2 {
		return to
	}
	return append(to, &constatv1.SharedFinding{
		Fault: proto.String(fault), Scope: proto.String(scope), ScopeId: proto.String(id),
		Endpoints: proto.Int32(int32(endpoints)), Since: timestamp(since),
	})
}

// remember notes which faults stand on the endpoint now. A diagnosis takes back
// only what its procedure looked for, and an old one, sent late, says nothing of
// now.
func (in *intake) remember(ctx context.Context, found *constatv1.Diagnosis) error {
	now := in.desk.now()
	procedure, ok := diagnosis.Lookup(found.GetProcedure())
	if !ok || found.GetStartedAt() == nil || found.GetStartedAt().AsTime().Before(now.Add(-findingHolds)) {
		return nil
	}
	stands := map[string]bool{}
	for _, cause := range slices.Concat(found.GetRootCauses(), found.GetUnrelated()) {
		if in.desk.Catalog().Lookup(cause.GetFault()) == nil || cause.GetCertainty() == "possible" || stands[cause.GetFault()] {
			continue
		}
		stands[cause.GetFault()] = true
		since := now
		for _, t := range []*timestamppb.Timestamp{found.GetStartedAt(), cause.GetSince()} {
			if t != nil && t.AsTime().Before(since) {
				since = t.AsTime()
			}
		}
		err := in.q.PutFinding(ctx, query.PutFindingParams{
			EndpointID: in.endpoint, Fault: cause.GetFault(), Since: store.Millis(since), SeenAt: store.Millis(now),
		})
		if err != nil {
			return err
		}
	}
	known, err := in.q.Findings(ctx, in.endpoint)
	if err != nil {
		return err
	}
	for _, f := range known {
		judged := in.desk.Catalog().Lookup(f.Fault)
		if stands[f.Fault] || judged != nil && !procedure.Concerns(judged) {
			continue
		}
		if err := in.q.DropFinding(ctx, in.endpoint, f.Fault); err != nil {
			return err
		}
	}
	return nil
}
