package calendar

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const office = `
mon-thu 08:30-12:00 13:00-17:30   # eight hours
fri     08:30-12:30
closed 12-25 01-01
closed 2026-05-15
`

func parse(t testing.TB, zone, text string) *Calendar {
	t.Helper()
	c, err := Parse(zone, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(t testing.TB, zone, text string) time.Time {
	t.Helper()
	place, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	moment, err := time.ParseInLocation("2006-01-02 15:04", text, place)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

func TestAdd(t *testing.T) {
	const paris = "Europe/Paris"
	for _, test := range []struct {
		name, zone, hours, from string
		d                       time.Duration
		want                    string
	}{
		{"within the morning", paris, office, "2026-03-03 09:00", time.Hour, "2026-03-03 10:00"},
		{"over lunch", paris, office, "2026-03-03 11:30", time.Hour, "2026-03-03 13:30"},
		{"at night it waits for the morning", paris, office, "2026-03-03 22:00", time.Hour, "2026-03-04 09:30"},
		{"up to closing time, not the next morning", paris, office, "2026-03-03 16:30", time.Hour, "2026-03-03 17:30"},
		{"over the weekend", paris, office, "2026-03-06 12:00", time.Hour, "2026-03-09 09:00"},
		{"over a holiday of every year", paris, office, "2026-12-24 17:00", time.Hour, "2026-12-28 09:00"},
		{"over a holiday of this year", paris, office, "2026-05-14 17:00", time.Hour, "2026-05-18 09:00"},
		{"a week", paris, office, "2026-03-02 08:30", 36 * time.Hour, "2026-03-06 12:30"},
		{"nothing", paris, office, "2026-03-07 03:00", 0, "2026-03-07 03:00"},
		{"always open", paris, "", "2026-03-07 03:00", 30 * time.Hour, "2026-03-08 09:00"},
		{"always but holidays", paris, "closed 12-25", "2026-12-24 23:00", 2 * time.Hour, "2026-12-26 01:00"},
		// On 29 March 2026 the clock of Paris goes from 02:00 to 03:00: the night
		// shift is an hour shorter. On 25 October it is one longer.
		{"the short night", paris, "sun 00:00-06:00", "2026-03-29 00:00", 5 * time.Hour, "2026-03-29 06:00"},
		{"the long night", paris, "sun 00:00-06:00", "2026-10-25 00:00", 7 * time.Hour, "2026-10-25 06:00"},
		// On 5 April 2026 the wall of Lord Howe shows 01:30 to 02:00 twice, on 25 October
		// that of Paris 02:00 to 03:00.
		{"from a time shown twice", "Australia/Lord_Howe", "sun 01:30-03:00", "2026-04-05 00:00", 2 * time.Hour, "2026-04-05 03:00"},
		{"from a time shown twice in Paris", paris, "sun 02:30-06:00", "2026-10-25 00:00", 4 * time.Hour, "2026-10-25 06:00"},
		{"until a time shown twice", paris, "sun 01:00-02:30 10:00-11:00", "2026-10-25 00:00", 3 * time.Hour, "2026-10-25 11:00"},
		{"until a time shown twice, west of Greenwich", "America/New_York", "sun 00:00-01:30 10:00-11:00", "2026-11-01 00:00", 3 * time.Hour, "2026-11-01 11:00"},
		// In Havana the clock goes from 00:00 to 01:00 on 8 March 2026, and from 01:00
		// back to 00:00 on 1 November.
		{"a day without a midnight", "America/Havana", "mon-sun 09:00-10:00", "2026-03-07 09:30", time.Hour, "2026-03-08 09:30"},
		{"a holiday without a midnight", "America/Havana", "mon-sun 09:00-10:00\nclosed 2026-03-08", "2026-03-07 09:30", time.Hour, "2026-03-09 09:30"},
		{"midnight twice", "America/Havana", "sun 00:00-00:30 09:00-10:00", "2026-10-31 12:00", 2 * time.Hour, "2026-11-01 10:00"},
		{"hours that the clock skips", paris, "sun 02:15-02:45 10:00-11:00", "2026-03-29 00:00", 30 * time.Minute, "2026-03-29 03:45"},
		{"midnight", paris, "mon-sun 22:00-24:00", "2026-03-03 23:00", 2 * time.Hour, "2026-03-04 23:00"},
		{"days around the end of the week", paris, "sat-mon 10-11", "2026-03-07 10:00", 3 * time.Hour, "2026-03-09 11:00"},
		{"another side of the world", "Australia/Lord_Howe", "mon-fri 9-17", "2026-04-03 16:00", 2 * time.Hour, "2026-04-06 10:00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := parse(t, test.zone, test.hours)
			from, want := at(t, test.zone, test.from), at(t, test.zone, test.want)
			if got := c.Add(from, test.d); !got.Equal(want) {
				t.Errorf("%s after %s is %s, want %s", test.d, from, got, want)
			}
			if got := c.Between(from, want); got != test.d {
				t.Errorf("from %s to %s are %s, want %s", from, want, got, test.d)
			}
		})
	}
}

// TestNeverOpen: a promise that can't be kept has no end, and is not looked for
// for ever.
func TestNeverOpen(t *testing.T) {
	closed := []string{"mon 9-17"}
	for month := 1; month <= 12; month++ {
		for day := 1; day <= 31; day++ {
			if _, err := time.Parse(time.DateOnly, fmt.Sprintf("2024-%02d-%02d", month, day)); err == nil {
				closed = append(closed, fmt.Sprintf("closed %02d-%02d", month, day))
			}
		}
	}
	if got := parse(t, "", strings.Join(closed, "\n")).Add(time.Now(), time.Minute); !got.IsZero() {
		t.Errorf("a desk that never opens answers at %s", got)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ zone, text, want string }{
		{"Mars/Olympus", "", "time zone"}, {"Local", "", "time zone"},
		{"", "someday 9-17", "line 1: \"someday\" is not a day of the week"},
		{"", "mon 9-17\nmon-xyz 9-17", "line 2"},
		{"", "mon", "has no hours"}, {"", "mon 17-9", "are not hours"}, {"", "mon 9", "are not hours"}, {"", "mon 9-25", "are not hours"},
		{"", "mon 9:5-10", "are not hours"}, {"", "mon 09:60-10", "are not hours"}, {"", "mon -1-5", "are not hours"},
		{"", "closed", "closed on what day"}, {"", "closed 13-01", "is not a day"}, {"", "closed 2026-02-29", "is not a day"},
		{"", "mon 9-12 11-13", "overlap"},
	} {
		if _, err := Parse(test.zone, test.text); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q in %q: %v, want %q", test.text, test.zone, err, test.want)
		}
	}
}

var zones = []string{"UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "Africa/Casablanca",
	"America/Havana", "America/Santiago", "Africa/Cairo", "Asia/Beirut", "Atlantic/Azores"}

// draw makes a calendar and a moment near a change of the clock, or anywhere.
func draw(t *rapid.T) (*Calendar, time.Time) {
	var lines []string
	for _, day := range dayNames {
		switch rapid.IntRange(0, 5).Draw(t, day) {
		case 1:
			lines = append(lines, day+" 08:30-12:00 13:00-17:30")
		case 2:
			lines = append(lines, day+" 00:00-24:00")
		case 3:
			lines = append(lines, day+" 01:30-03:10")
		case 4:
			lines = append(lines, day+" 00:00-00:30 02:30-06:00 23:30-24:00")
		case 5:
			lines = append(lines, day+" 00:15-01:45")
		}
	}
	if rapid.Bool().Draw(t, "holiday") {
		lines = append(lines, "closed 12-25", "closed 2026-03-29")
	}
	c, err := Parse(rapid.SampledFrom(zones).Draw(t, "zone"), strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, change := begin.In(c.zone()).ZoneBounds(); !change.IsZero() && change.Year() == 2026 && rapid.Bool().Draw(t, "near a change") {
		if _, second := change.ZoneBounds(); !second.IsZero() && second.Year() == 2026 && rapid.Bool().Draw(t, "of autumn or spring") {
			change = second
		}
		return c, change.Add(time.Duration(rapid.IntRange(-2*24*60, 24*60).Draw(t, "minute")) * time.Minute)
	}
	return c, begin.Add(time.Duration(rapid.IntRange(0, 366*24*60).Draw(t, "minute")) * time.Minute)
}

// TestWalls: where the clock skips nothing, the desk is open in the minutes in which
// its wall shows that it is, each as often as it is shown.
func TestWalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, from := draw(t)
		if c.Always() {
			return
		}
		var want time.Duration
		end := from.Add(36 * time.Hour)
		for at := from.In(c.zone()); at.Before(end); at = at.Add(time.Minute) {
			_, before := at.Add(-24 * time.Hour).Zone()
			_, after := at.Add(24 * time.Hour).Zone()
			if after > before {
				return
			}
			if c.Closed[at.Format(time.DateOnly)] || c.Closed[at.Format("01-02")] {
				continue
			}
			minute := at.Hour()*60 + at.Minute()
			open := c.daily()
			for _, o := range c.Week[at.Weekday()] {
				open = open || o.From <= minute && minute < o.Until
			}
			if open {
				want += time.Minute
			}
		}
		if got := c.Between(from, end); got != want {
			t.Fatalf("from %s to %s are %s, by the wall %s", from.In(c.zone()), end.In(c.zone()), got, want)
		}
	})
}

// TestPromises: what was added is what lies between, time never runs backwards,
// and an end lies within the opening hours.
func TestPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, from := draw(t)
		d := time.Duration(rapid.IntRange(1, 3000).Draw(t, "d")) * time.Minute
		more := d + time.Duration(rapid.IntRange(0, 500).Draw(t, "more"))*time.Minute
		end := c.Add(from, d)
		if end.IsZero() {
			t.Fatalf("no end %s after %s", d, from)
		}
		if got := c.Between(from, end); got != d {
			t.Fatalf("between %s and %s are %s, want %s", from, end, got, d)
		}
		if later := c.Add(from, more); later.Before(end) {
			t.Fatalf("%s ends at %s, and %s before, at %s", d, end, more, later)
		}
		if before := end.Add(-time.Second); c.Between(before, end) != time.Second {
			t.Fatalf("%s ends at %s, outside the hours", d, end)
		}
		half := from.Add(end.Sub(from) / 2)
		if c.Between(from, half)+c.Between(half, end) != d {
			t.Fatal("the halves are not the whole")
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("Europe/Paris", office)
	f.Add("", "sat-mon 10-11\nclosed 02-29")
	f.Fuzz(func(t *testing.T, zone, text string) {
		c, err := Parse(zone, text)
		if err != nil {
			return
		}
		from := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
		if end := c.Add(from, time.Hour); !end.IsZero() && c.Between(from, end) != time.Hour {
			t.Errorf("an hour after %s is %s, which is %s", from, end, c.Between(from, end))
		}
	})
}
