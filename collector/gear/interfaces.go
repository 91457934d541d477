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
	counters    counters
}

// counters are as the device tells them; unset ones it does not offer.
type counters struct {
	inOctets, outOctets, inPackets, outPackets, broadcasts  *int64
	inErrors, outErrors, inDiscards, outDiscards, crc, late *int64
	transitions, discontinuity                              *int64
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

// interfaceColumns are IF-MIB (RFC 2863) and EtherLike-MIB (RFC 3635).
var interfaceColumns = []column[port]{
	{"ifIndex", "1.3.6.1.2.1.2.2.1.1", func(*port, snmp.Value) {}}, // that the row exists
	{"ifDescr", "1.3.6.1.2.1.2.2.1.2", func(r *port, v snmp.Value) { r.description = v.Text() }},
	{"ifType", "1.3.6.1.2.1.2.2.1.3", func(r *port, v snmp.Value) { r.Kind = kinds.of(v) }},
	{"ifSpeed", "1.3.6.1.2.1.2.2.1.5", func(r *port, v snmp.Value) { r.speed, _ = v.Int() }},
	{"ifPhysAddress", "1.3.6.1.2.1.2.2.1.6", func(r *port, v snmp.Value) { r.Mac = present(v.MAC()) }},
	{"ifAdminStatus", "1.3.6.1.2.1.2.2.1.7", func(r *port, v snmp.Value) { r.AdminStatus = adminStates.of(v) }},
	{"ifOperStatus", "1.3.6.1.2.1.2.2.1.8", func(r *port, v snmp.Value) { r.OperStatus = operStates.of(v) }},
	{"ifName", "1.3.6.1.2.1.31.1.1.1.1", func(r *port, v snmp.Value) { r.Name = text(v) }},
	{"ifHighSpeed", "1.3.6.1.2.1.31.1.1.1.15", func(r *port, v snmp.Value) { r.SpeedMbps = small(v) }},
	{"ifAlias", "1.3.6.1.2.1.31.1.1.1.18", func(r *port, v snmp.Value) { r.Alias = text(v) }},
	{"dot3StatsDuplexStatus", "1.3.6.1.2.1.10.7.2.1.19", func(r *port, v snmp.Value) { r.Duplex = duplex(v) }},
}

// counterColumns are read in every poll of the counters.
var counterColumns = []column[port]{
	{"ifHCInOctets", "1.3.6.1.2.1.31.1.1.1.6", func(r *port, v snmp.Value) { r.counters.inOctets = integer(v) }},
	{"ifHCOutOctets", "1.3.6.1.2.1.31.1.1.1.10", func(r *port, v snmp.Value) { r.counters.outOctets = integer(v) }},
	{"ifHCInUcastPkts", "1.3.6.1.2.1.31.1.1.1.7", func(r *port, v snmp.Value) { r.counters.inPackets = integer(v) }},
	{"ifHCOutUcastPkts", "1.3.6.1.2.1.31.1.1.1.11", func(r *port, v snmp.Value) { r.counters.outPackets = integer(v) }},
	{"ifHCInBroadcastPkts", "1.3.6.1.2.1.31.1.1.1.9", func(r *port, v snmp.Value) { r.counters.broadcasts = integer(v) }},
	{"ifInErrors", "1.3.6.1.2.1.2.2.1.14", func(r *port, v snmp.Value) { r.counters.inErrors = integer(v) }},
	{"ifOutErrors", "1.3.6.1.2.1.2.2.1.20", func(r *port, v snmp.Value) { r.counters.outErrors = integer(v) }},
	{"ifInDiscards", "1.3.6.1.2.1.2.2.1.13", func(r *port, v snmp.Value) { r.counters.inDiscards = integer(v) }},
	{"ifOutDiscards", "1.3.6.1.2.1.2.2.1.19", func(r *port, v snmp.Value) { r.counters.outDiscards = integer(v) }},
	{"dot3StatsFCSErrors", "1.3.6.1.2.1.10.7.2.1.3", func(r *port, v snmp.Value) { r.counters.crc = integer(v) }},
	{"dot3StatsLateCollisions", "1.3.6.1.2.1.10.7.2.1.8", func(r *port, v snmp.Value) { r.counters.late = integer(v) }},
	{"cieIfCarrierTransitionCount", "1.3.6.1.4.1.9.9.276.1.1.2.1.4", func(r *port, v snmp.Value) { r.counters.transitions = integer(v) }},
	{"ifCounterDiscontinuityTime", "1.3.6.1.2.1.31.1.1.1.19", func(r *port, v snmp.Value) { r.counters.discontinuity = integer(v) }},
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
	for _, c := range slices.Concat(interfaceColumns, counterColumns) {
		if slices.Contains(notInterfaces, c.object) {
			beside = append(beside, c)
		} else {
			own = append(own, c)
		}
	}
	own = append(own, column[port]{"ifLastChange", "1.3.6.1.2.1.2.2.1.9", func(r *port, v snmp.Value) { r.LastChangeAt = p.since(v) }})
	rows, err := walk(ctx, p.session, own)
	if err != nil {
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
		r.IfIndex = proto.Int32(n)
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
