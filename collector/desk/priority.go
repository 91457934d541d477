package desk

import (
	"context"
	"fmt"
	"time"

	"constat/collector/store"
	"constat/collector/store/query"
)

// Words of a ticket, in rising order.
var (
	impacts   = []string{"low", "normal", "high"}
	urgencies = []string{"low", "normal", "high", "critical"}
)

// priorities is the matrix: how many are hit against how fast it hurts.
var priorities = map[string]map[string]string{
	"low":    {"low": "low", "normal": "normal", "high": "normal", "critical": "high"},
	"normal": {"low": "low", "normal": "normal", "high": "high", "critical": "urgent"},
	"high":   {"low": "normal", "normal": "high", "high": "urgent", "critical": "urgent"},
}

// shares are the numbers of machines with the same root cause at which the
// impact of each rises, the highest first.
var shares = []struct {
	machines int64
	impact   string
}{
	{10, "high"},
	{3, "normal"},
	{0, "low"},
}

// sharedWithin is how recent the tickets of those machines are, and sharedAmong
// how many of the newest of them are looked at.
const (
	sharedWithin = 24 * time.Hour
	sharedAmong  = 500
)

// impactOf is the impact of what so many machines have.
func impactOf(machines int64) string {
	for _, share := range shares {
		if machines >= share.machines {
			return share.impact
		}
	}
	return ""
}

// prioritise derives impact and priority anew, of a ticket that is kept.
func (d *Desk) prioritise(ctx context.Context, q *query.Queries, t *query.Ticket, now time.Time) error {
	text, err := textOf(ctx, q, *t)
	if err != nil {
		return err
	}
	return d.prioritiseBy(ctx, q, t, text, now)
}

// prioritiseBy derives impact and priority from evidence and what the requester wrote,
// with the reason in words: users would all choose "critical".
func (d *Desk) prioritiseBy(ctx context.Context, q *query.Queries, t *query.Ticket, text string, now time.Time) error {
	impactWhy, urgencyWhy := "set by a technician", "set by a technician"
	if t.ImpactSet == 0 {
		own := max(1, machines(t))
		t.Impact, impactWhy, t.Sharing = "low", "one machine", 0
		if own > 1 {
			t.Sharing = int32(own)
			t.Impact, impactWhy = impactOf(own), fmt.Sprintf("%d machines named in the ticket", own)
		}
		if t.RootCause != "" {
			others, err := q.EndpointsSharing(ctx, query.EndpointsSharingParams{
				RootCause: t.RootCause, Since: store.Millis(now.Add(-sharedWithin)), EndpointID: t.EndpointID, Number: t.Number, Among: sharedAmong,
			})
			if err != nil {
				return err
			}
			t.Sharing, t.Impact = int32(others+own), impactOf(others+own)
			switch {
			case others >= sharedAmong:
				impactWhy = fmt.Sprintf("more than %d machines with %s in 24 h", sharedAmong, t.RootCause)
			case others > 0:
				impactWhy = fmt.Sprintf("%d machines with %s in 24 h", others+own, t.RootCause)
			}
		}
	}
	if t.UrgencySet == 0 {
		urgencyWhy = "as the fault says"
		if t.RootCause == "" {
			t.Urgency, urgencyWhy = "normal", "no fault found yet"
		}
		if t.Urgency == "" {
			t.Urgency = "normal"
		}
		raises, err := d.raiseUrgency(ctx, q, t, text, now)
		if err != nil {
			return err
		}
		urgencyWhy += raises
	}
	t.Priority = priorities[t.Impact][t.Urgency]
	t.PriorityReason = fmt.Sprintf("impact %s (%s), urgency %s (%s)", t.Impact, impactWhy, t.Urgency, urgencyWhy)
	return nil
}
