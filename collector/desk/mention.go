package desk

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"constat/collector/store/query"
)

// mention finds whom a note names and makes them followers, and gives their
// names, sorted. Who writes is nobody to name.
func (d *Desk) mention(ctx context.Context, q *query.Queries, a Actor, t *query.Ticket, text string) ([]string, error) {
	if !strings.Contains(text, "@") {
		return nil, nil
	}
	users, err := q.ListUsers(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, u := range users {
		if u.DisabledAt == 0 && u.Name != a.Name {
			names = append(names, u.Name)
		}
	}
	named := mentioned(text, names)
	after := *t
	if followers := joined(list(t.Followers), named); len(followers) <= maxFollowers {
		after.Followers = strings.Join(followers, "\n")
	}
	changed, err := d.keep(ctx, q, a, *t, after)
	if changed {
		after.Version++
		*t = after
	}
	return named, err
}

// mentioned gives those of the names that stand in a text behind an @, sorted. Of
// names that begin alike the longest counts; an @ inside a word, as in a mail
// address, names nobody.
func mentioned(text string, names []string) []string {
	folded := make([]string, len(names))
	for i, name := range names {
		folded[i] = strings.ToLower(name)
	}
	var found []string
	for rest, before := strings.ToLower(text), ' '; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
		if r == '@' && !inWord(before) {
			longest := -1
			for i, name := range folded {
				if after, is := strings.CutPrefix(rest, name); is && !startsInWord(after) && (longest < 0 || len(name) > len(folded[longest])) {
					longest = i
				}
			}
			if longest >= 0 {
				found = append(found, names[longest])
			}
		}
		before = r
	}
	return joined(found, nil)
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }

func startsInWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && inWord(r)
}
