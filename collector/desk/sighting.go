package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/collector/store"
	"constat/collector/store/query"
	constatv1 "constat/proto/constat/v1"
)

const (
	// maxAtDesk is how many stations a port to a desk has at most: a phone, a
	// computer with its virtual machines, a small switch. Behind more is another
	// switch, or an access point, which says so.
	maxAtDesk = 16
	// maxSightings bounds how many devices are compared: a station that more see
	// has its nearest among the latest of them.
	maxSightings = 12
	// atOnce is how far apart two devices' polls of the same moment are.
	atOnce = 30 * time.Minute
)

// whereMAC is the port of a station.
func whereMAC(ctx context.Context, q *query.Queries, mac, address string) (*constatv1.Attachment, error) {
	seen, err := bestSighting(ctx, q, &whose{macs: []string{mac}})
	if err != nil || seen == nil {
		return nil, err
	}
	a := seen.attachment
	if a.Mac = proto.String(mac); address == "" {
		known, err := q.AddressesOfStation(ctx, mac)
		if err != nil {
			return nil, err
		}
		if len(known) > 0 {
			address = known[0].Address
		}
	}
	if address != "" {
		a.Address = proto.String(address)
	}
	return a, nil
}

// whereAddress is the port of the station that had an IP address last. An address
// that goes from one station to another within a poll belongs to the latest.
func whereAddress(ctx context.Context, q *query.Queries, a netip.Addr) (*constatv1.Attachment, error) {
	rows, err := q.StationsByAddress(ctx, a.String())
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if found, err := whereMAC(ctx, q, row.Mac, a.String()); err != nil || found != nil {
			return found, err
		}
	}
	return nil, nil
}

// candidate is a port where the station was seen and that may be its own.
type candidate struct {
	query.SightingsRow
	*sighting
	current bool
}

// bestSighting is the port to the desk where one of the addresses was seen. A
// port that leads to another device is none; of the rest it is the one behind
// which no other is. A station that a controller hears by radio is at the port of
// its access point.
func bestSighting(ctx context.Context, q *query.Queries, who *whose) (*sighting, error) {
	var all []*candidate
	for _, mac := range who.macs {
		rows, err := q.Sightings(ctx, mac)
		if err != nil {
			return nil, err
		}
		for _, row := range rows[:min(len(rows), 4*maxSightings)] {
			c, err := candidateOf(ctx, q, row, who)
			if err != nil {
				return nil, err
			}
			if c != nil && len(all) < maxSightings {
				all = append(all, c)
			}
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	best := all[0]
	for _, c := range all[1:] {
		closer, err := nearer(ctx, q, c, best)
		if err != nil {
			return nil, err
		}
		if closer {
			best = c
		}
	}
	// One between two switches that both see each other behind the port, at a small
	// switch that nobody manages, is at neither's desk.
	for _, c := range all {
		if c == best || c.GearID == best.GearID || c.current != best.current || best.Evidence == "wireless" {
			continue
		}
		if n, err := spread(ctx, q, c, best); err != nil || n > 0 {
			return nil, err
		}
	}
	best.describe(who)
	return best.sighting, nil
}

// candidateOf is a sighting that may be the station's own port; nil when it can't.
func candidateOf(ctx context.Context, q *query.Queries, row query.SightingsRow, who *whose) (*candidate, error) {
	device, err := q.GearByID(ctx, row.GearID)
	if err != nil {
		return nil, err
	}
	found, err := seenAt(ctx, q, device, row.Evidence, store.Time(row.SeenAt))
	if err != nil || found == nil {
		return nil, err
	}
	c := &candidate{row, found, row.SeenAt == row.WholeAt && row.Evidence != "dhcpSnooping"}
	if row.Evidence == "wireless" {
		return c.byRadio(ctx, q)
	}
	for _, port := range found.gear.GetInterfaces() {
		if port.GetIfIndex() == row.IfIndex {
			found.attachment.Port = port
		}
	}
	radio := announces(found.gear, row.IfIndex, "accessPoint")
	if row.Devices > 0 || row.Stations > maxAtDesk && radio == nil || leadsOn(found.gear, row.IfIndex, who) {
		return nil, nil
	}
	found.attachment.Uplink = uplinkOf(found.gear, found.attachment.Port)
	return c, nil
}

// byRadio puts a station that a controller hears by radio at the port of its
// access point; without one that is known it is at none.
func (c *candidate) byRadio(ctx context.Context, q *query.Queries) (*candidate, error) {
	for _, ap := range c.gear.GetAccessPoints() {
		mac := parseMAC(ap.GetEthernetMac())
		if mac == "" || c.AccessPoint == "" || c.AccessPoint != ap.GetName() && c.AccessPoint != ap.GetMac() {
			continue
		}
		wired, err := bestSighting(ctx, q, &whose{macs: []string{mac}, hostname: ap.GetName()})
		if err != nil || wired == nil {
			return nil, err
		}
		at := c.at
		c.sighting = wired
		c.at, c.attachment.SeenAt = at, timestamp(c.SeenAt)
		c.attachment.Evidence = proto.String("wireless")
		c.attachment.Via, c.attachment.ViaKind = proto.String(c.AccessPoint), proto.String("accessPoint")
		return c, nil
	}
	return nil, nil
}

// describe says of a station's port what is between, and how sure it is.
func (c *candidate) describe(who *whose) {
	a := c.attachment
	a.Current = proto.Bool(c.current && c.device.Failures == 0)
	if a.Since = timestamp(c.Since); c.Vlan > 0 {
		a.Vlan = proto.Int32(c.Vlan)
	}
	if c.Evidence == "wireless" {
		return
	}
	a.Stations = proto.Int32(int32(c.Stations))
	if ap := announces(c.gear, c.IfIndex, "accessPoint"); ap != nil && !itself(ap, who) {
		a.Evidence = proto.String("wireless")
		a.Via, a.ViaKind = proto.String(ap.GetRemoteSystem()), proto.String("accessPoint")
	} else if phone := announces(c.gear, c.IfIndex, "phone"); phone != nil && !itself(phone, who) {
		a.Via, a.ViaKind = proto.String(phone.GetRemoteSystem()), proto.String("phone")
	} else if host := announces(c.gear, c.IfIndex, "switch"); host != nil && hosts(host) && !itself(host, who) {
		a.Via, a.ViaKind = proto.String(host.GetRemoteSystem()), proto.String("hypervisor")
	}
}

// expect fills which VLAN the machine should be in: that of the other endpoints
// at the same device, where enough of them agree.
func (s *sighting) expect(ctx context.Context, q *query.Queries, endpoint string) error {
	if s.attachment.GetPort() == nil || s.attachment.Port.GetTrunk() || s.attachment.GetViaKind() == "accessPoint" {
		return nil
	}
	place, err := q.Place(ctx, endpoint)
	if err != nil || place.SwitchID == "" {
		return ignoreAbsent(err)
	}
	peers, err := q.PortsOnSwitch(ctx, place.SwitchID, endpoint)
	if err != nil {
		return err
	}
	votes, all := map[int32]int{}, 0
	for _, said := range peers {
		port := portNamed(s.gear, said)
		if port == nil || port.Vlan == nil || port.GetTrunk() || port.GetOperStatus() != "up" || port.GetIfIndex() == s.attachment.Port.GetIfIndex() {
			continue
		}
		vlan := port.GetVlan()
		if port.Dot1XVlan != nil {
			vlan = port.GetDot1XVlan()
		}
		votes[vlan]++
		all++
	}
	const enough, agree = 4, 0.8
	for vlan, n := range votes {
		if n >= enough && float64(n) >= agree*float64(all) {
			s.attachment.ExpectedVlan = proto.Int32(vlan)
		}
	}
	return nil
}

// nearer tells that a station is at a rather than at b.
func nearer(ctx context.Context, q *query.Queries, a, b *candidate) (bool, error) {
	if a.current != b.current {
		return a.current, nil
	}
	// Where a lease was given says less than where it was seen.
	if given := a.Evidence == "dhcpSnooping"; given != (b.Evidence == "dhcpSnooping") {
		return !given, nil
	}
	apart := store.Time(a.SeenAt).Sub(store.Time(b.SeenAt)).Abs()
	if !a.current && apart > atOnce {
		return a.SeenAt > b.SeenAt, nil
	}
	// By radio it is there though switches see it at the controller's port.
	if radio := a.Evidence == "wireless"; radio != (b.Evidence == "wireless") {
		return radio, nil
	}
	if a.GearID == b.GearID {
		return cmp.Or(cmp.Compare(a.SeenAt, b.SeenAt), cmp.Compare(b.Stations, a.Stations), cmp.Compare(b.IfIndex, a.IfIndex)) > 0, nil
	}
	spreadA, err := spread(ctx, q, a, b)
	if err != nil {
		return false, err
	}
	spreadB, err := spread(ctx, q, b, a)
	if err != nil {
		return false, err
	}
	if spreadA != spreadB {
		return spreadA > spreadB, nil
	}
	for _, says := range []func(*candidate) bool{
		func(c *candidate) bool { return c.attachment.GetEvidence() == "dot1x" },
		func(c *candidate) bool { return c.attachment.Port != nil && !c.attachment.Port.GetTrunk() },
		func(c *candidate) bool { return c.attachment.Port.GetPortfast() },
	} {
		if says(a) != says(b) {
			return says(a), nil
		}
	}
	// A switch lists for some minutes who was carried to another.
	return cmp.Or(cmp.Compare(b.Stations, a.Stations), cmp.Compare(a.Since, b.Since), cmp.Compare(a.SeenAt, b.SeenAt), cmp.Compare(b.GearID, a.GearID)) > 0, nil
}

// spread is over how many ports the near device spreads what the far one sees
// behind one port. Two and more: that port leads to the near device.
func spread(ctx context.Context, q *query.Queries, near, far *candidate) (int64, error) {
	since := min(near.SeenAt, far.SeenAt) - atOnce.Milliseconds()
	n, err := q.SpreadOf(ctx, query.SpreadOfParams{Near: near.GearID, Far: far.GearID, FarPort: far.IfIndex, Since: since})
	if n < 2 {
		n = 0
	}
	return n, err
}

// portsOf are a port and what makes it up, or the port-channel it is part of:
// neighbours announce themselves at the members.
func portsOf(g *constatv1.Gear, ifIndex int32) map[int32]bool {
	ports := map[int32]bool{ifIndex: true}
	for _, p := range g.GetInterfaces() {
		if p.GetIfIndex() == ifIndex && p.Aggregate != nil {
			ports[p.GetAggregate()] = true
		}
		if p.Aggregate != nil && p.GetAggregate() == ifIndex {
			ports[p.GetIfIndex()] = true
		}
	}
	return ports
}

// announces is who announces himself at a port as one of a kind.
func announces(g *constatv1.Gear, ifIndex int32, kind string) *constatv1.GearNeighbour {
	ports := portsOf(g, ifIndex)
	for _, n := range g.GetNeighbours() {
		if n.LocalIfIndex != nil && ports[n.GetLocalIfIndex()] && n.GetKind() == kind {
			return n
		}
	}
	return nil
}

// itself tells that who announces himself is the machine looked for: a computer
// with virtual machines bridges too, and phones are looked for themselves.
func itself(n *constatv1.GearNeighbour, who *whose) bool {
	name := strings.ToLower(n.GetRemoteSystem())
	for _, mac := range who.macs {
		if mac == parseMAC(n.GetRemotePort()) || mac == parseMAC(n.GetRemoteSystem()) || strings.HasSuffix(name, strings.ReplaceAll(mac, ":", "")) {
			return true
		}
	}
	return who.hostname != "" && slices.ContainsFunc(systemNames(n.GetRemoteSystem()), func(s string) bool { return slices.Contains(systemNames(who.hostname), s) })
}

// leadsOn tells a port at which a switch or router announces itself.
func leadsOn(g *constatv1.Gear, ifIndex int32, who *whose) bool {
	for _, kind := range []string{"switch", "router"} {
		if n := announces(g, ifIndex, kind); n != nil && !itself(n, who) && !hosts(n) {
			return true
		}
	}
	return false
}

// hypervisors are words in the platform of hosts of virtual machines, whose inner
// switch announces itself.
var hypervisors = []string{"VMware ESX", "Proxmox", "Hyper-V", "XenServer"}

// hosts tells a host of virtual machines.
func hosts(n *constatv1.GearNeighbour) bool {
	return slices.ContainsFunc(hypervisors, func(word string) bool { return strings.Contains(n.GetPlatform(), word) })
}

// uplinkOf is the port of a device, beside the given one, that leads to others:
// of several the one towards the root of the spanning tree; nil when none is.
func uplinkOf(g *constatv1.Gear, beside *constatv1.GearInterface) *constatv1.GearInterface {
	var found []*constatv1.GearInterface
	root := portsOf(g, g.GetSpanningTree().GetRootPort()) // 0 is no port
	for _, port := range g.GetInterfaces() {
		if beside.GetIfIndex() == port.GetIfIndex() || port.Aggregate != nil || !leadsOn(g, port.GetIfIndex(), &whose{}) {
			continue // of a port-channel not each cable
		}
		if root[port.GetIfIndex()] {
			return port
		}
		found = append(found, port)
	}
	if len(found) != 1 {
		return nil
	}
	return found[0]
}

func ignoreAbsent(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}
