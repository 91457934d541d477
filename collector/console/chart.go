package console

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// span is how far back charts reach.
type span struct {
	ID string
	// length of all of it, of a row of its table, and between two measurements.
	length, row, step time.Duration
}

// spans are what there is to choose from; the first is the usual one.
var spans = []span{
	{"24h", 24 * time.Hour, time.Hour, 5 * time.Minute},
	{"30d", 30 * 24 * time.Hour, 24 * time.Hour, time.Hour},
}

func pickSpan(id string) span {
	for _, s := range spans {
		if s.ID == id {
			return s
		}
	}
	return spans[0]
}

// line is one series of a chart.
type line struct {
	Label  string
	points []store.HourSum
	// factor turns what is kept into the chart's unit.
	factor float64
}

// chartView is one chart: what the browser draws, and the same as a table.
type chartView struct {
	Title, Note string
	Plot        *plot
	Head        []string
	Rows        []chartRow
}

type chartRow struct {
	// Stamp and Time are when it began, for machines and people.
	Stamp, Time string
	Cells       []string
}

// plot is what charts.js draws.
type plot struct {
	Unit  string     `json:"unit"`
	Times []int64    `json:"times"` // seconds since 1970
	Lines []plotLine `json:"lines"`
	From  int64      `json:"from"`
	To    int64      `json:"to"`
	// Breaks are when another device began to be measured.
	Breaks []plotBreak `json:"breaks,omitempty"`
}

type plotBreak struct {
	At    int64  `json:"at"`
	Label string `json:"label"`
}

type plotLine struct {
	Label  string     `json:"label"`
	Values []*float64 `json:"values"`
}

// chart draws lines over a span; nil when there is nothing to draw. Counts are
// summed up in the rows of the table, of anything else mean and maximum are told.
func (s *speech) chart(title, unit string, counts bool, lines []line, over span, now time.Time) *chartView {
	lines = slices.DeleteFunc(lines, func(l line) bool { return len(l.points) == 0 })
	if len(lines) == 0 {
		return nil
	}
	view := &chartView{Title: title, Plot: &plot{Unit: unit, From: now.Add(-over.length).Unix(), To: now.Unix()}}
	times := timesOf(lines, over.step)
	place := make(map[int64]int, len(times))
	for i, t := range times {
		place[t] = i
	}
	view.Plot.Times = times
	rows := map[time.Time][]store.HourSum{}
	for n, l := range lines {
		view.Head = append(view.Head, l.Label)
		values := make([]*float64, len(times))
		for _, x := range l.points {
			v := float64(x.Sum) * l.factor
			if !counts {
				v /= float64(x.Count)
			}
			values[place[x.At.Unix()]] = &v
			at := rowOf(x.At, over.row)
			if rows[at] == nil {
				rows[at] = make([]store.HourSum, len(lines))
			}
			cell := &rows[at][n]
			if cell.Count == 0 || x.Maximum > cell.Maximum {
				cell.Maximum = x.Maximum
			}
			cell.Count += x.Count
			cell.Sum += x.Sum
		}
		view.Plot.Lines = append(view.Plot.Lines, plotLine{l.Label, values})
	}
	for _, at := range slices.SortedFunc(maps.Keys(rows), func(a, b time.Time) int { return b.Compare(a) }) {
		row := chartRow{Stamp: at.Format(time.RFC3339), Time: at.Format(map[bool]string{true: "2006-01-02", false: "2006-01-02 15:04"}[over.row >= 24*time.Hour])}
		for n, sum := range rows[at] {
			row.Cells = append(row.Cells, s.cell(unit, counts, sum, lines[n].factor))
		}
		view.Rows = append(view.Rows, row)
	}
	return view
}

// draws puts charts on a page, and into each where another device begins: no line
// leads from the one to the other.
func (view *chartsView) draws(charts []*chartView, breaks []plotBreak, now time.Time) {
	view.Charts = charts
	from := now.Add(-view.Span.length).Unix()
	breaks = slices.DeleteFunc(breaks, func(b plotBreak) bool { return b.At < from })
	for _, b := range breaks {
		view.Breaks = append(view.Breaks, b.Label)
	}
	for _, chart := range charts {
		if chart.Plot == nil {
			continue
		}
		chart.Plot.Breaks = breaks
		for _, b := range breaks {
			chart.Plot.parts(b.At)
		}
	}
}

// parts leaves a gap at a time.
func (p *plot) parts(at int64) {
	place, measured := slices.BinarySearch(p.Times, at)
	if measured {
		at-- // what was measured then is the new one's
	}
	if place == 0 || p.Times[place-1] == at {
		return // nothing before, or nothing known then
	}
	p.Times = slices.Insert(p.Times, place, at)
	for i := range p.Lines {
		p.Lines[i].Values = slices.Insert(p.Lines[i].Values, place, nil)
	}
}

// replacements are when another device than before answered at an address.
func (s *speech) replacements(found *deskv1.GetGearResponse, now time.Time) []plotBreak {
	var breaks []plotBreak
	for _, e := range found.GetEvents() {
		if e.GetKind() == "replaced" {
			breaks = append(breaks, plotBreak{e.GetAt().AsTime().Truncate(10 * time.Second).Unix(), s.say("chart.replaced", "Time", s.clock(e.GetAt().AsTime(), now), "Devices", s.replacement(e))})
		}
	}
	if at := found.GetDevice().GetReplacedAt(); at != nil && len(breaks) == 0 { // too much was told since
		breaks = append(breaks, plotBreak{at.AsTime().Unix(), s.say("chart.replaced", "Time", s.clock(at.AsTime(), now), "Devices", "")})
	}
	return breaks
}

// replacement names the device before and the one after.
func (s *speech) replacement(e *constatv1.GearEvent) string {
	name := func(words ...string) string {
		return cmp.Or(strings.TrimSpace(strings.Join(words, " ")), s.say("facts.notKnown"))
	}
	return name(e.GetReplacedModel(), e.GetReplacedSerial()) + " → " + name(e.GetModel(), e.GetSerial())
}

// cell is one series in one row of a chart's table.
func (s *speech) cell(unit string, counts bool, sum store.HourSum, factor float64) string {
	switch {
	case sum.Count == 0:
		return "–"
	case counts:
		return s.number(float64(sum.Sum))
	}
	mean, most := s.quantity(unit, float64(sum.Sum)*factor/float64(sum.Count)), s.quantity(unit, float64(sum.Maximum)*factor)
	if mean == most {
		return mean
	}
	return s.say("chart.cell", "Mean", mean, "Most", most)
}

// rowOf is the hour or the day, as people's clocks have it, that a time is in.
func rowOf(t time.Time, row time.Duration) time.Time {
	t = t.Local()
	if row >= 24*time.Hour {
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
	}
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), 0, 0, 0, t.Location())
}

// timesOf are all times at which something was measured, and one in each gap: a
// line does not lead over what nobody knows.
func timesOf(lines []line, step time.Duration) []int64 {
	all := map[int64]bool{}
	for _, l := range lines {
		for _, x := range l.points {
			all[x.At.Unix()] = true
		}
	}
	times := slices.Sorted(maps.Keys(all))
	wide := int64(step/time.Second) * 5 / 2
	for i := 1; i < len(times); i++ {
		if times[i]-times[i-1] > wide {
			times = slices.Insert(times, i, times[i-1]+wide/2)
			i++
		}
	}
	return times
}

// byPart lists the series of one kind, by part.
func byPart(found map[store.Measure][]store.HourSum, kind string, factor float64, most int) []line {
	var lines []line
	for name, points := range found {
		if name.Kind == kind && name.Part != "" {
			lines = append(lines, line{name.Part, points, factor})
		}
	}
	slices.SortFunc(lines, func(a, b line) int { return cmp.Compare(a.Label, b.Label) })
	return lines[:min(len(lines), most)]
}

// maxLines is what one chart shows without becoming a carpet.
const maxLines = 6

// deviceCharts are the charts of a device as a whole.
func (s *speech) deviceCharts(found map[store.Measure][]store.HourSum, over span, now time.Time) []*chartView {
	load := append([]line{{s.say("chart.cpu"), found[store.Measure{Kind: "cpu"}], 0.1}}, byPart(found, "memory", 0.1, maxLines-1)...)
	for i := range load[1:] {
		load[i+1].Label = s.say("chart.memory", "Pool", load[i+1].Label)
	}
	return present(
		s.chart(s.say("chart.supplies"), "percent", false, byPart(found, "supply", 1, maxLines), over, now),
		s.chart(s.say("chart.load"), "percent", false, load, over, now),
		s.chart(s.say("chart.temperature"), "celsius", false, byPart(found, "temperature", 0.1, maxLines), over, now),
		s.chart(s.say("chart.power"), "watts", false, []line{{s.say("chart.powerUsed"), found[store.Measure{Kind: "watts"}], 0.1}}, over, now),
	)
}

// deviceMeasures are what deviceCharts draws.
func deviceMeasures(m store.Measure) bool {
	switch m.Kind {
	case "cpu", "memory", "temperature", "supply":
		return true
	}
	return m.Kind == "watts" && m.Part == ""
}

// portCounts are what is told of a port's errors, in this order.
var portCounts = []string{"crc", "inErrors", "outErrors", "late", "inDiscards", "outDiscards", "changes"}

// portCharts are the charts of one port.
func (s *speech) portCharts(found map[store.Measure][]store.HourSum, part string, over span, now time.Time) []*chartView {
	series := func(kind string) []store.HourSum { return found[store.Measure{Kind: kind, Part: part}] }
	var counted []line
	told := false
	for _, kind := range portCounts {
		points := series(kind)
		told = told || len(points) > 0
		if total(points) > 0 {
			counted = append(counted, line{s.say("chart.count." + kind), points, 1})
		}
	}
	errors := s.chart(s.say("chart.errors"), "", true, counted, over, now)
	if errors == nil && told {
		errors = &chartView{Title: s.say("chart.errors"), Note: s.say("chart.noErrors")}
	}
	return present(
		s.chart(s.say("chart.traffic"), "bits_per_second", false, []line{{s.say("chart.in"), series("in"), 8}, {s.say("chart.out"), series("out"), 8}}, over, now),
		errors,
		s.chart(s.say("chart.power"), "watts", false, []line{{s.say("chart.powerUsed"), series("watts"), 0.1}}, over, now),
	)
}

func present(charts ...*chartView) []*chartView {
	return slices.DeleteFunc(charts, func(c *chartView) bool { return c == nil })
}

func total(points []store.HourSum) (sum int64) {
	for _, x := range points {
		sum += x.Sum
	}
	return sum
}

// countedOfDay tells what a port counted in the last day, and whether that was
// measured at all.
func (s *speech) countedOfDay(found map[store.Measure][]store.HourSum, p *constatv1.GearInterface) (measured bool, text string) {
	var words []string
	for _, kind := range portCounts {
		points := found[store.Measure{Kind: kind, Part: fmt.Sprint(p.GetIfIndex())}]
		measured = measured || len(points) > 0
		if n := total(points); n > 0 {
			words = append(words, s.say("port.day."+kind, "N", n))
		}
	}
	return measured, strings.Join(words, ", ")
}

// shortDay is what is less than a day's measurements, though an hour may be missing.
const shortDay = 22 * time.Hour

// errorsOfDay tells what a port counted in the last day, and since when it does
// so now; nothing when that was not measured. Where it was measured for less than
// the day, it says since when.
func (s *speech) errorsOfDay(found map[store.Measure][]store.HourSum, p *constatv1.GearInterface, now time.Time) string {
	measured, text := s.countedOfDay(found, p)
	if !measured {
		return ""
	}
	began := now
	for _, kind := range portCounts {
		for _, x := range found[store.Measure{Kind: kind, Part: fmt.Sprint(p.GetIfIndex())}] {
			if x.At.Before(began) {
				began = x.At
			}
		}
	}
	if text == "" {
		text = s.say("port.day.none")
	} else {
		for _, since := range []*timestamppb.Timestamp{p.GetErrorsSince(), p.GetDropsSince()} {
			if t := since.AsTime(); t.Unix() > 0 {
				text = s.say("port.day.since", "Errors", text, "Since", s.clock(t, now))
				break
			}
		}
	}
	if now.Sub(began) < shortDay {
		return s.say("port.day.only", "Errors", text, "Since", s.clock(began, now))
	}
	return text
}
