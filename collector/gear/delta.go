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
		raw := p.ports[i.GetIfIndex()].counters
		port := &constatv1.PortCounters{
			IfIndex: i.GetIfIndex(), InOctets: raw.inOctets, OutOctets: raw.outOctets, InPackets: raw.inPackets, OutPackets: raw.outPackets,
			InBroadcasts: raw.broadcasts, InErrors: raw.inErrors, OutErrors: raw.outErrors, InDiscards: raw.inDiscards,
			OutDiscards: raw.outDiscards, CrcErrors: raw.crc, LateCollisions: raw.late, CarrierTransitions: raw.transitions,
			Discontinuity: raw.discontinuity,
		}
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
	if before == nil || now.GetSerial() != before.GetSerial() || now.GetUptime() == 0 || before.GetUptime() == 0 {
		return
	}
	span := now.GetAt().AsTime().Sub(before.GetAt().AsTime())
	if span <= 0 {
		return
	}
	restarted := restarted(now.GetUptime(), before.GetUptime(), span)
	g.Restarted = proto.Bool(restarted)
	if restarted || span < minSpan || span > maxSpan {
		return
	}
	earlier, later := map[int32]*constatv1.PortCounters{}, map[int32]*constatv1.PortCounters{}
	for _, p := range before.GetPorts() {
		earlier[p.GetIfIndex()] = p
	}
	for _, p := range now.GetPorts() {
		later[p.GetIfIndex()] = p
	}
	for _, i := range g.GetInterfaces() {
		a, b := earlier[i.GetIfIndex()], later[i.GetIfIndex()]
		if a != nil && b != nil && a.GetDiscontinuity() == b.GetDiscontinuity() {
			comparePort(i, b, a, span)
		}
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
	seconds := span.Seconds()
	rate := func(now, before *int64, each float64) *float64 {
		if now == nil || before == nil || *now < *before { // 64 bits do not wrap
			return nil
		}
		return proto.Float64(float64(*now-*before) * each / seconds)
	}
	i.DeltaSeconds = proto.Int32(int32(seconds + 0.5))
	i.InBitsPerSecond, i.OutBitsPerSecond = rate(now.InOctets, before.InOctets, 8), rate(now.OutOctets, before.OutOctets, 8)
	i.BroadcastPacketsPerSecond = rate(now.InBroadcasts, before.InBroadcasts, 1)
	i.InPackets, i.OutPackets = delta(now.InPackets, before.InPackets), delta(now.OutPackets, before.OutPackets)
	i.InErrors, i.OutErrors = delta(now.InErrors, before.InErrors), delta(now.OutErrors, before.OutErrors)
	i.InDiscards, i.OutDiscards = delta(now.InDiscards, before.InDiscards), delta(now.OutDiscards, before.OutDiscards)
	i.CrcErrors, i.LateCollisions = delta(now.CrcErrors, before.CrcErrors), delta(now.LateCollisions, before.LateCollisions)
	i.CarrierTransitions = delta(now.CarrierTransitions, before.CarrierTransitions)
	if i.GetPortSecurity() != nil {
		i.PortSecurity.ViolationsDelta = delta(now.SecurityViolations, before.SecurityViolations)
	}
}

// delta is what a counter has counted; nil when it does not tell.
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
