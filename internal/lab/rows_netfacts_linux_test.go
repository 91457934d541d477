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
}
