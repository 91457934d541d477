package host

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
