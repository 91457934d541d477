// Package courier brings what the desk put aside out of the house: mails to the
// team, and webhooks. The desk writes the outbox in the transaction of what
// happened; couriers, of any number of collectors, take from it by leases, so that
// nothing is lost when one of them is killed, and nothing is sent by two.
//
// What was sent just before a courier died may be sent again: a mail then has the
// same Message-ID, a webhook the same event id, by which its receiver sees it once.
package courier

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"constat/collector/bus"
	"constat/collector/desk"
	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/fault"
	"constat/internal/identity"
)

const (
	// lookEvery is how often the outbox is looked at when no hint came.
	lookEvery = 15 * time.Second
	// atOnce bounds what is taken from the outbox at a time, and lease how long a
	// dead courier holds it; sending it all may take half of that.
	atOnce = 50
	lease  = 10 * time.Minute
	// tryFor is how long one mail or webhook may take.
	tryFor = 30 * time.Second
	// maxProblem bounds what is kept of an error, in bytes.
	maxProblem = 500
)

// pauses are how long is waited after each try that failed; after the last, about
// a day and a quarter later, it is given up.
var pauses = []time.Duration{
	30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 12 * time.Hour,
}

// Courier empties the outbox. It is safe for use by many goroutines.
type Courier struct {
	store   *store.Store
	bus     *bus.Bus
	desk    *desk.Desk
	key     *identity.SealingKey
	catalog *fault.Catalog
	// url is the console as people type it.
	url   string
	log   *slog.Logger
	owner string
	now   func() time.Time
	// roots are who may vouch for servers; nil: the system's.
	roots *x509.CertPool
}

// New makes a courier. key opens what is sealed in the database; url is the
// console's, for links.
func New(s *store.Store, b *bus.Bus, d *desk.Desk, key *identity.SealingKey, c *fault.Catalog, url string, log *slog.Logger) *Courier {
	return &Courier{
		store: s, bus: b, desk: d, key: key, catalog: c, url: url, log: log,
		owner: uuid.NewString(), now: time.Now,
	}
}

// Run sends what is due until ctx ends.
func (c *Courier) Run(ctx context.Context) {
	hinted := make(chan struct{}, 1)
	// Whatever is put aside was put aside by a change of a ticket.
	cancel, err := c.bus.Subscribe("ticket.*.changed", func(string, []byte) {
		select {
		case hinted <- struct{}{}:
		default: // one look sees all that happened before it
		}
	})
	if err != nil {
		c.log.Warn("mails and webhooks go a little later: hints are not heard", "error", err)
	} else {
		defer cancel()
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := c.Deliver(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("the outbox is not emptied; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-hinted:
		case <-tick.C:
		}
	}
}

// Deliver sends all that is due now.
func (c *Courier) Deliver(ctx context.Context) error {
	for {
		rows, err := c.claim(ctx)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := c.deliver(ctx, rows); err != nil {
			return err
		}
	}
}

func (c *Courier) claim(ctx context.Context) (rows []query.Outbox, err error) {
	now := c.now()
	err = c.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		rows, err = q.ClaimOutbox(ctx, query.ClaimOutboxParams{
			Owner: c.owner, Until: store.Millis(now.Add(lease)), Now: store.Millis(now), MaxRows: atOnce,
		})
		return err
	})
	return rows, err
}

// deliver sends what was claimed: mails to the same person as one.
func (c *Courier) deliver(ctx context.Context, rows []query.Outbox) error {
	began := time.Now()
	people := map[string][]query.Outbox{}
	var order []string
	for _, row := range rows {
		if row.Way == desk.ByMail {
			if people[row.Recipient] == nil {
				order = append(order, row.Recipient)
			}
			people[row.Recipient] = append(people[row.Recipient], row)
		}
	}
	late := func() bool { return ctx.Err() != nil || time.Since(began) > lease/2 }
	for _, person := range order {
		if late() {
			break // the leases end by themselves
		}
		if err := c.settle(ctx, people[person], c.mailTo(ctx, person, people[person])); err != nil {
			return err
		}
	}
	for _, row := range rows {
		if late() {
			break
		}
		if row.Way != desk.ByMail {
			if err := c.settle(ctx, []query.Outbox{row}, c.callHook(ctx, row)); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// result is what became of a try. With none of these set, it went.
type result struct {
	// err is why it did not go; final: it never will.
	err   error
	final bool
	// later is until when it is held back; that is no failure.
	later time.Time
	// dropped: nobody wants it any more.
	dropped bool
	// Of a mail that went.
	address, subject, messageID string
}

// settle writes down what became of rows. A row whose lease was lost stays as it
// is.
func (c *Courier) settle(ctx context.Context, rows []query.Outbox, r result) error {
	if ctx.Err() != nil {
		return ctx.Err() // what was cut short is tried again when the lease ends
	}
	now := c.now()
	err := c.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		for _, row := range rows {
			if _, err := q.FinishOutbox(ctx, c.after(row, r, now)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || r.err == nil {
		return err
	}
	for _, row := range rows {
		if c.after(row, r, now).State != "failed" {
			continue
		}
		name := c.recipient(ctx, row)
		c.log.Error("something could not be delivered and is given up", "way", row.Way, "to", name, "ticket", row.Number, "tries", row.Attempts+1, "error", r.err)
		text := fmt.Sprintf("%s → %s: %s", row.Way, name, r.err)
		if err := c.desk.Undelivered(ctx, row.Way+" "+row.Recipient, row.Number, text); err != nil {
			return err
		}
	}
	return nil
}

// after is a row of the outbox after a try.
func (c *Courier) after(row query.Outbox, r result, now time.Time) query.FinishOutboxParams {
	p := query.FinishOutboxParams{
		ID: row.ID, Owner: c.owner, State: "sent", DueAt: row.DueAt, Attempts: row.Attempts + 1, FinishedAt: store.Millis(now),
		Address: r.address, Subject: r.subject, MessageID: r.messageID,
	}
	switch {
	case !r.later.IsZero():
		p.State, p.DueAt, p.Attempts, p.FinishedAt, p.Problem = "waiting", store.Millis(r.later), row.Attempts, 0, row.Problem
	case r.err != nil:
		p.Problem = cut(r.err.Error(), maxProblem)
		if r.final || int(row.Attempts) >= len(pauses) {
			p.State = "failed"
		} else {
			p.State, p.FinishedAt, p.DueAt = "waiting", 0, store.Millis(now.Add(pauses[row.Attempts]))
		}
	}
	return p
}

// recipient names who a row goes to.
func (c *Courier) recipient(ctx context.Context, row query.Outbox) string {
	if row.Way == desk.ByMail {
		if user, err := c.store.Read().UserByID(ctx, row.Recipient); err == nil {
			return user.Name
		}
	}
	return row.Recipient
}

// refusal is an error in what somebody sent; it is a desk.ErrInvalid.
type refusal string

func (r refusal) Error() string { return string(r) }
func (r refusal) Unwrap() error { return desk.ErrInvalid }

func refuse(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

var errNotAdministrator = errors.New("setting how mails and webhooks go takes an administrator")

// mayChange refuses those who are no administrators.
func mayChange(a desk.Actor) error {
	if a.Role != "administrator" && a.Role != "system" || len(a.Sites) > 0 { // it concerns all sites
		return fmt.Errorf("%w: %w", desk.ErrForbidden, errNotAdministrator)
	}
	return nil
}

// cut is at most so many bytes of a text, in valid UTF-8 and on one line.
func cut(s string, most int) string {
	out := make([]rune, 0, most)
	size := 0
	for _, r := range s {
		if r < ' ' {
			r = ' '
		}
		if size += len(string(r)); size > most {
			break
		}
		out = append(out, r)
	}
	return string(out)
}
