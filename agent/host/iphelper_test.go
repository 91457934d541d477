package host

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// officeStack is a laptop at a desk, composed from the documentation of IP
// Helper: a wired port with a lease, a radio without a network, the second port
// of that radio, a VPN that is off, and layers that are no links of anybody.
func officeStack() *ipStack {
	return &ipStack{
		links: []ipLink{
			{
				index: 12, name: "Ethernet", guid: "{A}", mac: []byte{0, 0x1b, 0x21, 1, 2, 3}, mtu: 1500, kind: ipEthernet, medium: 14, flags: ipHardware | 4,
				oper: 1, admin: 1, media: ipMediaConnected, bitsPerSecond: 1e9, stated: true, bound: true, dhcp: true,
				metric: map[int32]uint32{4: 25, 6: 25},
				addresses: []ipAddress{
					{netip.MustParsePrefix("192.0.2.20/24"), ipOriginDHCP, 3, 4},
					{netip.MustParsePrefix("fe80::1234/64"), 2, 4, 4},
					{netip.MustParsePrefix("2001:db8::20/64"), ipOriginRA, 5, ipDeprecated},
				},
				servers: []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("fec0:0:0:ffff::1")}, suffix: "office.example",
				settings: ipSettings{server: "192.0.2.2", routers: []string{"192.0.2.1"}, given: "192.0.2.53 192.0.2.54", terminates: 1714979289},
				device:   netDevice{`pci\ven_8086&dev_15fb`, "e1dexpress", "0000:00:1f.6", fastestMode([]string{"0", "1", "2", "3", "4", "6"})},
				category: set(int32(2)), modes: parseLinkState(words(0x00280180, 1, 1, 0, 1e9, 0, 1e9, 0, 0, 5)), counters: ipCounters{inOctets: 5, inErrors: 1},
			},
			{index: 13, name: "Ethernet-WFP Native MAC Layer LightWeight Filter-0000", kind: ipEthernet, flags: ipHardware | ipFilter, oper: 1, admin: 1, stated: true},
			{index: 14, name: "Wi-Fi", kind: 71, medium: 9, flags: ipHardware, oper: 2, admin: 1, media: ipMediaDisconnected, stated: true, bound: true, dhcp: true, bitsPerSecond: 1<<64 - 1},
			{index: 15, name: "Local Area Connection* 1", kind: 71, medium: 9, oper: 2, admin: 1, media: ipMediaDisconnected, stated: true, bound: true},
			{index: 16, name: "OpenVPN TAP", kind: ipEthernet, oper: 2, admin: 1, media: ipMediaDisconnected, stated: true, bound: true, device: netDevice{component: `tap0901`}},
			{index: 17, name: "Teredo", kind: ipTunnel, tunnel: 14, oper: 6, admin: 1, stated: true, bound: true},
			{index: 1, name: "Loopback Pseudo-Interface 1", kind: 24, mtu: 1<<32 - 1, oper: 1, admin: 1, media: ipMediaConnected, stated: true, bound: true},
		},
		routes: []ipRoute{
			{index: 12, prefix: netip.MustParsePrefix("0.0.0.0/0"), hop: netip.MustParseAddr("192.0.2.1"), protocol: 3},
			{index: 12, prefix: netip.MustParsePrefix("192.0.2.0/24"), hop: netip.IPv4Unspecified(), metric: 256},
			{index: 12, prefix: netip.MustParsePrefix("::/0"), hop: netip.MustParseAddr("fe80::1"), metric: 16, origin: 3},
		},
		neighbours: []ipNeighbour{{12, netip.MustParseAddr("192.0.2.1"), []byte{2, 0, 0, 0, 0, 1}, 4}},
		policies:   []namePolicy{{[]string{".corp.example"}, "198.51.100.53"}},
	}
}

func TestWindowsStack(t *testing.T) {
	s, n := officeStack(), &constatv1.Network{}
	s.fill(n)
	address := func(cidr string, family int32, origin, scope string, deprecated bool) *constatv1.Address {
		return &constatv1.Address{
			Cidr: &cidr, Family: &family, Origin: &origin, Scope: &scope, Tentative: set(false), Duplicate: set(false), Deprecated: &deprecated,
		}
	}
	want := &constatv1.Network{
		Links: []*constatv1.Link{
			{
				Index: set(int32(1)), Name: set("Loopback Pseudo-Interface 1"), Kind: set("loopback"), AdminStatus: set("up"), OperStatus: set("up"),
				Carrier: set(true), Physical: set(false),
			},
			{
				Index: set(int32(12)), Name: set("Ethernet"), Kind: set("ethernet"), Mac: set("00:1b:21:01:02:03"), AdminStatus: set("up"), OperStatus: set("up"),
				Carrier: set(true), Physical: set(true), Mtu: set(int32(1500)), SpeedMbps: set(int32(1000)), SupportedMbps: set(int32(1000)), Duplex: set("half"), Autonegotiation: set(true), Driver: set("e1dexpress"), BusAddress: set("0000:00:1f.6"),
				Profile: set("domain"),
				Addresses: []*constatv1.Address{
					address("192.0.2.20/24", 4, "dhcp", "global", false), address("fe80::1234/64", 6, "linkLocal", "link", false),
					address("2001:db8::20/64", 6, "ra", "global", true),
				},
				Lease: &constatv1.Lease{
					Server: set("192.0.2.2"), Routers: []string{"192.0.2.1"}, Resolvers: []string{"192.0.2.53", "192.0.2.54"}, Pending: set(false),
					ExpiresAt: timestamppb.New(time.Unix(1714979289, 0)),
				},
			},
			{Index: set(int32(14)), Name: set("Wi-Fi"), Kind: set("wifi"), AdminStatus: set("up"), OperStatus: set("down"), Carrier: set(false), Physical: set(true)},
			{Index: set(int32(15)), Name: set("Local Area Connection* 1"), Kind: set("other"), AdminStatus: set("up"), OperStatus: set("down"), Carrier: set(false), Physical: set(false)},
			{Index: set(int32(16)), Name: set("OpenVPN TAP"), Kind: set("tunnel"), AdminStatus: set("up"), OperStatus: set("down"), Carrier: set(false), Physical: set(false)},
			{Index: set(int32(17)), Name: set("Teredo"), Kind: set("tunnel"), AdminStatus: set("up"), OperStatus: set("notPresent"), Physical: set(false)},
		},
		Routes: []*constatv1.Route{
			{
				Destination: set("0.0.0.0/0"), Family: set(int32(4)), Gateway: set("192.0.2.1"), Link: set("Ethernet"), Metric: set(int32(25)),
				Origin: set("dhcp"), GatewayMac: set("02:00:00:00:00:01"),
			},
			{Destination: set("::/0"), Family: set(int32(6)), Gateway: set("fe80::1"), Link: set("Ethernet"), Metric: set(int32(41)), Origin: set("ra")},
		},
		Resolvers: []*constatv1.Resolver{
			{Address: set("192.0.2.53"), Link: set("Ethernet"), Stub: set(false), Origin: set("dhcp")},
			{Address: set("198.51.100.53"), Stub: set(false), Origin: set("registry"), Domains: []string{"corp.example"}},
		},
		SearchDomains: []string{"office.example"},
		Vpns: []*constatv1.Vpn{{
			Name: set("OpenVPN TAP"), Link: set("OpenVPN TAP"), Kind: set("openvpn"), State: set("disconnected"), Leftovers: set(false), CarriesDefault: set(false),
		}},
	}
	if d := cmp.Diff(want, n, protocmp.Transform()); d != "" {
		t.Error(d)
	}
	states := s.gatewayStates()
	if len(states) != 2 || states[0].GetState() != "stale" || states[1].GetState() != "none" {
		t.Errorf("gateways %v", states)
	}
	counters := s.linkCounters().GetLinks()
	if len(counters) != 6 || counters[0].GetLink() != "Ethernet" || counters[0].GetInErrors() != 1 || counters[0].CrcErrors != nil {
		t.Errorf("counters %v", counters)
	}
}

// TestWindowsWithoutServers: a link that nobody gave a server has an empty list
// (IP_ADAPTER_ADDRESSES.FirstDnsServerAddress), or Windows' own of servers that are
// nowhere, and neither is a server. Wine can't show it: it asks Debian, where no
// server means this machine's own, 127.0.0.1 (resolv.conf(5)).
func TestWindowsWithoutServers(t *testing.T) {
	for name, servers := range map[string][]netip.Addr{
		"none": nil, "Windows' own": {netip.MustParseAddr("fec0:0:0:ffff::1"), netip.MustParseAddr("fec0:0:0:ffff::2"), netip.MustParseAddr("fec0:0:0:ffff::3")},
	} {
		s, n := officeStack(), &constatv1.Network{}
		s.links[0].servers, s.policies = servers, nil
		if s.fill(n); len(n.Resolvers) != 0 || len(n.Routes) != 2 {
			t.Errorf("%s: %v", name, n)
		}
	}
	// One that asks itself does have a server.
	s, n := officeStack(), &constatv1.Network{}
	s.links[0].servers, s.policies = []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	if s.fill(n); len(n.Resolvers) != 1 || n.Resolvers[0].GetAddress() != "127.0.0.1" {
		t.Error(n.Resolvers)
	}
}

// TestWindowsWaitsForALease: the address that a machine gives itself is none.
func TestWindowsWaitsForALease(t *testing.T) {
	l := officeStack().links[0]
	l.addresses = []ipAddress{{netip.MustParsePrefix("169.254.7.7/16"), 2, 4, 4}}
	k := l.link()
	if k.GetLease() == nil || !k.GetLease().GetPending() || k.GetLease().Server != nil || k.GetAddresses()[0].GetOrigin() != "linkLocal" {
		t.Errorf("without a server's answer: %v", k)
	}
	l.media, l.oper = ipMediaDisconnected, 2
	if k = l.link(); k.Lease != nil {
		t.Errorf("without a cable nobody is asked: %v", k)
	}
	l.dhcp = false
	if k = l.link(); k.Lease != nil {
		t.Errorf("without DHCP: %v", k)
	}
}

func TestFastestMode(t *testing.T) {
	for want, values := range map[int32][]string{1000: {"0", "4", "6", "3"}, 2500: {"2500", "6"}, 0: {"0"}} {
		if got := fastestMode(values); (got == nil) != (want == 0) || got != nil && *got != want {
			t.Errorf("%v: %v", values, got)
		}
	}
	if fastestMode(nil) != nil || fastestMode([]string{"6", "1001"}) != nil {
		t.Error("what nobody documents is taken for a speed")
	}
}

func TestNlmWord(t *testing.T) {
	for bits, want := range map[uint32]string{0: "none", 0x1: "limited", 0x20: "limited", 0x40: "full", 0x400 | 0x20: "full"} {
		if got := nlmWord(bits); got != want {
			t.Errorf("%#x is %s, want %s", bits, got, want)
		}
	}
}

func TestLinkState(t *testing.T) {
	if m := parseLinkState(words(0x00280180, 1, 2, 0, 1e9, 0, 1e9, 0, 0, 0)); m.duplex == nil || *m.duplex != "full" || m.negotiated != nil {
		t.Errorf("full, and nothing said of how: %v", m)
	}
	if m := parseLinkState(words(0x00280180, 1, 0, 0, 0, 0, 0, 0, 0, 0)); m != (portModes{}) {
		t.Errorf("nothing said: %v", m)
	}
	if m := parseLinkState(make([]byte, 39)); m != (portModes{}) {
		t.Errorf("a cut one: %v", m)
	}
}
