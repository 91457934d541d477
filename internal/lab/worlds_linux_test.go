package lab

import (
	"net"
	"time"
)

// otherRecipes are worlds without a fault whose oddity is more than a
// surrounding, and worlds whose cause cannot be proved from the pc.
var otherRecipes = []recipe{
	{healthy, "nothing is wrong", anywhere, func(*scene) {}},
	{healthy, "IPv6 is switched off", with4, func(s *scene) {
		s.Run(PC, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
	}},
	{healthy, "IPv6 is refused at once", with4 | with6 | openWay, func(s *scene) {
		s.Filter(Gateway, "ip6", "filter", "forward", "meta l4proto tcp reject with tcp reset")
	}},
	{healthy, "the name server takes 800 ms", direct, func(s *scene) { s.answerNames(800*time.Millisecond, answerTruly) }},
	{healthy, "the name server takes 1500 ms", direct | lossless, func(s *scene) { s.answerNames(1500*time.Millisecond, answerTruly) }},
	{"net-packet-loss", "the switch loses every seventh frame", openWay, func(s *scene) {
		s.Filter(Switch, "bridge", "filter", "forward", "numgen inc mod 7 == 6 drop")
	}},
	{healthy, "the switch loses every fortieth frame", anywhere, func(s *scene) {
		s.Filter(Switch, "bridge", "filter", "forward", "numgen inc mod 40 == 39 drop")
	}},
	{healthy, "the first question for the router's hardware address is lost", anywhere, func(s *scene) {
		s.IP(PC, "neigh flush all")
		s.Filter(Switch, "bridge", "filter", "forward", "arp operation request numgen inc mod 1000 == 0 drop")
		s.Filter(Switch, "bridge", "filter", "forward", "icmpv6 type nd-neighbor-solicit numgen inc mod 1000 == 0 drop")
	}},
	{healthy, "the line is slow", openWay, func(s *scene) {
		s.Run(Gateway, "tc", "qdisc", "add", "dev", "lan0", "root", "tbf", "rate", "400kbit", "burst", "5k", "latency", "800ms")
	}},
	{healthy, "a guest network without a sign-in, which lets out the web and names alone", direct | webPorts, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", `iifname "lan0" tcp dport != { 53, 80, 443 } drop`, `iifname "lan0" udp dport != { 53, 123, 443 } drop`)
	}},
	{abstain, "a firewall resets every connection to HTTPS, names and HTTP work", direct, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", "tcp dport 443 reject with tcp reset")
	}},
	{abstain, "a firewall resets everything", direct, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", "udp dport 53 accept", "udp sport 53 accept", "meta l4proto tcp reject with tcp reset", "drop")
	}},
	{abstain, "every site resets the connection when TLS begins", direct, func(s *scene) {
		for i := range s.sites {
			s.closeSite(i)
			for _, a := range s.addressesOf(i) {
				go resetAll(s.Listen(Internet, net.JoinHostPort(a, "443")))
			}
		}
	}},
}
