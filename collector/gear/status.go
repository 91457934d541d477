package gear

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// Known is what a device said last, by which the polls between two whole ones
// know what there is to ask. A poll changes none of it.
type Known struct {
	Gear     *constatv1.Gear
	Counters *constatv1.GearCounters
	Plan     *constatv1.GearPlan
}

// ErrReplaced is what a poll finds where another device seems to answer at the
// address: all of it is to be read anew.
var ErrReplaced = errors.New("another device answers at this address")

// News is what a poll between two whole ones brought.
type News struct {
	*Result
	// Changed tells that a port or the device is not as it was, so that all is
	// worth reading anew; Hardware, that there may be what there was not.
	Changed, Hardware bool
}

// resume takes up where the last poll left: what is not asked anew stays.
func resume(session *snmp.Session, last Known, now time.Time) *poll {
	p := &poll{
		session: session, now: now, out: proto.CloneOf(last.Gear), ports: map[int32]*port{}, bridge: map[int32]int32{}, plan: proto.CloneOf(last.Plan),
	}
	objectID, description, _ := strings.Cut(p.plan.GetSoftware(), " ")
	p.quirks = session.Suit(objectID, description)
	counters := byPort(last.Counters)
	for i, one := range p.out.Interfaces {
		r := &port{}
		proto.Merge(&r.GearInterface, one)
		if c := counters[one.GetIfIndex()]; c != nil {
			proto.Merge(&r.counters, c)
		}
		r.counters.IfIndex = one.GetIfIndex()
		p.ports[one.GetIfIndex()], p.out.Interfaces[i] = r, &r.GearInterface
	}
	return p
}

// result is what a resumed poll came to.
func (p *poll) result(began time.Time) *Result {
	return &Result{Gear: p.out, Counters: p.raw(), Plan: p.plan, Stats: p.session.Stats(), Elapsed: time.Since(began)}
}

// Status reads anew what of a device changes by the minute: its uptime, of each
// port the state, the last change and why the device itself switched it off, and
// how fans, power supplies and a printer are. It asks object by object what the
// last whole poll found.
func Status(ctx context.Context, session *snmp.Session, last Known, now time.Time) (*News, error) {
	began := time.Now()
	p := resume(session, last, now)
	news, err := p.status(ctx)
	if err != nil {
		return nil, err
	}
	news.Result = p.result(began)
	news.Counters.At, news.Counters.Uptime = last.Counters.GetAt(), last.Counters.GetUptime() // of the counters, which stay
	return news, nil
}

// seenPort is how a port was before.
type seenPort struct {
	oper, admin, cause string
	change             int64
}

func (p *poll) seen() map[int32]seenPort {
	ports := map[int32]seenPort{}
	for n, r := range p.ports {
		ports[n] = seenPort{r.GetOperStatus(), r.GetAdminStatus(), r.GetErrDisableCause(), r.counters.GetLastChange()}
	}
	return ports
}

// of is the instance of a column for an interface.
func of(column string, ifIndex int32) string { return column + "." + strconv.Itoa(int(ifIndex)) }

func (p *poll) status(ctx context.Context) (*News, error) {
	news, replaced, marked, alike := &News{}, false, 0, 0
	before := p.seen()
	questions := []question{{sysUpTime, func(v snmp.Value) {
		ticks, ok := v.Int()
		if !ok || p.out.Identity == nil {
			return
		}
		p.uptime = ticks
		if ticks/100 < p.out.Identity.GetUptimeSeconds() { // with other software, it may be
			news.Changed, news.Hardware = true, true
		}
		p.out.Identity.UptimeSeconds = proto.Int64(ticks / 100)
	}}}
	for _, m := range p.plan.GetMarks() {
		if m.GetIdentity() {
			marked++
		}
		questions = append(questions, question{m.GetOid(), func(v snmp.Value) {
			if v.Text() == m.GetValue() {
				if m.GetIdentity() {
					alike++
				}
				return
			}
			news.Changed, news.Hardware = true, true
			replaced = replaced || m.GetIdentity() && v.Known()
			m.Value = v.Text()
		}})
	}
	for _, i := range p.out.GetInterfaces() {
		if i.OperStatus == nil {
			continue
		}
		r := p.ports[i.GetIfIndex()]
		wasUp := i.GetOperStatus() == "up"
		questions = append(questions, question{of(operStatus, i.GetIfIndex()), func(v snmp.Value) {
			news.Changed = news.Changed || !v.Known() // a port that is gone
			r.OperStatus = operStates.of(v)
		}})
		if r.counters.LastChange != nil {
			questions = append(questions, question{of(lastChange, i.GetIfIndex()), func(v snmp.Value) { p.changed(r, v) }})
		}
		if !wasUp { // what is up nobody has shut
			questions = append(questions, question{of(adminStatus, i.GetIfIndex()), func(v snmp.Value) { r.AdminStatus = adminStates.of(v) }})
		}
	}
	if err := p.ask(ctx, append(questions, p.readings(true)...)); err != nil {
		return nil, err
	}
	if replaced || marked > 0 && alike == 0 {
		return nil, ErrReplaced
	}
	if err := p.explain(ctx, before); err != nil {
		return nil, err
	}
	if p.plan.GetPrinter() { // a small one, and all of it may change
		if err := p.printer(ctx); err != nil {
			return nil, err
		}
	}
	for n, was := range p.seen() {
		if was != before[n] {
			news.Changed = true
		}
	}
	return news, nil
}

// sameChange is by how many hundredths of a second the time of one change may
// differ from poll to poll: some agents count it back from now.
const sameChange = 100

// changed takes up when a port changed last.
func (p *poll) changed(r *port, v snmp.Value) {
	ticks, ok := v.Int()
	if by := ticks - r.counters.GetLastChange(); !ok || by > -sameChange && by < sameChange {
		return
	}
	r.counters.LastChange, r.LastChangeAt = proto.Int64(ticks), p.since(v)
}

// explain asks of ports that changed what else can have, and why the device
// switched off those that are down.
func (p *poll) explain(ctx context.Context, before map[int32]seenPort) error {
	var questions []question
	down := map[int32]*port{}
	for _, i := range p.out.GetInterfaces() {
		n := i.GetIfIndex()
		r, was := p.ports[n], before[n]
		moved := was.oper != r.GetOperStatus()
		again := !moved && was.change != r.counters.GetLastChange()
		if moved {
			r.counters.SeenChanges++
		} else if again {
			r.counters.SeenChanges += 2 // away and back
		}
		switch {
		case r.GetOperStatus() == "up":
			r.ErrDisableCause, r.OperStatusCause = nil, nil
			if was.oper != "up" {
				r.AdminStatus = proto.String("up")
			}
			if moved || again {
				questions = append(questions,
					question{of(highSpeed, n), func(v snmp.Value) {
						if mbps := small(v); mbps != nil && *mbps > 0 {
							r.SpeedMbps = mbps
						}
					}},
					question{of(duplexStatus, n), func(v snmp.Value) { r.Duplex = duplex(v) }})
			}
		case moved || again || was.cause != "" || r.OperStatusCause != nil:
			down[n] = r
			if was.oper == "up" {
				questions = append(questions, question{of(adminStatus, n), func(v snmp.Value) { r.AdminStatus = adminStates.of(v) }})
			}
			if p.out.GetIdentity().GetVendor() == "Cisco" {
				questions = append(questions, question{of(operStatusCause, n), func(v snmp.Value) {
					r.OperStatusCause = nil
					if cause := operCauses.of(v); cause != nil && *cause != "none" {
						r.OperStatusCause = cause
					}
				}})
			}
		}
	}
	if err := p.ask(ctx, questions); err != nil || len(down) == 0 || p.out.GetIdentity().GetVendor() != "Cisco" {
		return err
	}
	for _, r := range down {
		r.ErrDisableCause = nil // rows that are gone
	}
	return p.errDisable(ctx)
}

// Counters reads anew what is measured of a device, beside its status: the
// counters of ports that are up, load, sensors, power and supplies; with stations,
// where it sees them too.
func Counters(ctx context.Context, session *snmp.Session, last Known, stations bool, now time.Time) (*News, error) {
	began := time.Now()
	p := resume(session, last, now)
	news, err := p.status(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.count(ctx); err != nil {
		return nil, err
	}
	var partial error
	if stations {
		p.out.Forwarding, p.out.Stations, p.out.AccessPoints = nil, nil, nil
		for _, r := range p.ports {
			r.Dot1XState, r.Dot1XVlan = nil, nil
		}
		partial = p.read(ctx, p.bridgePorts, p.stations)
	}
	news.Result = p.result(began)
	news.Partial, news.Stations = partial, stations && partial == nil
	return news, nil
}

// count reads the counters that the device offers of the ports that are up, and
// all that is read again.
func (p *poll) count(ctx context.Context) error {
	var questions []question
	taken := p.now.UnixMilli()
	for _, i := range p.out.GetInterfaces() {
		if i.OperStatus != nil && i.GetOperStatus() != "up" {
			continue
		}
		c := &p.ports[i.GetIfIndex()].counters
		list := slices.Concat(wideCounters, otherCounters)
		if c.GetNarrow() {
			list = slices.Concat(narrowCounters, otherCounters)
		}
		for _, one := range list {
			if field := one.field(c); *field != nil {
				questions = append(questions, question{of(one.oid, i.GetIfIndex()), func(v snmp.Value) { *field = integer(v) }})
				c.TakenAt = taken
			}
		}
		if s := i.GetPortSecurity(); s != nil && s.Violations != nil {
			questions = append(questions, question{of(violations, i.GetIfIndex()), func(v snmp.Value) { s.Violations = integer(v) }})
		}
	}
	p.out.CpuPercent, p.out.TableUsedPercent = nil, nil // of several the busiest, and the fullest, counts
	if p.out.PoeUsedWatts != nil {
		p.out.PoeUsedWatts = proto.Float64(0)
	}
	return p.ask(ctx, append(questions, p.readings(false)...))
}

// bridgePorts reads which port of the bridge is which interface.
func (p *poll) bridgePorts(ctx context.Context) error {
	return p.session.Walk(ctx, []string{basePort}, func(_ int, index string, v snmp.Value) {
		n, ok := number(index)
		if ifIndex := small(v); ok && ifIndex != nil {
			p.bridge[n] = *ifIndex
		}
	})
}
