package main

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// The times of planned work are said as a person says them, at the machine's clock.
func TestWhenWorkIsPlanned(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(2026, time.November, day, hour, 0, 0, 0, time.Local) }
	now := at(23, 9) // a Monday
	for _, c := range []struct {
		from, until time.Time
		en, fr      string
	}{
		{at(23, 20), at(23, 22), "today 20:00–22:00", "aujourd’hui 20:00–22:00"},
		{at(23, 22), at(24, 2), "today 22:00 – tomorrow 02:00", "aujourd’hui 22:00 – demain 02:00"},
		{at(24, 20), at(24, 22), "tomorrow 20:00–22:00", "demain 20:00–22:00"},
		{at(27, 20), at(28, 6), "Friday 27 20:00 – Saturday 28 06:00", "vendredi 27 20:00 – samedi 28 06:00"},
		{at(23, 8), at(23, 22), "now, until 22:00", "en cours, jusqu’à 22:00"},
		{at(22, 8), at(25, 22), "now, until Wednesday 25 22:00", "en cours, jusqu’à mercredi 25 22:00"},
	} {
		p := &constatv1.PlannedWork{From: timestamppb.New(c.from), Until: timestamppb.New(c.until), Title: "The disks are replaced"}
		for language, want := range map[string]string{"en": c.en, "fr": c.fr} {
			if got := plannedTexts[language].during(p, now); got != want {
				t.Errorf("%s: %q, not %q", language, got, want)
			}
		}
	}
}

// However long what is announced is, its line stays one.
func TestStatusTellsWhatIsPlanned(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	title := strings.TrimSpace(strings.Repeat("The disks are replaced. ", 10))
	st := &constatv1.GetStatusResponse{Planned: []*constatv1.PlannedWork{{From: timestamppb.New(soon), Until: timestamppb.New(soon.Add(time.Hour)), Title: title}}}
	for language, label := range map[string]string{"en": "planned:", "fr": "prévu :"} {
		var said strings.Builder
		writeStatus(&said, st, language)
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, label) || !strings.HasSuffix(last, title) {
			t.Errorf("%s:\n%s", language, said.String())
		}
	}
}
