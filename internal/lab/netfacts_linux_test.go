package lab

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	constatv1 "constat/proto/constat/v1"
)

// facts are what the agent sees on the pc.
func (w *World) facts(agent string, arguments ...string) *constatv1.Snapshot {
	w.t.Helper()
	cmd := w.Command(w.t.Context(), PC, agent, append([]string{"facts", "--json"}, arguments...)...)
	cmd.Stderr = w.t.Output()
	out, err := cmd.Output()
	s := &constatv1.Snapshot{}
	if err == nil {
		err = protojson.Unmarshal(out, s)
	}
	if err != nil {
		w.t.Fatalf("the agent's facts: %v\n%s", err, out)
	}
	RecordFacts(w.t, "namespaces", s)
	return s
}

// TestLocalFirewall: the verdicts of real rules, by the agent that has no
// rights of its own.
func TestLocalFirewall(t *testing.T) {
	w := NewWorld(t)
	agent := buildAgent(t)
	verdicts := func() string {
		n := w.facts(agent, "--group", "network")
		f := n.Network.Firewall
		if f == nil {
			t.Fatalf("no firewall: %v", n.Manifest.Groups)
		}
		var list []string
		for _, v := range f.Verdicts {
			if v.GetVerdict() != "accept" && v.GetFamily() == 4 {
				list = append(list, fmt.Sprint(v.GetProtocol(), " ", v.GetPort(), " ", v.GetVerdict(), " ", v.GetDirection()))
			}
		}
		slices.Sort(list)
		return fmt.Sprint(f.GetKind(), " ", f.GetEnabled(), " ", f.GetOutgoingPolicy(), " ", f.GetOutgoingBlocks(), ": ", strings.Join(list, ", "))
	}
	if got := verdicts(); got != " false accept 0: " {
		t.Errorf("no rules: %s", got)
	}
	w.Filter(PC, "inet", "filter", "output", "oif lo accept", "meta l4proto tcp tcp dport != 53 drop")
	if got := verdicts(); got != "nftables true accept 1: tcp 443 drop out, tcp 80 drop out" {
		t.Errorf("all TCP but DNS: %s", got)
	}
	w.Filter(PC, "inet", "filter", "input", "iif lo accept", "ct state established tcp sport 53 accept", "meta l4proto udp drop")
	if got := verdicts(); got != "nftables true accept 1: tcp 443 drop out, tcp 80 drop out, udp 123 drop in, udp 443 drop in, udp 53 drop in" {
		t.Errorf("and all answers by UDP: %s", got)
	}
}

// leaseFrom starts dnsmasq as a DHCP server on a host's link; it is no name
// server.
func (w *World) leaseFrom(host, link, router string, options ...string) {
	w.t.Helper()
	_, err := exec.LookPath("dnsmasq")
	Need(w.t, "dnsmasq (package dnsmasq-base)", err == nil)
	cmd := w.Command(w.t.Context(), host, "dnsmasq", append([]string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--no-daemon", "--log-facility=-", "--log-dhcp", "--pid-file=", "--user=root", "--no-ping",
		"--bind-interfaces", "--interface=" + link, "--dhcp-leasefile=" + filepath.Join(w.t.TempDir(), "leases"), "--dhcp-authoritative",
		"--dhcp-option=option:router," + router, "--dhcp-option=option:dns-server," + router,
	}, options...)...)
	ready := make(chan struct{})
	log, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if strings.Contains(lines.Text(), "sockets bound") {
				close(ready)
			}
		}
	}()
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	select {
	case <-ready:
	case <-time.After(patience):
		w.t.Fatal("dnsmasq does not listen for DHCP")
	}
}

// lease starts dhclient on the pc's cable, and waits until it has asked.
func (w *World) lease() {
	w.t.Helper()
	_, err := exec.LookPath("dhclient")
	Need(w.t, "dhclient (package isc-dhcp-client)", err == nil)
	dir := w.t.TempDir()
	w.daemon(PC, "DHCPDISCOVER", "dhclient", "-d", "-4", "-sf", "/bin/true", "-cf", "/dev/null",
		"-lf", filepath.Join(dir, "leases"), "-pf", filepath.Join(dir, "pid"), w.Adapter)
}

// join adds a host with one link to the switch.
func (w *World) join(name, cidr string) {
	w.t.Helper()
	w.run("ip", "netns", "add", w.Namespace(name))
	w.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", w.Namespace(name)).Run() })
	w.IP(name, "link set lo up", "link add eth0 type veth peer name "+name+"0 netns "+w.Namespace(Switch), "link set eth0 up", "addr add "+cidr+" dev eth0")
	w.IP(Switch, "link set "+name+"0 master br0 up")
	w.AwaitLink(name, "eth0", "state UP")
}

const probePolicy = `
probes:
  tcp: ["198.51.100.10:443", "[2001:db8:1::10]:443"]
`

// TestLinkProbes: DHCP servers and other owners of our address on the link, and
// the largest packet on the path.
func TestLinkProbes(t *testing.T) {
	w := NewWorld(t)
	agent := buildAgent(t)
	config := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(config, []byte(probePolicy), 0o644); err != nil {
		t.Fatal(err)
	}
	probes := func() *constatv1.Probes {
		s := w.facts(agent, "--group", "probes", "--config", config)
		if s.Probes == nil {
			t.Fatal(s.Manifest.Groups)
		}
		return s.Probes
	}
	p := probes()
	if p.Dhcp.GetResult() != "timeout" || p.Dhcp.GetLink() != "eth0" {
		t.Errorf("no DHCP server: %v", p.Dhcp)
	}
	if len(p.Conflicts) != 1 || p.Conflicts[0].GetResult() != "free" || p.Conflicts[0].GetAddress() != PCAddress {
		t.Errorf("nobody has our address: %v", p.Conflicts)
	}
	for _, m := range p.Mtu {
		if m.GetLargestOkBytes() != 1500 || m.SmallestLostBytes != nil || m.GetIcmpReceived() {
			t.Errorf("Ethernet all the way: %v", m)
		}
	}
	if len(p.Mtu) != 2 {
		t.Errorf("sizes of both families: %v", p.Mtu)
	}

	w.leaseFrom(Gateway, "lan0", GatewayAddress, "--dhcp-range=10.77.0.100,10.77.0.200,1h")
	w.join("rogue", "10.77.0.66/24")
	w.leaseFrom("rogue", "eth0", "10.77.0.66", "--dhcp-range=10.77.0.30,10.77.0.40,1h")
	w.join("twin", PCAddress+"/24")
	w.IP(Gateway, "link set wan0 mtu 1400")
	p = probes()
	var servers []string
	for _, o := range p.Dhcp.GetOffers() {
		servers = append(servers, fmt.Sprint(o.GetServer(), " ", o.Routers, o.Resolvers, strings.HasSuffix(o.GetCidr(), "/24")))
	}
	if want := []string{"10.77.0.1 [10.77.0.1] [10.77.0.1] true", "10.77.0.66 [10.77.0.66] [10.77.0.66] true"}; !slices.Equal(servers, want) {
		t.Errorf("two servers: %v", p.Dhcp)
	}
	if len(p.Conflicts) != 1 || p.Conflicts[0].GetResult() != "taken" || p.Conflicts[0].OtherMac == nil {
		t.Errorf("a twin: %v", p.Conflicts)
	}
	for _, m := range p.Mtu {
		if m.GetLargestOkBytes() != 1400 || m.GetSmallestLostBytes() != 1420 || !m.GetIcmpReceived() {
			t.Errorf("a path of 1400 that says so: %v", m)
		}
	}
	w.run("ip", "netns", "del", w.Namespace("twin"))
	w.Filter(Gateway, "inet", "filter", "output", "icmp type destination-unreachable drop", "icmpv6 type packet-too-big drop")
	p = probes()
	for _, m := range p.Mtu {
		if m.GetLargestOkBytes() != 1400 || m.GetSmallestLostBytes() != 1420 || m.GetIcmpReceived() {
			t.Errorf("a path of 1400 that is silent: %v", m)
		}
	}
	if len(p.Conflicts) != 1 || p.Conflicts[0].GetResult() != "free" {
		t.Errorf("the twin is gone: %v", p.Conflicts)
	}
}

// TestTunnels: tunnels by their links, with and without a program that holds
// them.
func TestTunnels(t *testing.T) {
	w := NewWorld(t)
	agent := buildAgent(t)
	w.IP(PC, "tuntap add tun0 mode tun", "addr add 10.8.0.2/24 dev tun0", "link set tun0 up", "route add 0.0.0.0/1 dev tun0", "route add 128.0.0.0/1 dev tun0", "route add 10.77.0.0/16 dev tun0")
	n := w.facts(agent, "--group", "network").Network
	if len(n.Vpns) != 1 || n.Vpns[0].GetLink() != "tun0" || n.Vpns[0].GetState() != "disconnected" || !n.Vpns[0].GetLeftovers() || !n.Vpns[0].GetCarriesDefault() ||
		!slices.Equal(n.Vpns[0].Overlaps, []string{"10.77.0.0/16"}) {
		t.Errorf("a tunnel that nobody holds: %v", n.Vpns)
	}
}

// TestEachWay: two links have a default route, and each is asked by itself.
func TestEachWay(t *testing.T) {
	w := NewWorld(t)
	agent := buildAgent(t)
	config := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(config, []byte(probePolicy), 0o644); err != nil {
		t.Fatal(err)
	}
	w.IP(PC, "link add eth1 type veth peer name lan1 netns "+w.Namespace(Gateway), "link set eth1 up", "addr add 10.78.0.10/24 dev eth1")
	w.IP(Gateway, "link set lan1 up", "addr add 10.78.0.1/24 dev lan1")
	w.IP(Internet, "route add 10.78.0.0/24 via 203.0.113.1")
	w.IP(PC, "route add default via 10.78.0.1 dev eth1 metric 500")
	w.Filter(Gateway, "inet", "filter", "forward", `iifname "lan0" drop`)
	Serve(t, w.Listen(Internet, "198.51.100.10:443"), Page(200, ""))
	var got []string
	for _, p := range w.facts(agent, "--group", "probes", "--config", config).Probes.Tcp {
		got = append(got, fmt.Sprint(p.GetAddress(), " over ", p.GetLink(), ": ", p.GetResult()))
	}
	want := []string{
		"198.51.100.10:443 over : timeout", "[2001:db8:1::10]:443 over : timeout",
		"198.51.100.10:443 over eth0: timeout", "198.51.100.10:443 over eth1: ok",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
