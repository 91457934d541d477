package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Who looks at a ticket says so every lookBeat, and is forgotten after lookFor
// without a sign, as when a machine falls asleep; who types, after typeFor.
const (
	lookBeat = 20 * time.Second
	lookFor  = lookBeat * 5 / 2
	typeFor  = 8 * time.Second
)

// maxSigns are those that wait to be looked at; more are dropped, as hints may be.
const maxSigns = 256

// Onlooker is a colleague who looks at the same ticket.
type Onlooker struct {
	Name   string
	Typing bool
}

// sign is what a page tells the other pages of its ticket, here and on other
// collectors. It is kept nowhere.
type sign struct {
	// Kind is asks (looks from now on, and who else does?) | looks | left, of a tab;
	// types | rests, of a person.
	Kind string `json:"kind"`
	// Tab is a page's own id; User and Name are whose it is.
	Tab  string `json:"tab,omitempty"`
	User string `json:"user"`
	Name string `json:"name"`
}

// crowd are those who look at one ticket. Several tabs are one person.
type crowd map[string]*person

type person struct {
	name        string
	tabs        map[string]time.Time // until when each is believed
	typingUntil time.Time
}

// take adds a sign that was heard at a time.
func (c crowd) take(s sign, at time.Time) {
	p := c[s.User]
	if p == nil {
		p = &person{tabs: map[string]time.Time{}}
		c[s.User] = p
	}
	p.name = line(s.Name, maxName)
	switch s.Kind {
	case "asks", "looks":
		p.tabs[s.Tab] = at.Add(lookFor)
	case "left":
		delete(p.tabs, s.Tab)
		if len(p.tabs) == 0 {
			p.typingUntil = time.Time{}
		}
	case "types":
		p.typingUntil = at.Add(typeFor)
	case "rests":
		p.typingUntil = time.Time{}
	}
}

// others are those besides one user, by name, and when that changes by itself;
// zero: not at all.
func (c crowd) others(user string, at time.Time) (list []Onlooker, until time.Time) {
	sooner := func(t time.Time) {
		if until.IsZero() || t.Before(until) {
			until = t
		}
	}
	for id, p := range c {
		for tab, believed := range p.tabs {
			if !at.Before(believed) {
				delete(p.tabs, tab)
				continue
			}
			sooner(believed)
		}
		typing := at.Before(p.typingUntil)
		if typing {
			sooner(p.typingUntil)
		}
		if len(p.tabs) == 0 && !typing {
			delete(c, id)
		} else if id != user {
			list = append(list, Onlooker{Name: p.name, Typing: typing})
		}
	}
	slices.SortFunc(list, func(a, b Onlooker) int { return strings.Compare(a.Name, b.Name) })
	return list, until
}

func lookSubject(number int32) string { return fmt.Sprintf("onlookers.%d", number) }

// Look tells the colleagues on a ticket that the actor looks at it, until ctx
// ends, and calls changed with who else does, each time that is somebody else or
// they begin or stop typing. It ends with ErrNotFound when the actor may not see
// the ticket any more.
func (d *Desk) Look(ctx context.Context, a Actor, number int32, changed func([]Onlooker)) error {
	if err := a.require("see who looks at a ticket", staff...); err != nil {
		return err
	}
	ctx = For(ctx, a)
	own := sign{Tab: newID(), User: a.ID, Name: a.Name}
	for {
		present, err := target(ctx, d.store.Read(), number)
		if err != nil {
			return err
		}
		if err := d.look(ctx, own, present, changed); err != nil {
			return err
		}
	}
}

// look is Look until the ticket is merged into another.
func (d *Desk) look(ctx context.Context, own sign, number int32, changed func([]Onlooker)) error {
	heard := make(chan sign, maxSigns)
	cancel, err := d.bus.Subscribe(lookSubject(number), func(_ string, data []byte) {
		var s sign
		if json.Unmarshal(data, &s) != nil {
			return // of a collector that speaks otherwise
		}
		select {
		case heard <- s:
		default:
		}
	})
	if err != nil {
		return err
	}
	defer cancel()
	say := func(kind string) {
		s := own
		s.Kind = kind
		d.signal(number, s)
	}
	defer say("left")
	say("asks")
	beat := time.NewTicker(lookBeat)
	defer beat.Stop()
	fades := time.NewTimer(lookFor)
	defer fades.Stop()
	here, known, told := crowd{}, []Onlooker(nil), false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s := <-heard:
			here.take(s, time.Now())
			if s.Kind == "asks" && s.Tab != own.Tab {
				say("looks")
			}
		case <-beat.C:
			present, err := target(ctx, d.store.Read(), number)
			if err != nil || present != number {
				return err
			}
			say("looks")
		case <-fades.C:
		}
		others, until := here.others(own.User, time.Now())
		if !until.IsZero() {
			fades.Reset(time.Until(until))
		}
		if !told && len(others) > 0 || told && !slices.Equal(others, known) {
			known, told = others, true
			changed(others)
		}
	}
}

// Types tells those who look at a ticket that the actor writes in it, or stopped.
func (d *Desk) Types(ctx context.Context, a Actor, number int32, typing bool) error {
	if err := a.require("write in tickets", staff...); err != nil {
		return err
	}
	number, err := target(For(ctx, a), d.store.Read(), number)
	if err != nil {
		return err
	}
	s := sign{Kind: "rests", User: a.ID, Name: a.Name}
	if typing {
		s.Kind = "types"
	}
	d.signal(number, s)
	return nil
}

func (d *Desk) signal(number int32, s sign) {
	data, err := json.Marshal(s)
	if err == nil {
		err = d.bus.Publish(lookSubject(number), data)
	}
	if err != nil {
		slog.Warn("colleagues were not told who looks at a ticket", "ticket", number, "error", err)
	}
}
