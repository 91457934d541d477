package main

import (
	"fmt"
	"io"
	"strings"
)

// reportWriter prints reports for people, in lines no wider than a terminal.
type reportWriter struct {
	w io.Writer
}

func (r reportWriter) line(format string, args ...any) {
	fmt.Fprintf(r.w, format+"\n", args...)
}

// width is what a terminal shows everywhere.
const width = 78

// wrap prints text indented, cut between words.
func (r reportWriter) wrap(indent, text string) { r.hang(indent, indent, text) }

// hang is wrap with something else in front of the first line than of the others.
func (r reportWriter) hang(first, indent, text string) {
	line := first
	for _, word := range unbroken(text) {
		if len([]rune(line))+1+len([]rune(word)) > width && strings.TrimSpace(line) != "" {
			r.line("%s", line)
			line = indent
		}
		if line != indent && line != first {
			line += " "
		}
		line += word
	}
	if strings.TrimSpace(line) != "" {
		r.line("%s", line)
	}
}

// unbroken are the words of a text; French has a space before some marks and
// after «, and those stay with their word.
func unbroken(text string) []string {
	var words []string
	for _, word := range strings.Fields(text) {
		if n := len(words); n > 0 && (strings.Contains(": ; ! ? »", word) || strings.HasSuffix(words[n-1], "«")) {
			words[len(words)-1] += " " + word
		} else {
			words = append(words, word)
		}
	}
	return words
}
