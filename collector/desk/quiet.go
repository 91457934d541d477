package desk

import (
	"time"
)

// Quiet are the hours in which somebody wants no mail, by the clock on their
// wall. The zero one is never quiet.
type Quiet struct {
	// Zone is theirs; nil: UTC.
	Zone *time.Location
	// From until before Until, minutes of the day; over midnight when From is the
	// later. Both the same: at no hour.
	From, Until int
	// Weekend: all of Saturday and Sunday.
	Weekend bool
}

// longestQuiet is a weekend with the evening before and the morning after, and an
// hour for the clock.
const longestQuiet = 4 * 24 * time.Hour

// At tells whether it is quiet at a moment.
func (z Quiet) At(t time.Time) bool {
	zone := z.Zone
	if zone == nil {
		zone = time.UTC
	}
	t = t.In(zone)
	if day := t.Weekday(); z.Weekend && (day == time.Saturday || day == time.Sunday) {
		return true
	}
	minute := t.Hour()*60 + t.Minute()
	if z.From <= z.Until {
		return z.From <= minute && minute < z.Until
	}
	return minute >= z.From || minute < z.Until
}

// End is the first moment from t on at which it is not quiet. Clocks are turned at
// whole minutes, so that looking at each minute misses no turn of them.
func (z Quiet) End(t time.Time) time.Time {
	for last := t.Add(longestQuiet); z.At(t) && t.Before(last); {
		t = t.Truncate(time.Minute).Add(time.Minute)
	}
	return t
}
