package gear

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

const (
	// A delta over less says nothing, and one over more nothing of now.
	minSpan = 20 * time.Second
	maxSpan = 2 * time.Hour
	// wrap32 is where Counter32 and TimeTicks begin again.
	wrap32 = int64(1) << 32
	// maxWrapped bounds what a counter of errors can have counted in maxSpan:
	// one that "wrapped" by more was set back.
	maxWrapped = int64(1) << 31
)

// raw keeps the counters of a poll for the next one.
func (p *poll) raw() *constatv1.GearCounters {
	c := &constatv1.GearCounters{At: timestamppb.New(p.now), Uptime: p.uptime, Serial: p.out.GetIdentity().GetSerial()}
	for _, i := range p.out.GetInterfaces() {
		port := &p.ports[i.GetIfIndex()].counters
		if s := i.GetPortSecurity(); s != nil {
			port.SecurityViolations = s.Violations
		}
		c.Ports = append(c.Ports, port)
	}
	return c
}

// Compare fills what a poll tells only beside the one before: the deltas of
// counters, and whether the device restarted. Counters of another device, of one
// that restarted, or of a port that was reset in between are not compared.
func Compare(g *constatv1.Gear, now, before *constatv1.GearCounters) {
	for _, i := range g.GetInterfaces() {
		forgetDeltas(i)
	}
	if before == nil || now.GetSerial() != before.GetSerial() || now.GetUptime() == 0 || before.GetUptime() == 0 {
		return
	}
	span := now.GetAt().AsTime().Sub(before.GetAt().AsTime())
	if span <= 0 {
		return
	}
	restarted := restarted(now.GetUptime(), before.GetUptime(), span)
	g.Restarted = proto.Bool(restarted)
	if restarted || span < minSpan {
		return
	}
	earlier, later := byPort(before), byPort(now)
	for _, i := range g.GetInterfaces() {
		a, b := earlier[i.GetIfIndex()], later[i.GetIfIndex()]
		if a == nil || b == nil {
			continue
		}
		since := time.Duration(b.GetTakenAt()-a.GetTakenAt()) * time.Millisecond
		if since >= minSpan && since <= maxSpan && a.GetDiscontinuity() == b.GetDiscontinuity() {
			comparePort(i, b, a, since)
		}
		// Of a port that is down, or that does not count them itself.
		if i.CarrierTransitions == nil && b.LastChange != nil && span <= maxSpan {
			i.CarrierTransitions = proto.Int64(b.GetSeenChanges())
			if i.DeltaSeconds == nil {
				i.DeltaSeconds = seconds(span)
			}
		}
	}
}

func seconds(d time.Duration) *int32 { return proto.Int32(int32(d.Seconds() + 0.5)) }

func byPort(c *constatv1.GearCounters) map[int32]*constatv1.PortCounters {
	ports := make(map[int32]*constatv1.PortCounters, len(c.GetPorts()))
	for _, p := range c.GetPorts() {
		ports[p.GetIfIndex()] = p
	}
	return ports
}

func forgetDeltas(i *constatv1.GearInterface) {
	i.DeltaSeconds, i.InBitsPerSecond, i.OutBitsPerSecond, i.BroadcastPacketsPerSecond = nil, nil, nil, nil
	i.InPackets, i.OutPackets, i.InErrors, i.OutErrors, i.InDiscards, i.OutDiscards = nil, nil, nil, nil, nil, nil
	i.CrcErrors, i.LateCollisions, i.CarrierTransitions = nil, nil, nil
	if i.PortSecurity != nil {
		i.PortSecurity.ViolationsDelta = nil
	}
}

// carry keeps what the poll before measured, of a poll that came too soon after it
// to measure anything: what changes at a port has all read anew at once, and that
// must not wipe out what the change is known by.
func carry(g, last *constatv1.Gear) {
	before := map[int32]*constatv1.GearInterface{}
	for _, i := range last.GetInterfaces() {
		before[i.GetIfIndex()] = i
	}
	for _, i := range g.GetInterfaces() {
		was := before[i.GetIfIndex()]
		if was == nil || i.DeltaSeconds != nil {
			continue
		}
		i.DeltaSeconds, i.InBitsPerSecond, i.OutBitsPerSecond, i.BroadcastPacketsPerSecond = was.DeltaSeconds, was.InBitsPerSecond, was.OutBitsPerSecond, was.BroadcastPacketsPerSecond
		i.InPackets, i.OutPackets, i.InErrors, i.OutErrors, i.InDiscards, i.OutDiscards = was.InPackets, was.OutPackets, was.InErrors, was.OutErrors, was.InDiscards, was.OutDiscards
		i.CrcErrors, i.LateCollisions, i.CarrierTransitions = was.CrcErrors, was.LateCollisions, was.CarrierTransitions
		i.ErrorsSince, i.DropsSince, i.BusySince = was.ErrorsSince, was.DropsSince, was.BusySince
		if i.PortSecurity != nil && was.PortSecurity != nil {
			i.PortSecurity.ViolationsDelta = was.PortSecurity.ViolationsDelta
		}
		if i.Poe != nil && was.GetPoe().GetDenied() && !i.Poe.GetDenied() && i.Poe.DeniedCount != nil && i.Poe.GetState() == was.Poe.GetState() {
			i.Poe.Denied = was.Poe.Denied
		}
	}
	if tree := g.GetSpanningTree(); tree != nil && last.GetSpanningTree() != nil {
		tree.TopologyChangesDelta = last.SpanningTree.TopologyChangesDelta
	}
}

// restarted tells a device that started again from one whose clock of 497 days
// began again.
func restarted(uptime, before int64, span time.Duration) bool {
	if uptime >= before {
		return false
	}
	wrapped := uptime + wrap32 - before
	ticks := span.Milliseconds() / 10
	return wrapped > ticks*2+60_00 || wrapped < ticks/2-60_00
}

func comparePort(i *constatv1.GearInterface, now, before *constatv1.PortCounters, span time.Duration) {
	rate := func(by *int64, each float64) *float64 {
		if by == nil {
			return nil
		}
		return proto.Float64(float64(*by) * each / span.Seconds())
	}
	i.DeltaSeconds = seconds(span)
	octets, packets := wide, wide
	if now.GetNarrow() {
		packets = delta
		// As fast as it is, the port counts 32 bits round within the time, or
		// several times: then nobody knows how often.
		if fastest := float64(i.GetSpeedMbps()) * 1e6 / 8 * span.Seconds(); fastest > 0 && fastest < float64(wrap32) {
			octets = wrapped
		} else {
			octets = func(_, _ *int64) *int64 { return nil }
		}
	}
	i.InBitsPerSecond, i.OutBitsPerSecond = rate(octets(now.InOctets, before.InOctets), 8), rate(octets(now.OutOctets, before.OutOctets), 8)
	i.BroadcastPacketsPerSecond = rate(wide(now.InBroadcasts, before.InBroadcasts), 1)
	i.InPackets, i.OutPackets = packets(now.InPackets, before.InPackets), packets(now.OutPackets, before.OutPackets)
	i.InErrors, i.OutErrors = delta(now.InErrors, before.InErrors), delta(now.OutErrors, before.OutErrors)
	i.InDiscards, i.OutDiscards = delta(now.InDiscards, before.InDiscards), delta(now.OutDiscards, before.OutDiscards)
	i.CrcErrors, i.LateCollisions = delta(now.CrcErrors, before.CrcErrors), delta(now.LateCollisions, before.LateCollisions)
	i.CarrierTransitions = delta(now.CarrierTransitions, before.CarrierTransitions)
	if i.GetPortSecurity() != nil {
		i.PortSecurity.ViolationsDelta = delta(now.SecurityViolations, before.SecurityViolations)
	}
}

// wide is what a counter of 64 bits has counted; they do not begin again.
func wide(now, before *int64) *int64 {
	if now == nil || before == nil || *now < *before {
		return nil
	}
	return proto.Int64(*now - *before)
}

// wrapped is what a counter of 32 bits has counted that began again at most once.
func wrapped(now, before *int64) *int64 {
	if now == nil || before == nil {
		return nil
	}
	return proto.Int64((*now - *before + wrap32) % wrap32)
}

// delta is what a counter of 32 bits, or of more, has counted; nil when it does
// not tell.
func delta(now, before *int64) *int64 {
	if now == nil || before == nil {
		return nil
	}
	d := *now - *before
	if d < 0 && *before < wrap32 {
		d += wrap32
		if d > maxWrapped {
			return nil
		}
	}
	if d < 0 {
		return nil
	}
	return &d
}
