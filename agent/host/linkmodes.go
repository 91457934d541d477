package host

import (
	"encoding/binary"

	"github.com/mdlayher/netlink"

	constatv1 "constat/proto/constat/v1"
)

// Attributes of ETHTOOL_MSG_LINKMODES_GET and of a bitset (ethtool_netlink.h,
// Documentation/networking/ethtool-netlink.rst).
const (
	linkModesHeader  = 1
	linkModesAutoneg = 2
	linkModesOurs    = 3
	linkModesPeer    = 4
	linkModesSpeed   = 5
	linkModesDuplex  = 6

	headerIndex = 1

	bitsetValue = 4
	bitsetMask  = 5
)

// speedUnknown is what drivers say of a speed they cannot tell.
const speedUnknown = 0xffffffff

// modeSpeeds are the speeds in Mb/s of the kernel's link modes that copper
// office ports have (ETHTOOL_LINK_MODE_*_BIT). Faster and optical ones are not
// forced down by a bad cable.
var modeSpeeds = map[int]int32{
	0: 10, 1: 10, 2: 100, 3: 100, 4: 1000, 5: 1000, 12: 10000, 15: 2500, 17: 1000, 41: 1000, 47: 2500, 48: 5000,
}

// parseLinkModes reads one answer to ETHTOOL_MSG_LINKMODES_GET and returns the
// link's index and what it says. An own parser: the ready-made one ends the
// program on a mode bit it does not know, which every 2.5 Gb/s port has.
func parseLinkModes(content []byte) (index int32, modes *constatv1.Link, err error) {
	ad, err := netlink.NewAttributeDecoder(content)
	if err != nil {
		return 0, nil, err
	}
	l := &constatv1.Link{}
	for ad.Next() {
		switch ad.Type() {
		case linkModesHeader:
			ad.Nested(func(h *netlink.AttributeDecoder) error {
				for h.Next() {
					if h.Type() == headerIndex {
						index = int32(h.Uint32())
					}
				}
				return nil
			})
		case linkModesAutoneg:
			l.Autonegotiation = set(ad.Uint8() == 1)
		case linkModesOurs:
			ad.Nested(func(b *netlink.AttributeDecoder) error { l.SupportedMbps = fastest(b, bitsetMask); return nil })
		case linkModesPeer:
			ad.Nested(func(b *netlink.AttributeDecoder) error { l.PartnerMbps = fastest(b, bitsetValue); return nil })
		case linkModesSpeed:
			if s := ad.Uint32(); s != 0 && s != speedUnknown {
				l.SpeedMbps = set(int32(s))
			}
		case linkModesDuplex:
			switch ad.Uint8() {
			case 0:
				l.Duplex = set("half")
			case 1:
				l.Duplex = set("full")
			}
		}
	}
	return index, l, ad.Err()
}

// fastest returns the highest speed among the set bits of one part of a
// compact bitset; nil when none is a speed.
func fastest(bits *netlink.AttributeDecoder, part uint16) *int32 {
	var best *int32
	for bits.Next() {
		if bits.Type() != part {
			continue
		}
		words := bits.Bytes()
		for bit, mbps := range modeSpeeds {
			i := bit / 32 * 4
			if i+4 > len(words) || binary.NativeEndian.Uint32(words[i:])&(1<<(bit%32)) == 0 {
				continue
			}
			if best == nil || mbps > *best {
				best = set(mbps)
			}
		}
	}
	return best
}
