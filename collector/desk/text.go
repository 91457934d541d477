package desk

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what people and agents write, in bytes. More is cut with a word that
// it was, never refused: a ticket must not get lost over its length.
const (
	MaxText       = 256 << 10 // of a message; the console refuses more, so that its writer can shorten it
	maxTitle      = 200
	maxResolution = 4 << 10
	maxName       = 128
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

// likeEscaper makes the wildcards of LIKE ordinary characters.
var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// containing is the LIKE pattern for texts that hold s.
func containing(s string) string { return "%" + likeEscaper.Replace(s) + "%" }
