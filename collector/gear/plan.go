package gear

import (
	"cmp"
	"context"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// fixedTables hold rows for what hardware and software have. That such a column
// is absent holds until one of the two changes; tables that are empty at times
// (neighbours, stations, alerts) are asked for ever.
var fixedTables = []string{
	"1.3.6.1.2.1.10.7.2.", "1.3.6.1.2.1.25.3.", "1.3.6.1.2.1.31.", "1.3.6.1.2.1.43.5.", "1.3.6.1.2.1.43.11.", "1.3.6.1.2.1.43.12.",
	"1.3.6.1.2.1.47.", "1.3.6.1.2.1.99.", "1.3.6.1.2.1.105.", "1.3.6.1.4.1.9.2.1.", "1.3.6.1.4.1.9.6.1.", "1.3.6.1.4.1.9.9.13.",
	"1.3.6.1.4.1.9.9.46.", "1.3.6.1.4.1.9.9.48.", "1.3.6.1.4.1.9.9.68.", "1.3.6.1.4.1.9.9.91.", "1.3.6.1.4.1.9.9.109.",
	"1.3.6.1.4.1.9.9.117.", "1.3.6.1.4.1.9.9.221.", "1.3.6.1.4.1.9.9.276.", "1.3.6.1.4.1.9.9.315.", "1.3.6.1.4.1.9.9.402.", "1.3.6.1.4.1.9.9.500.",
	"1.3.6.1.4.1.9.9.663.",
}

// question is one object to read, and what its value is for.
type question struct {
	oid    string
	answer func(v snmp.Value)
}

// ask reads objects one by one and hands their values on, in the order of the
// list.
func (p *poll) ask(ctx context.Context, questions []question) error {
	oids := make([]string, len(questions))
	for i, q := range questions {
		oids[i] = q.oid
	}
	values, err := p.session.Get(ctx, oids...)
	if err != nil {
		return err
	}
	for i, q := range questions {
		q.answer(values[i])
	}
	return nil
}

// markObjects change when more of a device has changed than is polled often.
var markObjects = []string{
	sysName, runningChanged,
	"1.3.6.1.2.1.2.1.0",      // ifNumber
	"1.3.6.1.2.1.31.1.5.0",   // ifTableLastChange
	"1.3.6.1.2.1.47.1.4.1.0", // entLastChangeTime
}

// mark notes what an object says now.
func (p *poll) mark(oid string, v snmp.Value, identity bool) {
	if v.Known() {
		p.plan.Marks = append(p.plan.Marks, &constatv1.GearMark{Oid: oid, Value: v.Text(), Identity: identity})
	}
}

// note has an object read again by the polls between two whole ones.
func (p *poll) note(what string, place int32, oid string, factor float64) {
	p.plan.Readings = append(p.plan.Readings, &constatv1.GearReading{Oid: oid, What: what, Place: place, Factor: factor})
}

// filling is what a reading fills.
type filling struct {
	// status: it is read every minute.
	status bool
	fill   func(p *poll, r *constatv1.GearReading, v snmp.Value)
}

func onSensor(fill func(s *constatv1.Sensor, r *constatv1.GearReading, v snmp.Value)) func(*poll, *constatv1.GearReading, snmp.Value) {
	return func(p *poll, r *constatv1.GearReading, v snmp.Value) {
		if r.GetPlace() >= 0 && int(r.GetPlace()) < len(p.out.Sensors) {
			fill(p.out.Sensors[r.GetPlace()], r, v)
		}
	}
}

func onPower(fill func(poe *constatv1.Poe, v snmp.Value)) func(*poll, *constatv1.GearReading, snmp.Value) {
	return func(p *poll, r *constatv1.GearReading, v snmp.Value) {
		if port := p.ports[r.GetPlace()]; port != nil && port.Poe != nil {
			fill(port.Poe, v)
		}
	}
}

func onPool(fill func(m *constatv1.MemoryPool, bytes *int64)) func(*poll, *constatv1.GearReading, snmp.Value) {
	return func(p *poll, r *constatv1.GearReading, v snmp.Value) {
		if r.GetPlace() < 0 || int(r.GetPlace()) >= len(p.out.Memory) {
			return
		}
		n := integer(v)
		if n != nil {
			*n = int64(float64(*n) * r.GetFactor())
		}
		fill(p.out.Memory[r.GetPlace()], n)
	}
}

// fillings are all there are.
var fillings = map[string]filling{
	"cpu": {false, func(p *poll, _ *constatv1.GearReading, v snmp.Value) {
		if n, ok := v.Int(); ok && n >= 0 && n <= 100 && (p.out.CpuPercent == nil || p.out.GetCpuPercent() < float64(n)) {
			p.out.CpuPercent = proto.Float64(float64(n))
		}
	}},
	"cpuCore": {false, func(p *poll, r *constatv1.GearReading, v snmp.Value) {
		if n, ok := v.Int(); ok && n >= 0 && n <= 100 {
			p.cores += float64(n) * r.GetFactor()
			p.out.CpuPercent = proto.Float64(math.Floor(p.cores + 0.5 + 1e-9)) // thirds do not add up
		}
	}},
	"tableUsed": {false, func(p *poll, r *constatv1.GearReading, v snmp.Value) {
		if n, ok := v.Int(); ok && n >= 0 && float64(n) <= r.GetFactor() {
			p.fuller(n, int64(r.GetFactor()))
		}
	}},
	"memoryUsed": {false, onPool(func(m *constatv1.MemoryPool, n *int64) { m.UsedBytes = n })},
	"memoryFree": {false, onPool(func(m *constatv1.MemoryPool, n *int64) { m.FreeBytes = n })},
	"entityState": {false, onSensor(func(s *constatv1.Sensor, _ *constatv1.GearReading, v snmp.Value) {
		s.State = nil
		if n, ok := v.Int(); ok && n >= 1 && n <= 3 {
			s.State = proto.String(sensorStates[n])
		}
	})},
	"entityValue": {false, onSensor(func(s *constatv1.Sensor, r *constatv1.GearReading, v snmp.Value) {
		s.Value = nil
		if n, ok := v.Int(); ok && (s.State == nil || s.GetState() == "normal") {
			if value, ok := sensible(s.GetKind(), float64(n)*r.GetFactor()); ok {
				s.Value = proto.Float64(value)
			}
		}
	})},
	"environmentState": {true, onSensor(func(s *constatv1.Sensor, _ *constatv1.GearReading, v snmp.Value) { s.State = environmentStates.of(v) })},
	"environmentValue": {false, onSensor(func(s *constatv1.Sensor, r *constatv1.GearReading, v snmp.Value) {
		s.Value = nil
		if n, ok := v.Int(); ok && s.GetState() != "notPresent" {
			if value, ok := sensible(s.GetKind(), float64(n)*r.GetFactor()); ok {
				s.Value = proto.Float64(value)
			}
		}
	})},
	"supplyState":   {true, onSensor(func(s *constatv1.Sensor, _ *constatv1.GearReading, v snmp.Value) { s.State = supplyStates.of(v) })},
	"fanState":      {true, onSensor(func(s *constatv1.Sensor, _ *constatv1.GearReading, v snmp.Value) { s.State = fanStates.of(v) })},
	"powerState":    {false, onPower(func(poe *constatv1.Poe, v snmp.Value) { poe.State = cmp.Or(powerStates.of(v), poe.State) })},
	"powerWatts":    {false, onPower(func(poe *constatv1.Poe, v snmp.Value) { poe.Watts = milli(v) })},
	"powerDenied":   {false, onPower(func(poe *constatv1.Poe, v snmp.Value) { poe.Denied = denied(v) })},
	"powerRefusals": {false, onPower(func(poe *constatv1.Poe, v snmp.Value) { poe.DeniedCount = integer(v) })},
	"powerUsed": {false, func(p *poll, _ *constatv1.GearReading, v snmp.Value) {
		if n, ok := v.Int(); ok && n >= 0 {
			p.out.PoeUsedWatts = proto.Float64(p.out.GetPoeUsedWatts() + float64(n))
		}
	}},
	"stpSince": {false, func(p *poll, _ *constatv1.GearReading, v snmp.Value) {
		if ticks, ok := v.Int(); ok && p.out.SpanningTree != nil {
			p.out.SpanningTree.SinceChangeSeconds = proto.Int64(ticks / 100)
		}
	}},
	"stpChanges": {false, func(p *poll, _ *constatv1.GearReading, v snmp.Value) {
		if p.out.SpanningTree != nil {
			p.out.SpanningTree.TopologyChanges = integer(v)
		}
	}},
	"stpRoot": {false, func(p *poll, _ *constatv1.GearReading, v snmp.Value) {
		if root := v.Bytes(); len(root) == 8 && p.out.SpanningTree != nil {
			p.out.SpanningTree.Root = proto.String(snmp.Hex(root))
		}
	}},
}

// readings are the questions of a plan; of the status, or all.
func (p *poll) readings(statusOnly bool) []question {
	var questions []question
	for _, r := range p.plan.GetReadings() {
		if f, known := fillings[r.GetWhat()]; known && (f.status || !statusOnly) {
			questions = append(questions, question{r.GetOid(), func(v snmp.Value) { f.fill(p, r, v) }})
		}
	}
	return questions
}

// maxLearnt is how long it holds what a device does not have.
const maxLearnt = 20 * time.Hour

// profile is what a plan tells a session; ok is false where it is to be learnt
// anew.
func profile(plan *constatv1.GearPlan, now time.Time) (p snmp.Profile, ok bool) {
	if now.Sub(time.UnixMilli(plan.GetLearntAt())) > maxLearnt {
		return p, false
	}
	return snmp.Profile{Absent: plan.GetAbsent(), Varbinds: int(plan.GetVarbinds())}, true
}

// learn keeps in a plan what a session learnt. A session that knew what is absent
// found nothing new, and what it knew holds for the same software only.
func learn(plan, known *constatv1.GearPlan, p snmp.Profile) {
	for _, oid := range p.Absent {
		if startsWith(strings.TrimPrefix(oid, ".")+".", fixedTables) {
			plan.Absent = append(plan.Absent, oid)
		}
	}
	plan.Varbinds = int32(p.Varbinds)
	switch {
	case known == nil:
	case known.GetSoftware() == plan.GetSoftware():
		plan.LearntAt = known.GetLearntAt()
	default:
		plan.LearntAt = 0
	}
}
