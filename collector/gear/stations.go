package gear

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// Tables that know stations by more than the port they were heard at.
const (
	ownAddresses4    = "1.3.6.1.2.1.4.20.1.2"          // ipAdEntIfIndex
	ownAddresses6    = "1.3.6.1.2.1.4.34.1.3"          // ipAddressIfIndex
	arpAddress       = "1.3.6.1.2.1.4.22.1.2"          // ipNetToMediaPhysAddress
	arpKind          = "1.3.6.1.2.1.4.22.1.4"          // ipNetToMediaType
	physicalAddress  = "1.3.6.1.2.1.4.35.1.4"          // ipNetToPhysicalPhysAddress
	physicalKind     = "1.3.6.1.2.1.4.35.1.6"          // ipNetToPhysicalType
	bindingAddress   = "1.3.6.1.4.1.9.9.380.1.4.1.1.4" // cdsBindingsIpAddress
	bindingInterface = "1.3.6.1.4.1.9.9.380.1.4.1.1.5" // cdsBindingsInterface
	bindingStatus    = "1.3.6.1.4.1.9.9.380.1.4.1.1.7" // cdsBindingsStatus
	engineID         = "1.3.6.1.6.3.10.2.1.1.0"        // snmpEngineID
)

// maxKnown bounds the stations of one device: a core router of a large site has
// some ten thousand.
const maxKnown = 50_000

// inetAddress reads an InetAddressType and InetAddress from an index: type,
// length, bytes. rest is what follows.
func inetAddress(index []uint32) (a netip.Addr, rest []uint32, ok bool) {
	if len(index) < 2 {
		return a, nil, false
	}
	kind, length := index[0], int(index[1])
	if kind != 1 && kind != 2 || length != 4 && length != 16 || len(index) < 2+length {
		return a, nil, false // with a zone, or a name
	}
	return address(index[2:2+length], index[2+length:])
}

func address(bytes, rest []uint32) (netip.Addr, []uint32, bool) {
	raw := make([]byte, len(bytes))
	for i, n := range bytes {
		if n > 255 {
			return netip.Addr{}, nil, false
		}
		raw[i] = byte(n)
	}
	a, ok := netip.AddrFromSlice(raw)
	return a, rest, ok
}

// reachable tells an address that others know a device or station by.
func reachable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() &&
		a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// ownAddresses reads by which addresses the device itself is known.
func (p *poll) ownAddresses(ctx context.Context) error {
	engine, err := p.session.Get(ctx, engineID)
	if err != nil {
		return err
	}
	id := p.out.GetIdentity()
	if raw := engine[0].Bytes(); len(raw) >= 5 && len(raw) <= 32 { // RFC 3411
		id.EngineId = proto.String(strings.ReplaceAll(snmp.Hex(raw), ":", ""))
	}
	found := map[netip.Addr]bool{}
	err = p.session.Walk(ctx, []string{ownAddresses4, ownAddresses6}, func(column int, index string, _ snmp.Value) {
		numbers := snmp.Index(index)
		var a netip.Addr
		var ok bool
		if column == 1 {
			a, _, ok = inetAddress(numbers)
		} else if len(numbers) == 4 {
			a, _, ok = address(numbers, nil)
		}
		if ok && reachable(a) && len(found) < 1000 {
			found[a] = true
		}
	})
	var sorted []netip.Addr
	for a := range found {
		sorted = append(sorted, a)
	}
	slices.SortFunc(sorted, netip.Addr.Compare)
	for _, a := range sorted {
		id.Addresses = append(id.Addresses, a.String())
	}
	return err
}

// Types of a row of the ARP tables that name no station.
const (
	arpInvalid = 2
	arpLocal   = 5
)

// arp reads which station answers for which address: routers know it, and
// switches of their own VLAN.
func (p *poll) arp(ctx context.Context) error {
	type row struct {
		mac  string
		kind int64
	}
	rows := map[netip.Addr]*row{}
	columns := []string{arpAddress, arpKind, physicalAddress, physicalKind}
	err := p.session.Walk(ctx, columns, func(column int, index string, v snmp.Value) {
		numbers := snmp.Index(index)
		if len(numbers) < 5 {
			return
		}
		a, _, ok := inetAddress(numbers[1:])
		if column < 2 && len(numbers) == 5 {
			a, _, ok = address(numbers[1:], nil)
		}
		if !ok || !reachable(a) {
			return
		}
		r := rows[a]
		if r == nil {
			if len(rows) >= maxKnown {
				return
			}
			r = &row{}
			rows[a] = r
		}
		if column%2 == 1 {
			r.kind, _ = v.Int()
		} else if mac := stationMAC(v); mac != "" {
			r.mac = mac
		}
	})
	own := map[string]bool{}
	for _, a := range p.out.GetIdentity().GetAddresses() {
		own[a] = true
	}
	for a, r := range rows {
		if r.mac != "" && r.kind != arpInvalid && r.kind != arpLocal && !own[a.String()] {
			p.out.Stations = append(p.out.Stations, &constatv1.GearStation{
				Mac: proto.String(r.mac), Address: proto.String(a.String()), Evidence: proto.String("arp"),
			})
		}
	}
	return err
}

// stationMAC is an address of one station: not of a group, nor one that routers
// invent for a standby address (RFC 9568; HSRP).
func stationMAC(v snmp.Value) string {
	mac := v.MAC()
	if b := v.Bytes(); mac == "" || b[0]&1 != 0 || strings.HasPrefix(mac, "00:00:5e:00:01:") || strings.HasPrefix(mac, "00:00:5e:00:02:") ||
		strings.HasPrefix(mac, "00:00:0c:07:ac:") || strings.HasPrefix(mac, "00:00:0c:9f:f") {
		return ""
	}
	return mac
}

// bindings reads to whom DHCP gave which address, and at which port: what a
// switch that watches DHCP has written down (CISCO-DHCP-SNOOPING-MIB).
func (p *poll) bindings(ctx context.Context) error {
	rows := map[string]*constatv1.GearStation{}
	inactive := map[string]bool{}
	err := p.session.Walk(ctx, []string{bindingAddress, bindingInterface, bindingStatus}, func(column int, index string, v snmp.Value) {
		numbers := snmp.Index(index)
		if len(numbers) != 7 {
			return
		}
		mac := snmp.IndexMAC(numbers[1:])
		if mac == "" {
			return
		}
		r := rows[index]
		if r == nil {
			if len(rows) >= maxKnown {
				return
			}
			r = &constatv1.GearStation{Mac: proto.String(mac), Evidence: proto.String("dhcpSnooping")}
			if vlan := numbers[0]; vlan > 0 && vlan < 4095 {
				r.Vlan = proto.Int32(int32(vlan))
			}
			rows[index] = r
		}
		switch column {
		case 0:
			if a, ok := v.Address(); ok && reachable(a) {
				r.Address = proto.String(a.String())
			}
		case 1:
			if n := small(v); n != nil && p.ports[*n] != nil {
				r.IfIndex = n
			}
		default: // RowStatus: active(1)
			n, ok := v.Int()
			inactive[index] = ok && n != 1
		}
	})
	for _, index := range byIndex(rows) {
		if !inactive[index] {
			p.out.Stations = append(p.out.Stations, rows[index])
		}
	}
	return err
}

// sortStations gives the stations an order that does not depend on the device's.
func (p *poll) sortStations(context.Context) error {
	slices.SortFunc(p.out.Stations, func(a, b *constatv1.GearStation) int {
		return strings.Compare(a.GetMac()+a.GetEvidence()+a.GetAddress(), b.GetMac()+b.GetEvidence()+b.GetAddress())
	})
	return nil
}
