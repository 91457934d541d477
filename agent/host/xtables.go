package host

import (
	"encoding/binary"
	"slices"
)

// Extensions of iptables that iptables-nft leaves as they were. Those that are
// not decoded here may match or not.

// queued stands for a verdict of a program's or an extension's own.
var queued = &verdict{code: 3}

// extensionsThatPass are targets after which the packet goes on.
var extensionsThatPass = []string{"AUDIT", "CLASSIFY", "CONNMARK", "CT", "DSCP", "LOG", "NFLOG", "TCPMSS", "TOS", "TRACE"}

// extension evaluates an xt match or target (enum nft_match_attributes).
func (w *walk) extension(kind string, a argument) (match, *verdict) {
	info := a.values[3]
	switch {
	case kind == "match":
		return w.xtMatch(a.text, info), nil
	case a.text == "REJECT":
		return yes, &verdict{code: verdictReject}
	case a.text == "MARK":
		w.marked = true
		return yes, nil
	case a.text == "NFQUEUE":
		return yes, queued
	case slices.Contains(extensionsThatPass, a.text):
		return yes, nil
	}
	return maybe, queued
}

// xtMatch evaluates the extensions that most rules are made of, by their
// structures in linux/netfilter.
func (w *walk) xtMatch(name string, info []byte) match {
	u16 := func(at int) uint16 { return binary.NativeEndian.Uint16(info[at:]) }
	p := w.packet
	switch {
	case name == "comment":
		return yes
	case name == "tcp" && len(info) >= 12: // struct xt_tcp
		const flags = 1 << 3
		if info[8] != 0 || info[9] != 0 || info[11]&flags != 0 {
			return maybe // options and flags
		}
		return min(inPorts(p.fromPort, u16(0), u16(2), info[11]&1 != 0), inPorts(p.toPort, u16(4), u16(6), info[11]&2 != 0))
	case name == "udp" && len(info) >= 9: // struct xt_udp
		return min(inPorts(p.fromPort, u16(0), u16(2), info[8]&1 != 0), inPorts(p.toPort, u16(4), u16(6), info[8]&2 != 0))
	case name == "conntrack" && len(info) >= 154: // struct xt_conntrack_mtinfo2 and 3
		const state = 1
		if u16(146) != state {
			return maybe
		}
		return w.inState(u16(150), u16(148)&state != 0)
	case name == "state" && len(info) >= 4: // struct xt_state_info
		return w.inState(uint16(binary.NativeEndian.Uint32(info)), false)
	case name == "mark" && len(info) >= 9 && !w.marked && p.hook == nftHookOut: // struct xt_mark_mtinfo1
		return truth(binary.NativeEndian.Uint32(info) == 0, info[8] != 0)
	}
	return maybe
}

// inState compares with the states of a connection, NEW or ESTABLISHED.
func (w *walk) inState(mask uint16, invert bool) match {
	state := uint16(8)
	if w.packet.established {
		state = 2
	}
	return truth(mask&state != 0, invert)
}

func truth(holds, invert bool) match {
	if holds != invert {
		return yes
	}
	return no
}

// inPorts tells whether a port lies in a range; any does in all ports.
func inPorts(port, low, high uint16, invert bool) match {
	switch {
	case low == 0 && high == 65535:
		return truth(true, invert)
	case port == 0:
		return maybe
	}
	return truth(port >= low && port <= high, invert)
}
