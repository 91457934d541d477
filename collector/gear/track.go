package gear

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	constatv1 "constat/proto/constat/v1"
)

const (
	// movesWithin is over what time a station's moves from port to port are
	// counted: one that roams or is carried moves once or twice, in a loop it never
	// rests.
	movesWithin = 30 * time.Minute
	// addressesKept is how long the last known address of a station is kept.
	addressesKept = 30 * 24 * time.Hour
	// absentKept is how long an access point that the controller lists no more is
	// still told as absent.
	absentKept = 7 * 24 * time.Hour
	// downKept is how long it is still told who was at a port that has no link.
	downKept   = 7 * 24 * time.Hour
	maxAddress = 64
)

// at is a station in a VLAN of one device.
type at struct {
	mac  string
	vlan int32
}

// tracks are where a device sees stations now, beside where it saw them before.
type tracks struct {
	before map[at]query.StationsOfRow
	now    map[at]*query.PutStationParams
	// known are the stations that the device knew before, in whichever VLAN.
	known map[string]bool
}

// track compares where a device sees stations with where it saw them, and counts
// their moves into its facts. What a device saw that was replaced is kept at ports
// that are still there, and says nothing of moves.
func (w *Watch) track(ctx context.Context, id string, g *constatv1.Gear, replaced *replacement, now time.Time) (*tracks, error) {
	rows, err := w.store.Read().StationsOf(ctx, id)
	if err != nil {
		return nil, err
	}
	t := &tracks{before: map[at]query.StationsOfRow{}, now: map[at]*query.PutStationParams{}, known: map[string]bool{}}
	for _, r := range rows {
		if replaced != nil {
			replaced.saw(r.IfIndex, g)
			continue
		}
		t.before[at{r.Mac, r.Vlan}] = r
		t.known[r.Mac] = t.known[r.Mac] || r.Evidence != "dhcpSnooping"
	}
	seen := map[string]bool{}
	for _, f := range g.GetForwarding() {
		if f.IfIndex == nil || len(t.now) >= maxKnown {
			continue
		}
		seen[f.GetMac()] = true
		row := t.see(id, at{f.GetMac(), f.GetVlan()}, f.GetIfIndex(), "forwarding", now)
		if row.Moves > 0 && row.MovedAt > store.Millis(now.Add(-movesWithin)) {
			f.Moves = proto.Int32(row.Moves)
		}
	}
	for _, s := range g.GetStations() {
		where := at{s.GetMac(), s.GetVlan()}
		if len(t.now) >= maxKnown {
			break
		}
		switch row := t.now[where]; {
		case s.GetEvidence() == "dot1x" && s.IfIndex != nil:
			if row != nil && row.IfIndex == s.GetIfIndex() {
				row.Evidence = "dot1x"
			} else if !seen[s.GetMac()] {
				t.see(id, where, s.GetIfIndex(), "dot1x", now)
			}
		case s.GetEvidence() == "wireless":
			t.see(id, where, 0, "wireless", now).AccessPoint = word(s.GetAccessPoint(), maxWord)
		case s.GetEvidence() == "dhcpSnooping" && s.IfIndex != nil && !seen[s.GetMac()] && !t.known[s.GetMac()]:
			// Written down when the lease was given: not that it is there now.
			t.see(id, where, s.GetIfIndex(), "dhcpSnooping", now)
		}
	}
	return t, nil
}

// see notes a station at a port.
func (t *tracks) see(id string, where at, ifIndex int32, evidence string, now time.Time) *query.PutStationParams {
	millis := store.Millis(now)
	row := &query.PutStationParams{
		Mac: where.mac, GearID: id, Vlan: where.vlan, IfIndex: ifIndex, Evidence: evidence, SeenAt: millis, Since: millis,
	}
	if old, known := t.before[where]; known {
		row.Moves, row.MovedAt = old.Moves, old.MovedAt
		if old.IfIndex == ifIndex {
			row.Since = old.Since
		} else if old.Evidence != "dhcpSnooping" {
			if row.MovedAt <= store.Millis(now.Add(-movesWithin)) {
				row.Moves = 0
			}
			row.Moves, row.MovedAt = row.Moves+1, millis
		}
	}
	t.now[where] = row
	return row
}

// keep stores where stations are and which addresses they have, and by which
// addresses the device itself is known.
func (t *tracks) keep(ctx context.Context, q *query.Queries, id string, g *constatv1.Gear, now time.Time) error {
	if err := keepOwn(ctx, q, id, g); err != nil {
		return err
	}
	rows := make([]*query.PutStationParams, 0, len(t.now))
	for _, row := range t.now {
		rows = append(rows, row)
	}
	// In one order, so that two collectors do not wait for each other.
	slices.SortFunc(rows, func(a, b *query.PutStationParams) int {
		return cmp.Or(cmp.Compare(a.Mac, b.Mac), cmp.Compare(a.Vlan, b.Vlan))
	})
	for _, row := range rows {
		if err := q.PutStation(ctx, *row); err != nil {
			return fmt.Errorf("station %s: %w", row.Mac, err)
		}
	}
	for _, s := range g.GetStations() {
		if s.GetAddress() == "" || len(s.GetAddress()) > maxAddress {
			continue
		}
		err := q.PutStationAddress(ctx, query.PutStationAddressParams{
			Address: s.GetAddress(), GearID: id, Mac: s.GetMac(), Evidence: s.GetEvidence(), SeenAt: store.Millis(now),
		})
		if err != nil {
			return fmt.Errorf("address %s: %w", s.GetAddress(), err)
		}
	}
	if err := q.DropStationAddresses(ctx, id, store.Millis(now.Add(-addressesKept))); err != nil {
		return err
	}
	return q.DropStations(ctx, id, store.Millis(now.Add(-forgetAfter)))
}

// keepOwn notes the device's own addresses.
func keepOwn(ctx context.Context, q *query.Queries, id string, g *constatv1.Gear) error {
	if err := q.DropGearIPs(ctx, id); err != nil {
		return err
	}
	for _, a := range g.GetIdentity().GetAddresses() {
		if err := q.AddGearIP(ctx, a, id); err != nil {
			return err
		}
	}
	if len(g.GetForwarding()) == 0 { // what forwards; a printer's own address is a station's
		return nil
	}
	if err := q.DropGearAddresses(ctx, id); err != nil {
		return err
	}
	own := map[string]bool{g.GetIdentity().GetChassisId(): true}
	for _, i := range g.GetInterfaces() {
		own[i.GetMac()] = true
	}
	delete(own, "")
	delete(own, "00:00:00:00:00:00")
	for mac := range own {
		if err := q.AddGearAddress(ctx, mac, id); err != nil {
			return err
		}
	}
	return nil
}

// restartTold is how long after a restart it is told that there was one.
const restartTold = time.Hour

// rememberNeighbours keeps who was at a port whose link is lost: nobody announces
// himself there any more, and switches forget him after minutes (CDP's hold time
// is 180 s, LLDP's 120 s). That it was another switch is what makes it an uplink.
func rememberNeighbours(g, last *constatv1.Gear, now time.Time) {
	lost, heard := map[int32]bool{}, map[int32]bool{}
	for _, i := range g.GetInterfaces() {
		lost[i.GetIfIndex()] = i.OperStatus != nil && i.GetOperStatus() != "up" && i.LastChangeAt != nil && now.Sub(i.GetLastChangeAt().AsTime()) < absentKept
	}
	for _, n := range g.GetNeighbours() {
		heard[n.GetLocalIfIndex()] = true
	}
	for _, n := range last.GetNeighbours() {
		if n.LocalIfIndex != nil && lost[n.GetLocalIfIndex()] && !heard[n.GetLocalIfIndex()] {
			g.Neighbours = append(g.Neighbours, proto.CloneOf(n))
		}
	}
}

// sinceLast fills what a whole poll tells only beside the facts before: of the
// spanning tree, of access points that are gone, and of neighbours that a port
// without a link can't hear.
func sinceLast(g, last *constatv1.Gear, now time.Time) {
	keepNeighbours(g, last, now)
	if tree, before := g.GetSpanningTree(), last.GetSpanningTree(); tree != nil && before != nil {
		if tree.GetRoot() != "" && before.GetRoot() != "" {
			tree.RootChanged = proto.Bool(tree.GetRoot() != before.GetRoot())
		}
		if tree.TopologyChanges != nil && before.TopologyChanges != nil && !g.GetRestarted() {
			tree.TopologyChangesDelta = delta(tree.TopologyChanges, before.TopologyChanges)
		}
	}
	// That it restarted is told for the hour in which it may matter, not only by
	// the first poll.
	if last.GetRestarted() && g.Restarted != nil && g.GetIdentity().GetUptimeSeconds() < int64(restartTold.Seconds()) {
		g.Restarted = proto.Bool(true)
	}
	rememberNeighbours(g, last, now)
	if len(g.GetAccessPoints()) == 0 {
		return // no controller, or it did not tell
	}
	listed := map[string]bool{}
	for _, ap := range g.GetAccessPoints() {
		listed[ap.GetMac()] = true
	}
	for _, ap := range last.GetAccessPoints() {
		if listed[ap.GetMac()] {
			continue
		}
		gone := proto.CloneOf(ap)
		gone.State, gone.Clients, gone.UptimeSeconds = proto.String("absent"), nil, nil
		if gone.AbsentSince == nil {
			gone.AbsentSince = timestamppb.New(now)
		}
		if now.Sub(gone.GetAbsentSince().AsTime()) < absentKept {
			g.AccessPoints = append(g.AccessPoints, gone)
		}
	}
}

// keepNeighbours still tells who was at a port that lost its link: the device
// forgets that within minutes, and it is how one knows that an uplink is down. Who
// shows at another port was plugged in elsewhere.
func keepNeighbours(g, last *constatv1.Gear, now time.Time) {
	dark, told := map[int32]bool{}, map[string]bool{}
	for _, p := range g.GetInterfaces() {
		down := p.OperStatus != nil && p.GetOperStatus() != "up" && p.LastChangeAt != nil
		dark[p.GetIfIndex()] = down && now.Sub(p.GetLastChangeAt().AsTime()) < downKept
	}
	who := func(n *constatv1.GearNeighbour) string {
		return n.GetProtocol() + "\x00" + n.GetRemoteSystem() + "\x00" + n.GetRemotePort()
	}
	for _, n := range g.GetNeighbours() {
		told[who(n)] = true
		if n.LocalIfIndex != nil {
			dark[n.GetLocalIfIndex()] = false
		}
	}
	for _, n := range last.GetNeighbours() {
		if n.LocalIfIndex != nil && dark[n.GetLocalIfIndex()] && !told[who(n)] && len(g.Neighbours) < maxKnown {
			g.Neighbours = append(g.Neighbours, proto.CloneOf(n))
		}
	}
}
