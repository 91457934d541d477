package desk

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// Limits of what people and agents write, in bytes. More is cut with a word that
// it was, never refused: a ticket must not get lost over its length.
const (
	maxText       = 256 << 10
	maxTitle      = 200
	maxResolution = 4 << 10
	maxName       = 128
	maxWords      = 64 << 10
)

const cutNote = "\n[… cut here: the text was too long]"

// clean makes s fit to be stored: valid UTF-8 without the NUL that PostgreSQL
// refuses, at most max bytes.
func clean(s string, max int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	if len(s) <= max {
		return s
	}
	note := cutNote
	if max < 1024 {
		note = "…"
	}
	s = s[:max-len(note)]
	for !utf8.ValidString(s) { // the cut went through a character
		s = s[:len(s)-1]
	}
	return s + note
}

// line is clean for what stands on one line: no control characters, no spaces
// around it.
func line(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return clean(strings.Join(strings.Fields(s), " "), max)
}

// firstLine is the first line of s that says something.
func firstLine(s string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line(first, 80)
}

// fold takes accents and upper case away, so that "Réseau" is found by "reseau".
func fold(s string) string {
	folded, _, err := transform.String(transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), s)
	if err != nil {
		folded = s
	}
	return strings.ToLower(folded)
}

// words are the different words of texts, folded and without the punctuation
// around them: what a ticket is found by.
func words(texts ...string) []string {
	all := strings.FieldsFunc(fold(strings.Join(texts, " ")), unicode.IsSpace)
	for i, word := range all {
		all[i] = strings.TrimFunc(word, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r)
		})
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(word string) bool { return word == "" })
}

// likeEscaper makes the wildcards of LIKE ordinary characters.
var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// containing is the LIKE pattern for texts that hold s.
func containing(s string) string { return "%" + likeEscaper.Replace(s) + "%" }
