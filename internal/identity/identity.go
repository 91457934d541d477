// Package identity is who is who between agents and collectors: the
// organisation's own certificate authority, enrolment tokens, and the TLS
// settings of both ends.
//
// The trust runs like this. The collector owns a CA. An enrolment token carries
// a secret and the hash of the CA's public key, so the agent that holds it knows
// its collector before it sends anything. With the secret it obtains a client
// certificate, and from then on it accepts servers of that CA only. A client
// certificate names an endpoint and nothing else; what it may do, and whether it
// was revoked, is the collector's to say on each connection.
//
// All keys are ECDSA P-256, all connections TLS 1.3.
package identity

import (
	"fmt"
	"time"
)

const (
	// ClientLifetime is how long an agent's certificate is good. It is renewed
	// after two thirds, so an agent that was away for a month comes back without
	// noticing.
	ClientLifetime = 90 * 24 * time.Hour
	// serverLifetime is that of the collector's certificate, which lives in
	// memory only and is made anew at each start.
	serverLifetime = 90 * 24 * time.Hour
	// authorityLifetime is that of the CA.
	authorityLifetime = 10 * 365 * 24 * time.Hour
	// Backdate is how far before its making a certificate becomes good. Clocks
	// of user machines are off by a day often enough (a wrong time zone set as
	// local time, an empty CMOS battery corrected by hand); without it, the very
	// machines that need help would fail to enrol with "not yet valid".
	Backdate = 48 * time.Hour
	// renewalGrace is how long after its end a certificate may still be traded
	// for a new one, and only that. A laptop from a drawer comes back by itself;
	// a stolen one is revoked, which is checked first.
	renewalGrace = 365 * 24 * time.Hour
)

// ClockError says that the other side's certificate is genuine and its dates
// do not fit this machine's clock.
type ClockError struct {
	// Now is what this machine's clock says.
	Now                 time.Time
	NotBefore, NotAfter time.Time
}

// Off is how far this machine's clock is off at least, negative when it is
// behind. It is a lower bound: a certificate says when it was made, not what
// time it is.
func (e *ClockError) Off() time.Duration {
	if made := e.NotBefore.Add(Backdate); e.Now.Before(made) {
		return e.Now.Sub(made)
	}
	return e.Now.Sub(e.NotAfter)
}

func (e *ClockError) Error() string {
	return fmt.Sprintf("this machine's clock says %s and seems to be at least %s: the collector's certificate is good from %s to %s; set the clock and try again",
		e.Now.UTC().Format(time.RFC3339), Skew(e.Off()),
		e.NotBefore.UTC().Format(time.RFC3339), e.NotAfter.UTC().Format(time.RFC3339))
}

// Skew words how far a clock is off, for people: "3 days 4 hours behind",
// "25 minutes ahead", "right" below a second.
func Skew(off time.Duration) string {
	word := "ahead"
	if off < 0 {
		off, word = -off, "behind"
	}
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}}
	for i, u := range units {
		if off < u.size {
			continue
		}
		text := count(int(off/u.size), u.name)
		if i+1 < len(units) {
			if rest := int(off % u.size / units[i+1].size); rest > 0 {
				text += " " + count(rest, units[i+1].name)
			}
		}
		return text + " " + word
	}
	return "right"
}

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
