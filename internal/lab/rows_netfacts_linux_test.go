package lab

// netfactRows are faults whose proof needs the process with the rights: the
// packet filter of the pc itself, frames on its link.
var netfactRows = []faultRow{
	{"net-local-firewall-block", "a firewall of this computer silently drops all connections but DNS", func(s *scene) {
		s.Filter(PC, "inet", "filter", "output", "oif lo accept", "meta l4proto tcp tcp dport != 53 drop")
	}},
	{"net-local-firewall-block", "a firewall of this computer rejects all connections but DNS", func(s *scene) {
		s.Filter(PC, "inet", "filter", "output", "oif lo accept", "tcp dport != 53 reject")
	}},
	{"net-local-firewall-block", "a firewall of this computer lets no answer in", func(s *scene) {
		s.Filter(PC, "inet", "filter", "input", "iif lo accept", "meta l4proto { icmp, icmpv6, udp } accept", "drop")
	}},
	{"", "a firewall of this computer that lets answers in and everything out", func(s *scene) {
		s.Filter(PC, "inet", "filter", "input", "iif lo accept", "ct state vmap { established : accept, related : accept }", "meta l4proto { icmp, icmpv6 } accept", "drop")
	}},
	{"net-mtu-blackhole", "the gateway's line takes 1400 bytes, and the gateway does not say so", func(s *scene) {
		s.IP(Gateway, "link set wan0 mtu 1400")
		s.Filter(Gateway, "inet", "filter", "output", "icmp type destination-unreachable drop", "icmpv6 type packet-too-big drop")
	}},
	{"", "the gateway's line takes 1400 bytes, and the gateway says so", func(s *scene) {
		s.IP(Gateway, "link set wan0 mtu 1400")
		s.IP(Internet, "link set eth0 mtu 1400")
	}},
	{"net-ip-conflict", "a second machine has the pc's address", func(s *scene) {
		s.join("twin", PCAddress+"/24")
	}},
	{"net-dhcp-rogue-server", "a second DHCP server hands out itself as router", func(s *scene) {
		s.leaseFrom(Gateway, "lan0", GatewayAddress, "--dhcp-range=10.77.0.100,10.77.0.200,1h")
		s.join("rogue", "10.77.0.66/24")
		s.leaseFrom("rogue", "eth0", "10.77.0.66", "--dhcp-range=10.77.0.30,10.77.0.40,1h")
	}},
	{"", "one DHCP server", func(s *scene) {
		s.leaseFrom(Gateway, "lan0", GatewayAddress, "--dhcp-range=10.77.0.100,10.77.0.200,1h")
	}},
	{"net-static-ip-wrong", "the pc's address is of another network than the DHCP server's", func(s *scene) {
		s.leaseFrom(Gateway, "lan0", GatewayAddress, "--dhcp-range=10.77.0.100,10.77.0.200,1h")
		s.IP(PC, "-6 route del default", "addr del "+PCAddress+"/24 dev eth0", "addr add 10.99.0.5/24 dev eth0", "route add default via 10.99.0.1")
	}},
	{"net-8021x-auth-failed", "the switch's port refuses the pc's password", func(s *scene) {
		s.guardPort()
		s.IP(PC, "-6 route del default", "addr del "+PCAddress+"/24 dev eth0", "addr del fd77::10/64 dev eth0")
		s.signIn("bad", "EAP-FAILURE")
	}},
	{"net-dhcp-no-offer", "dhclient asks, and nobody answers", func(s *scene) {
		s.IP(PC, "-6 route del default", "addr del "+PCAddress+"/24 dev eth0", "addr del fd77::10/64 dev eth0")
		s.lease()
	}},
	{"net-vpn-stale-routes", "the routes of a VPN whose program is gone", func(s *scene) {
		s.IP(PC, "tuntap add tun0 mode tun", "addr add 10.8.0.2/24 dev tun0", "link set tun0 up", "route add 0.0.0.0/1 dev tun0", "route add 128.0.0.0/1 dev tun0")
	}},
}
