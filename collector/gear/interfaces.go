package gear

import (
	"context"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// port is a row of the interface tables, with the raw counters that become
// deltas between two polls.
type port struct {
	constatv1.GearInterface
	description string
	speed       int64 // ifSpeed, bit/s, at its limit for fast ports
	counters    constatv1.PortCounters
}

var (
	adminStates  = words{1: "up", 2: "down", 3: "testing"}
	operStates   = words{1: "up", 2: "down", 3: "testing", 4: "unknown", 5: "dormant", 6: "notPresent", 7: "lowerLayerDown"}
	duplexStates = words{2: "half", 3: "full"}
	// kinds of IANAifType that matter here; others keep their number.
	kinds = words{
		1: "other", 6: "ethernetCsmacd", 23: "ppp", 24: "softwareLoopback", 53: "propVirtual", 71: "ieee80211", 117: "gigabitEthernet",
		131: "tunnel", 135: "l2vlan", 136: "l3ipvlan", 161: "ieee8023adLag", 209: "bridge",
	}
)

// Columns that polls between two whole ones ask too.
const (
	adminStatus  = "1.3.6.1.2.1.2.2.1.7"
	operStatus   = "1.3.6.1.2.1.2.2.1.8"
	lastChange   = "1.3.6.1.2.1.2.2.1.9"
	highSpeed    = "1.3.6.1.2.1.31.1.1.1.15"
	duplexStatus = "1.3.6.1.2.1.10.7.2.1.19"
)

// interfaceColumns are IF-MIB (RFC 2863) and EtherLike-MIB (RFC 3635).
var interfaceColumns = []column[port]{
	{"ifIndex", "1.3.6.1.2.1.2.2.1.1", func(*port, snmp.Value) {}}, // that the row exists
	{"ifDescr", "1.3.6.1.2.1.2.2.1.2", func(r *port, v snmp.Value) { r.description = v.Text() }},
	{"ifType", "1.3.6.1.2.1.2.2.1.3", func(r *port, v snmp.Value) { r.Kind = kinds.of(v) }},
	{"ifSpeed", "1.3.6.1.2.1.2.2.1.5", func(r *port, v snmp.Value) { r.speed, _ = v.Int() }},
	{"ifPhysAddress", "1.3.6.1.2.1.2.2.1.6", func(r *port, v snmp.Value) { r.Mac = present(v.MAC()) }},
	{"ifAdminStatus", adminStatus, func(r *port, v snmp.Value) { r.AdminStatus = adminStates.of(v) }},
	{"ifOperStatus", operStatus, func(r *port, v snmp.Value) { r.OperStatus = operStates.of(v) }},
	{"ifName", "1.3.6.1.2.1.31.1.1.1.1", func(r *port, v snmp.Value) { r.Name = text(v) }},
	{"ifHighSpeed", highSpeed, func(r *port, v snmp.Value) { r.SpeedMbps = small(v) }},
	{"ifAlias", "1.3.6.1.2.1.31.1.1.1.18", func(r *port, v snmp.Value) { r.Alias = text(v) }},
	{"dot3StatsDuplexStatus", duplexStatus, func(r *port, v snmp.Value) { r.Duplex = duplex(v) }},
}

// counter is a column of counters, or of what they are compared by.
type counter struct {
	object, oid string
	field       func(*constatv1.PortCounters) **int64
}

// octets and packets are counted in 64 bits; narrow are those of devices that
// have no others.
var (
	wideCounters = []counter{
		{"ifHCInOctets", "1.3.6.1.2.1.31.1.1.1.6", func(c *constatv1.PortCounters) **int64 { return &c.InOctets }},
		{"ifHCOutOctets", "1.3.6.1.2.1.31.1.1.1.10", func(c *constatv1.PortCounters) **int64 { return &c.OutOctets }},
		{"ifHCInUcastPkts", "1.3.6.1.2.1.31.1.1.1.7", func(c *constatv1.PortCounters) **int64 { return &c.InPackets }},
		{"ifHCOutUcastPkts", "1.3.6.1.2.1.31.1.1.1.11", func(c *constatv1.PortCounters) **int64 { return &c.OutPackets }},
		{"ifHCInBroadcastPkts", "1.3.6.1.2.1.31.1.1.1.9", func(c *constatv1.PortCounters) **int64 { return &c.InBroadcasts }},
	}
	narrowCounters = []counter{
		{"ifInOctets", "1.3.6.1.2.1.2.2.1.10", func(c *constatv1.PortCounters) **int64 { return &c.InOctets }},
		{"ifOutOctets", "1.3.6.1.2.1.2.2.1.16", func(c *constatv1.PortCounters) **int64 { return &c.OutOctets }},
		{"ifInUcastPkts", "1.3.6.1.2.1.2.2.1.11", func(c *constatv1.PortCounters) **int64 { return &c.InPackets }},
		{"ifOutUcastPkts", "1.3.6.1.2.1.2.2.1.17", func(c *constatv1.PortCounters) **int64 { return &c.OutPackets }},
	}
	otherCounters = []counter{
		{"ifInErrors", "1.3.6.1.2.1.2.2.1.14", func(c *constatv1.PortCounters) **int64 { return &c.InErrors }},
		{"ifOutErrors", "1.3.6.1.2.1.2.2.1.20", func(c *constatv1.PortCounters) **int64 { return &c.OutErrors }},
		{"ifInDiscards", "1.3.6.1.2.1.2.2.1.13", func(c *constatv1.PortCounters) **int64 { return &c.InDiscards }},
		{"ifOutDiscards", "1.3.6.1.2.1.2.2.1.19", func(c *constatv1.PortCounters) **int64 { return &c.OutDiscards }},
		{"dot3StatsFCSErrors", "1.3.6.1.2.1.10.7.2.1.3", func(c *constatv1.PortCounters) **int64 { return &c.CrcErrors }},
		{"dot3StatsLateCollisions", "1.3.6.1.2.1.10.7.2.1.8", func(c *constatv1.PortCounters) **int64 { return &c.LateCollisions }},
		{"cieIfCarrierTransitionCount", "1.3.6.1.4.1.9.9.276.1.1.2.1.4", func(c *constatv1.PortCounters) **int64 { return &c.CarrierTransitions }},
		{"ifCounterDiscontinuityTime", "1.3.6.1.2.1.31.1.1.1.19", func(c *constatv1.PortCounters) **int64 { return &c.Discontinuity }},
	}
)

// columns are counters as columns of a table.
func columns(counters []counter) []column[port] {
	var list []column[port]
	for _, c := range counters {
		list = append(list, column[port]{c.object, c.oid, func(r *port, v snmp.Value) { *c.field(&r.counters) = integer(v) }})
	}
	return list
}

// notInterfaces are columns of tables that are indexed by ifIndex and yet hold
// rows of what is no interface of the device.
var notInterfaces = []string{"dot3StatsDuplexStatus", "dot3StatsFCSErrors", "dot3StatsLateCollisions", "cieIfCarrierTransitionCount"}

// duplex is what dot3StatsDuplexStatus and cdpCacheDuplex say; unknown(1) is
// none of both.
func duplex(v snmp.Value) *string {
	if n, ok := v.Int(); !ok || n < 2 {
		return nil
	}
	return duplexStates.of(v)
}

// maxSpeed is ifSpeed's limit: the port is at least as fast.
const maxSpeed = math.MaxUint32

// interfaces reads the union of the interface tables, by ifIndex.
func (p *poll) interfaces(ctx context.Context) error {
	var own, beside []column[port]
	for _, c := range slices.Concat(interfaceColumns, columns(wideCounters), columns(otherCounters)) {
		if slices.Contains(notInterfaces, c.object) {
			beside = append(beside, c)
		} else {
			own = append(own, c)
		}
	}
	own = append(own, column[port]{"ifLastChange", lastChange, func(r *port, v snmp.Value) {
		r.LastChangeAt, r.counters.LastChange = p.since(v), integer(v)
	}})
	rows, err := walk(ctx, p.session, own)
	if err != nil {
		return err
	}
	if err := p.narrow(ctx, rows); err != nil {
		return err
	}
	oids := make([]string, len(beside))
	for i, c := range beside {
		oids[i] = c.oid
	}
	err = p.session.Walk(ctx, oids, func(i int, index string, v snmp.Value) {
		if r := rows[index]; r != nil {
			beside[i].set(r, v)
		}
	})
	for _, index := range byIndex(rows) {
		n, ok := number(index)
		if !ok {
			continue
		}
		r := rows[index]
		r.IfIndex, r.counters.IfIndex = proto.Int32(n), n
		if r.Name == nil {
			r.Name = present(r.description)
		}
		if r.GetSpeedMbps() == 0 && r.speed > 0 && r.speed < maxSpeed {
			r.SpeedMbps = proto.Int32(int32((r.speed + 500_000) / 1_000_000))
		}
		p.ports[n] = r
		p.out.Interfaces = append(p.out.Interfaces, &r.GearInterface)
	}
	return err
}

// narrow reads counters of 32 bits where there are no others: printers and small
// switches.
func (p *poll) narrow(ctx context.Context, rows map[string]*port) error {
	for _, r := range rows {
		if r.counters.InOctets != nil {
			return nil
		}
	}
	list := columns(narrowCounters)
	oids := make([]string, len(list))
	for i, c := range list {
		oids[i] = c.oid
	}
	return p.session.Walk(ctx, oids, func(i int, index string, v snmp.Value) {
		if r := rows[index]; r != nil {
			list[i].set(r, v)
			r.counters.Narrow = true
		}
	})
}
