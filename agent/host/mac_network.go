package host

import (
	"cmp"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// maxMacLinks is how many links are told of; a Mac has some twenty.
const maxMacLinks = 512

// macLinks reads what ifconfig(8) writes with -a and -m: a line for each link, and below
// it, behind spaces, what there is to tell of it. Ports are the kinds of links by
// name, as networksetup tells them.
func macLinks(content []byte, ports map[string]string) []*constatv1.Link {
	var links []*constatv1.Link
	var l *constatv1.Link
	masters := map[string]string{}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimRight(line, "\r\n ")
		if name, rest, found := strings.Cut(line, ": flags="); found && name != "" && !strings.ContainsAny(name, " \t") {
			if len(links) == maxMacLinks {
				break
			}
			l = macLinkOf(name, rest, ports)
			links = append(links, l)
			continue
		}
		if l != nil {
			macLinkLine(l, strings.Fields(line), masters)
		}
	}
	for _, l := range links {
		if master := masters[l.GetName()]; master != "" {
			l.Master = &master
		}
		if l.GetAdminStatus() == "up" && l.Carrier != nil {
			l.OperStatus = set(map[bool]string{false: "down", true: "up"}[l.GetCarrier()])
		} else if l.GetAdminStatus() == "down" {
			l.OperStatus = set("down")
		}
	}
	return links
}

// macLinkOf begins a link by its first line: “8863<UP,BROADCAST,…> mtu 1500”.
func macLinkOf(name, rest string, ports map[string]string) *constatv1.Link {
	l := &constatv1.Link{Name: &name, AdminStatus: set("down"), Kind: set(macLinkKind(name, ports[name])), Physical: set(ports[name] != "" && !strings.HasPrefix(name, "bridge"))}
	_, flags, _ := strings.Cut(rest, "<")
	flags, rest, _ = strings.Cut(flags, ">")
	for flag := range strings.SplitSeq(flags, ",") {
		switch flag {
		case "UP":
			l.AdminStatus = set("up")
		case "LOOPBACK":
			l.Kind = set("loopback")
		}
	}
	if l.GetAdminStatus() == "up" && l.GetKind() == "loopback" {
		l.Carrier = set(true)
	}
	if fields := strings.Fields(rest); len(fields) >= 2 && fields[0] == "mtu" {
		l.Mtu = (node{fields[1]}).small(1, 1<<20)
	}
	return l
}

// macLinkKind is what a link is, by its port and by its name.
func macLinkKind(name, port string) string {
	switch port = strings.ToLower(port); {
	case port == "wi-fi" || port == "airport":
		return "wifi"
	case strings.Contains(port, "bluetooth"):
		return "bluetooth"
	case strings.HasPrefix(name, "bridge"):
		return "bridge"
	case strings.Contains(port, "iphone") || strings.Contains(port, "ipad") || strings.Contains(port, "modem"):
		return "cellular"
	case port != "" && strings.HasPrefix(name, "en"):
		return "ethernet"
	}
	for prefix, kind := range map[string]string{
		"lo": "loopback", "utun": "tunnel", "ipsec": "tunnel", "ppp": "tunnel", "gif": "tunnel", "stf": "tunnel", "tun": "tunnel",
		"bond": "bond", "vlan": "vlan", "feth": "veth", "en": "ethernet", "pdp_ip": "cellular",
	} {
		if digits, found := strings.CutPrefix(name, prefix); found && strings.Trim(digits, "0123456789") == "" {
			return kind
		}
	}
	return "other"
}

// macLinkLine adds one line of a link to it.
func macLinkLine(l *constatv1.Link, fields []string, masters map[string]string) {
	if len(fields) == 1 || len(fields) == 2 && strings.HasPrefix(fields[1], "<") { // below “supported media:”
		if mbps := macMbps(fields[0]); mbps != nil && *mbps > l.GetSupportedMbps() && l.GetKind() != "wifi" {
			l.SupportedMbps = mbps
		}
	}
	if len(fields) < 2 {
		return
	}
	switch fields[0] {
	case "mtu": // where the first line was broken
		l.Mtu = (node{fields[1]}).small(1, 1<<20)
	case "ether":
		if mac, err := net.ParseMAC(fields[1]); err == nil {
			l.Mac = set(mac.String())
		}
	case "status:":
		l.Carrier = set(fields[1] == "active")
	case "media:":
		macMedia(l, strings.Join(fields[1:], " "))
	case "member:":
		if len(masters) < maxMacLinks {
			masters[fields[1]] = l.GetName()
		}
	case "inet", "inet6":
		if a := macAddress(fields); a != nil && len(l.Addresses) < 64 {
			l.Addresses = append(l.Addresses, a)
		}
	}
}

// macMedia reads “autoselect (1000baseT <full-duplex,flow-control>)”; what is set by
// hand stands without brackets.
func macMedia(l *constatv1.Link, text string) {
	asked, active, found := strings.Cut(text, "(")
	if !found {
		active = asked
	}
	if strings.HasPrefix(asked, "autoselect") {
		l.Autonegotiation = set(true)
	} else if !strings.HasPrefix(asked, "none") && !strings.HasPrefix(asked, "<unknown") {
		l.Autonegotiation = set(false)
	}
	if l.GetKind() == "wifi" {
		l.Autonegotiation = nil
		return
	}
	l.SpeedMbps = macMbps(active)
	switch {
	case l.SpeedMbps == nil: // “autoselect <full-duplex>” of one that has no cable
	case strings.Contains(active, "full-duplex"):
		l.Duplex = set("full")
	case strings.Contains(active, "half-duplex"):
		l.Duplex = set("half")
	}
}

// macMbps is the speed of a medium: “1000baseT”, “2.5Gbase-T”, “10GbaseT”.
func macMbps(medium string) *int32 {
	speed, _, found := strings.Cut(strings.ToLower(medium), "base")
	scale := 1.0
	if number, giga := strings.CutSuffix(speed, "g"); giga {
		speed, scale = number, 1000
	}
	mbps, err := strconv.ParseFloat(speed, 64)
	if !found || err != nil || !(mbps > 0) || mbps*scale > 1_000_000 {
		return nil
	}
	return set(int32(mbps * scale))
}

// macAddress reads “inet 192.0.2.5 netmask 0xffffff00 broadcast 192.0.2.255” and
// “inet6 fe80::1%en0 prefixlen 64 secured scopeid 0xf”.
func macAddress(fields []string) *constatv1.Address {
	text, _, _ := strings.Cut(fields[1], "%")
	address, err := netip.ParseAddr(text)
	if err != nil {
		return nil
	}
	bits := address.BitLen()
	a := &constatv1.Address{Family: set(int32(4)), Scope: set("global")}
	if address.Is6() {
		a.Family = set(int32(6))
	}
	origin := ""
	for i, field := range fields[2:] {
		value := ""
		if i+3 < len(fields) {
			value = fields[i+3]
		}
		switch field {
		case "netmask":
			if mask := hexNumber(value); mask != nil {
				raw := binary.BigEndian.AppendUint32(nil, uint32(*mask))
				if ones, size := net.IPMask(raw).Size(); size == 32 {
					bits = ones
				}
			}
		case "prefixlen":
			if n, err := strconv.Atoi(value); err == nil && n >= 0 && n <= 128 && address.Is6() {
				bits = n
			}
		case "tentative":
			a.Tentative = set(true)
		case "duplicated":
			a.Duplicate = set(true)
		case "deprecated":
			a.Deprecated = set(true)
		case "autoconf", "temporary", "secured":
			if address.Is6() && !address.IsLinkLocalUnicast() {
				origin = "ra"
			}
		case "dynamic":
			origin = "dhcp"
		}
	}
	switch {
	case address.IsLoopback():
		a.Scope = set("host")
	case address.IsLinkLocalUnicast():
		a.Scope, origin = set("link"), "linkLocal"
	}
	a.Origin = filled(origin)
	a.Cidr = set(netip.PrefixFrom(address, bits).String())
	return a
}

// macPorts reads networksetup -listallhardwareports: the kind of port of each
// device.
func macPorts(content []byte) map[string]string {
	ports := map[string]string{}
	port := ""
	for line := range strings.Lines(string(content)) {
		switch key, value := labelled(line); key {
		case "Hardware Port":
			port = value
		case "Device":
			if port != "" && value != "" && len(ports) < maxMacLinks {
				ports[value] = port
			}
		}
	}
	return ports
}

// macService is a network service: what people set up for a port, in the order in
// which the system prefers them.
type macService struct {
	name, device string
	enabled      bool
}

// macServices reads networksetup -listnetworkserviceorder: “(1) Wi-Fi”, or “(*)
// Wi-Fi” where it is switched off, and “(Hardware Port: Wi-Fi, Device: en0)” below.
func macServices(content []byte) (services []macService) {
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if rest, found := strings.CutPrefix(line, "(Hardware Port:"); found && len(services) > 0 {
			_, device, _ := strings.Cut(rest, "Device:")
			services[len(services)-1].device = strings.Trim(device, " )")
			continue
		}
		mark, name, found := strings.Cut(strings.TrimPrefix(line, "("), ") ")
		if _, err := strconv.Atoi(mark); !found || !strings.HasPrefix(line, "(") || err != nil && mark != "*" || len(services) == maxMacLinks {
			continue
		}
		services = append(services, macService{name: name, enabled: mark != "*"})
	}
	return services
}

// macResolvers reads scutil --dns: the resolvers in the order in which they are
// asked; those of single links follow in a section of their own, and are asked
// only by what is bound to a link. A resolver with a domain is asked for that only;
// multicast DNS is none of them.
func macResolvers(content []byte) (resolvers []*constatv1.Resolver, search []string) {
	text, _, _ := strings.Cut(string(content), "(for scoped queries)")
	type block struct {
		servers []string
		link    string
		domain  string
		mdns    bool
		search  []string
	}
	var blocks []*block
	var b *block
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "resolver #") {
			if len(blocks) == 256 {
				break
			}
			b = &block{}
			blocks = append(blocks, b)
			continue
		}
		key, value := labelled(line)
		if b == nil || value == "" {
			continue
		}
		switch kind, _, _ := strings.Cut(key, "["); strings.TrimSpace(kind) {
		case "nameserver":
			b.servers = append(b.servers, value)
		case "search domain":
			b.search = append(b.search, value)
		case "domain":
			b.domain = strings.TrimSuffix(value, ".")
		case "if_index":
			if open, end := strings.Index(value, "("), strings.Index(value, ")"); open >= 0 && end > open {
				b.link = value[open+1 : end]
			}
		case "options":
			b.mdns = value == "mdns"
		}
	}
	for _, b := range blocks {
		if b.mdns {
			continue
		}
		if b.domain == "" && search == nil {
			search = b.search[:min(len(b.search), 32)]
		}
		for _, server := range b.servers {
			a, err := netip.ParseAddr(server)
			if err != nil || len(resolvers) == 64 {
				continue
			}
			r := resolver(a, "scutil")
			if r.Link == nil {
				r.Link = filled(b.link)
			}
			if b.domain != "" {
				r.Domains = []string{b.domain}
			}
			same := func(o *constatv1.Resolver) bool {
				return o.GetAddress() == r.GetAddress() && slices.Equal(o.Domains, r.Domains)
			}
			if !slices.ContainsFunc(resolvers, same) {
				resolvers = append(resolvers, r)
			}
		}
	}
	return resolvers, search
}

// macProxy reads scutil --proxy, a dictionary of one line for each key.
func macProxy(content []byte) *constatv1.Proxy {
	values := map[string]string{}
	var exceptions []string
	inList := false
	for line := range strings.Lines(string(content)) {
		key, value, found := strings.Cut(strings.TrimSpace(line), " : ")
		switch {
		case strings.TrimSpace(line) == "}":
			inList = false
		case !found:
		case value == "<array> {":
			inList = key == "ExceptionsList"
		case inList:
			if len(exceptions) < 256 {
				exceptions = append(exceptions, value)
			}
		default:
			values[key] = value
		}
	}
	address := func(kind string) *string {
		if values[kind+"Enable"] != "1" || values[kind+"Proxy"] == "" {
			return nil
		}
		port := values[kind+"Port"]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			port = map[string]string{"HTTP": "80", "HTTPS": "443"}[kind]
		}
		return filled(proxyAddress(net.JoinHostPort(values[kind+"Proxy"], port)))
	}
	p := &constatv1.Proxy{Mode: set("none"), Source: set("scutil"), Http: address("HTTP"), Https: address("HTTPS")}
	switch {
	case values["ProxyAutoConfigEnable"] == "1" && values["ProxyAutoConfigURLString"] != "":
		p.Mode, p.PacUrl = set("pac"), withoutUser(values["ProxyAutoConfigURLString"])
	case values["ProxyAutoDiscoveryEnable"] == "1":
		p.Mode = set("wpad")
	case p.Http != nil || p.Https != nil:
		p.Mode, p.Exceptions = set("manual"), exceptions
	}
	return p
}

// macReach reads scutil --nwi: whether the system has found a way out at all. That
// there is one does not say that it leads anywhere.
func macReach(content []byte) *string {
	none := 0
	for line := range strings.Lines(string(content)) {
		key, value := labelled(line)
		switch {
		case key == "REACH" && strings.Contains(value, "(Not Reachable)"):
			none++
		case key == "REACH":
			return nil
		}
	}
	if none == 0 {
		return nil
	}
	return set("none")
}

// macVPNs reads scutil --nc list: “* (Connected) UUID IPSec --> 192.0.2.1 "Work"
// [IPSec:…]”, one line for each that someone set up. By service has them by that UUID.
func macVPNs(content []byte) (vpns []*constatv1.Vpn, byService map[string]*constatv1.Vpn) {
	byService = map[string]*constatv1.Vpn{}
	states := map[string]string{"Connected": "connected", "Connecting": "connecting", "Disconnected": "disconnected", "Disconnecting": "connecting"}
	for line := range strings.Lines(string(content)) {
		_, rest, found := strings.Cut(line, "(")
		state, rest, closed := strings.Cut(rest, ")")
		if !found || !closed || states[state] == "" || len(vpns) == 64 {
			continue
		}
		v := &constatv1.Vpn{State: set(states[state]), Kind: set("other")}
		if parts := strings.Split(rest, `"`); len(parts) >= 3 {
			v.Name = filled(parts[1])
		}
		if open := strings.LastIndex(rest, "["); open >= 0 {
			lower := strings.ToLower(rest[open:])
			for _, k := range []struct{ in, kind string }{
				{"wireguard", "wireguard"}, {"openvpn", "openvpn"}, {"anyconnect", "anyconnect"}, {"cisco", "anyconnect"},
				{"globalprotect", "globalprotect"}, {"paloalto", "globalprotect"}, {"ipsec", "ipsec"}, {"ikev2", "ipsec"}, {"l2tp", "ipsec"},
			} {
				if strings.Contains(lower, k.in) {
					v.Kind = set(k.kind)
					break
				}
			}
		}
		vpns = append(vpns, v)
		if fields := strings.Fields(rest); len(fields) > 0 && macServiceID(fields[0]) {
			byService[fields[0]] = v
		}
	}
	slices.SortStableFunc(vpns, func(a, b *constatv1.Vpn) int { return strings.Compare(a.GetName(), b.GetName()) })
	return vpns, byService
}

// macServiceID tells whether a text is the UUID of a network service: it is put behind
// other words of a program.
func macServiceID(text string) bool {
	return len(text) == 36 && strings.Count(text, "-") == 4 && strings.Trim(text, "0123456789ABCDEFabcdef-") == "" && text[0] != '-'
}

// macTunnel adds what scutil --nc status UUID tells of a VPN that is connected: its
// link, whom it reaches, and by the routes where it leads.
func macTunnel(v *constatv1.Vpn, status []byte, n *constatv1.Network, paths []linkPath) {
	values := dictionaryText(status)
	for _, key := range []string{"/IPv4/ServerAddress", "/PPP/CommRemoteAddress", "/IPSec/RemoteAddress"} {
		if a, err := netip.ParseAddr(values[key]); err == nil && v.Gateway == nil {
			v.Gateway = set(a.String())
		}
	}
	link := cmp.Or(values["/IPv4/InterfaceName"], values["/IPv6/InterfaceName"])
	if !slices.ContainsFunc(n.Links, func(l *constatv1.Link) bool { return l.GetName() == link }) {
		return
	}
	v.Link, v.CarriesDefault, v.Overlaps = &link, set(carriesDefault(paths, link)), overlaps(n, paths, link)
}

// dictionaryText reads a dictionary that configd's programs wrote for people: a line
// “Key : value” for each value, or “Key : <dictionary> {” or “<array> {” and the
// lines of that up to “}”. The result has the values by the names that lead to them:
// “/IPv4/0/DHCP/State”.
func dictionaryText(content []byte) map[string]string {
	const deepest, most = 16, 1024
	values := map[string]string{}
	var path []string
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		key, value, found := strings.Cut(line, " : ")
		switch {
		case line == "}" && len(path) > 0:
			path = path[:len(path)-1]
		case strings.HasSuffix(line, "> {"):
			if len(path) == deepest {
				return values
			}
			if !found {
				key = ""
			}
			path = append(path, key)
		case found && len(values) < most:
			values[strings.Join(path, "/")+"/"+key] = value
		}
	}
	return values
}

// macLease reads ipconfig getpacket: the answer of the server that gave a link its
// address, and that address.
func macLease(content []byte) (lease *constatv1.Lease, address netip.Addr) {
	lease = &constatv1.Lease{}
	for line := range strings.Lines(string(content)) {
		if text, found := strings.CutPrefix(line, "yiaddr = "); found {
			address, _ = netip.ParseAddr(strings.TrimSpace(text))
			continue
		}
		key, value, found := strings.Cut(line, "):")
		kind, _, _ := strings.Cut(key, " ")
		if !found {
			continue
		}
		switch kind {
		case "server_identifier":
			if a, err := netip.ParseAddr(strings.TrimSpace(value)); err == nil {
				lease.Server = set(a.String())
			}
		case "router":
			lease.Routers = macAddresses(value)
		case "domain_name_server":
			lease.Resolvers = macAddresses(value)
		}
	}
	if lease.Server == nil && !address.IsValid() {
		return nil, address
	}
	return lease, address
}

// macLeaseTerm adds what ipconfig getsummary tells of a link: until when what it was
// given is good, and whether it still asks for something. Times are those of the
// clock on the wall. Without a lease, the result is nil, or one that is asked for.
func macLeaseTerm(lease *constatv1.Lease, summary []byte, zone *time.Location) *constatv1.Lease {
	values := dictionaryText(summary)
	service := "" // the one by DHCP; where that fails, another has an address of the link's own
	for i := range 4 {
		if one := "/IPv4/" + strconv.Itoa(i); values[one+"/ConfigMethod"] == "DHCP" {
			service = one
			break
		}
	}
	if service == "" {
		return lease
	}
	switch values[service+"/DHCP/State"] {
	case "INIT", "SELECT", "REQUEST", "INIT/REBOOT", "INIT-REBOOT", "REBOOT":
		if lease == nil {
			lease = &constatv1.Lease{}
		}
		lease.Pending = set(true)
	case "BOUND", "RENEW", "REBIND":
		if lease == nil {
			return nil
		}
		lease.Pending = set(false)
	}
	at, err := time.ParseInLocation("01/02/2006 15:04:05", values[service+"/DHCP/LeaseExpirationTime"], zone)
	if lease != nil && err == nil && at.Year() > 2000 && at.Year() < 2200 {
		lease.ExpiresAt = timestamppb.New(at)
	}
	return lease
}

// macAddresses reads “{192.0.2.1, 192.0.2.2}”.
func macAddresses(text string) (list []string) {
	for one := range strings.SplitSeq(strings.Trim(strings.TrimSpace(text), "{}"), ",") {
		if a, err := netip.ParseAddr(strings.TrimSpace(one)); err == nil && len(list) < 16 {
			list = append(list, a.String())
		}
	}
	return list
}

// macFirewall reads what socketfilterfw answers: whether the firewall for programs
// is on, and whether it lets nothing in.
func macFirewall(state, blockAll []byte) *constatv1.LocalFirewall {
	f := &constatv1.LocalFirewall{Kind: set("alf"), Enabled: macEnabled(state)}
	switch {
	case f.Enabled == nil:
		return nil
	case !*f.Enabled:
		f.IncomingPolicy = set("accept")
	case strings.Contains(string(blockAll), "set to enabled"):
		f.IncomingPolicy = set("drop")
	}
	return f
}

// macPacketFilter adds what pfctl -s info says of the packet filter below: “Status:
// Disabled …”. What one that is on lets out depends on its rules.
func macPacketFilter(f *constatv1.LocalFirewall, content []byte) {
	for line := range strings.Lines(string(content[:min(len(content), 1000)])) {
		if key, value := labelled(line); f != nil && key == "Status" && strings.HasPrefix(value, "Disabled") {
			f.OutgoingPolicy, f.OutgoingBlocks = set("accept"), set(int32(0))
		}
	}
}

// macEnabled reads “Firewall is enabled. (State = 1)”, “assessments enabled” and
// their like; nil of what says neither.
func macEnabled(content []byte) *bool {
	text := strings.ToLower(string(content[:min(len(content), 1000)]))
	switch {
	case strings.Contains(text, "disabled"):
		return set(false)
	case strings.Contains(text, "enabled"):
		return set(true)
	}
	return nil
}
