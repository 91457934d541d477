package diagnosis

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// Began says in a sentence when a root cause began and what had changed before,
// for a reader of lang whose clock shows now; "" where nothing is known.
func Began(r *constatv1.RootCause, lang string, now time.Time) string {
	if r.GetSince() == nil {
		return ""
	}
	t := tellers[fault.Language(lang)]
	began := r.GetSince().AsTime().In(now.Location())
	sentence := t.began + " " + t.moment(began, now)
	if before := r.GetPrecededBy(); len(before) > 0 {
		sentence += t.comma + " " + t.after(began.Sub(before[0].GetAt().AsTime())) + " " + t.change(before[0])
		if len(before) > 1 {
			sentence += t.others
		}
	}
	return sentence + "."
}

// teller has the words of one language.
type teller struct {
	lang                   string
	began, comma, others   string
	moment                 func(t, now time.Time) string
	atOnce, lateTo         string
	units                  [3][2]string // minutes, hours and days, one and many
	appeared, gone, became string
}

var tellers = map[string]teller{
	"en": {
		lang: "en", began: "It began", comma: ",", others: ", among other changes",
		moment: func(t, now time.Time) string {
			if sameDay(t, now) {
				return t.Format("at 15:04")
			}
			return t.Format("on 2 January at 15:04")
		},
		atOnce: "just after", lateTo: "%s after",
		units:    [3][2]string{{"minute", "minutes"}, {"hour", "hours"}, {"day", "days"}},
		appeared: "%s was added (%s)", gone: "%s went away (%s)", became: "%s changed from %s to %s (%s)",
	},
	"fr": {
		lang: "fr", began: "Cela a commencé", comma: ",", others: ", entre autres changements",
		moment: func(t, now time.Time) string {
			clock := fmt.Sprintf("à %d h %02d", t.Hour(), t.Minute())
			if sameDay(t, now) {
				return clock
			}
			day := strconv.Itoa(t.Day())
			if day == "1" {
				day = "1er"
			}
			return fmt.Sprintf("le %s %s %s", day, frenchMonths[t.Month()-1], clock)
		},
		atOnce: "juste après ceci :", lateTo: "%s après ceci :",
		units:    [3][2]string{{"minute", "minutes"}, {"heure", "heures"}, {"jour", "jours"}},
		appeared: "ajout de %s (%s)", gone: "disparition de %s (%s)", became: "%s passé de %s à %s (%s)",
	},
}

var frenchMonths = [...]string{
	"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre",
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// after is a time that passed, in the largest unit that fits.
func (t teller) after(d time.Duration) string {
	for i := len(t.units) - 1; i >= 0; i-- {
		unit := [...]time.Duration{time.Minute, time.Hour, 24 * time.Hour}[i]
		if n := int(d / unit); n > 0 {
			return fmt.Sprintf(t.lateTo, fmt.Sprintf("%d %s", n, t.units[i][min(n-1, 1)]))
		}
	}
	return t.atOnce
}

// change tells what became different: of what, and how.
func (t teller) change(c *constatv1.Change) string {
	group := GroupName(c.GetGroup(), t.lang)
	_, name := cutLast(c.GetOwner(), "/")
	if _, fact := cutLast(c.GetFact(), "."); fact != "version" && (c.GetBefore() != "" && c.GetAfter() != "" || name == "") {
		name = strings.TrimSpace(name + " " + strings.ReplaceAll(fact, "_", " "))
	}
	switch {
	case c.GetBefore() == "":
		return fmt.Sprintf(t.appeared, name, group)
	case c.GetAfter() == "":
		return fmt.Sprintf(t.gone, name, group)
	default:
		return fmt.Sprintf(t.became, name, c.GetBefore(), c.GetAfter(), group)
	}
}

// cutLast splits at the last separator; without one, all is behind it.
func cutLast(s, separator string) (before, after string) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+len(separator):]
}
