package courier

import (
	"io"
	"mime/quotedprintable"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func quoted(r io.Reader) io.Reader { return quotedprintable.NewReader(r) }

// TestBrakes: however mails come, no window holds more than it may, and nothing is
// held for ever.
func TestBrakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC)
		var went []mailed // newest first
		subjects := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
		for range rapid.IntRange(1, 400).Draw(t, "mails") {
			now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "pause")) * time.Second)
			number := int32(rapid.IntRange(0, 3).Draw(t, "ticket"))
			subject := rapid.SampledFrom(subjects).Draw(t, "subject")
			may := mayGo(went, number, subject, now)
			if may.Sub(now) > longestBrake {
				t.Fatalf("held back for %s", may.Sub(now))
			}
			if again := mayGo(went, number, subject, may); again.After(may) {
				t.Fatalf("at the time it was told, it is held on until %s", again)
			}
			if may.After(now) {
				continue
			}
			went = slices.Insert(went, 0, mailed{now, subject, []int32{number}})
		}
		count := func(brakes []brake, is func(mailed) bool) {
			for _, b := range brakes {
				for i, m := range went {
					n := 0
					for _, older := range went[i:] {
						if m.at.Sub(older.at) < b.within && is(older) {
							n++
						}
					}
					if n > b.most {
						t.Fatalf("%d mails within %s, at most %d", n, b.within, b.most)
					}
				}
			}
		}
		count(ofAll, func(mailed) bool { return true })
		for n := range int32(3) {
			count(ofTicket, func(m mailed) bool { return m.tickets[0] == n+1 })
		}
		for _, s := range subjects {
			count(ofSubject, func(m mailed) bool { return m.subject == s })
		}
	})
}
