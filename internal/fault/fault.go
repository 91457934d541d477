// Package fault is the catalog: what can be wrong with a machine, how it shows
// in a snapshot, and what to do about it.
//
// A fault is an entry of catalog/<domain>.yaml: texts for the person at the
// machine and for a technician, and rules in CEL (https://cel.dev) over the
// messages of proto/constat/v1. Package compile checks the entries and makes
// the form in which they are embedded here, so that an agent needs neither
// YAML nor CEL's parser. Rules are three-valued: one that needs a fact
// which is not known, in a group that was not observed or at a gap of it, is
// unknown, and names what it misses. The package says which faults are true of
// a snapshot; which of them is the cause of the others, package diagnosis says.
//
// Nothing here reads a clock, a file of the machine or the network.
package fault

import (
	"regexp"
	"strings"
	"sync"
)

// Text is a text in the two languages of the catalog. It may name what the
// fault is about: `{component|the disk}` stands for the component, or for the
// words after the bar where none is known.
type Text struct{ EN, FR string }

// Language is the language of the catalog that serves a reader of lang (BCP 47)
// best: fr for French of any country, else en.
func Language(lang string) string {
	if base, _, _ := strings.Cut(strings.ToLower(lang), "-"); base == "fr" {
		return "fr"
	}
	return "en"
}

// In gives the text in the Language of lang, with no component named.
func (t Text) In(lang string) string { return t.About(lang, "") }

// About gives the text in the Language of lang, with the component named.
func (t Text) About(lang, component string) string {
	s := t.EN
	if Language(lang) == "fr" {
		s = t.FR
	}
	s = placeholder().ReplaceAllStringFunc(s, func(m string) string {
		parts := placeholder().FindStringSubmatch(m)
		before, name := parts[1], parts[2]
		if component != "" {
			name = component
		}
		if before != "" && vowel().MatchString(name) { // only French has it
			before = "d’"
		}
		return before + name
	})
	s = strings.Join(strings.Fields(s), " ") // an empty fallback leaves two spaces
	if Language(lang) == "fr" {
		s = unbroken.Replace(s)
	}
	return s
}

// unbroken keeps French punctuation on the line of its word.
var unbroken = strings.NewReplacer(" ;", "\u00a0;", " :", "\u00a0:", " !", "\u00a0!", " ?", "\u00a0?", "« ", "«\u00a0", " »", "\u00a0»")

var (
	// placeholder takes a French “de” before it along, which loses its vowel
	// before another: d’un site, d’eth0.
	placeholder = form(`(\bde )?\{component\|([^{}|]*)\}`)
	vowel       = form(`^(?i:[aeiouàâéèêëîïôœù])`)
)

// form is a regular expression that is compiled when it is first used: most
// starts of the program judge nothing.
func form(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// Fault is an entry of the catalog.
type Fault struct {
	// ID is the product's name for it ("os-disk-full"), Domain the file it
	// stands in: network, wifi, printer, usb, hardware, os, software or cisco.
	ID, Domain string
	// Urgency is low, normal, high or critical.
	Urgency string
	// Title names it in a few words; Explanation says to the user what it is.
	Title, Explanation Text
	// User and Technician are what each of them can do.
	User, Technician Text
	// Needs are the groups that its rules ask, of all its views.
	Needs []string
	// Explains are the faults that this one brings about by itself: on the
	// component that it is about itself, where both name one of the same kind.
	Explains []string
	// Wide tells that what it does or shows is not limited to the components
	// that it names: a loop floods every port, a missing route is everybody's.
	Wide bool
	// LookAlikes are the faults that are easily taken for this one.
	LookAlikes []LookAlike
	// Remedies are verbs that the agent can do with consent.
	Remedies []string
	// ByChoice tells that somebody may want it so (muted, switched off, charged
	// to 80 % only): an answer to a complaint, but nothing that a check of a
	// machine should call a fault.
	ByChoice bool
	// Logged tells that it is known from what was written down or counted when it
	// happened (a crash, a link that was lost): it is told for a while after it was
	// mended, so that to look again says nothing.
	Logged bool
	// Source says where the knowledge comes from.
	Source string

	views                  []view // at least one: the entry's own rule
	decisive, contradicted *expression
	evidence               []*evidence
}

// view is a side from which a fault shows, the socket as the switch sees it or
// as the computer at it does: a rule, and the groups that it asks.
type view struct {
	needs []string
	rule  *expression
}

// LookAlike is a fault that shows in a similar way, and the check that tells
// the two apart.
type LookAlike struct {
	Fault string
	Check Text
}
