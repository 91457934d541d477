package host

import (
	"cmp"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// Messages of the routing socket of macOS (net/route.h, net/if.h): each begins with
// its length in two bytes, a version and a type. Numbers are in the machine's
// order, which is little-endian on both of Apple's architectures.
const (
	rtmVersion = 5
	rtmGet2    = 0x14
	rtmGet     = 0x4
	rtmIfInfo2 = 0x12

	// struct rt_msghdr, and rt_msghdr2, which has the same size.
	rtHeader  = 92
	rtIndex   = 4
	rtFlags   = 8
	rtAddrs   = 12
	ifHeader  = 32 // struct if_msghdr2 up to its if_data64
	ifIndex   = 12
	ifDrops   = 24
	ifSize    = 160
	rtfUp     = 0x1
	rtfGate   = 0x2
	rtfHost   = 0x4
	rtfStatic = 0x800
	rtfLLInfo = 0x400
	rtfScope  = 0x1000000 // RTF_IFSCOPE: only for what is bound to its link
	rtfReject = 0x8

	familyINET  = 2
	familyLink  = 18
	familyINET6 = 30
)

// macRoute is a route or, with a hardware address, a neighbour.
type macRoute struct {
	destination netip.Prefix
	gateway     netip.Addr
	mac         net.HardwareAddr
	index       int
	flags       uint32
}

// messages calls visit with each message of a dump of one of some types.
func messages(dump []byte, visit func(kind byte, m []byte)) {
	for len(dump) >= 4 {
		size := int(binary.LittleEndian.Uint16(dump))
		if size < 4 || size > len(dump) {
			return
		}
		if dump[2] == rtmVersion {
			visit(dump[3], dump[:size])
		}
		dump = dump[size:]
	}
}

// parseMacRoutes reads a dump of the routing table (NET_RT_DUMP, NET_RT_FLAGS).
func parseMacRoutes(dump []byte) (routes []macRoute) {
	messages(dump, func(kind byte, m []byte) {
		if kind != rtmGet && kind != rtmGet2 || len(m) < rtHeader || len(routes) == 65536 {
			return
		}
		r := macRoute{index: int(binary.LittleEndian.Uint16(m[rtIndex:])), flags: binary.LittleEndian.Uint32(m[rtFlags:])}
		present := binary.LittleEndian.Uint32(m[rtAddrs:])
		rest := m[rtHeader:]
		var destination netip.Addr
		bits := -1
		for bit := range 3 { // RTA_DST, RTA_GATEWAY, RTA_NETMASK: in this order
			if present&(1<<bit) == 0 {
				continue
			}
			if len(rest) == 0 {
				return
			}
			size := int(rest[0])
			if size > len(rest) {
				return
			}
			sa := rest[:size]
			switch bit {
			case 0:
				destination = sockaddr(sa)
			case 1:
				r.gateway, r.mac = sockaddr(sa), linkAddress(sa)
			case 2:
				bits = maskBits(sa, destination.Is4())
			}
			rest = rest[min(len(rest), max(4, (size+3)&^3)):]
		}
		if !destination.IsValid() {
			return
		}
		switch {
		case r.flags&rtfHost != 0:
			bits = destination.BitLen()
		case bits < 0: // no mask: the default route
			bits = 0
			if !destination.IsUnspecified() {
				bits = destination.BitLen()
			}
		}
		prefix, err := destination.WithZone("").Prefix(min(bits, destination.BitLen()))
		if err != nil {
			return
		}
		r.destination = prefix
		routes = append(routes, r)
	})
	return routes
}

// sockaddr reads an address; the zero one of what is none. The kernel writes the
// link of a link-local address into its second pair of bytes.
func sockaddr(sa []byte) netip.Addr {
	switch {
	case len(sa) >= 8 && sa[1] == familyINET:
		return netip.AddrFrom4([4]byte(sa[4:8]))
	case len(sa) >= 24 && sa[1] == familyINET6:
		raw := [16]byte(sa[8:24])
		if raw[0] == 0xfe && raw[1]&0xc0 == 0x80 {
			raw[2], raw[3] = 0, 0
		}
		return netip.AddrFrom16(raw)
	}
	return netip.Addr{}
}

// linkAddress reads the address in a sockaddr_dl; nil where it has none.
func linkAddress(sa []byte) net.HardwareAddr {
	if len(sa) < 8 || sa[1] != familyLink {
		return nil
	}
	name, size := int(sa[5]), int(sa[6])
	if size != 6 || 8+name+size > len(sa) {
		return nil
	}
	return slices.Clone(sa[8+name : 8+name+size])
}

// maskBits counts the ones of a mask. Its trailing zeros are cut off, and its
// family is not told.
func maskBits(sa []byte, v4 bool) (bits int) {
	start, size := 8, 16
	if v4 {
		start, size = 4, 4
	}
	for i := start; i < min(len(sa), start+size); i++ {
		for b := sa[i]; b&0x80 != 0; b <<= 1 {
			bits++
		}
		if sa[i] != 0xff {
			break
		}
	}
	return bits
}

// macDefaultRoutes are the default routes, and those to half of the world, as the
// schema has them. The system prefers links in the order of their services, not by
// metrics: those that are only for what is bound to a link come last.
func macDefaultRoutes(routes []macRoute, names map[int]string) (list []*constatv1.Route) {
	order := func(r macRoute) int {
		if r.flags&rtfScope != 0 {
			return 1
		}
		return 0
	}
	wide := slices.Clone(routes)
	wide = slices.DeleteFunc(wide, func(r macRoute) bool {
		return r.flags&rtfUp == 0 || r.flags&rtfReject != 0 || r.destination.Bits() > 1 || r.destination.Addr().Is6() && r.gateway.IsLinkLocalUnicast() && strings.HasPrefix(names[r.index], "utun") && r.flags&rtfScope != 0
	})
	slices.SortStableFunc(wide, func(a, b macRoute) int { return cmp.Compare(order(a), order(b)) })
	for _, r := range wide[:min(len(wide), 64)] {
		one := &constatv1.Route{
			Destination: set(r.destination.String()), Family: set(int32(6)), Link: filled(names[r.index]),
		}
		if r.destination.Addr().Is4() {
			one.Family = set(int32(4))
		}
		if r.gateway.IsValid() && r.flags&rtfGate != 0 {
			one.Gateway = set(r.gateway.String())
		}
		if r.flags&rtfStatic != 0 {
			one.Origin = set("other") // who wrote it, configd or a person, is not told
		}
		if n := macNeighbour(routes, r.index, r.gateway); n != nil {
			one.GatewayMac = set(n.mac.String())
		}
		list = append(list, one)
	}
	return list
}

// macPaths are where routes lead over which link, neighbours and what is only for what
// is bound to a link left out.
func macPaths(routes []macRoute, names map[int]string) (paths []linkPath) {
	for _, r := range routes {
		if r.flags&rtfUp != 0 && r.flags&(rtfReject|rtfLLInfo|rtfScope) == 0 && names[r.index] != "" {
			paths = append(paths, linkPath{r.destination, names[r.index]})
		}
	}
	return paths
}

// macNeighbour finds the neighbour with an address on a link; nil where its
// hardware address is not known.
func macNeighbour(routes []macRoute, index int, address netip.Addr) *macRoute {
	for i, r := range routes {
		if address.IsValid() && r.index == index && r.flags&rtfLLInfo != 0 && len(r.mac) == 6 && r.destination.IsSingleIP() && r.destination.Addr() == address {
			return &routes[i]
		}
	}
	return nil
}

// macGatewayStates are what the table of neighbours has of gateways: whether their
// hardware address is known. How old that is it does not tell.
func macGatewayStates(routes []*constatv1.Route) (list []*constatv1.GatewayState) {
	for _, r := range routes {
		if r.Gateway == nil || slices.ContainsFunc(list, func(g *constatv1.GatewayState) bool {
			return g.GetLink() == r.GetLink() && g.GetAddress() == r.GetGateway()
		}) {
			continue
		}
		g := &constatv1.GatewayState{Link: r.Link, Address: r.Gateway}
		if r.GatewayMac == nil {
			g.State = set("none")
		}
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b *constatv1.GatewayState) int {
		return cmp.Or(strings.Compare(a.GetLink(), b.GetLink()), strings.Compare(a.GetAddress(), b.GetAddress()))
	})
	return list
}

// parseMacCounters reads the links' numbers since boot out of a dump of links
// (NET_RT_IFLIST2): struct if_msghdr2 with its if_data64.
func parseMacCounters(dump []byte, names map[int]string) (links []*constatv1.LinkCounters) {
	messages(dump, func(kind byte, m []byte) {
		if kind != rtmIfInfo2 || len(m) < ifSize || len(links) == maxMacLinks {
			return
		}
		name := names[int(binary.LittleEndian.Uint16(m[ifIndex:]))]
		if name == "" {
			return
		}
		number := func(at int) *int64 {
			if n := binary.LittleEndian.Uint64(m[ifHeader+at:]); n <= 1<<62 {
				return set(int64(n))
			}
			return nil
		}
		links = append(links, &constatv1.LinkCounters{
			Link: &name, InPackets: number(24), InErrors: number(32), OutPackets: number(40), OutErrors: number(48), Collisions: number(56),
			InBytes: number(64), OutBytes: number(72), InDiscards: number(96), OutDiscards: set(int64(max(0, int32(binary.LittleEndian.Uint32(m[ifDrops:]))))),
		})
	})
	slices.SortFunc(links, func(a, b *constatv1.LinkCounters) int { return strings.Compare(a.GetLink(), b.GetLink()) })
	return links
}
