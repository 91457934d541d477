// Package assignment chooses who gets a ticket: of those who are there and have
// room, whoever knows its matter best, then whoever has the fewest open, then
// whoever has waited longest. It is pure: the team, the matter and the time in,
// the decision and its reasons out, so that "why not Léa?" has an answer, and a
// changed team can be tried on last month's tickets.
package assignment

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// DefaultCap is how many open tickets somebody gets by themselves who has no cap
// of their own.
const DefaultCap = 40

// Levels of a skill, from "knows it" to "is whom others ask".
const (
	MinLevel = 1
	MaxLevel = 3
)

// Kinds of skills, and what a level of each is worth: a brand is more special
// than the domain it belongs to, and a product more than its brand. A language
// is not weighed: it comes before all the others.
const (
	Brand    = "brand"
	Product  = "product"
	Domain   = "domain"
	Language = "language"
)

// Kinds in the order in which they are shown.
var Kinds = []string{Brand, Product, Domain, Language}

var worth = map[string]int{Domain: 2, Brand: 3, Product: 4}

// Skill is something that a technician knows.
type Skill struct {
	Kind, Value string
	// Level is MinLevel to MaxLevel.
	Level int
}

// Absence is a time in which somebody gets nothing: from From until before Until.
type Absence struct{ From, Until time.Time }

// Technician is somebody who may get tickets.
type Technician struct {
	Name string
	// Takes is false of those who get only what they take or are given by hand.
	Takes    bool
	Skills   []Skill
	Absences []Absence
	// Cap is how many open tickets they get at most; 0: DefaultCap.
	Cap int
	// Open is how many they have.
	Open int
	// Last is when they got one last; zero: never.
	Last time.Time
	// LetLie: they had this one and did not touch it.
	LetLie bool
	// Sites are those of whose matters they get; none: of all.
	Sites []string
}

// Room is how many open tickets they may have.
func (t *Technician) Room() int { return cmp.Or(t.Cap, DefaultCap) }

// Sources of a matter, the surest first.
const (
	FromDiagnosis = "diagnosis"
	FromCategory  = "category"
	FromText      = "text"
	FromNothing   = "nothing"
)

// Matter is what a ticket is about.
type Matter struct {
	// Domains of the catalog that it may be of.
	Domains []string
	// Brand and Product as the diagnosis names them; empty where it does not, and
	// then the Text is asked.
	Brand, Product string
	// Language of the requester, BCP 47; empty: not known.
	Language string
	// Site where it is; empty: not known.
	Site string
	// Text is what the requester wrote.
	Text string
	// Source tells where Domains, or else Brand, come from.
	Source string
}

// Verdicts on a candidate. Each but Chosen says what it was that decided.
const (
	Chosen    = "chosen"
	KnowsLess = "knowsLess"
	MoreOpen  = "moreOpen"
	ServedNow = "servedLater"
	LaterName = "laterName"
	Foreign   = "otherLanguage"
	Full      = "full"
	Absent    = "absent"
	OffQueue  = "takesNone"
	LetLie    = "letLie"
	Elsewhere = "otherSite"
)

// Candidate is one of the team and how they stood.
type Candidate struct {
	Name    string
	Verdict string
	// Matched are the skills that the matter asks for.
	Matched []Skill
	// Points is what these are worth together.
	Points    int
	Open, Cap int
	// AbsentUntil is set of the absent.
	AbsentUntil time.Time
}

// Decision is who gets it, and how everybody stood.
type Decision struct {
	// Assignee is empty when nobody can get it.
	Assignee string
	// Candidates, best first.
	Candidates []Candidate
}

// candidate is one with what ranks them.
type candidate struct {
	Candidate
	out     bool
	foreign bool
	last    time.Time
}

// member is a technician with their skills as they are compared.
type member struct {
	*Technician
	values []string
}

func members(team []Technician) []member {
	all := make([]member, len(team))
	for i := range team {
		all[i].Technician = &team[i]
		for _, s := range team[i].Skills {
			value := strings.TrimSpace(spaced(s.Value))
			switch s.Kind {
			case Language:
				value = base(s.Value)
			case Domain:
				value = strings.ToLower(s.Value)
			}
			all[i].values = append(all[i].values, value)
		}
	}
	return all
}

// asking is a matter as skills are compared with it.
type asking struct {
	*Matter
	words, brand, product, language string
}

func (m *Matter) asking() asking {
	return asking{m, spaced(m.Text), strings.TrimSpace(spaced(m.Brand)), spaced(m.Product), base(m.Language)}
}

// Choose decides who of the team gets the matter at that time. Equal ones are
// told apart by name, so that the same question has the same answer.
func Choose(team []Technician, m Matter, at time.Time) Decision {
	asked := m.asking()
	all := make([]candidate, 0, len(team))
	for _, t := range members(team) {
		all = append(all, asked.weigh(t, at))
	}
	slices.SortFunc(all, func(a, b candidate) int {
		order, _ := compare(a, b)
		return order
	})
	var d Decision
	for i, c := range all {
		switch {
		case c.out: // weigh has said why
		case i == 0:
			c.Verdict, d.Assignee = Chosen, c.Name
		default:
			_, c.Verdict = compare(all[0], c)
		}
		d.Candidates = append(d.Candidates, c.Candidate)
	}
	return d
}

// first is whom Choose chooses, by their place in the team; -1: nobody.
func first(team []member, m Matter, at time.Time) int {
	asked, chosen := m.asking(), -1
	var best candidate
	for i, t := range team {
		c := asked.weigh(t, at)
		if c.out {
			continue
		}
		if order, _ := compare(best, c); chosen < 0 || order > 0 {
			best, chosen = c, i
		}
	}
	return chosen
}

// compare orders two candidates, the better first, and tells what is against the
// second.
func compare(a, b candidate) (order int, why string) {
	truth := func(x, y bool) int {
		switch {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	}
	for _, by := range []struct {
		order int
		why   string
	}{
		{truth(a.out, b.out), ""},
		{truth(a.Verdict == OffQueue, b.Verdict == OffQueue), ""},
		{truth(a.foreign, b.foreign), Foreign},
		{cmp.Compare(b.Points, a.Points), KnowsLess},
		{cmp.Compare(a.Open, b.Open), MoreOpen},
		{a.last.Compare(b.last), ServedNow},
	} {
		if by.order != 0 {
			return by.order, by.why
		}
	}
	return strings.Compare(a.Name, b.Name), LaterName
}

// weigh tells how one of the team stands to the matter.
func (m *asking) weigh(t member, at time.Time) candidate {
	c := candidate{Candidate: Candidate{Name: t.Name, Open: t.Open, Cap: t.Room()}, last: t.Last}
	var brand, product, domain int
	speaks, spoken := false, false
	for i, s := range t.Skills {
		if s.Kind == Language {
			spoken = true
			if m.Language == "" || t.values[i] != m.language {
				continue
			}
			speaks = true
		} else if !m.asks(s, t.values[i]) {
			continue
		}
		c.Matched = append(c.Matched, s)
		switch points := s.Level * worth[s.Kind]; s.Kind {
		case Brand:
			brand = max(brand, points)
		case Product:
			product = max(product, points)
		case Domain:
			domain = max(domain, points)
		}
	}
	c.Points = brand + product + domain
	// Who names no language is taken to speak the house's.
	c.foreign = m.Language != "" && spoken && !speaks
	for _, a := range t.Absences {
		if !at.Before(a.From) && at.Before(a.Until) && a.Until.After(c.AbsentUntil) {
			c.AbsentUntil = a.Until
		}
	}
	switch {
	case !t.Takes:
		c.Verdict = OffQueue
	case t.LetLie:
		c.Verdict = LetLie
	case len(t.Sites) > 0 && !slices.Contains(t.Sites, m.Site):
		c.Verdict = Elsewhere
	case !c.AbsentUntil.IsZero():
		c.Verdict = Absent
	case t.Open >= t.Room():
		c.Verdict = Full
	}
	c.out = c.Verdict != ""
	return c
}

// asks tells whether a matter asks for a skill of that value. What the diagnosis
// names counts; the requester's words count where it names nothing.
func (m *asking) asks(s Skill, value string) bool {
	if value == "" {
		return false
	}
	switch s.Kind {
	case Domain:
		return slices.Contains(m.Domains, value)
	case Brand:
		if m.Brand != "" {
			return m.brand == value
		}
		return strings.Contains(m.words, " "+value+" ")
	case Product:
		return strings.Contains(m.product, " "+value+" ") || strings.Contains(m.words, " "+value+" ")
	}
	return false
}

// base is the language of a tag without country and script.
func base(tag string) string {
	b, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(tag, "_", "-")), "-")
	return b
}

// spaced is a text in lower case with one space around each of its words.
func spaced(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	return " " + strings.Join(words, " ") + " "
}
