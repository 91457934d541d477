package store

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"constat/collector/store/query"
)

// candidates is among how many of the newest tickets that a query finds the best
// are looked for: to weigh all that hold a common word takes a second on a large
// desk, and what is older was solved long ago.
const candidates = 250

// bestTickets lists the tickets that fit a query best, the newest first among
// equals. They are weighed here and not by the engines, which would not agree.
func (s *Store) bestTickets(ctx context.Context, f TicketFilter, terms []string) ([]query.TicketViewRow, error) {
	found := f
	found.Best, found.Limit = false, candidates
	rows, err := s.matching(ctx, found, match{terms: terms}, math.MaxInt32)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	words, err := s.wordsOf(ctx, rows)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b query.TicketViewRow) int {
		return cmp.Compare(fits(words[b.Ticket.Number], terms), fits(words[a.Ticket.Number], terms))
	})
	return rows[:min(len(rows), int(f.Limit))], nil
}

// foundInOrder puts the newest tickets that a query finds into another order.
func (s *Store) foundInOrder(ctx context.Context, f TicketFilter, terms []string) ([]query.TicketViewRow, error) {
	found := f
	found.Order, found.Limit = "", candidates
	rows, err := s.matching(ctx, found, match{terms: terms}, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b query.TicketViewRow) int {
		switch older := cmp.Compare(a.Ticket.Number, b.Ticket.Number); f.Order {
		case Updated:
			return cmp.Or(cmp.Compare(b.Ticket.UpdatedAt, a.Ticket.UpdatedAt), -older)
		case Priority:
			return cmp.Or(cmp.Compare(pressing(b.Ticket), pressing(a.Ticket)), older)
		default:
			return older
		}
	})
	return rows[:min(len(rows), int(f.Limit))], nil
}

// pressing is more for a ticket that priorityOrder has before another.
func pressing(t query.Ticket) int {
	points := map[string]int{"urgent": 3, "high": 2, "normal": 1}[t.Priority]
	if !slices.Contains([]string{"solved", "closed", "merged"}, t.Status) {
		points += 10
	}
	return points + 100*int(t.Major)
}

// wordsOf reads what tickets are found by.
func (s *Store) wordsOf(ctx context.Context, tickets []query.TicketViewRow) (map[int32]string, error) {
	q := &statement{}
	numbers := make([]int32, len(tickets))
	for i, row := range tickets {
		numbers[i] = row.Ticket.Number
	}
	q.oneOf("number", numbers)
	rows, err := s.reads.QueryContext(ctx, "SELECT number, words FROM ticket_words WHERE "+q.where[0], q.args...)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	words := make(map[int32]string, len(tickets))
	for rows.Next() {
		var number int32
		var text string
		if err := rows.Scan(&number, &text); err != nil {
			return nil, explain(err)
		}
		words[number] = text
	}
	return words, explain(rows.Err())
}

// fits weighs how well words fit terms that they hold. A term that stands there as
// it was asked for counts three times one that a longer word begins with. Words
// stand in the order title, fault, machine, and then what people wrote: the nearer
// to the front, the more it is what the ticket is about. Terms that stand together,
// as they were asked for, count on top.
func fits(words string, terms []string) int {
	points, last := 0, -2
	for i, term := range terms {
		at, place, best := 0, -1, 0
		for word := range strings.SplitSeq(words, " ") {
			p := 0
			switch {
			case word == term:
				p = 300
			case strings.HasPrefix(word, term):
				p = 100
			}
			if p > 0 {
				p += 100 / (1 + at/8)
			}
			if p > best {
				best, place = p, at
			}
			at++
		}
		if points += best; i > 0 && place == last+1 {
			points += 150
		}
		last = place
	}
	return points
}
