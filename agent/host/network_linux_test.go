package host

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"

	constatv1 "constat/proto/constat/v1"
)

func TestWideRoutes(t *testing.T) {
	names := map[uint32]string{2: "eth0", 3: "tun0"}
	gateway := net.IPv4(192, 0, 2, 1)
	neighbours := []rtnetlink.NeighMessage{{Index: 2, Attributes: &rtnetlink.NeighAttributes{Address: gateway, LLAddress: net.HardwareAddr{2, 0, 0, 0, 0, 1}}}}
	main := func(m rtnetlink.RouteMessage) rtnetlink.RouteMessage {
		m.Table = unix.RT_TABLE_MAIN
		if m.Type == 0 {
			m.Type = unix.RTN_UNICAST
		}
		return m
	}
	var got []string
	for _, r := range wideRoutes([]rtnetlink.RouteMessage{
		main(rtnetlink.RouteMessage{Family: unix.AF_INET6, Protocol: unix.RTPROT_RA, Attributes: rtnetlink.RouteAttributes{OutIface: 2, Gateway: net.ParseIP("fe80::1"), Priority: 1024}}),
		main(rtnetlink.RouteMessage{Family: unix.AF_INET, Protocol: unix.RTPROT_DHCP, Attributes: rtnetlink.RouteAttributes{OutIface: 2, Gateway: gateway, Priority: 100}}),
		main(rtnetlink.RouteMessage{Family: unix.AF_INET, DstLength: 1, Attributes: rtnetlink.RouteAttributes{OutIface: 3, Dst: net.IPv4(128, 0, 0, 0)}}),
		main(rtnetlink.RouteMessage{Family: unix.AF_INET, DstLength: 24, Attributes: rtnetlink.RouteAttributes{OutIface: 2}}),
		main(rtnetlink.RouteMessage{Family: unix.AF_INET6, Type: unix.RTN_UNREACHABLE}),
		{Family: unix.AF_INET, Type: unix.RTN_UNICAST, Table: 220, Attributes: rtnetlink.RouteAttributes{OutIface: 3}},
		main(rtnetlink.RouteMessage{Family: unix.AF_INET, Attributes: rtnetlink.RouteAttributes{Priority: 200, Multipath: []rtnetlink.NextHop{
			{Hop: rtnetlink.RTNextHop{IfIndex: 2}, Gateway: gateway}, {Hop: rtnetlink.RTNextHop{IfIndex: 3}},
		}}}),
	}, names, neighbours) {
		got = append(got, fmt.Sprintf("%s via %s dev %s metric %d %s %s", r.GetDestination(), r.GetGateway(), r.GetLink(), r.GetMetric(), r.GetOrigin(), r.GetGatewayMac()))
	}
	want := []string{
		"128.0.0.0/1 via  dev tun0 metric 0 other ",
		"0.0.0.0/0 via 192.0.2.1 dev eth0 metric 100 dhcp 02:00:00:00:00:01",
		"0.0.0.0/0 via 192.0.2.1 dev eth0 metric 200 other 02:00:00:00:00:01",
		"0.0.0.0/0 via  dev tun0 metric 200 other ",
		"::/0 via fe80::1 dev eth0 metric 1024 ra ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestAddressOrigin(t *testing.T) {
	byDHCP := []*constatv1.Route{{Link: set("eth0"), Origin: set("dhcp"), Family: set(int32(4))}}
	for _, c := range []struct {
		ip     string
		length uint8
		flags  uint32
		routes []*constatv1.Route
		want   string
	}{
		{"192.0.2.5", 24, unix.IFA_F_PERMANENT, nil, "manual"},
		{"192.0.2.5", 24, unix.IFA_F_PERMANENT, byDHCP, "dhcp"},
		{"192.0.2.5", 24, 0, nil, "dhcp"},
		{"169.254.7.7", 16, unix.IFA_F_PERMANENT, nil, "linkLocal"},
		{"127.0.0.1", 8, unix.IFA_F_PERMANENT, nil, "other"},
		{"fe80::1", 64, unix.IFA_F_PERMANENT, nil, "linkLocal"},
		{"2001:db8::1", 64, unix.IFA_F_PERMANENT, byDHCP, "manual"},
		{"2001:db8::1", 64, unix.IFA_F_TEMPORARY, nil, "ra"},
		{"2001:db8::1", 64, unix.IFA_F_PERMANENT | unix.IFA_F_MANAGETEMPADDR, nil, "ra"},
		{"2001:db8::1", 128, 0, nil, "dhcp"},
		{"2001:db8::1", 64, 0, nil, "ra"},
	} {
		ip := net.ParseIP(c.ip)
		if v4 := ip.To4(); v4 != nil {
			ip = v4
		}
		a := address(rtnetlink.AddressMessage{PrefixLength: c.length, Attributes: &rtnetlink.AddressAttributes{Address: ip, Flags: c.flags}}, "eth0", c.routes)
		if a.GetOrigin() != c.want || a.GetCidr() != fmt.Sprintf("%s/%d", c.ip, c.length) {
			t.Errorf("%s with flags %#x: %v, want %s", c.ip, c.flags, a, c.want)
		}
	}
}

func TestNeighbourState(t *testing.T) {
	entry := func(state uint16, confirmed uint32) *rtnetlink.NeighMessage {
		return &rtnetlink.NeighMessage{State: state, Attributes: &rtnetlink.NeighAttributes{
			LLAddress: net.HardwareAddr{2, 0, 0, 0, 0, 1}, CacheInfo: &rtnetlink.NeighCacheInfo{Confirmed: confirmed},
		}}
	}
	const since = 500 * time.Millisecond
	for _, c := range []struct {
		name  string
		entry *rtnetlink.NeighMessage
		want  string
	}{
		{"no entry", nil, "none"},
		{"nobody answers", entry(unix.NUD_INCOMPLETE, 0), "incomplete"},
		{"given up", entry(unix.NUD_FAILED, 0), "failed"},
		{"written down by somebody", entry(unix.NUD_PERMANENT, 0), ""},
		{"confirmed since we asked", entry(unix.NUD_REACHABLE, 10), "reachable"},
		{"confirmed before we asked", entry(unix.NUD_REACHABLE, 60), ""},
		{"confirmed at about the time we asked", entry(unix.NUD_REACHABLE, 49), ""},
		{"old", entry(unix.NUD_STALE, 6000), ""},
		{"being asked", entry(unix.NUD_PROBE, 6000), ""},
	} {
		if got, _ := neighbourState(c.entry, since); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestGatewayStates(t *testing.T) {
	names := map[uint32]string{2: "eth0", 3: "wlan0"}
	route := func(link, gateway string) *constatv1.Route {
		return &constatv1.Route{Link: &link, Gateway: filled(gateway)}
	}
	entry := func(index uint32, ip string, state uint16) rtnetlink.NeighMessage {
		return rtnetlink.NeighMessage{Index: index, State: state, Attributes: &rtnetlink.NeighAttributes{Address: net.ParseIP(ip)}}
	}
	got := statesOf([]*constatv1.Route{
		route("wlan0", "192.0.2.1"), route("eth0", "fe80::1"), route("eth0", "192.0.2.1"), route("eth0", "192.0.2.1"), route("eth0", "192.0.2.7"), route("wg0", ""), route("eth0", "192.0.2.9"),
	}, names, []rtnetlink.NeighMessage{
		entry(2, "192.0.2.1", unix.NUD_STALE), entry(3, "192.0.2.1", unix.NUD_FAILED), entry(2, "fe80::1", unix.NUD_REACHABLE), entry(2, "192.0.2.9", 0),
	})
	var words []string
	for _, g := range got {
		words = append(words, fmt.Sprint(g.GetLink(), " ", g.GetAddress(), " ", g.GetState()))
	}
	want := []string{"eth0 192.0.2.1 stale", "eth0 192.0.2.7 none", "eth0 192.0.2.9 ", "eth0 fe80::1 reachable", "wlan0 192.0.2.1 failed"}
	if !slices.Equal(words, want) || got[2].State != nil {
		t.Errorf("%q, want %q", words, want)
	}
}

func TestCountersOfLoopback(t *testing.T) {
	m, o := readCounters(t.Context(), nil)
	c, ok := m.(*constatv1.Counters)
	if !ok || o.GetStatus() != statusObserved {
		t.Fatalf("counters: %v", o)
	}
	i := slices.IndexFunc(c.GetLinks(), func(l *constatv1.LinkCounters) bool { return l.GetLink() == "lo" })
	if i < 0 || c.GetLinks()[i].InBytes == nil || c.GetLinks()[i].CarrierChanges == nil {
		t.Errorf("no counters of lo in %v", c)
	}
}
