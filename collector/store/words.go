package store

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

const (
	// MaxWords bounds the words of one ticket, in bytes.
	MaxWords = 64 << 10
	// maxTerm bounds one term, in bytes: what is longer is found by its beginning.
	maxTerm = 64
	// A term with a digit that is so long is also found by its end, as people
	// read out a serial number: by the last letters of it, from minTail on.
	minSerial, maxSerial, minTail = 6, 24, 4
	// maxQuery bounds what is read of a query, in bytes, and maxQueryTerms how
	// many of its words count.
	maxQuery, maxQueryTerms = 1 << 10, 8
)

// plain spells letters that have no accent to take away as people type them.
var plain = strings.NewReplacer("œ", "oe", "æ", "ae", "ß", "ss", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ı", "i")

// apostrophes makes all kinds one.
var apostrophes = strings.NewReplacer("’", "'", "ʼ", "'", "`", "'")

// fold takes accents and upper case away, so that "Réseau" is found by "reseau".
// It is done here and not by the engines: PostgreSQL may lack what does it.
func fold(s string) string {
	folded, _, err := transform.String(transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), s)
	if err != nil {
		folded = s
	}
	return plain.Replace(strings.ToLower(folded))
}

// Words are the terms by which texts are found, folded, each once, in the order
// in which they stand there and with a blank between, at most max bytes. They
// hold letters, digits and "-", and nothing else, and Words of them gives them
// again.
func Words(max int, texts ...string) string {
	var all strings.Builder
	seen := map[string]bool{}
	for _, text := range texts {
		for _, chunk := range chunks(text) {
			for _, term := range termsOf(chunk) {
				if seen[term] || all.Len()+1+len(term) > max {
					continue
				}
				seen[term] = true
				if all.Len() > 0 {
					all.WriteByte(' ')
				}
				all.WriteString(term)
			}
		}
	}
	return all.String()
}

// queryTerms are the terms that a query asks for. What is written in one piece is
// looked for in one piece: "net-dns" does not find a "dns" far from a "net".
func queryTerms(text string) []string {
	var terms []string
	seen := map[string]bool{}
	if len(text) > maxQuery {
		text = text[:maxQuery]
	}
	for _, chunk := range chunks(text) {
		if term := cut(chunk); !seen[term] && len(terms) < maxQueryTerms {
			seen[term] = true
			terms = append(terms, term)
		}
	}
	return terms
}

// chunks are what stands between blanks, folded, with one "-" for each run of
// signs within: 00:5e:53 and 00-5E-53 are the same. What stands before an
// apostrophe (l', qu') is no word of its own.
func chunks(text string) []string {
	var all []string
	for _, field := range strings.FieldsFunc(fold(strings.ToValidUTF8(text, " ")), unicode.IsSpace) {
		pieces := strings.Split(apostrophes.Replace(field), "'")
		for i, piece := range pieces {
			if i == 0 && len(pieces) > 1 && utf8.RuneCountInString(piece) <= 2 {
				continue
			}
			if chunk := strings.Join(strings.FieldsFunc(piece, isSign), "-"); chunk != "" {
				all = append(all, chunk)
			}
		}
	}
	return all
}

func isSign(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// termsOf are what one chunk is found by: itself, its parts, and the ends of what
// looks like a serial number.
func termsOf(chunk string) []string {
	terms := []string{cut(chunk)}
	parts := strings.Split(chunk, "-")
	if len(parts) > 1 {
		for _, part := range parts {
			terms = append(terms, cut(part))
		}
	}
	for _, part := range parts {
		if n := len(part); n < minSerial || n > maxSerial || !strings.ContainsAny(part, "0123456789") {
			continue
		}
		for at := range part {
			if at > 0 && len(part)-at >= minTail {
				terms = append(terms, part[at:])
			}
		}
	}
	return terms
}

// cut is the beginning of a term that is too long.
func cut(term string) string {
	if len(term) <= maxTerm {
		return term
	}
	term = term[:maxTerm]
	for !utf8.ValidString(term) {
		term = term[:len(term)-1]
	}
	return strings.TrimRight(term, "-")
}
