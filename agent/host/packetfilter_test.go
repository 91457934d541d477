package host

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// recordedRules are real rules as the kernel tells them; the test of the verb
// "filter" (agent/privileged) holds their text, and records them.
func recordedRules(t testing.TB, name string) *ruleset {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata/filter", name+".filter"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := parseRuleset(content)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestJudge(t *testing.T) {
	root, somebody := uint32(0), uint32(1000)
	inside, free := netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("203.0.113.9")
	lo := netip.MustParseAddr("127.0.0.1")
	tcp := func(to netip.Addr, port uint16) packet {
		return packet{family: 4, protocol: protocolTCP, to: to, toPort: port, link: "eth0"}
	}
	udp := func(port uint16) packet { return packet{family: 4, protocol: protocolUDP, toPort: port, link: "eth0"} }
	as := func(p packet, user *uint32) packet { p.uid = user; return p }
	for _, c := range []struct {
		rules, name     string
		packet          packet
		want, direction string
	}{
		{"office", "web", tcp(free, 80), "accept", ""},
		{"office", "a port of an interval", tcp(free, 8099), "accept", ""},
		{"office", "a port behind the interval", tcp(free, 8101), "drop", "out"},
		{"office", "an answer that is dropped", tcp(free, 8080), "drop", "in"},
		{"office", "a port that no rule names", tcp(free, 443), "drop", "out"},
		{"office", "a refused prefix", tcp(inside, 80), "reject", "out"},
		{"office", "a refused address", tcp(netip.MustParseAddr("198.51.100.7"), 443), "reject", "out"},
		{"office", "the address beside it", tcp(netip.MustParseAddr("198.51.100.8"), 443), "drop", "out"},
		{"office", "an address that is not known", packet{family: 4, protocol: protocolTCP, toPort: 80, link: "eth0"}, "", ""},
		{"office", "names by UDP", udp(53), "accept", ""},
		{"office", "names by TCP", tcp(inside, 53), "accept", ""},
		{"office", "a rate that is limited", tcp(free, 25), "", ""},
		{"office", "root's clock", as(packet{family: 4, protocol: protocolUDP, to: free, toPort: 123, link: "eth0"}, &root), "accept", ""},
		{"office", "somebody's clock", as(packet{family: 4, protocol: protocolUDP, to: free, toPort: 123, link: "eth0"}, &somebody), "drop", "out"},
		{"office", "anybody's clock", packet{family: 4, protocol: protocolUDP, to: free, toPort: 123, link: "eth0"}, "", ""},
		{"office", "a program here", packet{family: 4, protocol: protocolTCP, from: lo, to: lo, toPort: 631, link: "lo"}, "accept", ""},
		{"office", "ping by IPv6", packet{family: 6, protocol: protocolICMP6, link: "eth0"}, "drop", "out"},
		{"iptables", "a program here", packet{family: 4, protocol: protocolTCP, from: lo, to: lo, link: "lo"}, "accept", ""},
		{"iptables", "names", udp(53), "accept", ""},
		{"iptables", "web is logged, then dropped", tcp(free, 80), "drop", "out"},
		{"iptables", "a reset", tcp(free, 443), "reject", "out"},
		{"iptables", "IPv6 has no rules", packet{family: 6, protocol: protocolTCP, toPort: 443, link: "eth0"}, "accept", ""},
	} {
		judged, direction := recordedRules(t, c.rules).exchange(c.packet)
		if judged.word() != c.want || c.want != "" && direction != c.direction {
			t.Errorf("%s, %s: %q %q, want %q %q", c.rules, c.name, judged.word(), direction, c.want, c.direction)
		}
	}
	var none *ruleset
	if none.blocks(protocolTCP, netip.MustParseAddrPort("127.0.0.1:9"), nil) {
		t.Error("a filter that was not read blocks")
	}
}

func TestFirewallFacts(t *testing.T) {
	for name, want := range map[string]*constatv1.LocalFirewall{
		"office":   {Kind: set("nftables"), Enabled: set(true), OutgoingPolicy: set("drop"), IncomingPolicy: set("accept"), OutgoingBlocks: set(int32(1))},
		"iptables": {Kind: set("iptables"), Enabled: set(true), OutgoingPolicy: set("drop"), IncomingPolicy: set("accept"), OutgoingBlocks: set(int32(1))},
	} {
		if got := firewallOf(recordedRules(t, name), ""); got.String() != want.String() {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	empty := firewallOf(&ruleset{}, "ufw")
	addTraffic(empty, &ruleset{}, &constatv1.Network{Routes: []*constatv1.Route{{Family: set(int32(4)), Link: set("eth0")}}})
	if empty.GetEnabled() || empty.GetManager() != "ufw" || len(empty.Verdicts) != len(traffic)+1 {
		t.Errorf("no rules: %v", empty)
	}
	for _, v := range empty.Verdicts {
		if v.GetVerdict() != "accept" || v.Direction != nil {
			t.Errorf("no rules: %v", v)
		}
	}
}

func FuzzRuleset(f *testing.F) {
	for _, name := range []string{"office", "iptables"} {
		content, err := os.ReadFile(filepath.Join("testdata/filter", name+".filter"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := parseRuleset(content)
		if err != nil {
			return
		}
		firewallOf(r, "")
		for _, port := range []uint16{0, 443} {
			judged, _ := r.exchange(packet{family: 4, protocol: protocolTCP, toPort: port, link: "eth0"})
			if judged&^(accepted|dropped|rejected) != 0 || judged == 0 {
				t.Errorf("nothing becomes of a packet: %d", judged)
			}
		}
	})
}
