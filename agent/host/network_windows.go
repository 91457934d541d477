package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// The hosts file lies where it has since 1993.
const (
	hostsFile = `C:\Windows\System32\drivers\etc\hosts`

	stackSource   = "IP Helper, registry, Network List Manager"
	counterSource = "IP Helper"
)

var (
	iphlpapi                   = windows.NewLazySystemDLL("iphlpapi.dll")
	getIpNetTable2             = iphlpapi.NewProc("GetIpNetTable2")
	resolveIpNetEntry2         = iphlpapi.NewProc("ResolveIpNetEntry2")
	getNetworkConnectivityHint = iphlpapi.NewProc("GetNetworkConnectivityHint")
)

// maxStack bounds what is looked at of each table.
const maxStack = 4096

// maxModes bounds the speeds that a driver offers.
const maxModes = 64

// readNetwork fills the network group without sending a packet.
func readNetwork(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed(stackSource)
	n := &constatv1.Network{}
	if err := readStack(ctx, r, n, o); err != nil {
		return nil, failed(stackSource, err)
	}
	readHosts(r, n, o)
	readNeighbours(r, n, o)
	readSettings(n, o)
	return n, o
}

// readStack asks IP Helper for the links, addresses, routes and servers, and the
// Network List Manager for how Windows judges them.
func readStack(ctx context.Context, r *reader, n *constatv1.Network, o *constatv1.Observation) error {
	s, err := readIPStack(func(instance string) string {
		tree, err := r.plugTree()
		if err != nil {
			return instance
		}
		return tree.busAddress(instance)
	})
	if err != nil {
		return err
	}
	judged, err := askNetworks(ctx)
	if err != nil {
		gap(o, "links.profile", err)
	}
	for i := range s.links {
		if category, found := judged.categories[strings.ToUpper(s.links[i].guid)]; found {
			s.links[i].category = &category
		}
	}
	if err := s.readModes(); err != nil {
		gap(o, "links.duplex", err)
		gap(o, "links.autonegotiation", err)
	}
	s.fill(n)
	if s.neighboursErr != nil {
		gap(o, "routes.gateway_mac", s.neighboursErr)
	}
	switch hint, err := connectivityHint(); {
	case err == nil:
		n.OsConnectivity = filled(hint.word())
	case judged.connectivity != "":
		n.OsConnectivity = &judged.connectivity
	default:
		gap(o, "os_connectivity", err)
	}
	if !slices.ContainsFunc(n.Links, func(l *constatv1.Link) bool { return l.SupportedMbps != nil }) {
		gap(o, "links.supported_mbps", fmt.Errorf("no driver offers a list of speeds: %w", errors.ErrUnsupported))
	}
	return nil
}

// readIPStack reads all tables of IP Helper, and of the registry what belongs to
// the interfaces.
func readIPStack(addressOf func(instance string) string) (*ipStack, error) {
	s := &ipStack{}
	if err := s.readInterfaces(); err != nil {
		return nil, err
	}
	if err := s.readAdapters(); err != nil {
		return nil, err
	}
	s.readDevices(addressOf)
	if err := s.readRoutes(); err != nil {
		return nil, err
	}
	s.neighboursErr = s.readNeighbours()
	s.readSuffixes()
	return s, nil
}

func (s *ipStack) readInterfaces() error {
	var table *windows.MibIfTable2
	if err := windows.GetIfTable2Ex(windows.MibIfTableNormal, &table); err != nil {
		return fmt.Errorf("GetIfTable2Ex: %w", err)
	}
	defer windows.FreeMibTable(unsafe.Pointer(table))
	for i := range min(table.NumEntries, maxStack) {
		row := &unsafe.Slice(&table.Table[0], table.NumEntries)[i]
		s.links = append(s.links, ipLink{
			index: row.InterfaceIndex, guid: row.InterfaceGuid.String(), name: windows.UTF16ToString(row.Alias[:]),
			mac: slices.Clone(row.PhysicalAddress[:min(row.PhysicalAddressLength, 32)]), mtu: row.Mtu,
			kind: row.Type, medium: row.PhysicalMediumType, tunnel: row.TunnelType, flags: row.InterfaceAndOperStatusFlags,
			oper: row.OperStatus, admin: row.AdminStatus, media: row.MediaConnectState, bitsPerSecond: row.TransmitLinkSpeed, stated: true,
			counters: ipCounters{
				inOctets: row.InOctets, outOctets: row.OutOctets,
				inPackets: row.InUcastPkts + row.InNUcastPkts, outPackets: row.OutUcastPkts + row.OutNUcastPkts,
				inErrors: row.InErrors, outErrors: row.OutErrors, inDiscards: row.InDiscards, outDiscards: row.OutDiscards,
			},
		})
	}
	return nil
}

// readAdapters adds what IP keeps of its interfaces.
func (s *ipStack) readAdapters() error {
	const flags = windows.GAA_FLAG_SKIP_ANYCAST | windows.GAA_FLAG_SKIP_MULTICAST
	size := uint32(32 << 10)
	var buffer []byte
	for try := 0; ; try++ {
		buffer = make([]byte, size)
		err := windows.GetAdaptersAddresses(windows.AF_UNSPEC, flags, 0, (*windows.IpAdapterAddresses)(unsafe.Pointer(&buffer[0])), &size)
		if err == nil {
			break
		}
		if errors.Is(err, windows.ERROR_NO_DATA) {
			return nil // no adapter has an address
		}
		if !errors.Is(err, windows.ERROR_BUFFER_OVERFLOW) || try == 3 || size > 16<<20 {
			return fmt.Errorf("GetAdaptersAddresses: %w", err)
		}
	}
	const (
		dhcpv4Enabled = 1 << 2
		maxAddresses  = 1024
	)
	adapter := (*windows.IpAdapterAddresses)(unsafe.Pointer(&buffer[0]))
	for n := 0; adapter != nil && n < maxStack; adapter, n = adapter.Next, n+1 {
		index := adapter.IfIndex
		if index == 0 {
			index = adapter.Ipv6IfIndex
		}
		i := slices.IndexFunc(s.links, func(l ipLink) bool { return l.index == index })
		if i < 0 {
			i = len(s.links)
			s.links = append(s.links, ipLink{
				index: index, guid: windows.BytePtrToString(adapter.AdapterName),
				mac: slices.Clone(adapter.PhysicalAddress[:min(adapter.PhysicalAddressLength, 8)]), mtu: adapter.Mtu,
				kind: adapter.IfType, tunnel: adapter.TunnelType, oper: adapter.OperStatus,
			})
		}
		l := &s.links[i]
		l.bound, l.dhcp = true, adapter.Flags&dhcpv4Enabled != 0
		l.name = windows.UTF16PtrToString(adapter.FriendlyName) // as sockets know it
		l.suffix = windows.UTF16PtrToString(adapter.DnsSuffix)
		l.metric = map[int32]uint32{4: adapter.Ipv4Metric, 6: adapter.Ipv6Metric}
		for a, m := adapter.FirstUnicastAddress, 0; a != nil && m < maxAddresses; a, m = a.Next, m+1 {
			if ip, ok := netip.AddrFromSlice(a.Address.IP()); ok && int(a.OnLinkPrefixLength) <= ip.BitLen() {
				l.addresses = append(l.addresses, ipAddress{netip.PrefixFrom(ip, int(a.OnLinkPrefixLength)), a.PrefixOrigin, a.SuffixOrigin, a.DadState})
			}
		}
		for a, m := adapter.FirstDnsServerAddress, 0; a != nil && m < maxAddresses; a, m = a.Next, m+1 {
			if ip, ok := netip.AddrFromSlice(a.Address.IP()); ok {
				l.servers = append(l.servers, ip)
			}
		}
	}
	return nil
}

// readModes asks the drivers of wired ports that have a signal. An error is that
// of the last one which did not say.
func (s *ipStack) readModes() (silent error) {
	const (
		queryStatistics = 0x170002 // IOCTL_NDIS_QUERY_GLOBAL_STATS
		linkState       = 0x010207 // OID_GEN_LINK_STATE
		size            = 40
	)
	for i := range s.links {
		l := &s.links[i]
		if !l.shown() || l.kindWord() != "ethernet" || l.flags&ipHardware == 0 || l.media != ipMediaConnected {
			continue
		}
		handle, err := openDevice(`\\.\`+l.guid, 0)
		if err != nil {
			silent = err
			continue
		}
		raw, err := control(handle, queryStatistics, binary.LittleEndian.AppendUint32(nil, linkState), size)
		windows.CloseHandle(handle)
		if err != nil {
			silent = err
			continue
		}
		l.modes = parseLinkState(raw)
	}
	return silent
}

// Keys of the registry below HKEY_LOCAL_MACHINE.
const (
	tcpipKey        = `SYSTEM\CurrentControlSet\Services\Tcpip\Parameters`
	netClassKey     = `SYSTEM\CurrentControlSet\Control\Class\{4d36e972-e325-11ce-bfc1-08002be10318}`
	enumKey         = `SYSTEM\CurrentControlSet\Enum`
	namePolicyKey   = `SOFTWARE\Policies\Microsoft\Windows NT\DNSClient\DnsPolicyConfig`
	ownNamesKey     = `SYSTEM\CurrentControlSet\Services\Dnscache\Parameters\DnsPolicyConfig`
	filterKey       = `SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy`
	filterPolicyKey = `SOFTWARE\Policies\Microsoft\WindowsFirewall`
	internetKey     = `Software\Microsoft\Windows\CurrentVersion\Internet Settings`
	internetPolicy  = `SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings`
)

// readDevices adds the leases and the devices of the interfaces.
func (s *ipStack) readDevices(addressOf func(instance string) string) {
	interfaces := machineKey(tcpipKey + `\Interfaces`)
	defer interfaces.close()
	devices := map[string]netDevice{}
	class := machineKey(netClassKey)
	defer class.close()
	for _, number := range class.keys(maxStack) {
		key := class.sub(number)
		if guid := strings.ToUpper(key.text("NetCfgInstanceId")); guid != "" {
			d := netDevice{component: key.text("ComponentId")}
			modes := key.sub(`Ndi\Params\*SpeedDuplex\Enum`)
			d.fastest = fastestMode(modes.values(maxModes))
			modes.close()
			if instance := key.text("DeviceInstanceID"); instance != "" {
				device := machineKey(enumKey + `\` + instance)
				d.service, d.address = device.text("Service"), addressOf(instance)
				device.close()
			}
			devices[guid] = d
		}
		key.close()
	}
	for i := range s.links {
		l := &s.links[i]
		l.device = devices[strings.ToUpper(l.guid)]
		if key := interfaces.sub(l.guid); key.open {
			l.settings = ipSettings{
				server: key.text("DhcpServer"), routers: key.texts("DhcpDefaultGateway"),
				given: key.text("DhcpNameServer"), manual: key.text("NameServer"),
			}
			if at := key.number("LeaseTerminatesTime"); at != nil {
				l.settings.terminates = *at
			}
			key.close()
		}
	}
}

func (s *ipStack) readRoutes() error {
	var table *windows.MibIpForwardTable2
	if err := windows.GetIpForwardTable2(windows.AF_UNSPEC, &table); err != nil {
		return fmt.Errorf("GetIpForwardTable2: %w", err)
	}
	defer windows.FreeMibTable(unsafe.Pointer(table))
	for _, row := range table.Rows()[:min(table.NumEntries, maxStack)] {
		to, ok := socketAddress(&row.DestinationPrefix.Prefix)
		if !ok || int(row.DestinationPrefix.PrefixLength) > to.BitLen() {
			continue
		}
		hop, _ := socketAddress(&row.NextHop)
		s.routes = append(s.routes, ipRoute{
			index: row.InterfaceIndex, prefix: netip.PrefixFrom(to, int(row.DestinationPrefix.PrefixLength)), hop: hop,
			metric: row.Metric, protocol: row.Protocol, origin: row.Origin,
		})
	}
	return nil
}

// socketAddress is the address in a SOCKADDR_INET.
func socketAddress(a *windows.RawSockaddrInet) (netip.Addr, bool) {
	raw := unsafe.Slice((*byte)(unsafe.Pointer(a)), unsafe.Sizeof(*a))
	switch a.Family {
	case windows.AF_INET:
		return netip.AddrFrom4([4]byte(raw[4:8])), true
	case windows.AF_INET6:
		return netip.AddrFrom16([16]byte(raw[8:24])), true
	}
	return netip.Addr{}, false
}

// ipNetRow is MIB_IPNET_ROW2 (netioapi.h).
type ipNetRow struct {
	address        windows.RawSockaddrInet
	index          uint32
	luid           uint64
	mac            [32]byte
	macLength      uint32
	state          uint32
	flags          uint8
	reachabilityMs uint32
}

func (r *ipNetRow) neighbour() (n ipNeighbour, ok bool) {
	n = ipNeighbour{index: r.index, mac: slices.Clone(r.mac[:min(r.macLength, 32)]), state: r.state}
	n.address, ok = socketAddress(&r.address)
	return n, ok
}

// readNeighbours reads the tables of ARP and ND; an error says that neither could
// be had.
func (s *ipStack) readNeighbours() error {
	var failures []error
	for _, family := range []uintptr{windows.AF_INET, windows.AF_INET6} {
		var table *struct {
			entries uint32
			rows    [1]ipNetRow
		}
		if err := call(getIpNetTable2, family, uintptr(unsafe.Pointer(&table))); err != nil || table == nil {
			failures = append(failures, err)
			continue
		}
		rows := unsafe.Slice(&table.rows[0], table.entries)
		for i := range rows[:min(len(rows), maxStack)] {
			if n, ok := rows[i].neighbour(); ok {
				s.neighbours = append(s.neighbours, n)
			}
		}
		windows.FreeMibTable(unsafe.Pointer(table))
	}
	if len(failures) == 2 {
		return failures[0]
	}
	return nil
}

// readSuffixes reads what holds for the names of the whole machine.
func (s *ipStack) readSuffixes() {
	for _, at := range []string{`SOFTWARE\Policies\Microsoft\Windows NT\DNSClient`, tcpipKey} {
		key := machineKey(at)
		if s.search == nil {
			s.search = listWords(key.text("SearchList"))
		}
		if domain := key.text("Domain"); at == tcpipKey && domain != "" && len(s.search) == 0 {
			s.search = []string{domain}
		}
		key.close()
	}
	for _, at := range []string{namePolicyKey, ownNamesKey} {
		key := machineKey(at)
		for _, name := range key.keys(maxSearch) {
			rule := key.sub(name)
			if servers := rule.text("GenericDNSServers"); servers != "" {
				s.policies = append(s.policies, namePolicy{rule.texts("Name"), servers})
			}
			rule.close()
		}
		key.close()
	}
}

// networkHint is NL_NETWORK_CONNECTIVITY_HINT (Windows 10, version 2004).
type networkHint struct {
	level, cost                     uint32
	approaching, overLimit, roaming uint8
}

// word is our word for NL_NETWORK_CONNECTIVITY_LEVEL_HINT; "" where Windows
// keeps it to itself.
func (h networkHint) word() string {
	return map[uint32]string{0: "unknown", 1: "none", 2: "limited", 3: "full", 4: "portal"}[h.level]
}

func connectivityHint() (h networkHint, err error) {
	return h, call(getNetworkConnectivityHint, uintptr(unsafe.Pointer(&h)))
}

// Metered tells whether Windows counts what is sent by the network that is used.
func Metered(context.Context, Config) bool {
	const fixed, variable = 2, 3 // NL_NETWORK_CONNECTIVITY_COST_HINT
	h, err := connectivityHint()
	return err == nil && (h.cost == fixed || h.cost == variable || h.roaming != 0)
}

func linkCounters(context.Context) (*constatv1.Counters, error) {
	s := &ipStack{}
	if err := s.readInterfaces(); err != nil {
		return nil, err
	}
	if err := s.readAdapters(); err != nil {
		return nil, err
	}
	return s.linkCounters(), nil
}

func gatewayStates(context.Context) ([]*constatv1.GatewayState, error) {
	s, err := readIPStack(func(instance string) string { return instance })
	if err != nil {
		return nil, err
	}
	if s.neighboursErr != nil {
		return nil, s.neighboursErr
	}
	return s.gatewayStates(), nil
}

// readSettings reads the proxy and the packet filter; name servers came with the
// links.
func readSettings(n *constatv1.Network, o *constatv1.Observation) {
	var err error
	if n.Proxy, err = windowsProxy(); err != nil {
		gap(o, "proxy", err)
	}
	if n.Firewall, err = readWindowsFirewall(n); err != nil {
		gap(o, "firewall", err)
	}
}

// windowsProxy tells the proxy that programs are given: by a policy for all
// users, else by the settings of whoever is signed in, else by WinHTTP's, which
// are for services, else by the environment.
func windowsProxy() (*constatv1.Proxy, error) {
	policy := machineKey(internetPolicy)
	forAll := policy.number("ProxySettingsPerUser")
	policy.close()
	if forAll != nil && *forAll == 0 {
		p, err := internetSettings(registry.LOCAL_MACHINE, internetKey, "policy")
		if p == nil && err == nil {
			p = &constatv1.Proxy{Mode: set("none"), Source: set("policy")}
		}
		return p, err
	}
	for _, user := range people() {
		if p, err := internetSettings(registry.USERS, user+`\`+internetKey, "user"); p != nil || err != nil {
			return p, err
		}
	}
	winHTTP := machineKey(internetKey + `\Connections`)
	defer winHTTP.close()
	if value := winHTTP.bytes("WinHttpSettings"); value != nil {
		settings, err := parseConnectionSettings(value)
		if err != nil {
			return nil, fmt.Errorf("WinHTTP: %w", err)
		}
		if p := settings.proxyOf("winhttp"); p != nil {
			return p, nil
		}
	}
	return proxyFrom(os.Getenv), nil
}

// internetSettings are the settings that Windows shows as "Proxy"; nil where they
// name none.
func internetSettings(root registry.Key, at, source string) (*constatv1.Proxy, error) {
	key, err := openKey(root, at)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer key.close()
	s := connectionSettings{proxy: key.text("ProxyServer"), exceptions: key.text("ProxyOverride"), pac: key.text("AutoConfigURL")}
	if on := key.flag("ProxyEnable"); on != nil && *on {
		s.flags |= proxyManual
	}
	if s.pac != "" {
		s.flags |= proxyPAC
	}
	return s.proxyOf(source), nil
}

// filterProfiles are the keys of the three profiles, by our word for the
// networks that they are for.
var filterProfiles = map[string]string{"domain": "DomainProfile", "private": "StandardProfile", "public": "PublicProfile"}

// readWindowsFirewall reads the profiles of the networks that the machine is on;
// where no network is known, that of public ones, which then holds.
func readWindowsFirewall(n *constatv1.Network) (*constatv1.LocalFirewall, error) {
	own, err := openKey(registry.LOCAL_MACHINE, filterKey)
	if err != nil {
		return nil, err
	}
	defer own.close()
	policy := machineKey(filterPolicyKey)
	defer policy.close()
	profile := func(k openedKey) firewallProfile {
		defer k.close()
		return firewallProfile{k.flag("EnableFirewall"), k.flag("DefaultOutboundAction"), k.flag("DefaultInboundAction")}
	}
	var active []firewallProfile
	for word, name := range filterProfiles {
		used := slices.ContainsFunc(n.GetLinks(), func(l *constatv1.Link) bool { return l.GetProfile() == word })
		known := slices.ContainsFunc(n.GetLinks(), func(l *constatv1.Link) bool { return l.Profile != nil })
		if used || !known && word == "public" {
			active = append(active, profile(policy.sub(name)).over(profile(own.sub(name))))
		}
	}
	var rules []string
	for _, from := range []openedKey{own.sub("FirewallRules"), policy.sub("FirewallRules")} {
		for _, name := range from.values(maxStack) {
			rules = append(rules, from.text(name))
		}
		from.close()
	}
	return windowsFirewall(active, rules), nil
}

// onceFilter: the rules of Windows' filter are counted, not judged.
func onceFilter(*reader) func(context.Context) (*ruleset, error) {
	return func(context.Context) (*ruleset, error) { return nil, errNotRead }
}
