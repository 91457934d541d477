// Package gear reads network devices and printers over SNMP into facts
// (Snapshot.gear), which the same catalog judges that judges endpoints.
//
// It only reads. What a device does not offer stays unset; what could not be
// read makes the poll partial and says so. Poll needs no database; a Watch polls
// what the organisation has and keeps it in the store.
package gear

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// Result is one poll of one device.
type Result struct {
	Gear *constatv1.Gear
	// Partial says what could not be read, and why; nil when all was.
	Partial error
	// Counters are the raw ones, from which the next poll's deltas are made.
	Counters *constatv1.GearCounters
	// Plan is what there is to ask of the device.
	Plan *constatv1.GearPlan
	// Stations tells that the tables of stations were read.
	Stations bool
	Stats    snmp.Stats
	Elapsed  time.Duration
}

// poll is one under way.
type poll struct {
	session *snmp.Session
	now     time.Time
	out     *constatv1.Gear

	objectID, description string  // sysObjectID, sysDescr
	cores                 float64 // load of a processor's cores so far
	uptime                int64   // sysUpTime in hundredths of a second; 0 unknown
	physical              map[string]*physical
	ports                 map[int32]*port // by ifIndex
	// bridge maps the bridge's port numbers to ifIndex.
	bridge map[int32]int32
	plan   *constatv1.GearPlan
	quirks snmp.Quirks
}

func newPoll(session *snmp.Session, now time.Time) *poll {
	return &poll{
		session: session, now: now, out: &constatv1.Gear{PollResult: proto.String("ok")}, ports: map[int32]*port{}, bridge: map[int32]int32{},
		plan: &constatv1.GearPlan{TakenAt: now.UnixMilli(), LearntAt: now.UnixMilli()},
	}
}

// Poll reads everything that is of use of a device, through a session that the
// caller closes. An error means that the device said nothing at all.
func Poll(ctx context.Context, session *snmp.Session, now time.Time) (*Result, error) {
	began := time.Now()
	p := newPoll(session, now)
	if err := p.identify(ctx); err != nil {
		return nil, err
	}
	result := &Result{Gear: p.out, Plan: p.plan, Stations: true}
	// Later parts use what earlier ones found: forwarding needs the VLANs, and
	// those the ports.
	result.Partial = p.read(ctx,
		p.interfaces, p.ownAddresses, p.aggregates, p.stack, p.errDisable, p.portSecurity, p.virtualLANs, p.trunkVLANs, p.snooping, p.power,
		p.spanningTree, p.neighbours, p.stations, p.sensors, p.load, p.capacity, p.printer)
	result.Counters = p.raw()
	for _, c := range result.Counters.GetPorts() {
		c.TakenAt = now.UnixMilli()
	}
	p.plan.Serials = p.serials()
	p.plan.Forwards = len(p.bridge)+len(p.out.GetForwarding())+len(p.out.GetStations()) > 0
	result.Stats, result.Elapsed = session.Stats(), time.Since(began)
	p.plan.ElapsedMs = result.Elapsed.Milliseconds()
	return result, nil
}

// stations reads where the device sees which station, in all its tables.
func (p *poll) stations(ctx context.Context) error {
	return p.read(ctx, p.dot1x, p.forwarding, p.arp, p.bindings, p.wireless, p.sortStations)
}

// read reads one part after the other; what fails makes the poll partial.
func (p *poll) read(ctx context.Context, parts ...func(context.Context) error) (partial error) {
	for _, part := range parts {
		if err := part(ctx); err != nil {
			partial = errors.Join(partial, err)
			p.out.PollResult = proto.String("partial")
			if ctx.Err() != nil {
				break
			}
		}
	}
	return partial
}

// since turns a TimeTicks of the device (hundredths of a second since it
// started, as sysUpTime) into a time of ours. Unset when it never happened (0),
// or when the clock of the device has wrapped since (497 days).
func (p *poll) since(v snmp.Value) *timestamppb.Timestamp {
	ticks, ok := v.Int()
	if !ok || ticks <= 0 || p.uptime == 0 || ticks > p.uptime {
		return nil
	}
	return timestamppb.New(p.now.Add(-time.Duration(p.uptime-ticks) * 10 * time.Millisecond).Truncate(time.Second))
}
