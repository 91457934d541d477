package main

import (
	"fmt"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// plannedWords say when planned work is, in a language.
type plannedWords struct {
	running, today, tomorrow string
	days                     [7]string // from Sunday
}

var plannedTexts = map[string]plannedWords{
	"en": {
		running: "now, until %s", today: "today", tomorrow: "tomorrow",
		days: [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
	},
	"fr": {
		running: "en cours, jusqu’à %s", today: "aujourd’hui", tomorrow: "demain",
		days: [...]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"},
	},
}

// during is when planned work is, as one says it now, at this machine's time.
func (w plannedWords) during(p *constatv1.PlannedWork, now time.Time) string {
	now = now.Local()
	from, until := p.GetFrom().AsTime().Local(), p.GetUntil().AsTime().Local()
	day := func(t time.Time) string {
		switch same := func(o time.Time) bool { return t.Year() == o.Year() && t.YearDay() == o.YearDay() }; {
		case same(now):
			return w.today
		case same(now.AddDate(0, 0, 1)):
			return w.tomorrow
		}
		return fmt.Sprintf("%s %d", w.days[t.Weekday()], t.Day())
	}
	clock := until.Format("15:04")
	if first, last := day(from), day(until); !now.Before(from) && last == w.today {
		return fmt.Sprintf(w.running, clock)
	} else if !now.Before(from) {
		return fmt.Sprintf(w.running, last+" "+clock)
	} else if first != last {
		return fmt.Sprintf("%s %s – %s %s", first, from.Format("15:04"), last, clock)
	}
	return fmt.Sprintf("%s %s–%s", day(from), from.Format("15:04"), clock)
}
