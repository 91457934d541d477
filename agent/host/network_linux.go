package host

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"

	constatv1 "constat/proto/constat/v1"
)

const (
	stackSource = "rtnetlink"
	hostsFile   = "/etc/hosts"
)

// dialRoute opens a netlink socket that does not outlive ctx's deadline.
func dialRoute(ctx context.Context) (*rtnetlink.Conn, error) {
	c, err := rtnetlink.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("rtnetlink: %w", err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetReadDeadline(deadline); err != nil {
			c.Close()
			return nil, fmt.Errorf("rtnetlink: %w", err)
		}
	}
	return c, nil
}

// readStack asks the kernel for links, addresses and routes, and those who
// configure them for what they know.
func readStack(ctx context.Context, r *reader, n *constatv1.Network, o *constatv1.Observation) error {
	c, err := dialRoute(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	links, err := c.Link.List()
	if err != nil {
		return fmt.Errorf("links: %w", err)
	}
	names := map[uint32]string{}
	for _, l := range links {
		names[l.Index] = l.Attributes.Name
	}
	for _, l := range links {
		n.Links = append(n.Links, link(r, l, names))
	}
	slices.SortFunc(n.Links, func(a, b *constatv1.Link) int { return cmp.Compare(a.GetIndex(), b.GetIndex()) })
	if err := readModes(ctx, n.Links); err != nil {
		for _, fact := range []string{"links.duplex", "links.speed_mbps", "links.autonegotiation"} {
			gap(o, fact, err)
		}
	}
	routes, err := c.Route.List()
	if err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	neighbours, err := c.Neigh.List()
	if err != nil {
		gap(o, "routes.gateway_mac", err)
	}
	n.Routes = wideRoutes(routes, names, neighbours)
	addresses, err := c.Address.List()
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	for _, a := range addresses {
		i := slices.IndexFunc(n.Links, func(l *constatv1.Link) bool { return l.GetIndex() == int32(a.Index) })
		if i >= 0 && a.Attributes != nil {
			n.Links[i].Addresses = append(n.Links[i].Addresses, address(a, n.Links[i].GetName(), n.Routes))
		}
	}
	readManagers(ctx, r, n, o)
	devices := map[string]string{}
	for _, l := range links {
		if l.Attributes.Info != nil {
			devices[l.Attributes.Name] = l.Attributes.Info.Kind
		}
	}
	readVPNs(ctx, r, n, devices, pathsOf(routes, names), o)
	return nil
}

// operWords are IF-MIB's ifOperStatus by the kernel's number (RFC 2863).
var operWords = []string{"unknown", "notPresent", "down", "lowerLayerDown", "testing", "dormant", "up"}

// link is one interface. Its carrier is known only while it is up: drivers
// switch the port off with it.
func link(r *reader, m rtnetlink.LinkMessage, names map[uint32]string) *constatv1.Link {
	a := m.Attributes
	l := &constatv1.Link{
		Index: set(int32(m.Index)), Name: &a.Name, Mtu: set(int32(a.MTU)),
		AdminStatus: set("down"),
	}
	if len(a.Address) == 6 && slices.ContainsFunc(a.Address, func(b byte) bool { return b != 0 }) {
		l.Mac = set(a.Address.String())
	}
	if int(a.OperationalState) < len(operWords) {
		l.OperStatus = &operWords[a.OperationalState]
	}
	if m.Flags&unix.IFF_UP != 0 {
		l.AdminStatus = set("up")
		if a.Carrier != nil {
			l.Carrier = set(*a.Carrier != 0)
		}
	}
	if a.Master != nil && *a.Master != 0 {
		l.Master = filled(names[*a.Master])
	}
	virtual := ""
	if a.Info != nil {
		virtual = a.Info.Kind
	}
	dir := path.Join("/sys/class/net", path.Base(a.Name))
	uevent, _ := r.file(dir + "/uevent")
	l.Kind = set(linkKind(m.Type, virtual, deviceType(uevent)))
	if device, err := r.link(dir + "/device"); err == nil {
		l.BusAddress = set(path.Base(device))
		if driver, err := r.link(dir + "/device/driver"); err == nil {
			l.Driver = set(path.Base(driver))
		}
		l.Physical = set(true)
	} else if _, err := r.stat(dir); err == nil {
		l.Physical = set(false)
	}
	return l
}

// wideRoutes picks default and half-default unicast routes of the main table,
// best metric first, IPv4 before IPv6.
func wideRoutes(all []rtnetlink.RouteMessage, names map[uint32]string, neighbours []rtnetlink.NeighMessage) []*constatv1.Route {
	var routes []*constatv1.Route
	for _, m := range all {
		table := max(uint32(m.Table), m.Attributes.Table)
		if m.DstLength > 1 || m.Type != unix.RTN_UNICAST || table != unix.RT_TABLE_MAIN {
			continue
		}
		hops := m.Attributes.Multipath
		if len(hops) == 0 {
			hops = []rtnetlink.NextHop{{Hop: rtnetlink.RTNextHop{IfIndex: m.Attributes.OutIface}, Gateway: m.Attributes.Gateway}}
		}
		for _, hop := range hops {
			routes = append(routes, route(m, hop, names, neighbours))
		}
	}
	slices.SortStableFunc(routes, func(a, b *constatv1.Route) int {
		return cmp.Or(cmp.Compare(a.GetFamily(), b.GetFamily()), cmp.Compare(a.GetMetric(), b.GetMetric()),
			strings.Compare(a.GetDestination(), b.GetDestination()), strings.Compare(a.GetLink(), b.GetLink()))
	})
	return routes
}

// routeOrigins are words for rtm_protocol (rtnetlink(7)); "boot" is what
// ip-route writes when nothing is said.
var routeOrigins = map[uint8]string{
	unix.RTPROT_KERNEL: "kernel", unix.RTPROT_BOOT: "static", unix.RTPROT_STATIC: "static",
	unix.RTPROT_RA: "ra", unix.RTPROT_DHCP: "dhcp",
}

func route(m rtnetlink.RouteMessage, hop rtnetlink.NextHop, names map[uint32]string, neighbours []rtnetlink.NeighMessage) *constatv1.Route {
	r := &constatv1.Route{
		Metric: set(int32(m.Attributes.Priority)),
		Link:   filled(names[hop.Hop.IfIndex]),
		Origin: set(cmp.Or(routeOrigins[m.Protocol], "other")),
	}
	zero := netip.IPv6Unspecified()
	r.Family = set(int32(6))
	if m.Family == unix.AF_INET {
		zero, r.Family = netip.IPv4Unspecified(), set(int32(4))
	}
	if a, ok := netip.AddrFromSlice(m.Attributes.Dst); ok {
		zero = a.Unmap()
	}
	r.Destination = set(netip.PrefixFrom(zero, int(m.DstLength)).String())
	if len(hop.Gateway) == 0 {
		return r
	}
	r.Gateway = set(hop.Gateway.String())
	if e := neighbour(neighbours, hop.Hop.IfIndex, hop.Gateway); e != nil && len(e.Attributes.LLAddress) == 6 {
		r.GatewayMac = set(e.Attributes.LLAddress.String())
	}
	return r
}

// neighbour finds an entry of the neighbour table; nil when there is none.
func neighbour(table []rtnetlink.NeighMessage, link uint32, ip net.IP) *rtnetlink.NeighMessage {
	i := slices.IndexFunc(table, func(e rtnetlink.NeighMessage) bool {
		return e.Index == link && e.Attributes != nil && e.Attributes.Address.Equal(ip)
	})
	if i < 0 {
		return nil
	}
	return &table[i]
}

// addressScopes are words for ifa_scope (rtnetlink(7)).
var addressScopes = map[uint8]string{
	unix.RT_SCOPE_HOST: "host", unix.RT_SCOPE_LINK: "link", unix.RT_SCOPE_UNIVERSE: "global", unix.RT_SCOPE_SITE: "global",
}

// address is one address of the link. The kernel does not say who set it: what
// has a lifetime was leased or advertised.
func address(m rtnetlink.AddressMessage, link string, routes []*constatv1.Route) *constatv1.Address {
	raw := m.Attributes.Local
	if raw == nil {
		raw = m.Attributes.Address
	}
	flags := uint32(m.Flags) | m.Attributes.Flags
	a := &constatv1.Address{
		Tentative:  set(flags&unix.IFA_F_TENTATIVE != 0),
		Duplicate:  set(flags&unix.IFA_F_DADFAILED != 0),
		Deprecated: set(flags&unix.IFA_F_DEPRECATED != 0),
		Scope:      filled(addressScopes[m.Scope]),
	}
	ip, ok := netip.AddrFromSlice(raw)
	if !ok {
		return a
	}
	ip = ip.Unmap()
	a.Cidr = set(netip.PrefixFrom(ip, int(m.PrefixLength)).String())
	a.Family = set(int32(6))
	if ip.Is4() {
		a.Family = set(int32(4))
	}
	leased := slices.ContainsFunc(routes, func(r *constatv1.Route) bool {
		return r.GetLink() == link && r.GetOrigin() == "dhcp" && r.GetFamily() == a.GetFamily()
	})
	permanent := flags&unix.IFA_F_PERMANENT != 0
	switch {
	case ip.IsLinkLocalUnicast():
		a.Origin = set("linkLocal")
	case ip.IsLoopback():
		a.Origin = set("other")
	case ip.Is4() && permanent && !leased:
		a.Origin = set("manual")
	case ip.Is4():
		a.Origin = set("dhcp")
	case flags&(unix.IFA_F_TEMPORARY|unix.IFA_F_MANAGETEMPADDR) != 0:
		a.Origin = set("ra")
	case permanent:
		a.Origin = set("manual")
	case m.PrefixLength == 128:
		a.Origin = set("dhcp")
	default:
		a.Origin = set("ra")
	}
	return a
}
