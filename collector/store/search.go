package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"constat/collector/store/query"
)

// TicketFilter says which tickets a list holds; what is empty does not filter.
type TicketFilter struct {
	// Query are words, each of which a ticket holds, or a longer one that begins
	// so. One without any letter or digit does not filter.
	Query string
	// Before is a cursor: tickets with a number below it; 0: from the newest.
	Before                        int32
	Status, Assignee, RequesterID string
	// EndpointID is its machine, or another that it names.
	EndpointID string
	// Active: to be worked on, neither solved nor closed nor merged. Unassigned: nobody has it.
	Active, Unassigned bool
	// Due: something is promised; the list is in the order of the promises then,
	// and not newest first.
	Due bool
	// Warned: something was told of its promises.
	Warned bool
	// Best: those that fit the Query best come first, of the newest that it finds;
	// there is no page after the first then.
	Best bool
	// Order is one of Orders; empty: Newest. Not with Due or Best. Only Newest goes on
	// behind a cursor.
	Order string
	// Subjects are what it is about, any of them; none: anything.
	Subjects []Subject
	// Sites are those of which it may be; none: all. Site is the one asked for.
	Sites []string
	Site  string
	Limit int32
	// naming are the tickets that name EndpointID.
	naming []int32
}

// Orders of a list of tickets.
const (
	Newest   = "newest"
	Oldest   = "oldest"
	Updated  = "updated"
	Priority = "priority"
)

// Orders are all of them. Updated has the last change first, Priority the most
// pressing.
var Orders = []string{Newest, Oldest, Updated, Priority}

// pressingAmong is among how many of the newest tickets the most pressing are looked for.
const pressingAmong = 2000

// Subject is what tickets are about, as ticket_subjects keeps it.
type Subject struct{ Kind, ID string }

// EndpointFilter says which machines a list holds.
type EndpointFilter struct {
	// AfterKey and AfterID are a cursor: those of the last one that was listed.
	AfterKey []byte
	AfterID  string
	// Pattern is what the name or the serial number is like.
	Pattern string
	Sites   []string
	Limit   int32
}

// Endpoints lists machines by name, as ByName does.
func (s *Store) Endpoints(ctx context.Context, f EndpointFilter) ([]query.Endpoint, error) {
	q := &statement{where: []string{"TRUE"}}
	if f.AfterID != "" {
		q.where = append(q.where, "(e.order_key, e.id) > ("+q.arg(f.AfterKey)+", "+q.arg(f.AfterID)+")")
	}
	if strings.Trim(f.Pattern, "%") != "" {
		pattern := q.arg(f.Pattern)
		q.where = append(q.where, "(e.name_key LIKE "+pattern+` ESCAPE '\' OR lower(e.serial) LIKE `+pattern+` ESCAPE '\')`)
	}
	q.among("e.site", f.Sites)
	var row query.Endpoint
	columns, _ := columnsOf("e", &row)
	rows, err := s.reads.QueryContext(ctx, "SELECT "+columns+" FROM endpoints e WHERE "+strings.Join(q.where, " AND ")+
		" ORDER BY e.order_key, e.id LIMIT "+q.arg(int64(f.Limit)), q.args...)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	var all []query.Endpoint
	for rows.Next() {
		var row query.Endpoint
		_, into := columnsOf("e", &row)
		if err := rows.Scan(into...); err != nil {
			return nil, explain(err)
		}
		all = append(all, row)
	}
	return all, explain(rows.Err())
}

// walked is how many of the newest tickets PostgreSQL reads one by one before it asks
// its index of words; it stops when it has enough. The index has no order: of a word
// that most tickets hold it would read them all to give the newest. walkedOwn is how
// many of somebody's newest: these lie far apart, and are read more slowly.
var walked, walkedOwn int64 = 8000, 1000

// exactShown is how many tickets that hold a name or number as it was typed stand
// before those that only hold a longer one.
const exactShown = 20

// Tickets lists tickets as they are shown, newest first. Only the conditions that
// filter are put, so that each engine takes the index that fits. Of a query that is
// one name or number (a serial number, a machine, a fault), the newest that hold
// just that come before those with a longer one.
func (s *Store) Tickets(ctx context.Context, f TicketFilter) ([]query.TicketViewRow, error) {
	if f.EndpointID != "" {
		var err error
		if f.naming, err = s.Read().TicketsNaming(ctx, "endpoint", f.EndpointID); err != nil {
			return nil, explain(err)
		}
	}
	terms := queryTerms(f.Query)
	before := int64(math.MaxInt32)
	if f.Before > 0 {
		before = int64(f.Before)
	}
	switch {
	case len(terms) == 0 || f.Due:
		return s.listTickets(ctx, f, match{terms: terms}, before)
	case f.Best:
		return s.bestTickets(ctx, f, terms)
	case f.Order != "" && f.Order != Newest:
		return s.foundInOrder(ctx, f, terms)
	case len(terms) == 1 && names(terms[0]):
		return s.exactFirst(ctx, f, terms, before)
	}
	return s.matching(ctx, f, match{terms: terms}, before)
}

// names tells whether a term is more than a word: the name or number of something.
func names(term string) bool { return strings.ContainsAny(term, "0123456789-") }

// exactFirst lists what holds a term itself before what holds a longer one. The
// first stand on the first page, and on no other.
func (s *Store) exactFirst(ctx context.Context, f TicketFilter, terms []string, before int64) ([]query.TicketViewRow, error) {
	only := f
	only.Limit = exactShown
	exact, err := s.matching(ctx, only, match{terms: terms, exact: true}, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	more := f
	more.Limit += int32(len(exact))
	rows, err := s.matching(ctx, more, match{terms: terms}, before)
	if err != nil {
		return nil, err
	}
	first := map[int32]bool{}
	for _, row := range exact {
		first[row.Ticket.Number] = true
	}
	rows = slices.DeleteFunc(rows, func(row query.TicketViewRow) bool { return first[row.Ticket.Number] })
	if f.Before == 0 {
		rows = append(exact, rows...)
	}
	return rows[:min(len(rows), int(f.Limit))], nil
}

// match is what a ticket holds: each term, or a longer one that begins so.
type match struct {
	terms []string
	exact bool
	// walk is how PostgreSQL looks for them.
	walk walk
}

type walk int

const (
	byIndex walk = iota
	amongNewest
	amongOwn
)

// matching lists tickets that hold words, newest first.
func (s *Store) matching(ctx context.Context, f TicketFilter, m match, before int64) ([]query.TicketViewRow, error) {
	if s.queue != nil {
		return s.listTickets(ctx, f, m, before)
	}
	own := f.Assignee+f.RequesterID+f.EndpointID != ""
	if m.walk = amongNewest; own {
		m.walk = amongOwn
	} else {
		var newest int64
		if err := s.reads.QueryRowContext(ctx, "SELECT COALESCE(max(number), 0) FROM tickets").Scan(&newest); err != nil {
			return nil, explain(err)
		}
		before = min(before, newest+1)
	}
	rows, err := s.listTickets(ctx, f, m, before)
	if err != nil || len(rows) == int(f.Limit) || !own && before <= walked {
		return rows, err
	}
	if own {
		q := &statement{}
		s.filter(q, f, "t.number", before)
		var all int64
		if err := s.reads.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM (SELECT FROM tickets t WHERE %s LIMIT %d) own",
			strings.Join(q.where, " AND "), walkedOwn), q.args...).Scan(&all); err != nil {
			return nil, explain(err)
		}
		if all < walkedOwn {
			return rows, nil
		}
	}
	m.walk = byIndex
	return s.listTickets(ctx, f, m, before)
}

// statement is a query under construction.
type statement struct {
	with, from, order string
	where             []string
	args              []any
}

// arg adds an argument and gives its place in the text.
func (q *statement) arg(value any) string {
	q.args = append(q.args, value)
	return fmt.Sprintf("$%d", len(q.args))
}

// is adds a condition on a column, unless the value is empty.
func (q *statement) is(column, value string) {
	if value != "" {
		q.where = append(q.where, column+" = "+q.arg(value))
	}
}

// among adds the condition that a column is one of some values, unless there are
// none.
func (q *statement) among(column string, values []string) {
	if len(values) == 0 {
		return
	}
	args := make([]string, len(values))
	for i, value := range values {
		args[i] = q.arg(value)
	}
	q.where = append(q.where, column+" IN ("+strings.Join(args, ", ")+")")
}

// oneOf adds the condition that a column is one of some numbers.
func (q *statement) oneOf(column string, numbers []int32) {
	args := make([]string, len(numbers))
	for i, number := range numbers {
		args[i] = q.arg(int64(number))
	}
	q.where = append(q.where, column+" IN ("+strings.Join(args, ", ")+")")
}

// filter adds to a statement what a filter asks of a ticket, except for its words.
func (s *Store) filter(q *statement, f TicketFilter, number string, before int64) {
	q.where = append(q.where, number+" < "+q.arg(before))
	if f.Status != "" && f.Order == Updated && f.Assignee+f.EndpointID+f.RequesterID == "" && s.queue != nil {
		// Most tickets may be of one status: SQLite, which does not know, would sort
		// them all.
		q.where = append(q.where, "+t.status = "+q.arg(f.Status))
	} else {
		q.is("t.status", f.Status)
	}
	q.is("t.assignee", f.Assignee)
	if len(f.naming) == 0 {
		q.is("t.endpoint_id", f.EndpointID)
	} else {
		// By their numbers, which were looked up: so both engines take both indexes.
		q.oneOf("t.number", f.naming)
		last := len(q.where) - 1
		q.where[last] = "(" + q.where[last] + " OR t.endpoint_id = " + q.arg(f.EndpointID) + ")"
	}
	q.is("t.requester_id", f.RequesterID)
	q.among("t.site", f.Sites)
	q.is("t.site", f.Site)
	if len(f.Subjects) > 0 {
		var any []string
		for _, one := range f.Subjects {
			any = append(any, "kind = "+q.arg(one.Kind)+" AND subject = "+q.arg(one.ID))
		}
		q.where = append(q.where, "t.number IN (SELECT number FROM ticket_subjects WHERE "+strings.Join(any, " OR ")+")")
	}
	switch {
	case f.Active && (f.Order == Oldest || f.Assignee != ""):
		// Behind all that were closed since, and among all that somebody closed: by the
		// index, and not by the number.
		q.where = append(q.where, "t.status IN ('new', 'open', 'pending')")
	case f.Active:
		q.where = append(q.where, "t.status NOT IN ('solved', 'closed', 'merged')")
	}
	if f.Unassigned {
		q.where = append(q.where, "t.assignee = ''")
	}
	if f.Due {
		q.where = append(q.where, "t.due_at > 0")
	}
	if f.Warned {
		// By the ticket's own entries, and not by all of the kind: there is an index of these.
		q.where = append(q.where, "EXISTS (SELECT 1 FROM ticket_entries w WHERE w.number = t.number AND w.kind || '' = 'sla')")
	}
}

// listTickets lists what is before a number.
func (s *Store) listTickets(ctx context.Context, f TicketFilter, m match, before int64) ([]query.TicketViewRow, error) {
	q := &statement{from: "tickets t", order: "t.number DESC"}
	number := "t.number"
	switch {
	case len(m.terms) == 0:
	case s.queue != nil:
		// The words first: FTS5 gives them newest first, and stops.
		q.from, number, q.order = "ticket_search CROSS JOIN tickets t ON t.number = ticket_search.rowid", "ticket_search.rowid", "ticket_search.rowid DESC"
		q.where = append(q.where, "ticket_search MATCH "+q.arg(m.sqlite()))
	case m.walk == amongOwn:
	case m.walk == amongNewest:
		// IS TRUE keeps the planner from the index of words: one after the other, and
		// no more than are shown.
		q.from = fmt.Sprintf(`(SELECT number FROM ticket_words WHERE number > %s AND number < %s AND (terms @@ CAST(%s AS tsquery)) IS TRUE
			ORDER BY number DESC OFFSET 0) n JOIN tickets t ON t.number = n.number`, q.arg(before-1-walked), q.arg(before), q.arg(m.postgres()))
		number, q.order = "n.number", "n.number DESC"
	default:
		q.with = fmt.Sprintf("WITH m AS MATERIALIZED (SELECT number FROM ticket_words WHERE terms @@ CAST(%s AS tsquery)) ", q.arg(m.postgres()+whose(f.Assignee)))
	}
	s.filter(q, f, number, before)
	if f.Due {
		q.order = "t.due_at, t.number"
	}
	// OFFSET 0 keeps the planner, which does not know how many hold the words, from
	// taking them in another order than this one.
	switch filter := strings.Join(q.where, " AND "); {
	case m.walk == amongOwn:
		q.from = fmt.Sprintf(`(SELECT t.number FROM tickets t WHERE %s ORDER BY t.number DESC LIMIT %d) n
			CROSS JOIN LATERAL (SELECT FROM ticket_words w WHERE w.number = n.number AND (w.terms @@ CAST(%s AS tsquery)) IS TRUE OFFSET 0) w
			JOIN tickets t ON t.number = n.number`, filter, walkedOwn, q.arg(m.postgres()))
		q.where, q.order = []string{"TRUE"}, "n.number DESC"
	case q.with != "":
		q.from = fmt.Sprintf(`(SELECT number FROM m ORDER BY number DESC) m
			CROSS JOIN LATERAL (SELECT t.* FROM tickets t WHERE t.number = m.number AND %s OFFSET 0) t`, filter)
		q.where = []string{"TRUE"}
	}
	limit := f.Limit
	outer := ""
	if len(m.terms) == 0 && !f.Due {
		switch f.Order {
		case Oldest:
			q.order = "t.number"
		case Updated:
			q.order = "t.updated_at DESC, t.number DESC"
		case Priority:
			limit, outer = pressingAmong, " ORDER BY "+priorityOrder+" LIMIT "+q.arg(int64(f.Limit))
		}
	}
	var row query.TicketViewRow
	columns, _ := columnsOf("t", &row.Ticket)
	shown := q.order
	if q.with != "" && !f.Due {
		q.order = "m.number DESC"
	}
	where := " WHERE " + strings.Join(q.where, " AND ") + " ORDER BY " + q.order + " LIMIT " + q.arg(int64(limit))
	if outer != "" {
		q.with = "WITH t AS MATERIALIZED (SELECT t.* FROM " + q.from + where + ") "
		q.from, where = "t", outer
	} else if q.with != "" {
		// Names are looked up for those that are shown only.
		q.with += ", t AS MATERIALIZED (SELECT t.* FROM " + q.from + where + ") "
		q.from, where = "t", " ORDER BY "+shown
	}
	text := q.with + "SELECT " + columns + `, COALESCE(p.name, ''), COALESCE(p.mail, ''), COALESCE(e.hostname, '')
		FROM ` + q.from + " LEFT JOIN people p ON p.id = t.requester_id LEFT JOIN endpoints e ON e.id = t.endpoint_id" + where
	rows, err := s.reads.QueryContext(ctx, text, q.args...)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	return scanTickets(rows)
}

// priorityOrder is the most pressing first, the oldest of these first.
const priorityOrder = `t.major DESC, CASE t.status WHEN 'closed' THEN 1 WHEN 'merged' THEN 1 WHEN 'solved' THEN 1 ELSE 0 END,
	CASE t.priority WHEN 'urgent' THEN 0 WHEN 'high' THEN 1 WHEN 'normal' THEN 2 ELSE 3 END, t.number`

func scanTickets(rows *sql.Rows) ([]query.TicketViewRow, error) {
	var all []query.TicketViewRow
	for rows.Next() {
		var row query.TicketViewRow
		_, into := columnsOf("t", &row.Ticket)
		if err := rows.Scan(append(into, &row.RequesterName, &row.RequesterMail, &row.EndpointName)...); err != nil {
			return nil, explain(err)
		}
		all = append(all, row)
	}
	return all, explain(rows.Err())
}

// columnsOf gives the columns of a row that sqlc made a struct of, and where each
// is read to.
func columnsOf(table string, row any) (columns string, into []any) {
	v := reflect.ValueOf(row).Elem()
	names := make([]string, v.NumField())
	for i := range names {
		names[i] = table + "." + columnName(v.Type().Field(i).Name)
		into = append(into, v.Field(i).Addr().Interface())
	}
	return strings.Join(names, ", "), into
}

// columnName is the column of a field: EndpointID is endpoint_id.
func columnName(field string) string {
	var name strings.Builder
	lower := false
	for _, r := range field {
		if unicode.IsUpper(r) && lower {
			name.WriteByte('_')
		}
		lower = !unicode.IsUpper(r)
		name.WriteRune(unicode.ToLower(r))
	}
	return name.String()
}

// sqlite asks FTS5 for all terms. They hold no quote.
func (m match) sqlite() string {
	if m.exact {
		return `"` + strings.Join(m.terms, `" AND "`) + `"`
	}
	return `"` + strings.Join(m.terms, `"* AND "`) + `"*`
}

// postgres is the same for PostgreSQL.
func (m match) postgres() string {
	if m.exact {
		return `'` + strings.Join(m.terms, `' & '`) + `'`
	}
	return `'` + strings.Join(m.terms, `':* & '`) + `':*`
}

// whose is the term of a technician's tickets, for PostgreSQL's index.
func whose(assignee string) string {
	if assignee == "" {
		return ""
	}
	return ` & '=` + strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(assignee) + `'`
}
