// Package sheet prints a snapshot as a technician's fact sheet: what the
// computer is, how it stands and what could not be seen, for a plain terminal of
// 80 columns, in English or French. It judges nothing; see package diagnosis.
package sheet

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	constatv1 "constat/proto/constat/v1"
)

// width is what a terminal shows everywhere, column where the facts begin.
const (
	width  = 78
	column = 20
)

// Write prints the groups that the snapshot's manifest names. Language is "en"
// or "fr".
func Write(w io.Writer, snapshot *constatv1.Snapshot, language string) {
	s := &sheet{w: w, fr: language == "fr", snapshot: snapshot}
	for _, part := range parts {
		s.title = s.say(part.en, part.fr)
		part.write(s)
	}
	s.unseen()
}

// parts are the sections of a sheet, in the order a technician asks. One without
// anything to tell is left out.
var parts = []struct {
	en, fr string
	write  func(*sheet)
}{
	{"COMPUTER", "ORDINATEUR", (*sheet).computer},
	{"POWER AND HEAT", "ALIMENTATION ET CHALEUR", (*sheet).power},
	{"DISKS", "DISQUES", (*sheet).disks},
	{"LOAD", "CHARGE", (*sheet).load},
	{"NETWORK", "RÉSEAU", (*sheet).network},
	{"WI-FI", "WI-FI", (*sheet).wifi},
	{"NETWORK TESTS", "TESTS DU RÉSEAU", (*sheet).probes},
	{"CLOCK", "HORLOGE", (*sheet).clock},
	{"PRINTING", "IMPRESSION", (*sheet).printing},
	{"USB", "USB", (*sheet).usb},
	{"DEVICES", "PÉRIPHÉRIQUES", (*sheet).devices},
	{"PROGRAMS", "PROGRAMMES", (*sheet).programs},
	{"SERVICES", "SERVICES", (*sheet).services},
	{"CRASHES", "PLANTAGES", (*sheet).crashes},
	{"ACCOUNTS", "COMPTES", (*sheet).accounts},
	{"PROTECTION", "PROTECTION", (*sheet).protection},
	{"LATELY", "DERNIÈREMENT", (*sheet).lately},
}

// sheet is one under way.
type sheet struct {
	w        io.Writer
	fr       bool
	snapshot *constatv1.Snapshot
	// title is of the section under way, "" once it is printed; label is that of
	// the row before.
	title, label string
	begun        bool
}

// say picks the language.
func (s *sheet) say(en, fr string) string {
	if s.fr {
		return fr
	}
	return en
}

// colon stands behind a name, before what is told of it.
func (s *sheet) colon() string { return s.say(": ", "\u00a0: ") }

// row prints facts behind a label, separated by commas; those that are "" are
// not known and left out, and a row without any is not printed. Rows of one
// label, one after the other, show it once. Two spaces in front set a row in,
// as more of the one above.
func (s *sheet) row(en, fr string, facts ...string) {
	text := list(facts...)
	if strings.TrimSpace(text) == "" {
		return
	}
	if s.title != "" {
		if s.begun {
			fmt.Fprintln(s.w)
		}
		fmt.Fprintln(s.w, s.title)
		s.title, s.label, s.begun = "", "", true
	}
	label := s.say(en, fr)
	if label == s.label {
		label = ""
	} else {
		s.label = label
	}
	indent := "  " + pad(label, column-2)
	if further := strings.TrimPrefix(text, "  "); further != text {
		text, indent = further, indent+"  "
	}
	for _, line := range wrap(text, width-column-2) {
		fmt.Fprintf(s.w, "%s%s\n", indent, line)
		indent = strings.Repeat(" ", column+2)
	}
}

// some prints a row for each of the first elements of a list, and how many more
// there are.
func some[T any](s *sheet, en, fr string, all []T, most int, facts func(T) []string) {
	for _, one := range all[:min(len(all), most)] {
		s.row(en, fr, facts(one)...)
	}
	if more := len(all) - most; more > 0 {
		s.row(en, fr, fmt.Sprintf(s.say("and %d more (--json shows all)", "et %d de plus (--json les montre)"), more))
	}
}

// list joins what is known.
func list(facts ...string) string {
	var known []string
	for _, fact := range facts {
		if fact != "" {
			known = append(known, fact)
		}
	}
	return strings.Join(known, ", ")
}

// pad fills a label up to its column, and cuts one that is longer.
func pad(label string, to int) string {
	n := utf8.RuneCountInString(label)
	if n >= to {
		label, n = string([]rune(label)[:to-2])+"…", to-1
	}
	return label + strings.Repeat(" ", to-n)
}

// wrap cuts a text between words, and words that fill a line alone anywhere.
func wrap(text string, limit int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Split(text, " ") {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > limit {
			lines = append(lines, line)
			line = ""
		}
		for utf8.RuneCountInString(word) > limit {
			cut := string([]rune(word)[:limit])
			lines = append(lines, cut)
			word = word[len(cut):]
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// unseen tells what could not be read and why; what shares a reason, together.
func (s *sheet) unseen() {
	s.title = s.say("NOT SEEN", "NON OBSERVÉ")
	type hole struct{ status, reason string }
	var order []hole
	facts := map[hole][]string{} // of one group after the other
	note := func(status, reason, group, fact string) {
		h := hole{status, s.reason(status, reason)}
		if facts[h] == nil {
			order = append(order, h)
		}
		// "Hardware: model, serial", and a group as a whole by its name.
		what := s.group(group)
		if fact != "" {
			path := strings.Split(fact, ".")
			what += s.colon() + s.factName(path[len(path)-1], false, true)
			if n := len(facts[h]); n > 0 && strings.HasPrefix(facts[h][n-1], s.group(group)+s.colon()) {
				what = facts[h][n-1] + ", " + s.factName(path[len(path)-1], false, true)
				facts[h] = facts[h][:n-1]
			}
		}
		if !slices.Contains(facts[h], what) {
			facts[h] = append(facts[h], what)
		}
	}
	for _, g := range s.snapshot.GetManifest().GetGroups() {
		o := g.GetObservation()
		if o.GetStatus() != "observed" {
			note(o.GetStatus(), o.GetReason(), g.GetGroup(), "")
		}
		for _, gap := range o.GetGaps() {
			note(gap.GetStatus(), gap.GetReason(), g.GetGroup(), gap.GetFact())
		}
	}
	for _, status := range []string{"denied", "failed", "withheld", "unsupported"} {
		for _, h := range order {
			if h.status == status {
				label := capital(s.word(status))
				s.row(label, label, strings.Join(facts[h], " · ")+" – "+h.reason)
			}
		}
	}
}
