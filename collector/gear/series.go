package gear

import (
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/internal/series"
	constatv1 "constat/proto/constat/v1"
)

const (
	// window is what counters of faults are judged over, as far as they still
	// rise: a cable damages few frames in five minutes.
	window = 15 * time.Minute
	// sampleTime is what times of samples are cut to: polls come on time, but not
	// to the millisecond.
	sampleTime = 10 * time.Second
	// maxMeasuredPorts and maxMeasuredParts bound what is kept of one device.
	maxMeasuredPorts, maxMeasuredParts = 1000, 64
)

// portCount is what a port counted since the poll before: the kind of its series
// and the fact.
type portCount struct {
	kind  string
	field func(*constatv1.GearInterface) **int64
}

var portCounts = []portCount{
	{"inPackets", func(i *constatv1.GearInterface) **int64 { return &i.InPackets }},
	{"outPackets", func(i *constatv1.GearInterface) **int64 { return &i.OutPackets }},
	{"inErrors", func(i *constatv1.GearInterface) **int64 { return &i.InErrors }},
	{"outErrors", func(i *constatv1.GearInterface) **int64 { return &i.OutErrors }},
	{"inDiscards", func(i *constatv1.GearInterface) **int64 { return &i.InDiscards }},
	{"outDiscards", func(i *constatv1.GearInterface) **int64 { return &i.OutDiscards }},
	{"crc", func(i *constatv1.GearInterface) **int64 { return &i.CrcErrors }},
	{"late", func(i *constatv1.GearInterface) **int64 { return &i.LateCollisions }},
	{"changes", func(i *constatv1.GearInterface) **int64 { return &i.CarrierTransitions }},
}

// sensorFactors turn sensors' figures into whole numbers.
var sensorFactors = map[string]float64{"temperature": 10, "voltage": 1000, "current": 1000, "power": 10, "fan": 1, "opticalPower": 100}

// samples are what a poll of the counters measured. Kinds and units:
//
//	in, out          octets a second of a port; the counts of portCounts
//	speed            Mbit/s; span: seconds that a port's counts cover
//	watts            tenths of a watt, of a port; of the device without a part
//	cpu, memory      tenths of a percent; memory by pool
//	temperature …    by sensor, times sensorFactors
//	supply           percent left, by name
func samples(g *constatv1.Gear) map[store.Measure]int64 {
	values := map[store.Measure]int64{}
	put := func(kind, part string, value *float64, factor float64) {
		if value == nil || math.IsNaN(*value) || math.Abs(*value*factor) > series.MaxValue {
			return
		}
		values[store.Measure{Kind: kind, Part: part}] = int64(math.Round(*value * factor))
	}
	ports := 0
	for _, i := range g.GetInterfaces() {
		if i.DeltaSeconds == nil || i.GetOperStatus() != "up" && i.GetCarrierTransitions() == 0 {
			continue // nothing happens at a port that is down
		}
		if ports++; ports > maxMeasuredPorts {
			break
		}
		part := strconv.Itoa(int(i.GetIfIndex()))
		put("in", part, i.InBitsPerSecond, 1.0/8)
		put("out", part, i.OutBitsPerSecond, 1.0/8)
		for _, c := range portCounts {
			if n := *c.field(i); n != nil {
				values[store.Measure{Kind: c.kind, Part: part}] = *n
			}
		}
		values[store.Measure{Kind: "span", Part: part}] = int64(i.GetDeltaSeconds())
		if i.GetSpeedMbps() > 0 {
			values[store.Measure{Kind: "speed", Part: part}] = int64(i.GetSpeedMbps())
		}
		if i.Poe != nil {
			put("watts", part, i.Poe.Watts, 10)
		}
	}
	put("cpu", "", g.CpuPercent, 10)
	put("watts", "", g.PoeUsedWatts, 10)
	for n, m := range g.GetMemory() {
		if all := m.GetUsedBytes() + m.GetFreeBytes(); m.UsedBytes != nil && m.FreeBytes != nil && all > 0 && n < maxMeasuredParts {
			put("memory", m.GetPool(), proto.Float64(float64(m.GetUsedBytes())/float64(all)*100), 10)
		}
	}
	sensors := 0
	for _, s := range g.GetSensors() {
		if factor := sensorFactors[s.GetKind()]; factor > 0 && s.Value != nil && sensors < maxMeasuredParts {
			sensors++
			put(s.GetKind(), s.GetName(), s.Value, factor)
		}
	}
	for n, s := range g.GetPrinter().GetSupplies() {
		if s.Percent != nil && n < maxMeasuredParts {
			put("supply", s.GetName(), proto.Float64(float64(s.GetPercent())), 1)
		}
	}
	return values
}

// widen turns the counts since the last poll into those of the window, where they
// still rise, and says since when they do. What was said before goes on as long
// as anything of it is in the window. What was measured before a time is not the
// device's.
func widen(g, before *constatv1.Gear, recent map[store.Measure][]series.Sample, from, now time.Time) {
	earlier := map[int32]*constatv1.GearInterface{}
	for _, i := range before.GetInterfaces() {
		earlier[i.GetIfIndex()] = i
	}
	for _, i := range g.GetInterfaces() {
		was := earlier[i.GetIfIndex()]
		if i.DeltaSeconds == nil {
			i.ErrorsSince, i.DropsSince, i.BusySince = nil, nil, nil
			continue
		}
		last := time.Duration(i.GetDeltaSeconds()) * time.Second
		fast := 0.9e6 * float64(i.GetSpeedMbps())
		busy := i.GetSpeedMbps() > 0 && max(i.GetInBitsPerSecond(), i.GetOutBitsPerSecond()) > fast
		errors, drops := i.GetInErrors()+i.GetOutErrors()+i.GetCrcErrors()+i.GetLateCollisions(), i.GetInDiscards()+i.GetOutDiscards()
		part := strconv.Itoa(int(i.GetIfIndex()))
		within := func(kind string) (sum int64) {
			for _, s := range recent[store.Measure{Kind: kind, Part: part}] {
				if s.At.After(now.Add(-window)) && !s.At.Before(from) {
					sum += s.Value
				}
			}
			return sum
		}
		if errors+drops+i.GetCarrierTransitions() > 0 {
			for _, c := range portCounts {
				if n := *c.field(i); n != nil {
					if sum := within(c.kind); sum > *n {
						*c.field(i) = proto.Int64(sum)
					}
				}
			}
			if span := within("span"); span > int64(i.GetDeltaSeconds()) {
				i.DeltaSeconds = proto.Int32(int32(span))
			}
		}
		i.ErrorsSince = since(was.GetErrorsSince(), errors > 0, within("inErrors")+within("outErrors")+within("crc")+within("late") > 0, now.Add(-last))
		i.DropsSince = since(was.GetDropsSince(), drops > 0, within("inDiscards")+within("outDiscards") > 0, now.Add(-last))
		i.BusySince = since(was.GetBusySince(), busy, busy, now.Add(-last))
	}
	high := g.CpuPercent != nil && g.GetCpuPercent() >= highCPU
	g.CpuHighSince = since(before.GetCpuHighSince(), high, high, now.Add(-cpuMinutes))
}

const (
	// highCPU is a processor that is busy, in percent; what devices tell is the
	// mean of the last cpuMinutes.
	highCPU    = 80
	cpuMinutes = 5 * time.Minute
)

// since is when something began that is there now, or was within the window.
func since(was *timestamppb.Timestamp, now, recently bool, began time.Time) *timestamppb.Timestamp {
	switch {
	case was != nil && recently:
		return was
	case now:
		return timestamppb.New(began.Truncate(time.Second))
	}
	return nil
}
