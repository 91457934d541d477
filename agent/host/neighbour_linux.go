package host

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"
)

// clockTick is the unit of times in the neighbour table (USER_HZ).
const clockTick = 10 * time.Millisecond

// resolveGateway makes the kernel resolve a neighbour and follows the table
// until the answer is there or ctx ends. The state is empty when it could not
// be told: an entry that was learned before proves nothing until it is asked
// again, and for that confirm needs rights.
func resolveGateway(ctx context.Context, address netip.Addr, link string, confirm confirmation) (state, mac string) {
	iface, err := net.InterfaceByName(link)
	if err != nil {
		return "", ""
	}
	if iface.Flags&(net.FlagPointToPoint|net.FlagLoopback) != 0 {
		return "notApplicable", ""
	}
	c, err := rtnetlink.Dial(nil)
	if err != nil {
		return "", ""
	}
	defer c.Close()
	start := time.Now()
	asked := make(chan bool, 1)
	known := lookNeighbour(c, iface, address) != nil
	go func() { asked <- known && confirm(ctx, link+" "+address.WithZone("").String()) }()
	poke(address)
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		e := lookNeighbour(c, iface, address)
		state, mac = neighbourState(e, time.Since(start))
		if state == "reachable" || state == "notApplicable" || state == "failed" {
			return state, mac
		}
		select {
		case <-ctx.Done():
			select {
			case done := <-asked:
				if state == "" && done {
					state = "failed" // asked again by us, and silent since
				}
			default:
			}
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
	case e.State&(unix.NUD_NOARP|unix.NUD_PERMANENT) != 0:
		return "notApplicable", mac
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
