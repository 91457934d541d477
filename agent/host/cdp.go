package host

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// Types of TLVs of the Cisco Discovery Protocol (Cisco, "CDP packet format").
const (
	cdpDevice     = 0x0001
	cdpAddresses  = 0x0002
	cdpPort       = 0x0003
	cdpPlatform   = 0x0006
	cdpNativeVLAN = 0x000a
	cdpDuplex     = 0x000b
	cdpManagement = 0x0016
)

// cdpSNAP is LLC and SNAP in front of CDP: Cisco's organisation and protocol.
var cdpSNAP = []byte{0xaa, 0xaa, 0x03, 0x00, 0x00, 0x0c, 0x20, 0x00}

// parseCDP reads the payload of an IEEE 802.3 frame: version, time to live,
// checksum, and TLVs whose length counts their own header.
func parseCDP(raw []byte) (announcement, error) {
	a := announcement{LinkNeighbour: &constatv1.LinkNeighbour{Protocol: set("cdp")}}
	raw, found := bytes.CutPrefix(raw, cdpSNAP)
	if !found {
		return a, errors.New("an 802.3 frame that is not CDP")
	}
	const header = 4
	if len(raw) < header {
		return a, errShortFrame
	}
	a.holds = time.Duration(raw[1]) * time.Second
	raw = raw[header:]
	for len(raw) > 0 {
		if len(raw) < header {
			return a, errShortFrame
		}
		kind, size := binary.BigEndian.Uint16(raw), int(binary.BigEndian.Uint16(raw[2:]))
		if size < header || size > len(raw) {
			return a, errShortFrame
		}
		value := raw[header:size]
		raw = raw[size:]
		switch kind {
		case cdpDevice:
			a.SystemName = filled(clean(string(value)))
			a.ChassisId = a.SystemName
		case cdpPort:
			a.PortId = filled(clean(string(value)))
		case cdpPlatform:
			a.Platform = filled(clean(string(value)))
		case cdpNativeVLAN:
			if len(value) == 2 {
				a.Vlan = vlan(binary.BigEndian.Uint16(value))
			}
		case cdpDuplex:
			if len(value) == 1 && value[0] <= 1 {
				a.Duplex = set([]string{"half", "full"}[value[0]])
			}
		case cdpManagement:
			if address := cdpAddress(value); address != nil {
				a.ManagementAddress = address
			}
		case cdpAddresses:
			if a.ManagementAddress == nil {
				a.ManagementAddress = cdpAddress(value)
			}
		}
	}
	if a.ChassisId == nil || a.PortId == nil {
		return a, errors.New("CDP without device or port")
	}
	return a, nil
}

// maxCDPAddresses is how many addresses of a list are looked at.
const maxCDPAddresses = 16

// cdpAddress returns the first IP address of a list: a count, and for each
// protocol type, protocol, and address, both with their lengths.
func cdpAddress(raw []byte) *string {
	if len(raw) < 4 {
		return nil
	}
	count := min(binary.BigEndian.Uint32(raw), maxCDPAddresses)
	raw = raw[4:]
	for range count {
		if len(raw) < 2 || len(raw) < 4+int(raw[1]) {
			return nil
		}
		raw = raw[2+int(raw[1]):]
		size := int(binary.BigEndian.Uint16(raw))
		if len(raw) < 2+size {
			return nil
		}
		if address := addressText(raw[2 : 2+size]); address != nil {
			return address
		}
		raw = raw[2+size:]
	}
	return nil
}
