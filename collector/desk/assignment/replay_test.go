package assignment

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A replay gives each ticket to whom Choose would.
func TestReplayChooses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"Cisco", "HP", "network", "printer", "LaserJet M404", "fr", "en", "fr-BE", ""})
		team := make([]Technician, rapid.IntRange(0, 6).Draw(t, "size"))
		for i := range team {
			team[i] = Technician{Name: fmt.Sprint("t", i), Takes: rapid.IntRange(0, 4).Draw(t, "takes") > 0, Cap: rapid.IntRange(0, 3).Draw(t, "cap")}
			for range rapid.IntRange(0, 4).Draw(t, "skills") {
				team[i].Skills = append(team[i].Skills, Skill{rapid.SampledFrom(Kinds).Draw(t, "kind"), word.Draw(t, "value"), rapid.IntRange(1, 3).Draw(t, "level")})
			}
			if rapid.Bool().Draw(t, "away") {
				from := morning.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "from")) * time.Hour)
				team[i].Absences = []Absence{{from, from.Add(5 * time.Hour)}}
			}
		}
		var past []Past
		for i := range rapid.IntRange(0, 20).Draw(t, "past") {
			p := Past{Number: int32(i), At: morning.Add(time.Duration(i) * time.Hour)}
			p.Matter = Matter{Domains: []string{word.Draw(t, "domain")}, Brand: word.Draw(t, "brand"), Product: word.Draw(t, "product"), Language: word.Draw(t, "language"), Text: "the Cisco one near HP"}
			if rapid.Bool().Draw(t, "done") {
				p.Done = p.At.Add(time.Duration(rapid.IntRange(0, 9).Draw(t, "hours")) * time.Hour)
			}
			past = append(past, p)
		}
		got := Replay(team, past)
		team = slices.Clone(team)
		for i, p := range past {
			for j := range team {
				team[j].Open = 0
				for k := range i {
					if got[k] == team[j].Name && (past[k].Done.IsZero() || past[k].Done.After(p.At)) {
						team[j].Open++
					}
				}
			}
			if want := Choose(team, p.Matter, p.At).Assignee; got[i] != want {
				t.Fatalf("ticket %d went to %q, Choose says %q", i, got[i], want)
			}
			for j := range team {
				if team[j].Name == got[i] {
					team[j].Last = p.At
				}
			}
		}
	})
}

// BenchmarkReplay gives out a month of a large desk, 4,000 tickets to 40.
func BenchmarkReplay(b *testing.B) {
	var team []Technician
	for i := range 40 {
		team = append(team, Technician{Name: fmt.Sprint("t", i), Takes: true, Cap: 60, Skills: []Skill{
			{Domain, []string{"network", "printer", "os", "usb"}[i%4], 2}, {Domain, []string{"wifi", "software", "hardware"}[i%3], 1}, {Brand, []string{"Cisco", "HP", "Dell"}[i%3], 2}, {Language, "fr", 3}, {Language, "en", 2},
		}})
	}
	var past []Past
	for i := range 4000 {
		at := morning.Add(time.Duration(i) * 10 * time.Minute)
		past = append(past, Past{Number: int32(i), At: at, Done: at.Add(time.Duration(i%97) * time.Hour), Matter: Matter{
			Domains: []string{[]string{"network", "printer", "os", "usb", "cisco"}[i%5]}, Brand: []string{"", "Cisco", "HP"}[i%3], Product: "IMP-LYO-012", Language: []string{"fr", "en"}[i%2],
			Text: "The printer on our floor says it is offline. It began after lunch. My colleague beside me has no trouble. I have already restarted twice.",
		}})
	}
	for b.Loop() {
		Replay(team, past)
	}
}
