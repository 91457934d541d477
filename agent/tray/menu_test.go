package main

import "testing"

func TestMenuHasItsWords(t *testing.T) {
	for language := range languages {
		list := entries(language)
		for i, e := range list {
			if e.label == "" {
				t.Errorf("%s: entry %d (%q) has no words", language, i, e.view)
			}
			if e.quit != (i == len(list)-1) {
				t.Errorf("%s: the menu ends with quit, and only there: %+v", language, list)
			}
		}
		if list[0].view != "" || len(list) != len(offered)+2 {
			t.Errorf("%s: the menu begins with the page's start, and has all of %v: %+v", language, offered, list)
		}
	}
}
