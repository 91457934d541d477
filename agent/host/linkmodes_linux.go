package host

import (
	"context"
	"fmt"
	"slices"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"

	constatv1 "constat/proto/constat/v1"
)

// linkModesGet asks for the modes of all links in one dump; it needs no rights.
const linkModesGet = 4

// compactBitsets asks for bitsets as words (ETHTOOL_FLAG_COMPACT_BITSETS).
const compactBitsets = 1

// readModes adds speed, duplex and negotiation to the links, by ethtool's
// netlink family (Linux 5.6).
func readModes(ctx context.Context, links []*constatv1.Link) error {
	c, err := genetlink.Dial(nil)
	if err != nil {
		return fmt.Errorf("ethtool netlink: %w", err)
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetReadDeadline(deadline); err != nil {
			return fmt.Errorf("ethtool netlink: %w", err)
		}
	}
	family, err := c.GetFamily("ethtool")
	if err != nil {
		return fmt.Errorf("ethtool netlink: %w", err)
	}
	ae := netlink.NewAttributeEncoder()
	ae.Nested(linkModesHeader, func(h *netlink.AttributeEncoder) error {
		const headerFlags = 3
		h.Uint32(headerFlags, compactBitsets)
		return nil
	})
	request, err := ae.Encode()
	if err != nil {
		return fmt.Errorf("ethtool netlink: %w", err)
	}
	answers, err := c.Execute(genetlink.Message{
		Header: genetlink.Header{Command: linkModesGet, Version: family.Version}, Data: request,
	}, family.ID, netlink.Request|netlink.Dump)
	if err != nil {
		return fmt.Errorf("ethtool netlink: %w", err)
	}
	for _, a := range answers {
		index, modes, err := parseLinkModes(a.Data)
		if err != nil {
			return fmt.Errorf("ethtool netlink: %w", err)
		}
		i := slices.IndexFunc(links, func(l *constatv1.Link) bool { return l.GetIndex() == index })
		if i < 0 {
			continue
		}
		l := links[i]
		l.SupportedMbps, l.PartnerMbps, l.Autonegotiation = modes.SupportedMbps, modes.PartnerMbps, modes.Autonegotiation
		if l.GetCarrier() { // without a carrier, speed and duplex are left-overs
			l.SpeedMbps, l.Duplex = modes.SpeedMbps, modes.Duplex
		}
	}
	return nil
}
