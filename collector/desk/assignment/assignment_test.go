package assignment

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var morning = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func skills(pairs ...string) []Skill {
	var list []Skill
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, Skill{Kind: pairs[i], Value: pairs[i+1], Level: 2})
	}
	return list
}

// verdicts are who stood how, best first.
func verdicts(d Decision) []string {
	var list []string
	for _, c := range d.Candidates {
		list = append(list, c.Name+" "+c.Verdict)
	}
	return list
}

func TestChoose(t *testing.T) {
	lea := Technician{Name: "Léa", Takes: true, Skills: skills(Brand, "Cisco", Domain, "network", Language, "fr")}
	tom := Technician{Name: "Tom", Takes: true, Skills: skills(Domain, "printer", Brand, "HP", Product, "LaserJet M404")}
	zoe := Technician{Name: "Zoé", Takes: true}
	away := func(t Technician) Technician {
		t.Absences = []Absence{{morning.Add(-time.Hour), morning.Add(24 * time.Hour)}}
		return t
	}
	busy := func(t Technician, open int) Technician { t.Open = open; return t }
	tests := []struct {
		name   string
		team   []Technician
		matter Matter
		want   []string
	}{
		{"the brand's expert", []Technician{zoe, tom, lea}, Matter{Domains: []string{"cisco"}, Brand: "cisco"},
			[]string{"Léa chosen", "Tom knowsLess", "Zoé knowsLess"}},
		{"also with more open", []Technician{zoe, tom, busy(lea, 7)}, Matter{Brand: "CISCO"},
			[]string{"Léa chosen", "Tom knowsLess", "Zoé knowsLess"}},
		{"but not when full", []Technician{zoe, busy(tom, 1), busy(lea, DefaultCap)}, Matter{Brand: "Cisco"},
			[]string{"Zoé chosen", "Tom moreOpen", "Léa full"}},
		{"nor when away", []Technician{zoe, away(lea)}, Matter{Brand: "Cisco"},
			[]string{"Zoé chosen", "Léa absent"}},
		{"a product above its brand", []Technician{
			{Name: "Ann", Takes: true, Skills: skills(Brand, "HP")}, tom}, Matter{Brand: "HP", Product: "HP LaserJet M404dn (LaserJet M404)"},
			[]string{"Tom chosen", "Ann knowsLess"}},
		{"the words, where the diagnosis names no brand", []Technician{zoe, lea, tom}, Matter{Text: "the hp printer upstairs!"},
			[]string{"Tom chosen", "Léa knowsLess", "Zoé knowsLess"}},
		{"not a part of a word", []Technician{tom, zoe}, Matter{Text: "a photograph of the chip"},
			[]string{"Tom chosen", "Zoé laterName"}},
		{"the words give way to the diagnosis", []Technician{lea, tom}, Matter{Brand: "HP", Text: "cisco phone next to it"},
			[]string{"Tom chosen", "Léa knowsLess"}},
		{"the requester's language first", []Technician{{Name: "Ann", Takes: true, Skills: skills(Language, "en", Brand, "Cisco")}, lea},
			Matter{Brand: "Cisco", Language: "fr-CA"}, []string{"Léa chosen", "Ann otherLanguage"}},
		{"who names no language speaks it", []Technician{{Name: "Ann", Takes: true, Skills: skills(Brand, "Cisco")}, {Name: "Bo", Takes: true, Skills: skills(Language, "en")}},
			Matter{Brand: "Cisco", Language: "fr"}, []string{"Ann chosen", "Bo otherLanguage"}},
		{"nobody", []Technician{away(lea), {Name: "Root", Skills: skills(Brand, "Cisco")}}, Matter{Brand: "Cisco"},
			[]string{"Léa absent", "Root takesNone"}},
		{"no team", nil, Matter{Brand: "Cisco"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Choose(test.team, test.matter, morning)
			if diff := cmp.Diff(test.want, verdicts(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLastServed: of equals, who has waited longest gets it.
func TestLastServed(t *testing.T) {
	team := []Technician{{Name: "a", Takes: true, Last: morning}, {Name: "b", Takes: true, Last: morning.Add(-time.Hour)}, {Name: "c", Takes: true, Last: morning.Add(time.Minute)}}
	want := []string{"b chosen", "a servedLater", "c servedLater"}
	if diff := cmp.Diff(want, verdicts(Choose(team, Matter{}, morning))); diff != "" {
		t.Error(diff)
	}
}

// draw makes a team, and tickets that come one after the other.
func draw(t *rapid.T) ([]Technician, []Past) {
	var team []Technician
	for i := range rapid.IntRange(0, 6).Draw(t, "team") {
		one := Technician{
			Name: fmt.Sprintf("t%d", i), Takes: rapid.Bool().Draw(t, "takes"), Cap: rapid.IntRange(0, 4).Draw(t, "cap"),
		}
		for _, kind := range []string{Brand, Domain, Language} {
			if rapid.Bool().Draw(t, kind) {
				one.Skills = append(one.Skills, Skill{kind, rapid.SampledFrom([]string{"x", "y"}).Draw(t, "value"), rapid.IntRange(MinLevel, MaxLevel).Draw(t, "level")})
			}
		}
		if rapid.Bool().Draw(t, "away") {
			from := morning.Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "from")) * time.Minute)
			one.Absences = []Absence{{from, from.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "long")) * time.Minute)}}
		}
		team = append(team, one)
	}
	var past []Past
	for i := range rapid.IntRange(0, 25).Draw(t, "tickets") {
		p := Past{Number: int32(i), At: morning.Add(time.Duration(i*5) * time.Minute), Matter: Matter{
			Domains: []string{rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "domain")}, Brand: rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "brand"),
			Language: rapid.SampledFrom([]string{"", "x", "y-z"}).Draw(t, "language"),
		}}
		if rapid.Bool().Draw(t, "solved") {
			p.Done = p.At.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "worked")) * time.Minute)
		}
		past = append(past, p)
	}
	return team, past
}

// TestPromises: nobody absent, off the queue or full ever gets a ticket, nobody
// waits in vain while somebody can, no better one is passed over, and the order
// of the team does not matter.
func TestPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		team, past := draw(t)
		for i := range team {
			team[i].Open = rapid.IntRange(0, 5).Draw(t, "open")
		}
		for _, p := range past {
			d := Choose(team, p.Matter, p.At)
			free := 0
			for _, one := range team {
				away := slices.ContainsFunc(one.Absences, func(a Absence) bool { return !p.At.Before(a.From) && p.At.Before(a.Until) })
				can := one.Takes && !away && one.Open < one.Room()
				if can {
					free++
				}
				if one.Name == d.Assignee && !can {
					t.Fatalf("%s got it: takes %v, away %v, %d of %d", one.Name, one.Takes, away, one.Open, one.Room())
				}
			}
			if (d.Assignee != "") != (free > 0) {
				t.Fatalf("%d could have it, and it went to %q", free, d.Assignee)
			}
			if len(d.Candidates) != len(team) {
				t.Fatalf("%d candidates of a team of %d", len(d.Candidates), len(team))
			}
			for _, c := range d.Candidates {
				if c.Verdict == "" {
					t.Fatalf("no word on %s", c.Name)
				}
			}
			turned := slices.Clone(team)
			slices.Reverse(turned)
			if diff := cmp.Diff(d, Choose(turned, p.Matter, p.At)); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// TestFair: people of the same skills, all there, never differ by more than one.
func TestFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var team []Technician
		for i := range rapid.IntRange(1, 6).Draw(t, "team") {
			team = append(team, Technician{Name: fmt.Sprintf("t%d", i), Takes: true, Cap: 100})
		}
		var past []Past
		for i := range rapid.IntRange(0, 40).Draw(t, "tickets") {
			past = append(past, Past{At: morning.Add(time.Duration(i) * time.Second)})
		}
		count := map[string]int{}
		for _, name := range Replay(team, past) {
			count[name]++
		}
		least, most := len(past), 0
		for _, one := range team {
			least, most = min(least, count[one.Name]), max(most, count[one.Name])
		}
		if most-least > 1 {
			t.Errorf("from %d to %d: %v", least, most, count)
		}
	})
}

// TestReplayKeepsCaps: at no time has anybody more than their cap, and what was
// solved makes room again.
func TestReplayKeepsCaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		team, past := draw(t)
		names := Replay(team, past)
		for i, p := range past {
			open := map[string]int{}
			for j := range i + 1 {
				if past[j].Done.IsZero() || past[j].Done.After(p.At) {
					open[names[j]]++
				}
			}
			for _, one := range team {
				if open[one.Name] > one.Room() {
					t.Fatalf("%s has %d of %d", one.Name, open[one.Name], one.Room())
				}
			}
		}
	})
}
