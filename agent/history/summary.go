package history

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/host"
	"constat/internal/series"
	constatv1 "constat/proto/constat/v1"
)

// kind is how a kind of reading is kept and judged.
type kind struct {
	// scale is how many units of the stored integer make one of the reading.
	scale float64
	bad   series.Bad
	// slack is how far from its median a series may be and nobody would notice,
	// in the reading's unit; 0: it has no usual range.
	slack float64
}

var kinds = map[string]kind{
	"gatewayMs":              {100, series.High, 20},
	"dnsMs":                  {100, series.High, 100},
	"lossPercent":            {10, series.High, 10},
	"wifiSignalDbm":          {1, series.Low, 8},
	"cpuPercent":             {10, series.High, 25},
	"cpuPressurePercent":     {10, series.High, 20},
	"memoryAvailablePercent": {10, series.Low, 15},
	"memoryPressurePercent":  {10, series.High, 10},
	"ioPressurePercent":      {10, series.High, 20},
	"diskFreePercent":        {10, series.Low, 5},
	// Charge goes up and down with the day.
	"batteryPercent":   {1, series.Low, 0},
	host.CarrierLosses: {1, series.High, 0},
	interrupted:        {1, series.High, 0},
}

func kindOf(name string) kind {
	if k, known := kinds[name]; known {
		return k
	}
	return kind{scale: 1}
}

// windows are the times that vitals are summed up over.
var windows = []time.Duration{time.Hour, Window}

// sumUp turns what is kept into facts.
func (r rows) sumUp(now time.Time) *constatv1.Vitals {
	sum := &constatv1.Vitals{}
	for _, n := range r.names() {
		switch n.kind {
		case interrupted:
		case host.CarrierLosses:
			sum.LinkEvents = append(sum.LinkEvents, r.losses(n.owner, now)...)
		default:
			sum.Vitals = append(sum.Vitals, r.vital(n, now)...)
		}
	}
	return sum
}

// vital is one series over each window that has a sample.
func (r rows) vital(n name, now time.Time) (all []*constatv1.Vital) {
	k := kindOf(n.kind)
	real := func(v int64) *float64 { x := float64(v) / k.scale; return &x }
	whole := r.samples(n)
	var unusual *timestamppb.Timestamp
	if k.slack > 0 {
		if since, ok := series.UnusualSince(series.Since(whole, now.Add(-Window)), k.bad, int64(k.slack*k.scale)); ok {
			unusual = timestamppb.New(since)
		}
	}
	for _, w := range windows {
		s := series.Summarise(series.Since(whole, now.Add(-w)))
		if s.Count == 0 {
			continue
		}
		samples, seconds := int32(s.Count), int32(w.Seconds())
		v := &constatv1.Vital{
			Kind: &n.kind, WindowSeconds: &seconds, Samples: &samples,
			Minimum: real(s.Minimum), Median: real(s.Median), Maximum: real(s.Maximum), Last: real(s.Last.Value),
			LastAt: timestamppb.New(s.Last.At), UnusualSince: unusual,
		}
		if n.owner != "" {
			v.Owner = &n.owner
		}
		all = append(all, v)
	}
	return all
}

// losses counts how often a link lost its carrier. A time about which nothing is
// known does not count: the machine slept, or the agent did not run; nor does
// the minute after it, in which links are brought up again.
func (r rows) losses(link string, now time.Time) (all []*constatv1.LinkEvents) {
	breaks := slices.Collect(r.samples(name{kind: interrupted}))
	disturbed := func(rise series.Rise) bool {
		return rise.To.Sub(rise.From) > 3*Period ||
			slices.ContainsFunc(breaks, func(s series.Sample) bool {
				return !s.At.Before(rise.From) && !s.At.After(rise.To)
			})
	}
	for _, w := range windows {
		seconds, count := int32(w.Seconds()), int32(0)
		e := &constatv1.LinkEvents{Link: &link, WindowSeconds: &seconds, CarrierLosses: &count}
		known := false
		for rise := range series.Rises(series.Since(r.samples(name{host.CarrierLosses, link}), now.Add(-w-Period))) {
			if disturbed(rise) {
				continue
			}
			known = true
			if rise.By > 0 {
				count += int32(min(rise.By, 1<<20))
				e.LastLossAt = timestamppb.New(rise.To)
			}
		}
		if known {
			all = append(all, e)
		}
	}
	return all
}
