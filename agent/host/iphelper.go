package host

import (
	"cmp"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// What Windows tells of its network stack by IP Helper and the registry, as it
// tells it: numbers are those of its headers (netioapi.h, ifdef.h, nldef.h).
type (
	ipStack struct {
		links      []ipLink
		routes     []ipRoute
		neighbours []ipNeighbour
		// neighboursErr says why they could not be had.
		neighboursErr error
		// search is the list of suffixes that is set for the whole machine, and
		// policies the names that have servers of their own.
		search   []string
		policies []namePolicy
	}

	// ipLink is an interface: MIB_IF_ROW2, with what IP_ADAPTER_ADDRESSES and its
	// key in the registry add.
	ipLink struct {
		index         uint32
		guid, name    string
		mac           []byte
		mtu           uint32
		kind, medium  uint32 // ifType, NDIS_PHYSICAL_MEDIUM
		tunnel        uint32 // TUNNEL_TYPE
		flags         uint8  // InterfaceAndOperStatusFlags
		oper, admin   uint32
		media         uint32 // NET_IF_MEDIA_CONNECT_STATE
		bitsPerSecond uint64
		stated        bool // the interface table has a row of it
		bound         bool // IP runs on it: it is among the adapters
		dhcp          bool
		metric        map[int32]uint32 // by family
		addresses     []ipAddress
		servers       []netip.Addr
		suffix        string
		settings      ipSettings
		device        netDevice
		category      *int32 // NLM_NETWORK_CATEGORY
		modes         portModes
		counters      ipCounters
	}

	ipCounters struct{ inOctets, outOctets, inPackets, outPackets, inErrors, outErrors, inDiscards, outDiscards uint64 }

	// ipAddress is IP_ADAPTER_UNICAST_ADDRESS.
	ipAddress struct {
		prefix                                 netip.Prefix
		prefixOrigin, suffixOrigin, duplicates int32 // the last is NL_DAD_STATE
	}

	// ipSettings are an interface's values below Tcpip\Parameters\Interfaces.
	ipSettings struct {
		server     string
		routers    []string
		given      string // DhcpNameServer
		manual     string // NameServer
		terminates uint64 // LeaseTerminatesTime
	}

	// netDevice is the device behind an interface, by the class of network
	// adapters in the registry, and where it sits.
	netDevice struct {
		component, service, address string
		fastest                     *int32 // in Mbit/s, see fastestMode
	}

	// ipRoute is MIB_IPFORWARD_ROW2.
	ipRoute struct {
		index            uint32
		prefix           netip.Prefix
		hop              netip.Addr
		metric           uint32
		protocol, origin uint32
	}

	// ipNeighbour is MIB_IPNET_ROW2.
	ipNeighbour struct {
		index   uint32
		address netip.Addr
		mac     []byte
		state   uint32 // NL_NEIGHBOR_STATE
	}

	// namePolicy is a rule of the name resolution policy table.
	namePolicy struct {
		names   []string
		servers string
	}
)

// Bits of InterfaceAndOperStatusFlags, and words of the enumerations that are
// compared.
const (
	ipHardware = 1 << 0
	ipFilter   = 1 << 1

	ipEthernet = 6
	ipTunnel   = 131

	ipAdminUp = 1

	ipMediaConnected    = 1
	ipMediaDisconnected = 2
)

// ipOperWords are IF_OPER_STATUS, which counts as IF-MIB does.
var ipOperWords = map[uint32]string{
	1: "up", 2: "down", 3: "testing", 4: "unknown", 5: "dormant", 6: "notPresent", 7: "lowerLayerDown",
}

// ipKinds are our words for interface types (IANAifType).
var ipKinds = map[uint32]string{
	ipEthernet: "ethernet", 23: "tunnel", 24: "loopback", 53: "tunnel", 71: "wifi", ipTunnel: "tunnel", 209: "bridge", 243: "cellular", 244: "cellular",
}

// ipMedia are our words for what adapters are that call themselves Ethernet
// (NDIS_PHYSICAL_MEDIUM).
var ipMedia = map[uint32]string{1: "wifi", 8: "cellular", 9: "wifi", 10: "bluetooth"}

// netComponents name the adapters that are programs, by the beginning of the
// hardware id in their INF files, and the kind of VPN behind a tunnel.
var netComponents = []struct{ prefix, kind, vpn string }{
	{"vms_mp", "veth", ""},                                                                                                          // wvms_mp_windows.inf: a port of Hyper-V's switch, which the host itself may use
	{"tap0901", "tunnel", "openvpn"},                                                                                                // OemVista.inf of tap-windows6
	{"tapoas", "tunnel", "openvpn"},                                                                                                 // the same, of OpenVPN Connect
	{"ovpn-dco", "tunnel", "openvpn"},                                                                                               // ovpn-dco.inf
	{"wireguard", "tunnel", "wireguard"},                                                                                            // wireguard.inf of WireGuardNT
	{"wintun", "tunnel", "other"},                                                                                                   // wintun.inf: of WireGuard, OpenVPN, Tailscale and others
	{"vpnva", "tunnel", "anyconnect"},                                                                                               // vpnva-6.inf of Cisco's client
	{"pangp", "tunnel", "globalprotect"},                                                                                            // pangpd.inf of Palo Alto's
	{"ms_agilevpn", "tunnel", "ipsec"},                                                                                              // netavpna.inf: IKEv2 of Windows itself
	{"ms_pppoe", "tunnel", "other"}, {"ms_sstp", "tunnel", "other"}, {"ms_pptp", "tunnel", "other"}, {"ms_l2tp", "tunnel", "ipsec"}, // netrasa.inf
	{`{5d624f94-8850-40c3-a3fa-a4fd2080baf3}\vwifimp`, "other", ""}, // netvwifimp.inf: Wi-Fi Direct and hosted networks, which join nothing
}

func (d netDevice) known() (kind, vpn string) {
	name := strings.ToLower(d.component)
	for _, c := range netComponents {
		if name != "" && strings.HasPrefix(name, c.prefix) {
			return c.kind, c.vpn
		}
	}
	return "", ""
}

// kindWord says what an interface is: by the program that it is, else by its
// medium, else by its type. A second wireless port of one radio joins nothing.
func (l *ipLink) kindWord() string {
	if kind, _ := l.device.known(); kind != "" {
		return kind
	}
	kind := cmp.Or(ipMedia[l.medium], ipKinds[l.kind], "other")
	if kind == "wifi" && l.stated && l.flags&ipHardware == 0 {
		return "other"
	}
	return kind
}

// shown tells whether an interface is one of the machine's, not a layer of one.
func (l *ipLink) shown() bool {
	return l.bound || l.flags&ipHardware != 0 && l.flags&ipFilter == 0
}

func (l *ipLink) link() *constatv1.Link {
	k := &constatv1.Link{
		Index: set(int32(l.index)), Name: &l.name, Kind: set(l.kindWord()), OperStatus: filled(ipOperWords[l.oper]),
		Driver: filled(l.device.service), BusAddress: filled(l.device.address),
	}
	if l.mtu > 0 && l.mtu < 1<<31 { // the loopback's is all ones
		k.Mtu = set(int32(l.mtu))
	}
	if len(l.mac) == 6 && slices.ContainsFunc(l.mac, func(b byte) bool { return b != 0 }) {
		k.Mac = set(net.HardwareAddr(l.mac).String())
	}
	if l.stated {
		k.Physical = set(l.flags&ipHardware != 0)
		k.AdminStatus = set("down")
		if l.admin == ipAdminUp {
			k.AdminStatus = set("up")
			if l.media == ipMediaConnected || l.media == ipMediaDisconnected {
				k.Carrier = set(l.media == ipMediaConnected)
			}
		}
	}
	if speed := l.bitsPerSecond / 1e6; k.GetCarrier() && speed > 0 && speed < 1<<31 && slices.Contains([]string{"ethernet", "veth"}, k.GetKind()) {
		k.SpeedMbps = set(int32(speed))
	}
	if k.GetCarrier() && k.GetKind() == "ethernet" {
		k.Duplex, k.Autonegotiation = l.modes.duplex, l.modes.negotiated
	}
	if k.GetKind() == "ethernet" {
		k.SupportedMbps = l.device.fastest
	}
	for _, a := range l.addresses {
		k.Addresses = append(k.Addresses, a.address())
	}
	if l.category != nil && k.GetKind() != "loopback" && *l.category >= 0 && int(*l.category) < len(networkCategories) {
		k.Profile = set(networkCategories[*l.category])
	}
	k.Lease = l.lease(k)
	return k
}

// duplexSpeeds are the speeds that a driver offers as *SpeedDuplex, in Mbit/s: those of
// "Standardized INF Keywords for Ethernet", and such that makers name by the speed
// itself. 0 lets both ends choose.
var duplexSpeeds = map[string]int32{
	"0": 0, "1": 10, "2": 10, "3": 100, "4": 100, "5": 1000, "6": 1000, "7": 10000, "8": 20000, "9": 40000, "10": 100000,
	"2500": 2500, "5000": 5000,
}

// fastestMode is the fastest speed that a driver offers, by the values of its list;
// nil where it has none, or one that is not known.
func fastestMode(values []string) *int32 {
	fastest := int32(0)
	for _, value := range values {
		speed, known := duplexSpeeds[value]
		if !known {
			return nil
		}
		fastest = max(fastest, speed)
	}
	if fastest == 0 {
		return nil
	}
	return &fastest
}

// portModes are what the driver of a port says that it agreed on with the other
// end; nil where it does not say.
type portModes struct {
	duplex     *string
	negotiated *bool
}

// parseLinkState reads NDIS_LINK_STATE (ntddndis.h). Flags of what was negotiated
// are left out by many a driver: none prove nothing.
func parseLinkState(raw []byte) (m portModes) {
	const (
		duplex = 8
		flags  = 36
		size   = 40
	)
	if len(raw) < size {
		return m
	}
	m.duplex = filled(map[uint32]string{1: "half", 2: "full"}[binary.LittleEndian.Uint32(raw[duplex:])])
	if binary.LittleEndian.Uint32(raw[flags:]) != 0 {
		m.negotiated = set(true)
	}
	return m
}

// networkCategories are NLM_NETWORK_CATEGORY.
var networkCategories = []string{"public", "private", "domain"}

// Origins of addresses (NL_PREFIX_ORIGIN), and states of the search for
// duplicates (NL_DAD_STATE).
const (
	ipOriginManual = 1
	ipOriginDHCP   = 3
	ipOriginRA     = 4

	ipTentative  = 1
	ipDuplicate  = 2
	ipDeprecated = 3
)

func (a ipAddress) address() *constatv1.Address {
	ip := a.prefix.Addr()
	f := &constatv1.Address{
		Cidr: set(a.prefix.String()), Family: set(familyOf(ip)), Scope: set("global"),
		Tentative: set(a.duplicates == ipTentative), Duplicate: set(a.duplicates == ipDuplicate), Deprecated: set(a.duplicates == ipDeprecated),
	}
	switch {
	case ip.IsLoopback():
		f.Scope = set("host")
	case ip.IsLinkLocalUnicast():
		f.Scope = set("link")
	}
	switch {
	case ip.IsLinkLocalUnicast():
		f.Origin = set("linkLocal")
	case a.prefixOrigin == ipOriginManual:
		f.Origin = set("manual")
	case a.prefixOrigin == ipOriginDHCP:
		f.Origin = set("dhcp")
	case a.prefixOrigin == ipOriginRA:
		f.Origin = set("ra")
	default:
		f.Origin = set("other")
	}
	return f
}

// noServer stands in the registry where no DHCP server answered.
const noServer = "255.255.255.255"

// lease is what a DHCP server gave; nil where none was asked. A link that has its
// signal and no address but one that it gave itself still waits for one.
func (l *ipLink) lease(k *constatv1.Link) *constatv1.Lease {
	if !l.dhcp {
		return nil
	}
	leased := slices.ContainsFunc(l.addresses, func(a ipAddress) bool { return a.prefix.Addr().Is4() && a.prefixOrigin == ipOriginDHCP })
	if !leased {
		if k.GetCarrier() && k.GetOperStatus() == "up" {
			return &constatv1.Lease{Pending: set(true)}
		}
		return nil
	}
	lease := &constatv1.Lease{Routers: addressWords(l.settings.routers), Resolvers: addressWords(listWords(l.settings.given)), Pending: set(false)}
	if l.settings.server != noServer {
		lease.Server = addressWord(l.settings.server)
	}
	if seconds := l.settings.terminates; seconds > 0 && seconds < 1<<31-1 { // all ones: for ever
		lease.ExpiresAt = &timestamppb.Timestamp{Seconds: int64(seconds)}
	}
	return lease
}

// listWords are the words of a list in the registry, which Windows parts by
// spaces or commas.
func listWords(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ',' || c == ';' })
}

// ipRouteDHCP and the like are NL_ROUTE_ORIGIN.
var ipRouteOrigins = map[uint32]string{0: "static", 1: "kernel", 2: "dhcp", 3: "ra", 4: "other"}

// fill writes the stack down: links by their index, and the wide routes, best
// metric first.
func (s *ipStack) fill(n *constatv1.Network) {
	byIndex := map[uint32]*ipLink{}
	devices := map[string]string{}
	for i := range s.links {
		l := &s.links[i]
		byIndex[l.index] = l
		if !l.shown() {
			continue
		}
		n.Links = append(n.Links, l.link())
	}
	slices.SortFunc(n.Links, func(a, b *constatv1.Link) int { return cmp.Compare(a.GetIndex(), b.GetIndex()) })
	n.Routes = s.wideRoutes(byIndex)
	s.addResolvers(n)
	var paths []linkPath
	for _, r := range s.routes {
		if l := byIndex[r.index]; l != nil && !r.prefix.Addr().IsMulticast() {
			paths = append(paths, linkPath{r.prefix, l.name})
		}
	}
	kinds := map[string]string{}
	for _, l := range byIndex {
		if l.tunnel != 0 {
			devices[l.name] = "sit" // IPv6 through IPv4: no private network
		}
		_, kinds[l.name] = l.device.known()
	}
	n.Vpns = tunnels(n, devices, paths, nil)
	for _, v := range n.Vpns {
		if kind := kinds[v.GetLink()]; kind != "" {
			v.Kind = &kind
		}
	}
}

// wideRoutes picks default and half-default routes. What a DHCP server gave is
// stored as if somebody had set it; the lease tells.
func (s *ipStack) wideRoutes(byIndex map[uint32]*ipLink) []*constatv1.Route {
	var routes []*constatv1.Route
	for _, r := range s.routes {
		l := byIndex[r.index]
		if r.prefix.Bits() > 1 || l == nil || !l.shown() || l.kindWord() == "loopback" {
			continue
		}
		family := familyOf(r.prefix.Addr())
		route := &constatv1.Route{
			Destination: set(r.prefix.String()), Family: &family, Link: &l.name, Origin: set(cmp.Or(ipRouteOrigins[r.origin], "other")),
		}
		if sum := uint64(r.metric) + uint64(l.metric[family]); sum < 1<<31 {
			route.Metric = set(int32(sum))
		}
		if r.hop.IsValid() && !r.hop.IsUnspecified() {
			route.Gateway = set(r.hop.WithZone("").String())
			if slices.Contains(l.settings.routers, route.GetGateway()) && l.dhcp && route.GetOrigin() == "static" {
				route.Origin = set("dhcp")
			}
			if e := s.neighbour(r.index, r.hop); e != nil && len(e.mac) == 6 && e.state > ipIncomplete {
				route.GatewayMac = set(net.HardwareAddr(e.mac).String())
			}
		}
		routes = append(routes, route)
	}
	slices.SortStableFunc(routes, func(a, b *constatv1.Route) int {
		return cmp.Or(cmp.Compare(a.GetFamily(), b.GetFamily()), cmp.Compare(a.GetMetric(), b.GetMetric()),
			strings.Compare(a.GetDestination(), b.GetDestination()), strings.Compare(a.GetLink(), b.GetLink()))
	})
	return routes
}

func (s *ipStack) neighbour(index uint32, address netip.Addr) *ipNeighbour {
	i := slices.IndexFunc(s.neighbours, func(e ipNeighbour) bool {
		return e.index == index && e.address.WithZone("") == address.WithZone("")
	})
	if i < 0 {
		return nil
	}
	return &s.neighbours[i]
}

// States of a neighbour (NL_NEIGHBOR_STATE).
const (
	ipUnreachable = 0
	ipIncomplete  = 1
	ipReachable   = 5
	ipPermanent   = 6
)

// ipNeighbourWords are the words of RFC 4861 for them.
var ipNeighbourWords = map[uint32]string{
	ipUnreachable: "failed", ipIncomplete: "incomplete", 2: "probe", 3: "delay", 4: "stale", ipReachable: "reachable", ipPermanent: "permanent",
}

// gatewayStates are what the neighbour table has of the routes' gateways, each
// once, sorted by link and address.
func (s *ipStack) gatewayStates() (list []*constatv1.GatewayState) {
	byIndex := map[uint32]*ipLink{}
	for i := range s.links {
		byIndex[s.links[i].index] = &s.links[i]
	}
	for _, r := range s.routes {
		l := byIndex[r.index]
		if r.prefix.Bits() > 1 || l == nil || !l.shown() || !r.hop.IsValid() || r.hop.IsUnspecified() {
			continue
		}
		g := &constatv1.GatewayState{Link: &l.name, Address: set(r.hop.WithZone("").String()), State: set("none")}
		if e := s.neighbour(r.index, r.hop); e != nil {
			g.State = filled(ipNeighbourWords[e.state])
		}
		list = append(list, g)
	}
	order := func(a, b *constatv1.GatewayState) int {
		return cmp.Or(strings.Compare(a.GetLink(), b.GetLink()), strings.Compare(a.GetAddress(), b.GetAddress()))
	}
	slices.SortFunc(list, order)
	return slices.CompactFunc(list, func(a, b *constatv1.GatewayState) bool { return order(a, b) == 0 })
}

// linkCounters are the links' numbers, sorted by link.
func (s *ipStack) linkCounters() *constatv1.Counters {
	c := &constatv1.Counters{}
	for i := range s.links {
		l := &s.links[i]
		if !l.shown() || !l.stated {
			continue
		}
		n := func(v uint64) *int64 { return natural(set(int64(v))) }
		c.Links = append(c.Links, &constatv1.LinkCounters{
			Link: &l.name, InBytes: n(l.counters.inOctets), OutBytes: n(l.counters.outOctets), InPackets: n(l.counters.inPackets), OutPackets: n(l.counters.outPackets),
			InErrors: n(l.counters.inErrors), OutErrors: n(l.counters.outErrors), InDiscards: n(l.counters.inDiscards), OutDiscards: n(l.counters.outDiscards),
		})
	}
	slices.SortFunc(c.Links, func(a, b *constatv1.LinkCounters) int { return strings.Compare(a.GetLink(), b.GetLink()) })
	return c
}

// Windows puts these down as name servers of a link that has none for IPv6
// (RFC 3879 ended them): nobody set them, and nobody is there.
var siteLocalServers = netip.MustParsePrefix("fec0:0:0:ffff::/64")

// addResolvers lists the servers of the links that are up, by the links' metric,
// which is the order in which Windows asks, and those for some names only.
func (s *ipStack) addResolvers(n *constatv1.Network) {
	var up []*ipLink
	for i := range s.links {
		if l := &s.links[i]; l.bound && ipOperWords[l.oper] == "up" && l.kindWord() != "loopback" {
			up = append(up, l)
		}
	}
	metric := func(l *ipLink) uint32 {
		if m, told := l.metric[4]; told {
			return m
		}
		return l.metric[6]
	}
	slices.SortStableFunc(up, func(a, b *ipLink) int {
		return cmp.Or(cmp.Compare(metric(a), metric(b)), cmp.Compare(a.index, b.index))
	})
	domains := s.search
	for _, l := range up {
		if l.suffix != "" && !slices.Contains(domains, l.suffix) {
			domains = append(domains, l.suffix)
		}
		for _, a := range l.servers {
			if siteLocalServers.Contains(a.WithZone("")) {
				continue
			}
			if a.IsLinkLocalUnicast() && a.Is6() {
				a = a.WithZone(l.name)
			}
			r := resolver(a, l.serverOrigin(a))
			r.Link = &l.name
			n.Resolvers = append(n.Resolvers, r)
		}
	}
	for _, p := range s.policies {
		for _, word := range listWords(p.servers) {
			if a, err := netip.ParseAddr(word); err == nil {
				r := resolver(a, "registry")
				r.Domains = domainWords(p.names)
				n.Resolvers = append(n.Resolvers, r)
			}
		}
	}
	n.SearchDomains = searchList(domains)
}

// serverOrigin tells who set a name server.
func (l *ipLink) serverOrigin(a netip.Addr) string {
	text := a.WithZone("").String()
	switch {
	case l.kindWord() == "tunnel":
		return "vpn"
	case slices.Contains(listWords(l.settings.manual), text):
		return "manual"
	case slices.Contains(listWords(l.settings.given), text):
		return "dhcp"
	}
	return "registry"
}

// domainWords are the names of a policy, whose suffixes begin with a dot.
func domainWords(names []string) (list []string) {
	for _, name := range names[:min(len(names), maxSearch)] {
		if name = strings.ToLower(strings.Trim(name, ".")); name != "" {
			list = append(list, name)
		}
	}
	return list
}

// nlmWord folds the bits of NLM_CONNECTIVITY into our word for what the system
// says of the way to the internet.
func nlmWord(bits uint32) string {
	const internet, local, silent = 0x40 | 0x400, 0x10 | 0x20 | 0x100 | 0x200, 0x1 | 0x2
	switch {
	case bits&internet != 0:
		return "full"
	case bits&(local|silent) != 0:
		return "limited"
	}
	return "none"
}
