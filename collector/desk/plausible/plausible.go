// Package plausible fills an empty store with a desk as an organisation may have it
// after two years: machines and people at some sites, technicians with what they
// know, and tickets with the faults of the catalog in plausible shares and seasons,
// their talk in English and French, who had them, how long it took and what helped.
// Some machines come again and again, one site's switches have a bad autumn, and
// one model of printer begins to fail.
//
// It is for benchmarks and demonstrations. The same seed, time and size give the
// same desk, on either engine. Names, numbers and addresses are made up; addresses
// are those for documentation (RFC 5737), mails end in .example.
package plausible

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/fault"
	"constat/internal/procedure"
)

// Size is how large a desk is.
type Size struct{ Tickets, Machines, Technicians int }

// Large is a desk by which speed is judged.
var Large = Size{Tickets: 100_000, Machines: 5_000, Technicians: 40}

// Shown is a desk for demonstrations, in the proportions of Large.
func Shown(tickets int) Size {
	return Size{Tickets: tickets, Machines: max(20, tickets/20), Technicians: min(40, max(6, tickets/600))}
}

// Promises are service levels that fit such a desk.
const Promises = `zone: Europe/Paris
hours: mon-fri 08:00-18:00
urgent: {firstResponse: 30m, nextResponse: 1h, solution: 4h}
high: {firstResponse: 1h, nextResponse: 4h, solution: 16h}
normal: {firstResponse: 4h, solution: 40h}
low: {firstResponse: 8h, solution: 80h}
`

// history is how far back the tickets go.
const history = 2 * 365 * 24 * time.Hour

// batch is how many tickets are written at once.
const batch = 2_000

// Fill puts a desk into a store that holds no machine and no ticket yet. now is
// when its last ticket came. Its technicians have no password: let one in with a
// sign-in link, or make another user.
func Fill(ctx context.Context, s *store.Store, catalog *fault.Catalog, seed uint64, now time.Time, size Size) error {
	if size.Tickets < 1 || size.Machines < 1 || size.Technicians < 1 {
		return errors.New("a desk has at least one ticket, one machine and one technician")
	}
	if there, err := s.Endpoints(ctx, store.EndpointFilter{Limit: 1}); err != nil {
		return err
	} else if len(there) > 0 {
		return errors.New("the database holds machines already: take an empty one")
	}
	if there, err := s.Tickets(ctx, store.TicketFilter{Limit: 1}); err != nil {
		return err
	} else if len(there) > 0 {
		return errors.New("the database holds tickets already: take an empty one")
	}
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 0)), catalog: catalog, now: now.Truncate(time.Millisecond), size: size, versions: map[string]int32{}}
	shipped, err := procedure.Builtin()
	if err != nil {
		return err
	}
	for _, p := range shipped.GetProcedures() {
		m.versions[p.GetId()] = p.GetVersion()
	}
	if err := m.house(ctx, s); err != nil {
		return err
	}
	return m.tickets(ctx, s)
}

// maker makes one desk.
type maker struct {
	*rand.Rand
	catalog *fault.Catalog
	now     time.Time
	size    Size
	// versions are those of the shipped procedures.
	versions map[string]int32

	sites    []site
	switches []query.Gear
	printers []*printer
	machines []*machine
	// prone are machines that come again and again, each with what it has.
	prone []affliction
	team  team
}

func (m *maker) begin() time.Time { return m.now.Add(-history) }

// chance is true in so many of a hundred cases.
func (m *maker) chance(percent float64) bool { return m.Float64()*100 < percent }

// id is a UUIDv7 of a time.
func (m *maker) id(at time.Time) string {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|uint64(m.Uint32()&0xfff)|0x7000)
	binary.BigEndian.PutUint64(id[8:], m.Uint64()>>2|1<<63)
	return id.String()
}

// one picks one of some.
func one[T any](m *maker, of []T) T { return of[m.IntN(len(of))] }

// weighted picks one by weight.
func weighted[T any](m *maker, of []T, weight func(T) float64) T {
	var sum float64
	for _, x := range of {
		sum += weight(x)
	}
	at := m.Float64() * sum
	for _, x := range of {
		if at -= weight(x); at < 0 {
			return x
		}
	}
	return of[len(of)-1]
}

// letters gives a text in which each ? is a letter or digit and each # a digit.
func (m *maker) letters(form string) string {
	const signs = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
	text := []byte(form)
	for i, c := range text {
		switch c {
		case '?':
			text[i] = signs[m.IntN(len(signs))]
		case '#':
			text[i] = '0' + byte(m.IntN(10))
		}
	}
	return string(text)
}

// pages are the rows of a batch.
type pages struct {
	tickets   []query.Ticket
	words     []query.TicketWord
	entries   []query.TicketEntry
	links     []query.TicketLink
	turns     []query.TicketTurn
	subjects  []query.TicketSubject
	diagnoses []query.Diagnosis
	notices   []query.Notice
	runs      []query.ProcedureRun
}

func (p *pages) write(ctx context.Context, s *store.Store) error {
	err := s.Load(ctx, p.tickets, p.words, p.entries, p.links, p.turns, p.subjects, p.diagnoses, p.notices, p.runs)
	*p = pages{
		tickets: p.tickets[:0], words: p.words[:0], entries: p.entries[:0], links: p.links[:0], turns: p.turns[:0], subjects: p.subjects[:0],
		diagnoses: p.diagnoses[:0], notices: p.notices[:0], runs: p.runs[:0],
	}
	return err
}
