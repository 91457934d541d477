package courier

import "time"

// Of automatic mails no more go to one address within a time than these, of one
// ticket and of all: whatever answers them by itself cannot make a storm. What is
// held back comes later, together.
type brake struct {
	within time.Duration
	most   int
}

var (
	ofTicket = []brake{{10 * time.Minute, 10}, {30 * time.Minute, 15}, {60 * time.Minute, 25}, {180 * time.Minute, 50}, {600 * time.Minute, 100}}
	ofAll    = []brake{{10 * time.Minute, 30}, {30 * time.Minute, 60}, {60 * time.Minute, 120}, {180 * time.Minute, 240}, {600 * time.Minute, 360}}
	// The same words come twice, and then not again for a while.
	ofSubject = []brake{{10 * time.Minute, 2}}
)

// longestBrake is how far back mails are counted, and maxMailed how many.
const (
	longestBrake = 600 * time.Minute
	maxMailed    = 2000
)

// mailed is a mail that went to an address.
type mailed struct {
	at      time.Time
	subject string
	// tickets that it was about.
	tickets []int32
}

// mayGo is when the next mail may go after those that went, newest first: now, or
// the moment at which the last brake that holds it lets go.
func mayGo(went []mailed, number int32, subject string, now time.Time) time.Time {
	var all, ticket, same []time.Time
	for _, m := range went {
		all = append(all, m.at)
		if m.subject == subject {
			same = append(same, m.at)
		}
		for _, n := range m.tickets {
			if n == number && n != 0 {
				ticket = append(ticket, m.at)
				break
			}
		}
	}
	may := now
	for _, of := range []struct {
		went   []time.Time
		brakes []brake
	}{{all, ofAll}, {ticket, ofTicket}, {same, ofSubject}} {
		for _, b := range of.brakes {
			if len(of.went) >= b.most {
				if free := of.went[b.most-1].Add(b.within); free.After(may) {
					may = free
				}
			}
		}
	}
	return may
}
