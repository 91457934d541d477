package gear

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
)

// vlanBits are vlanTrunkPortVlansEnabled and its continuations (CISCO-VTP-MIB):
// one bit for each VLAN, a thousand in each column.
var vlanBits = []string{
	"1.3.6.1.4.1.9.9.46.1.6.1.1.4", "1.3.6.1.4.1.9.9.46.1.6.1.1.17", "1.3.6.1.4.1.9.9.46.1.6.1.1.18", "1.3.6.1.4.1.9.9.46.1.6.1.1.19",
}

const vlansPerColumn = 1024

// trunkVLANs reads which VLANs a trunk lets through. One that lets all through
// that the device has gets no list: nothing is kept out.
func (p *poll) trunkVLANs(ctx context.Context) error {
	allowed := map[int32]map[int32]bool{}
	err := p.session.Walk(ctx, vlanBits, func(column int, index string, v snmp.Value) {
		n, _ := number(index)
		port := p.ports[n]
		if port == nil || !port.GetTrunk() {
			return
		}
		if allowed[n] == nil {
			allowed[n] = map[int32]bool{}
		}
		for _, bit := range bits(v.Bytes(), vlansPerColumn) {
			allowed[n][int32(column*vlansPerColumn+bit)] = true
		}
	})
	for n, set := range allowed {
		p.ports[n].AllowedVlans = p.restricted(set)
	}
	if err != nil || len(allowed) > 0 || p.out.GetIdentity().GetVendor() == "Cisco" && p.out.GetIdentity().GetOs() != smallBusiness {
		return err
	}
	return p.taggedVLANs(ctx)
}

// restricted lists the allowed VLANs of those the device has; nil when that is
// all of them.
func (p *poll) restricted(allowed map[int32]bool) []int32 {
	var list []int32
	for _, vlan := range p.out.GetVlans() {
		if allowed[vlan.GetId()] {
			list = append(list, vlan.GetId())
		}
	}
	if len(list) == len(p.out.GetVlans()) {
		return nil
	}
	if len(list) == 0 { // only such as do not exist: an empty list would mean all
		for id := int32(1); id < 4095 && len(list) == 0; id++ {
			if allowed[id] {
				list = append(list, id)
			}
		}
	}
	return list
}

// bits gives the places of the bits that are set, counted from the left.
func bits(raw []byte, most int) []int {
	var set []int
	for i, b := range raw {
		for bit := range 8 {
			if at := i*8 + bit; at < most && b&(0x80>>bit) != 0 {
				set = append(set, at)
			}
		}
	}
	return set
}

const (
	egressPorts   = "1.3.6.1.2.1.17.7.1.4.2.1.4" // dot1qVlanCurrentEgressPorts, by time mark and VLAN
	untaggedPorts = "1.3.6.1.2.1.17.7.1.4.2.1.5" // dot1qVlanCurrentUntaggedPorts
	staticEgress  = "1.3.6.1.2.1.17.7.1.4.3.1.2" // dot1qVlanStaticEgressPorts, by VLAN
	staticPlain   = "1.3.6.1.2.1.17.7.1.4.3.1.4" // dot1qVlanStaticUntaggedPorts
	maxBridgePort = 4096
)

// taggedVLANs reads the VLANs of every port where Q-BRIDGE-MIB (RFC 4363) tells
// them: a port with several tagged ones is a trunk, one with none is not. With
// just one it may be the port of a phone, which nobody says.
func (p *poll) taggedVLANs(ctx context.Context) error {
	type member struct{ tagged, plain map[int32]bool }
	ports := map[int32]*member{}
	mark := func(untagged bool, index string, v snmp.Value) {
		id, ok := number(index[strings.LastIndexByte(index, '.')+1:])
		if !ok || id < 1 || id > 4094 {
			return
		}
		for _, bit := range bits(v.Bytes(), maxBridgePort) {
			n := p.bridge[int32(bit+1)]
			if p.ports[n] == nil {
				continue
			}
			if ports[n] == nil {
				ports[n] = &member{map[int32]bool{}, map[int32]bool{}}
			}
			if untagged {
				ports[n].plain[id] = true
			} else {
				ports[n].tagged[id] = true
			}
		}
	}
	for _, table := range [][]string{{egressPorts, untaggedPorts}, {staticEgress, staticPlain}} {
		err := p.session.Walk(ctx, table, func(column int, index string, v snmp.Value) { mark(column == 1, index, v) })
		if err != nil {
			return err
		}
		if len(ports) > 0 {
			break
		}
	}
	for n, m := range ports {
		port := p.ports[n]
		allowed := map[int32]bool{}
		for id := range m.tagged {
			allowed[id] = true
		}
		for id := range m.plain {
			allowed[id] = true
			delete(m.tagged, id) // egress holds the untagged ones too
		}
		switch {
		case port.Trunk != nil:
		case len(m.tagged) > 1 || len(m.tagged) == 1 && len(m.plain) == 0:
			port.Trunk, port.NativeVlan, port.Vlan = proto.Bool(true), nil, nil
			for id := range m.plain {
				port.NativeVlan = proto.Int32(id)
			}
			port.AllowedVlans = p.restricted(allowed)
		case len(m.tagged) == 0 && len(m.plain) == 1:
			port.Trunk = proto.Bool(false)
			for id := range m.plain {
				port.Vlan = proto.Int32(id)
			}
		}
	}
	return nil
}

const (
	aggregator = "1.2.840.10006.300.43.1.2.1.1.13" // dot3adAggPortAttachedAggID
	pagpGroup  = "1.3.6.1.4.1.9.9.98.1.1.1.1.8"    // pagpGroupIfIndex
	stacked    = "1.3.6.1.2.1.31.1.2.1.3"          // ifStackStatus, by higher and lower interface
)

// isAggregate tells a port-channel by its kind; Catalysts give it a private one.
func isAggregate(p *port) bool {
	return p.GetKind() == "ieee8023adLag" || p.GetKind() == "propVirtual" && strings.HasPrefix(p.GetName(), "Po")
}

// aggregates reads which ports make up a port-channel.
func (p *poll) aggregates(ctx context.Context) error {
	any := false
	for _, port := range p.ports {
		any = any || isAggregate(port)
	}
	if !any {
		return nil
	}
	return p.session.Walk(ctx, []string{aggregator, pagpGroup, stacked}, func(column int, index string, v snmp.Value) {
		higher, lower := small(v), index
		if column == 2 {
			above, below, ok := cutLast(index)
			n, isNumber := number(above)
			if !ok || !isNumber {
				return
			}
			higher, lower = &n, below
		}
		n, _ := number(lower)
		port := p.ports[n]
		if port == nil || higher == nil || *higher == n || p.ports[*higher] == nil || !isAggregate(p.ports[*higher]) {
			return
		}
		port.Aggregate = proto.Int32(*higher)
	})
}
