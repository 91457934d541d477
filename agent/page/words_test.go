package page

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"constat/internal/diagnosis"
)

// scripts are the page's own.
var scripts = []string{"page.js", "agent.js", "draft.js", "kit.js", "tickets.js", "picture.js", "drawing.js"}

// Every text that the page asks for is there in both languages, with the same
// gaps, and none is left over.
func TestWords(t *testing.T) {
	read := func(name string) map[string]string {
		content, err := static.ReadFile("static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		words := map[string]string{}
		if err := json.Unmarshal(content, &words); err != nil {
			t.Fatal(err)
		}
		return words
	}
	en, fr := read("words.en.json"), read("words.fr.json")
	gap := regexp.MustCompile(`\{\w+\}`)
	gaps := func(text string) []string { return slices.Sorted(slices.Values(gap.FindAllString(text, -1))) }
	for _, key := range slices.Sorted(maps.Keys(en)) {
		if fr[key] == "" || !slices.Equal(gaps(en[key]), gaps(fr[key])) {
			t.Errorf("%s: %q and %q", key, en[key], fr[key])
		}
	}
	if len(fr) != len(en) {
		t.Errorf("%d texts in French, %d in English", len(fr), len(en))
	}
	for _, p := range diagnosis.Procedures() {
		if en["complaint."+p.ID] == "" {
			t.Errorf("the complaint %q has no words", p.ID)
		}
		for _, group := range p.Groups {
			if en["group."+group] == "" {
				t.Errorf("nothing says that the group %q is being looked at", group)
			}
		}
	}
	var script []byte
	for _, name := range scripts {
		one, err := static.ReadFile("static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		script = append(script, one...)
	}
	for key := range en {
		made := strings.HasPrefix(key, "complaint.") || strings.HasPrefix(key, "group.") || strings.HasPrefix(key, "certainty.") ||
			strings.HasPrefix(key, "problem.") || strings.HasPrefix(key, "seen.") || strings.HasPrefix(key, "status.") || strings.HasPrefix(key, "kind.") || strings.HasPrefix(key, "phase.") || strings.HasPrefix(key, "message.")
		if !made && !bytes.Contains(script, []byte(`"`+key+`"`)) {
			t.Errorf("the page never asks for %q", key)
		}
	}
	for _, used := range regexp.MustCompile(`\bt\("([\w.]+)"`).FindAllSubmatch(script, -1) {
		key := string(used[1])
		if key[len(key)-1] != '.' && en[key] == "" {
			t.Errorf("the page asks for %q, which has no words", key)
		}
	}
}
