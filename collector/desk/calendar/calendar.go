// Package calendar counts working time: the hours in which a desk is open, of a
// time zone, without its holidays. It is what a promise like "an answer within
// four hours" is counted in.
//
// Hours follow the clock on the wall: a day that a change of the clock makes
// longer or shorter has the opening hours that its walls show, and a promise is
// counted in the time that really passes within them.
package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxText bounds what Parse reads, in bytes: the holidays of a lifetime.
const maxText = 64 << 10

// Opening is a span of a day: minutes since midnight, Until not included and at
// most 24 hours.
type Opening struct{ From, Until int }

// Calendar is when a desk is open. The zero one is always open, in UTC.
type Calendar struct {
	// Zone is the desk's; nil: UTC.
	Zone *time.Location
	// Week are the openings of each day, Sunday first, in order and apart. All
	// empty: always open.
	Week [7][]Opening
	// Closed are days off, as 2026-12-25 or, every year, as 12-25.
	Closed map[string]bool
}

// horizon bounds how far a promise is followed: a calendar that is shut all year
// would be followed for ever.
const horizon = 5 * 366

// Always tells whether the desk is open all the time.
func (c *Calendar) Always() bool {
	for _, day := range c.Week {
		if len(day) > 0 {
			return false
		}
	}
	return len(c.Closed) == 0
}

// zone is the desk's time zone.
func (c *Calendar) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

// span is an opening of a certain day.
type span struct{ from, until time.Time }

// openings are the spans of the day that t is in, in order. What the wall shows
// twice, because the clock was put back, is open twice.
func (c *Calendar) openings(t time.Time) []span {
	year, month, day := t.In(c.zone()).Date()
	// The same day where it has a midnight, and just one.
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if c.Closed[date.Format(time.DateOnly)] || c.Closed[date.Format("01-02")] {
		return nil
	}
	hours := c.Week[date.Weekday()]
	if c.daily() {
		hours = []Opening{{0, 24 * 60}}
	}
	var spans []span
	if parts := c.putBack(date); parts != nil {
		for _, part := range parts {
			_, offset := part.from.Zone()
			for _, o := range hours {
				s := span{minute(date, o.From, offset), minute(date, o.Until, offset)}
				if s.from.Before(part.from) {
					s.from = part.from
				}
				if s.until.After(part.until) {
					s.until = part.until
				}
				if s.from.Before(s.until) {
					spans = append(spans, s)
				}
			}
		}
		return spans
	}
	for _, o := range hours {
		s := span{c.clock(date, o.From), c.clock(date, o.Until)}
		if n := len(spans); n > 0 && s.from.Before(spans[n-1].until) {
			s.from = spans[n-1].until // which the gap put there
		}
		if s.from.Before(s.until) {
			spans = append(spans, s)
		}
	}
	return spans
}

// clock is the moment at which the wall shows a minute of a day; what it skips comes
// after the gap.
func (c *Calendar) clock(date time.Time, m int) time.Time {
	year, month, day := date.Date()
	t := time.Date(year, month, day, 0, m, 0, 0, c.zone())
	if t.Hour()*60+t.Minute() == m%(24*60) {
		return t
	}
	_, before := t.Add(-12 * time.Hour).Zone()
	return minute(date, m, before).In(c.zone())
}

// minute is the moment at which a wall shows a minute of a day, where it is so many
// seconds ahead of UTC.
func minute(date time.Time, m, offset int) time.Time {
	return date.Add(time.Duration(m)*time.Minute - time.Duration(offset)*time.Second)
}

// putBack gives the time around a day in parts within which the clock just runs,
// when it is put back somewhere there; nil: it is not.
func (c *Calendar) putBack(date time.Time) []span {
	// No place is further from UTC than a day.
	at, end := date.Add(-24*time.Hour).In(c.zone()), date.Add(48*time.Hour)
	var parts []span
	back := false
	for ahead := 0; at.Before(end); {
		_, until := at.ZoneBounds()
		_, offset := at.Zone()
		back = back || len(parts) > 0 && offset < ahead
		ahead = offset
		if until.IsZero() || until.After(end) {
			until = end
		}
		parts = append(parts, span{at, until.In(c.zone())})
		at = until.In(c.zone())
	}
	if !back {
		return nil
	}
	return parts
}

// daily tells whether no opening limits the days.
func (c *Calendar) daily() bool {
	for _, day := range c.Week {
		if len(day) > 0 {
			return false
		}
	}
	return true
}

// next is the first moment of the day after the one that t is in.
func (c *Calendar) next(t time.Time) time.Time {
	year, month, day := t.In(c.zone()).Date()
	first := time.Date(year, month, day+1, 0, 0, 0, 0, c.zone())
	start, end := first.ZoneBounds()
	if first.Day() == day { // there is no midnight: the day begins after the gap
		return end.In(c.zone())
	}
	// Midnight comes twice where the clock is put back to it: the first counts.
	if !start.IsZero() {
		_, before := start.Add(-1).Zone()
		_, after := first.Zone()
		if earlier := first.Add(time.Duration(after-before) * time.Second); after < before && earlier.Before(start) {
			return earlier
		}
	}
	return first
}

// Add gives the moment at which so much working time has passed since from: the
// first one, so that a promise that ends with the day ends at closing time. d of
// 0 or less gives from. It gives the zero time when the desk is not open that
// long within five years.
func (c *Calendar) Add(from time.Time, d time.Duration) time.Time {
	if d <= 0 || c.Always() {
		return from.Add(max(d, 0))
	}
	day := from
	for range horizon {
		for _, s := range c.openings(day) {
			begin := s.from
			if begin.Before(from) {
				begin = from
			}
			if rest := s.until.Sub(begin); rest > 0 {
				if rest >= d {
					return begin.Add(d)
				}
				d -= rest
			}
		}
		day = c.next(day)
	}
	return time.Time{}
}

// Between is the working time from one moment to a later one; 0 when it is not
// later.
func (c *Calendar) Between(from, to time.Time) time.Duration {
	if !from.Before(to) {
		return 0
	}
	if c.Always() {
		return to.Sub(from)
	}
	var total time.Duration
	for day := from; day.Before(to); day = c.next(day) {
		for _, s := range c.openings(day) {
			begin, end := s.from, s.until
			if begin.Before(from) {
				begin = from
			}
			if to.Before(end) {
				end = to
			}
			if begin.Before(end) {
				total += end.Sub(begin)
			}
		}
	}
	return total
}

// Days of the week as a calendar is written, Sunday first as time.Weekday.
var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Parse reads a calendar as people write it, a line each: a day or days and their
// hours, as "mon-fri 08:30-12:00 13:00-17:30" or "sat 9-12"; a day off, as
// "closed 12-25" or "closed 2026-05-15"; what follows a # is a remark. No line of
// hours at all: always open. zone is a name of the IANA's database; empty: UTC.
func Parse(zone, text string) (*Calendar, error) {
	c := &Calendar{Closed: map[string]bool{}}
	var err error
	if len(text) > maxText {
		return nil, fmt.Errorf("a calendar has at most %d bytes", maxText)
	}
	if c.Zone, err = time.LoadLocation(zone); err != nil || zone == "Local" {
		return nil, fmt.Errorf("%q is not a time zone: write one like Europe/Paris", zone)
	}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(strings.ToLower(line))
		if len(words) == 0 {
			continue
		}
		if words[0] == "closed" {
			err = c.close(words[1:])
		} else {
			err = c.open(words[0], words[1:])
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	for day := range c.Week {
		slices.SortFunc(c.Week[day], func(a, b Opening) int { return a.From - b.From })
		for i := 1; i < len(c.Week[day]); i++ {
			if c.Week[day][i].From < c.Week[day][i-1].Until {
				return nil, fmt.Errorf("the hours of %s overlap", dayNames[day])
			}
		}
	}
	return c, nil
}

func (c *Calendar) close(days []string) error {
	if len(days) == 0 {
		return fmt.Errorf("closed on what day? Write one as closed 12-25 or closed 2026-05-15")
	}
	for _, day := range days {
		// A leap year, so that 02-29 is a day.
		if _, err := time.Parse(time.DateOnly, "2024-"+day); err == nil {
			c.Closed[day] = true
		} else if _, err := time.Parse(time.DateOnly, day); err == nil {
			c.Closed[day] = true
		} else {
			return fmt.Errorf("%q is not a day: write it as 12-25 or 2026-05-15", day)
		}
	}
	return nil
}

func (c *Calendar) open(days string, spans []string) error {
	first, last, ranged := strings.Cut(days, "-")
	from, to := slices.Index(dayNames, first), slices.Index(dayNames, last)
	if !ranged {
		to = from
	}
	if from < 0 || to < 0 {
		return fmt.Errorf("%q is not a day of the week: write mon, tue, wed, thu, fri, sat or sun, or two of them as mon-fri", days)
	}
	if len(spans) == 0 {
		return fmt.Errorf("%s has no hours: write them as 08:30-12:00", days)
	}
	for _, text := range spans {
		begin, end, found := strings.Cut(text, "-")
		o := Opening{minutes(begin), minutes(end)}
		if !found || o.From < 0 || o.Until <= o.From {
			return fmt.Errorf("%q are not hours: write them as 08:30-12:00, the later one second", text)
		}
		for day := from; ; day = (day + 1) % 7 {
			if len(c.Week[day]) >= 24 {
				return fmt.Errorf("%s has too many hours", dayNames[day])
			}
			c.Week[day] = append(c.Week[day], o)
			if day == to {
				break
			}
		}
	}
	return nil
}

// minutes reads 8, 08:30 or 24:00 as minutes since midnight; -1 what is no time.
func minutes(text string) int {
	hours, rest, exact := strings.Cut(text, ":")
	h, okH := number(hours)
	m, okM := 0, true
	if exact {
		m, okM = number(rest)
		okM = okM && len(rest) == 2
	}
	if !okH || !okM || m > 59 || h*60+m > 24*60 {
		return -1
	}
	return h*60 + m
}

// number reads one or two digits.
func number(text string) (int, bool) {
	n := 0
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, false
		}
		n = n*10 + int(r-'0')
	}
	return n, len(text) == 1 || len(text) == 2
}
