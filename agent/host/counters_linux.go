package host

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"

	constatv1 "constat/proto/constat/v1"
)

const counterSource = "rtnetlink"

// linkCounters reads the kernel's 64-bit counters, sorted by link.
func linkCounters(ctx context.Context) (*constatv1.Counters, error) {
	conn, err := dialRoute(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	links, err := conn.Link.List()
	if err != nil {
		return nil, fmt.Errorf("rtnetlink: %w", err)
	}
	c := &constatv1.Counters{}
	for _, m := range links {
		l := &constatv1.LinkCounters{Link: set(m.Attributes.Name)}
		if n := m.Attributes.CarrierChanges; n != nil {
			l.CarrierChanges = set(int64(*n))
		}
		if s := m.Attributes.Stats64; s != nil {
			l.InBytes, l.OutBytes = set(int64(s.RXBytes)), set(int64(s.TXBytes))
			l.InPackets, l.OutPackets = set(int64(s.RXPackets)), set(int64(s.TXPackets))
			l.InErrors, l.OutErrors = set(int64(s.RXErrors)), set(int64(s.TXErrors))
			l.InDiscards, l.OutDiscards = set(int64(s.RXDropped)), set(int64(s.TXDropped))
			l.CrcErrors, l.Collisions = set(int64(s.RXCRCErrors)), set(int64(s.Collisions))
		}
		c.Links = append(c.Links, l)
	}
	slices.SortFunc(c.Links, func(a, b *constatv1.LinkCounters) int { return strings.Compare(a.GetLink(), b.GetLink()) })
	return c, nil
}

// gatewayStates reads what the neighbour table has of the gateways.
func gatewayStates(ctx context.Context) ([]*constatv1.GatewayState, error) {
	conn, err := dialRoute(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	links, err := conn.Link.List()
	if err != nil {
		return nil, fmt.Errorf("rtnetlink: %w", err)
	}
	names := map[uint32]string{}
	for _, l := range links {
		names[l.Index] = l.Attributes.Name
	}
	routes, err := conn.Route.List()
	if err != nil {
		return nil, fmt.Errorf("rtnetlink: %w", err)
	}
	neighbours, err := conn.Neigh.List()
	if err != nil {
		return nil, fmt.Errorf("rtnetlink: %w", err)
	}
	return statesOf(wideRoutes(routes, names, nil), names, neighbours), nil
}

// neighbourWords are the states of an entry by the kernel's bits
// (linux/neighbour.h).
var neighbourWords = []struct {
	bit  uint16
	word string
}{
	{unix.NUD_REACHABLE, "reachable"}, {unix.NUD_STALE, "stale"}, {unix.NUD_DELAY, "delay"}, {unix.NUD_PROBE, "probe"},
	{unix.NUD_FAILED, "failed"}, {unix.NUD_INCOMPLETE, "incomplete"}, {unix.NUD_PERMANENT, "permanent"}, {unix.NUD_NOARP, "noArp"},
}

// statesOf are the states of the routes' gateways, each once.
func statesOf(routes []*constatv1.Route, names map[uint32]string, neighbours []rtnetlink.NeighMessage) (list []*constatv1.GatewayState) {
	for _, route := range routes {
		gateway := net.ParseIP(route.GetGateway())
		if gateway == nil || slices.ContainsFunc(list, func(g *constatv1.GatewayState) bool {
			return g.GetLink() == route.GetLink() && g.GetAddress() == route.GetGateway()
		}) {
			continue
		}
		g := &constatv1.GatewayState{Link: route.Link, Address: route.Gateway, State: set("none")}
		for index, name := range names {
			e := neighbour(neighbours, index, gateway)
			if name != route.GetLink() || e == nil {
				continue
			}
			g.State = nil // an entry in a state without a word
			for _, w := range neighbourWords {
				if g.State == nil && e.State&w.bit != 0 {
					g.State = set(w.word)
				}
			}
		}
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b *constatv1.GatewayState) int {
		return cmp.Or(strings.Compare(a.GetLink(), b.GetLink()), strings.Compare(a.GetAddress(), b.GetAddress()))
	})
	return list
}
