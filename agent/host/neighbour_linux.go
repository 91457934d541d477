package host

import (
	"context"
	"math"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"
)

// clockTick is the unit of times in the neighbour table (USER_HZ).
const clockTick = 10 * time.Millisecond

// A neighbour is asked for so often, with the right to, before its silence counts:
// where three of ten frames are lost, all of the questions or their answers are
// once in a thousand times. The first ones go to the hardware address that was
// learned, if any, the others to everybody: it may have another by now.
const (
	asksMost    = 10
	asksLearned = 4
	askInterval = 120 * time.Millisecond
	askGrace    = 300 * time.Millisecond // for the last answer, on a busy machine
)

// resolveGateway makes the kernel resolve a neighbour and follows the table until
// the answer is there, or all questions were asked and ctx ends. The state is
// empty when it could not be told: an entry that was learned before proves
// nothing until it is asked again, and for that confirm needs rights. asked is how
// many questions were, and 0 where only the kernel knows.
func resolveGateway(ctx, whole context.Context, address netip.Addr, link string, confirm confirmation) (state, mac string, asked int) {
	iface, err := net.InterfaceByName(link)
	if err != nil {
		return "", "", 0
	}
	if iface.Flags&(net.FlagPointToPoint|net.FlagLoopback) != 0 {
		return "notApplicable", "", 0
	}
	c, err := rtnetlink.Dial(nil)
	if err != nil {
		return "", "", 0
	}
	defer c.Close()
	start := time.Now()
	before := lookNeighbour(c, iface, address)
	known := before != nil && before.State&(unix.NUD_INCOMPLETE|unix.NUD_FAILED) == 0
	// Where nobody was known, or once the kernel asks again because of us, the
	// entry is reachable by an answer to that only; times are too coarse to tell
	// one that came at once.
	var again atomic.Bool
	since := func() time.Duration {
		if !known || again.Load() {
			return math.MaxInt64
		}
		return time.Since(start)
	}
	poke(address)
	follow, stop := context.WithCancel(whole)
	defer stop()
	asks := make(chan int, 1)
	go func() {
		n := askAgain(follow, link+" "+address.WithZone("").String(), known, &again, confirm)
		if n > 0 {
			pause(follow, askGrace)
		}
		pause(ctx, gatewayLimit*3) // ctx ends before that
		stop()
		asks <- n
	}()
	state, mac = followNeighbour(follow, c, iface, address, since)
	if state == "reachable" || state == "notApplicable" || whole.Err() != nil {
		return state, mac, 0
	}
	stop()
	asked = <-asks
	if known && asked > 0 {
		state = "failed" // asked again by us, and silent since
	}
	return state, mac, asked
}

// askAgain has the kernel ask for a neighbour, again and again, as far as it is
// allowed to, and returns how often that was; without the right to, 0.
func askAgain(ctx context.Context, neighbour string, known bool, again *atomic.Bool, confirm confirmation) (asked int) {
	if !known {
		asked = 1 // by the first packet
		pause(ctx, askInterval)
	}
	for first := asked; asked < asksMost && ctx.Err() == nil; asked++ {
		anew := ""
		if known && asked >= asksLearned {
			anew = " anew"
		}
		if !confirm(ctx, neighbour+anew) {
			if asked == first {
				return 0
			}
			return asked
		}
		again.Store(true)
		pause(ctx, askInterval)
	}
	return asked
}

// followNeighbour looks at an entry until it says whether somebody is there, or
// ctx ends.
func followNeighbour(ctx context.Context, c *rtnetlink.Conn, iface *net.Interface, address netip.Addr, since func() time.Duration) (state, mac string) {
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		within := since() // before the look: what is read later may be older
		state, mac = neighbourState(lookNeighbour(c, iface, address), within)
		if state == "reachable" || state == "notApplicable" || state == "failed" {
			return state, mac
		}
		select {
		case <-ctx.Done():
			return state, mac
		case <-time.After(wait):
		}
	}
}

// neighbourState is the word for an entry that is followed since some time;
// empty while it proves nothing.
func neighbourState(e *rtnetlink.NeighMessage, since time.Duration) (state, mac string) {
	if e == nil {
		return "none", ""
	}
	if len(e.Attributes.LLAddress) == 6 {
		mac = e.Attributes.LLAddress.String()
	}
	switch {
	case e.State&unix.NUD_NOARP != 0:
		return "notApplicable", mac
	case e.State&unix.NUD_PERMANENT != 0:
		return "", mac // somebody wrote it down: who is there, if anybody, it does not tell
	case e.State&unix.NUD_FAILED != 0:
		return "failed", ""
	case e.State&unix.NUD_INCOMPLETE != 0:
		return "incomplete", ""
	case e.State&unix.NUD_REACHABLE != 0 && e.Attributes.CacheInfo != nil &&
		// The age is cut to whole ticks, and jiffies are coarse: this much
		// older it may be.
		time.Duration(e.Attributes.CacheInfo.Confirmed+2)*clockTick <= since:
		return "reachable", mac
	}
	return "", mac
}

// lookNeighbour reads the entry of an address; nil when there is none.
func lookNeighbour(c *rtnetlink.Conn, iface *net.Interface, address netip.Addr) *rtnetlink.NeighMessage {
	table, err := c.Neigh.List()
	if err != nil {
		return nil
	}
	return neighbour(table, uint32(iface.Index), address.WithZone("").AsSlice())
}

// lookHops tells when the last of these neighbours was resolved (zero: none
// is), whether one is being asked for, and which have no hardware address.
func lookHops(hops []hop) (resolved time.Time, pending bool, cold []hop) {
	if len(hops) == 0 {
		return resolved, false, nil
	}
	c, err := rtnetlink.Dial(nil)
	if err != nil {
		return resolved, false, nil
	}
	defer c.Close()
	table, err := c.Neigh.List()
	if err != nil {
		return resolved, false, nil
	}
	now := time.Now()
	for _, h := range hops {
		iface, err := net.InterfaceByName(h.link)
		if err != nil || iface.Flags&(net.FlagPointToPoint|net.FlagLoopback) != 0 {
			continue
		}
		e := neighbour(table, uint32(iface.Index), h.address.AsSlice())
		switch {
		case e == nil || e.State&unix.NUD_FAILED != 0:
			cold = append(cold, h)
		case e.State&unix.NUD_INCOMPLETE != 0:
			cold, pending = append(cold, h), true
		case e.State&unix.NUD_REACHABLE != 0 && e.Attributes.CacheInfo != nil:
			if at := now.Add(-time.Duration(e.Attributes.CacheInfo.Updated) * clockTick); at.After(resolved) {
				resolved = at
			}
		}
	}
	return resolved, pending, cold
}
