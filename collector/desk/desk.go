// Package desk is the help desk: every channel creates and changes tickets here
// and nowhere else, so that what a ticket goes through never depends on how it
// came. It also keeps what endpoints report and gives them their commands.
//
// The way of a ticket: create → identify requester and machine → attach the
// diagnosis → classify → prioritise → assign → notify.
//
// The messages of proto/constat/v1 are its vocabulary. Errors are sentences for
// the caller; ErrNotFound, ErrConflict, ErrInvalid, ErrForbidden and ErrUnfinished
// tell their kinds, and any other error is the database's.
package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"constat/collector/bus"
	"constat/collector/store"
	"constat/internal/fault"
)

// Kinds of errors, for errors.Is; the error's own text says what was wrong.
var (
	// ErrNotFound: there is no such ticket, endpoint, snapshot or command.
	ErrNotFound = errors.New("not found")
	// ErrConflict: somebody changed the ticket since the caller read it.
	ErrConflict = errors.New("changed by somebody else")
	// ErrInvalid: what the caller sent cannot be used.
	ErrInvalid = errors.New("invalid")
	// ErrForbidden: the actor's role does not allow it.
	ErrForbidden = errors.New("not allowed")
	// ErrUnfinished: a command ended without a diagnosis: expired, refused by
	// the endpoint, or failed there.
	ErrUnfinished = errors.New("no diagnosis")
	// ErrTokenUnknown, ErrTokenExpired and ErrTokenSpent refuse an enrolment.
	ErrTokenUnknown = errors.New("this enrolment token is not known here: have a new one made")
	ErrTokenExpired = errors.New("this enrolment token has expired: have a new one made")
	ErrTokenSpent   = errors.New("this enrolment token has been used as often as it may be: have a new one made")
)

// sentence is an error of one of the kinds above, which shows only its text.
type sentence struct {
	kind error
	text string
}

func (s *sentence) Error() string { return s.text }
func (s *sentence) Unwrap() error { return s.kind }

func problem(kind error, format string, args ...any) error {
	return &sentence{kind, fmt.Sprintf(format, args...)}
}

// HeartbeatInterval is how often an agent on the control stream says it lives;
// one silent for two and a half of them counts as offline.
const HeartbeatInterval = 5 * time.Minute

// onlineFor is how long a sign of life lasts.
const onlineFor = HeartbeatInterval * 5 / 2

// How often those who wait for a hint look into the database anyway: a lost hint
// costs at most this much. Endpoints are many, and wait all day.
const (
	lookAgain         = 3 * time.Second
	endpointLookAgain = 30 * time.Second
)

// Desk is the help desk. It is safe for use by many goroutines, and any number
// of desks, also of other collectors, may work on one database.
type Desk struct {
	store   *store.Store
	bus     *bus.Bus
	catalog *fault.Catalog
	now     func() time.Time
	// sign signs what the team wrote; nil: nothing can be pushed.
	sign func([]byte) ([]byte, error)
	// newsRead is until when Run has judged by what gear was read.
	newsRead time.Time

	mu sync.Mutex
	// service is what serviceText promises; nil: not read yet.
	service     *serviceLevels
	serviceText string
	// rings are who gets which revision of the team's knowledge; extended is the
	// catalog with that of revision judgesBy in it, nil: the program's own.
	rings    rings
	judgesBy int64
	extended *fault.Catalog
	// compiled are the newest sets of faults that were compiled.
	compiled []compiled
	// streams counts the open control streams of each endpoint on this
	// collector: after a reconnect the old one may end later than the new began.
	streams map[string]int
}

// New makes a desk on a store and a bus; the catalog names the faults in titles.
func New(s *store.Store, b *bus.Bus, c *fault.Catalog) *Desk {
	return &Desk{store: s, bus: b, catalog: c, now: time.Now, streams: map[string]int{}}
}

// Actor is who does something, for the timeline and for what the role allows.
type Actor struct {
	// ID is the user's id, of a requester the person's, empty for the system.
	ID string
	// Name is shown in the timeline.
	Name string
	// Role is requester | technician | lead | administrator | agent | system.
	Role string
	// Sites are those whose tickets, machines and devices they see; none: all.
	Sites []string
}

// System is the actor of what nobody asked for.
var System = Actor{Name: "constat", Role: "system"}

// require refuses an actor whose role is not among the given ones.
func (a Actor) require(what string, roles ...string) error {
	for _, role := range roles {
		if a.Role == role {
			return nil
		}
	}
	return problem(ErrForbidden, "the role %q may not %s: it takes a %s", a.Role, what, roles[0])
}

// staff are the roles that work on tickets, everybody all that may write in them.
var (
	staff     = []string{"technician", "lead", "administrator", "system"}
	everybody = append([]string{"requester", "agent"}, staff...)
)

// hint tells those who wait; a lost one costs delay only, so it is not an error.
func (d *Desk) hint(subjects ...string) {
	for _, subject := range subjects {
		if err := d.bus.Publish(subject, nil); err != nil {
			slog.Warn("a hint was not sent", "subject", subject, "error", err)
		}
	}
}

func ticketSubject(number int32) string      { return fmt.Sprintf("ticket.%d.changed", number) }
func endpointSubject(endpoint string) string { return "endpoint." + endpoint + ".command" }
func commandSubject(command string) string   { return "command." + command + ".progress" }

// await calls look at once, then after every hint on the subject and each time
// `again` has passed, until look is done, fails, or ctx ends.
func (d *Desk) await(ctx context.Context, subject string, again time.Duration, look func() (done bool, err error)) error {
	hinted := make(chan struct{}, 1)
	cancel, err := d.bus.Subscribe(subject, func(string, []byte) {
		select {
		case hinted <- struct{}{}:
		default: // one look sees all that happened before it
		}
	})
	if err != nil {
		return err
	}
	defer cancel()
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		if done, err := look(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-hinted:
		case <-tick.C:
		}
	}
}
