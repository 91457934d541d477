package desk

import (
	"context"
	"time"

	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// SetClock makes it that time for the desk, and stops its clock.
func (d *Desk) SetClock(now time.Time) { d.now = func() time.Time { return now } }

// ReadNews is what Run does after it.
func (d *Desk) ReadNews(ctx context.Context) error { return d.readNews(ctx) }

// Sweep is what Run does each time.
func (d *Desk) Sweep(ctx context.Context) error { return d.sweep(ctx) }

// CloseSolved is what Run does with solved tickets.
func (d *Desk) CloseSolved(ctx context.Context) error { return d.closeSolved(ctx) }

// WatchTurns is what Run does with tickets that nobody touches.
func (d *Desk) WatchTurns(ctx context.Context) error { return d.watchTurns(ctx) }

// WatchClocks is what Run does with promises.
func (d *Desk) WatchClocks(ctx context.Context) error { return d.watchClocks(ctx) }

// KnowledgeFor is what Knowledge sends.
func (d *Desk) KnowledgeFor(ctx context.Context, endpointID string, has int64) (*constatv1.SignedKnowledge, int64, error) {
	return d.knowledgeFor(ctx, endpointID, has)
}

// Fill is what FillAnswers does with a text.
func Fill(body string, values map[string]string) (string, []string, error) { return fill(body, values) }

// Crowd is who looks at a ticket, with the time as an argument.
type Crowd struct{ crowd }

func NewCrowd() Crowd { return Crowd{crowd{}} }

func (c Crowd) Heard(kind, tab, user, name string, at time.Time) {
	c.take(sign{Kind: kind, Tab: tab, User: user, Name: name}, at)
}

func (c Crowd) Others(user string, at time.Time) ([]Onlooker, time.Time) { return c.others(user, at) }

// ReadForm is what SaveForm does with the text of a form.
func ReadForm(source string) (*deskv1.RequestForm, error) { return readForm(source) }

// ReturnOfGone is what Run does with the tickets of people who are gone.
func (d *Desk) ReturnOfGone(ctx context.Context) error {
	_, err := d.returnOfGone(ctx)
	return err
}
