package tray

import (
	"maps"
	"slices"
	"testing"
)

func TestMenuHasItsWords(t *testing.T) {
	for language, words := range languages {
		list := entries(language)
		for i, e := range list {
			if e.label == "" {
				t.Errorf("%s: entry %d (%q) has no words", language, i, e.view)
			}
			if e.quit != (i == len(list)-1) {
				t.Errorf("%s: the menu ends with quit, and only there: %+v", language, list)
			}
		}
		views := []string{}
		for _, e := range list {
			if !e.about && !e.quit {
				views = append(views, e.view)
			}
		}
		if want := append(append([]string{""}, offered...), "tickets", "sent"); !slices.Equal(views, want) {
			t.Errorf("%s: the menu leads to %v, want %v", language, views, want)
		}
		if got := slices.Sorted(maps.Keys(words.states)); !slices.Equal(got, slices.Sorted(slices.Values(standings))) {
			t.Errorf("%s: there are words for %v", language, got)
		}
	}
}
