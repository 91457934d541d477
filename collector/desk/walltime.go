package desk

import (
	"slices"
	"strings"
	"time"
)

// WallTime reads a moment as a clock on the wall of a zone shows it, "2026-10-25
// 02:30" or with a T. One that the clock never shows is refused; of one that it shows
// twice it is the first, or with late the second.
func WallTime(text, zone string, late bool) (time.Time, error) {
	place, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return time.Time{}, problem(ErrInvalid, "%q is not a time zone: write one like Europe/Paris", line(zone, 64))
	}
	const form = "2006-01-02 15:04"
	text = strings.Replace(line(text, 40), "T", " ", 1)
	at, err := time.ParseInLocation(form, text, place)
	if err != nil {
		return time.Time{}, problem(ErrInvalid, "%q is not a time: write it as 2031-05-04 22:00", text)
	}
	// What the clock shows twice lies an hour, or half of one, apart.
	same := []time.Time{at}
	for _, shift := range []time.Duration{30 * time.Minute, time.Hour} {
		for _, other := range []time.Time{at.Add(-shift), at.Add(shift)} {
			if other.Format(form) == text {
				same = append(same, other)
			}
		}
	}
	if at.Format(form) != text {
		return time.Time{}, problem(ErrInvalid, "no clock in %s ever shows %s: that night it is put forward", zone, text)
	}
	slices.SortFunc(same, time.Time.Compare)
	if late {
		return same[len(same)-1], nil
	}
	return same[0], nil
}
