package gear

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// neighbour is a row of the CDP or LLDP cache.
type neighbour struct {
	constatv1.GearNeighbour
	chassis, portID, portText snmp.Value
	chassisKind, portKind     int64
	capabilities              []byte
}

// cdpColumns are cdpCacheTable (CISCO-CDP-MIB), by ifIndex and a number.
var cdpColumns = []column[neighbour]{
	{"cdpCacheAddress", "1.3.6.1.4.1.9.9.23.1.2.1.1.4", func(r *neighbour, v snmp.Value) {
		if a, ok := v.Address(); ok {
			r.Address = proto.String(a.String())
		}
	}},
	{"cdpCacheDeviceId", "1.3.6.1.4.1.9.9.23.1.2.1.1.6", func(r *neighbour, v snmp.Value) { r.RemoteSystem = text(v) }},
	{"cdpCacheDevicePort", "1.3.6.1.4.1.9.9.23.1.2.1.1.7", func(r *neighbour, v snmp.Value) { r.RemotePort = text(v) }},
	{"cdpCachePlatform", "1.3.6.1.4.1.9.9.23.1.2.1.1.8", func(r *neighbour, v snmp.Value) { r.Platform = text(v) }},
	{"cdpCacheCapabilities", "1.3.6.1.4.1.9.9.23.1.2.1.1.9", func(r *neighbour, v snmp.Value) { r.capabilities = v.Bytes() }},
	{"cdpCacheNativeVLAN", "1.3.6.1.4.1.9.9.23.1.2.1.1.11", func(r *neighbour, v snmp.Value) {
		if n := small(v); n != nil && *n > 0 {
			r.NativeVlan = n
		}
	}},
	{"cdpCacheDuplex", "1.3.6.1.4.1.9.9.23.1.2.1.1.12", func(r *neighbour, v snmp.Value) { r.Duplex = duplex(v) }},
}

// lldpColumns are lldpRemTable (LLDP-MIB, IEEE 802.1AB), by time mark, local
// port number and a number.
var lldpColumns = []column[neighbour]{
	{"lldpRemChassisIdSubtype", "1.0.8802.1.1.2.1.4.1.1.4", func(r *neighbour, v snmp.Value) { r.chassisKind, _ = v.Int() }},
	{"lldpRemChassisId", "1.0.8802.1.1.2.1.4.1.1.5", func(r *neighbour, v snmp.Value) { r.chassis = v }},
	{"lldpRemPortIdSubtype", "1.0.8802.1.1.2.1.4.1.1.6", func(r *neighbour, v snmp.Value) { r.portKind, _ = v.Int() }},
	{"lldpRemPortId", "1.0.8802.1.1.2.1.4.1.1.7", func(r *neighbour, v snmp.Value) { r.portID = v }},
	{"lldpRemPortDesc", "1.0.8802.1.1.2.1.4.1.1.8", func(r *neighbour, v snmp.Value) { r.portText = v }},
	{"lldpRemSysName", "1.0.8802.1.1.2.1.4.1.1.9", func(r *neighbour, v snmp.Value) { r.RemoteSystem = text(v) }},
	{"lldpRemSysDesc", "1.0.8802.1.1.2.1.4.1.1.10", func(r *neighbour, v snmp.Value) { r.Platform = text(v) }},
	{"lldpRemSysCapEnabled", "1.0.8802.1.1.2.1.4.1.1.12", func(r *neighbour, v snmp.Value) { r.capabilities = v.Bytes() }},
}

const (
	localPortID = "1.0.8802.1.1.2.1.3.7.1.3" // lldpLocPortId
	// managed is lldpRemManAddrIfSubtype, by time mark, port, number, and the address
	// itself, which stands nowhere else.
	managed       = "1.0.8802.1.1.2.1.4.2.1.3"
	localPortDesc = "1.0.8802.1.1.2.1.3.7.1.4" // lldpLocPortDesc
	// Subtypes of chassis and port ids that hold an address instead of a text.
	chassisMAC = 4
	portMAC    = 3
)

// neighbours reads who announces himself at which port: one row for each
// protocol and entry, so that a switch that speaks both is there twice.
func (p *poll) neighbours(ctx context.Context) error {
	cdp, err := walk(ctx, p.session, cdpColumns)
	for _, index := range byIndex(cdp) {
		r := cdp[index]
		of, _, _ := strings.Cut(index, ".")
		if n, ok := number(of); ok {
			r.LocalIfIndex = proto.Int32(n)
		}
		r.Protocol, r.Kind = proto.String("cdp"), cdpKind(r.capabilities)
		p.out.Neighbours = append(p.out.Neighbours, &r.GearNeighbour)
	}
	if err != nil {
		return err
	}
	lldp, err := walk(ctx, p.session, lldpColumns)
	if err != nil || len(lldp) == 0 {
		return err
	}
	if err := p.managedBy(ctx, lldp); err != nil {
		return err
	}
	local, err := p.localPorts(ctx)
	for _, index := range byIndex(lldp) {
		r := lldp[index]
		if parts := strings.Split(index, "."); len(parts) == 3 {
			r.LocalIfIndex = p.localPort(local, parts[1])
		}
		r.Protocol, r.Kind = proto.String("lldp"), lldpKind(r.capabilities)
		if r.RemoteSystem == nil {
			r.RemoteSystem = identifier(r.chassis, r.chassisKind == chassisMAC)
		}
		if r.RemotePort = identifier(r.portID, r.portKind == portMAC); r.RemotePort == nil {
			r.RemotePort = text(r.portText)
		}
		p.out.Neighbours = append(p.out.Neighbours, &r.GearNeighbour)
	}
	return err
}

// managedBy reads at which address a neighbour says that it is managed: its first of
// IPv4, else of IPv6.
func (p *poll) managedBy(ctx context.Context, lldp map[string]*neighbour) error {
	return p.session.Walk(ctx, []string{managed}, func(_ int, index string, _ snmp.Value) {
		numbers := snmp.Index(index)
		if len(numbers) < 5 {
			return
		}
		r := lldp[fmt.Sprintf("%d.%d.%d", numbers[0], numbers[1], numbers[2])]
		a, _, ok := inetAddress(numbers[3:])
		if r != nil && ok && !a.IsUnspecified() && !a.IsMulticast() && (r.Address == nil || a.Is4() && strings.Contains(r.GetAddress(), ":")) {
			r.Address = proto.String(a.String())
		}
	})
}

func identifier(v snmp.Value, isMAC bool) *string {
	if mac := v.MAC(); isMAC && mac != "" {
		return proto.String(mac)
	}
	return text(v)
}

// localPorts maps LLDP's own port numbers to ifIndex. They are nothing by
// themselves: the port's id or description names the interface.
func (p *poll) localPorts(ctx context.Context) (map[string]int32, error) {
	names := map[string]int32{}
	for ifIndex, port := range p.ports {
		names[port.description], names[port.GetName()] = ifIndex, ifIndex
	}
	delete(names, "")
	found := map[string]int32{}
	err := p.session.Walk(ctx, []string{localPortDesc, localPortID}, func(_ int, index string, v snmp.Value) {
		if ifIndex, known := names[v.Text()]; known {
			found[index] = ifIndex
		}
	})
	return found, err
}

func (p *poll) localPort(local map[string]int32, index string) *int32 {
	if ifIndex, ok := local[index]; ok {
		return proto.Int32(ifIndex)
	}
	n, _ := number(index)
	if ifIndex, ok := p.bridge[n]; ok {
		return proto.Int32(ifIndex)
	}
	if p.ports[n] != nil {
		return proto.Int32(n)
	}
	return nil
}

// cdpKind reads CDP's capabilities: what somebody uses it for counts before what
// it is besides.
func cdpKind(capabilities []byte) *string {
	if len(capabilities) != 4 {
		return nil
	}
	bits := binary.BigEndian.Uint32(capabilities)
	for _, c := range []struct {
		mask uint32
		kind string
	}{{0x80, "phone"}, {0x08, "switch"}, {0x01, "router"}, {0x02, "accessPoint"}, {0x10, "station"}} {
		if bits&c.mask != 0 {
			return proto.String(c.kind)
		}
	}
	return proto.String("other")
}

// lldpKind reads LldpSystemCapabilitiesMap, whose bits count from the left.
func lldpKind(enabled []byte) *string {
	// Two bytes at most; some agents write them out: "28 00".
	if pair, _, _ := strings.Cut(string(enabled), " "); len(enabled) > 2 && len(pair) == 2 {
		if b, err := hex.DecodeString(pair); err == nil {
			enabled = b
		}
	}
	if len(enabled) == 0 {
		return nil
	}
	for _, c := range []struct {
		bit  int
		kind string
	}{{5, "phone"}, {3, "accessPoint"}, {2, "switch"}, {4, "router"}, {7, "station"}} {
		if enabled[0]&(0x80>>c.bit) != 0 {
			return proto.String(c.kind)
		}
	}
	return proto.String("other")
}
