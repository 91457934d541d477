package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// announcement is what a neighbour said of itself, and for how long it holds.
type announcement struct {
	*constatv1.LinkNeighbour
	holds time.Duration
}

var errShortFrame = errors.New("the frame is cut")

// parseAnnouncement reads a whole Ethernet frame as LLDP or CDP. Frames come
// from whoever is on the cable: lengths are checked, texts are bounded, and what
// is not understood is left out.
func parseAnnouncement(frame []byte) (announcement, error) {
	const header = 14
	if len(frame) < header {
		return announcement{}, errShortFrame
	}
	kind, payload := binary.BigEndian.Uint16(frame[12:]), frame[header:]
	const tagged = 0x8100 // IEEE 802.1Q
	if kind == tagged && len(payload) >= 4 {
		kind, payload = binary.BigEndian.Uint16(payload[2:]), payload[4:]
	}
	const lldp = 0x88cc
	switch {
	case kind == lldp:
		return parseLLDP(payload)
	case kind <= 1500 && int(kind) <= len(payload):
		return parseCDP(payload[:kind])
	}
	return announcement{}, fmt.Errorf("neither LLDP nor CDP: type %#04x", kind)
}

// Types of TLVs (IEEE 802.1AB-2016 table 8-1).
const (
	lldpEnd         = 0
	lldpChassis     = 1
	lldpPort        = 2
	lldpTTL         = 3
	lldpPortText    = 4
	lldpSystemName  = 5
	lldpSystemText  = 6
	lldpManagement  = 8
	lldpOrganised   = 127
	maxAnnouncement = 200 // TLVs
)

// Subtypes of identifiers that are not text (tables 8-2 and 8-3).
const (
	chassisMAC     = 4
	chassisAddress = 5
	portMAC        = 3
	portAddress    = 4
)

// Organisations' own TLVs that are read: three bytes of the organisation, one
// of subtype.
const (
	dot1PortVLAN = 0x0080c201 // IEEE 802.1Q annex D.2.1
	dot3Physical = 0x00120f01 // IEEE 802.3 clause 79.3.1
	medModel     = 0x0012bb0a // ANSI/TIA-1057 10.2.6.7
)

// parseLLDP reads the TLVs of IEEE 802.1AB: seven bits of type, nine of length.
func parseLLDP(raw []byte) (announcement, error) {
	a := announcement{LinkNeighbour: &constatv1.LinkNeighbour{Protocol: set("lldp")}}
	timed := false
	for range maxAnnouncement {
		if len(raw) < 2 {
			return a, errShortFrame
		}
		head := binary.BigEndian.Uint16(raw)
		kind, size := head>>9, int(head&0x1ff)
		if len(raw) < 2+size {
			return a, errShortFrame
		}
		value := raw[2 : 2+size]
		raw = raw[2+size:]
		switch {
		case kind == lldpEnd:
			if a.ChassisId == nil || a.PortId == nil || !timed {
				return a, errors.New("LLDP without chassis, port or time to live")
			}
			return a, nil
		case kind == lldpChassis && size > 1:
			a.ChassisId = lldpIdentifier(value, chassisMAC, chassisAddress)
		case kind == lldpPort && size > 1:
			a.PortId = lldpIdentifier(value, portMAC, portAddress)
		case kind == lldpTTL && size >= 2:
			a.holds, timed = time.Duration(binary.BigEndian.Uint16(value))*time.Second, true
		case kind == lldpPortText:
			a.PortDescription = filled(clean(string(value)))
		case kind == lldpSystemName:
			a.SystemName = filled(clean(string(value)))
		case kind == lldpSystemText:
			if a.Platform == nil {
				a.Platform = filled(clean(string(value)))
			}
		case kind == lldpManagement && size >= 2 && a.ManagementAddress == nil:
			if n := int(value[0]); n >= 1 && n < size {
				a.ManagementAddress = lldpAddress(value[1 : 1+n])
			}
		case kind == lldpOrganised && size >= 4:
			lldpOrganisation(a.LinkNeighbour, binary.BigEndian.Uint32(value), value[4:])
		}
	}
	return a, errors.New("more TLVs than a frame can hold")
}

// lldpIdentifier reads a chassis or port id by its subtype; most are text.
func lldpIdentifier(value []byte, mac, address byte) *string {
	subtype, id := value[0], value[1:]
	switch {
	case subtype == mac && len(id) == 6:
		return set(net.HardwareAddr(id).String())
	case subtype == address:
		return lldpAddress(id)
	}
	return filled(clean(string(id)))
}

// lldpAddress reads an address behind its family's number (IANA "Address Family
// Numbers": 1 is IPv4, 2 is IPv6).
func lldpAddress(raw []byte) *string {
	if len(raw) < 1 || raw[0] != 1 && raw[0] != 2 {
		return nil
	}
	return addressText(raw[1:])
}

func addressText(raw []byte) *string {
	address, ok := netip.AddrFromSlice(raw)
	if !ok {
		return nil
	}
	return set(address.Unmap().String())
}

func lldpOrganisation(n *constatv1.LinkNeighbour, kind uint32, value []byte) {
	switch {
	case kind == dot1PortVLAN && len(value) >= 2:
		n.Vlan = vlan(binary.BigEndian.Uint16(value))
	case kind == dot3Physical && len(value) >= 5:
		n.Duplex = mauDuplex(binary.BigEndian.Uint16(value[3:]))
	case kind == medModel:
		if model := clean(string(value)); model != "" {
			n.Platform = &model // shorter and surer than the description
		}
	}
}

// vlan is a VLAN's number; nil for 0, which says that there is none, and for
// what is no number of a VLAN.
func vlan(id uint16) *int32 {
	if id == 0 || id >= 4095 {
		return nil
	}
	return set(int32(id))
}

// mauDuplex tells the duplex of an operational MAU type (IANA-MAU-MIB,
// dot3MauType): from 10 to 30 half and full take turns but for a few, after
// that all are full; nil for the old types that do not tell.
func mauDuplex(kind uint16) *string {
	switch kind {
	case 10, 12, 15, 17, 19, 21, 23, 25, 27, 29:
		return set("half")
	}
	if kind >= 11 {
		return set("full")
	}
	return nil
}
