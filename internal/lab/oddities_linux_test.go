package lab

import (
	"fmt"
	"net/netip"
	"slices"
)

// oddity is what looks strange in a network, and harms nobody.
type oddity struct {
	what  string
	needs need
	make  func(*scene)
}

var oddities = []oddity{
	{"echo requests are dropped", anywhere, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "input", "icmp type echo-request drop", "icmpv6 type echo-request drop")
		s.Filter(Internet, "inet", "filter", "input", "icmp type echo-request drop", "icmpv6 type echo-request drop")
	}},
	{"few echo requests are answered", anywhere, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "input", "icmp type echo-request limit rate over 1/second burst 1 packets drop",
			"icmpv6 type echo-request limit rate over 1/second burst 1 packets drop")
	}},
	{"a second adapter without a gateway", anywhere, func(s *scene) {
		name := pick(s.draw, "eth1", "enp4s0", "docker0", "vboxnet0")
		s.IP(PC, "link add "+name+" type veth peer name far1 netns "+s.Namespace(Switch), "link set "+name+" up",
			"addr add "+nth(s.apart(fmt.Sprintf("192.168.%d.0/24", 48+s.draw.IntN(8))), 2).String()+" dev "+name)
		s.IP(Switch, "link set far1 up")
		s.AwaitLink(PC, name, "state UP")
	}},
	{"a second adapter without a cable", anywhere, func(s *scene) {
		s.IP(PC, "link add eth2 type veth peer name far2 netns "+s.Namespace(Switch), "link set eth2 up")
		s.AwaitLink(PC, "eth2", "NO-CARRIER")
	}},
	{"a second adapter that is switched off", anywhere, func(s *scene) {
		s.IP(PC, "link add eth3 type veth peer name far3 netns "+s.Namespace(Switch))
	}},
	{"an empty bridge of virtual machines", anywhere, func(s *scene) {
		s.IP(PC, "link add virbr0 type bridge", "link set virbr0 up", "addr add "+nth(s.apart("192.168.122.0/24"), 1).String()+" dev virbr0")
	}},
	{"a VPN for some networks only", with4 | office, func(s *scene) {
		s.openTunnel(s.apart("172.31.0.0/16").String())
	}},
	{"a hosts file that blocks advertisers", anywhere, func(s *scene) {
		s.hosts("0.0.0.0 ads.example", "0.0.0.0 tracker.example metrics.example", ":: ads.example")
	}},
	{"a hosts file that names a printer", anywhere, func(s *scene) { s.hosts("192.168.1.250 printer.lan printer") }},
	{"a last name server that is dead", anywhere, func(s *scene) {
		s.nameServers(append(slices.Clone(s.dnsAddresses), s.nobody())...)
	}},
	{"a spare default route that leads nowhere", with4, func(s *scene) {
		s.IP(PC, fmt.Sprintf("route add default via %s dev %s metric %d", s.neighbour4(), s.Adapter, 400+s.draw.IntN(600)))
	}},
	{"IPv6 on its own link only", with4, func(s *scene) {
		if !s.Local6.IsValid() {
			s.Run(PC, "sysctl", "-qw", "net.ipv6.conf."+s.Adapter+".disable_ipv6=0")
		}
	}},
	{"small packets", anywhere, func(s *scene) { s.IP(PC, "link set "+s.Adapter+" mtu 1400") }},
	{"traceroutes are dropped", anywhere, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", "icmp type time-exceeded drop", "udp dport 33434-33534 drop")
	}},
	{"one public site is down", openWay, func(s *scene) { s.closeSite(1 + s.draw.IntN(2)) }},
	{"a firewall of the pc that lets answers in and everything out", anywhere, func(s *scene) {
		s.Filter(PC, "inet", "filter", "input", "iif lo accept", "ct state vmap { established : accept, related : accept }", "meta l4proto { icmp, icmpv6 } accept", "drop")
	}},
}

// nobody is an address beside the pc that no machine has.
func (s *scene) nobody() netip.Addr {
	if s.Local.IsValid() {
		return s.neighbour4()
	}
	return netip.MustParseAddr("2001:db8:dead::1")
}

// neighbour4 is an address in the pc's network that no machine has.
func (s *scene) neighbour4() netip.Addr { return s.free(0) }

// free is the nth such address.
func (s *scene) free(n int) netip.Addr {
	for a := s.Local.Masked().Addr().Next(); ; a = a.Next() {
		if a == s.Local.Addr() || a == s.Router.Addr() {
			continue
		}
		if n == 0 {
			return a
		}
		n--
	}
}
