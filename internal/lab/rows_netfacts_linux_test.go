package lab

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// netfactRecipes are faults whose proof needs the process with the rights: the
// packet filter of the pc itself, frames on its link.
var netfactRecipes = []recipe{
	{"net-local-firewall-block", "a firewall of this computer silently drops all connections but DNS", direct | rights, func(s *scene) {
		s.Filter(PC, "inet", "filter", "output", "oif lo accept", "meta l4proto tcp tcp dport != 53 drop")
	}},
	{"net-local-firewall-block", "a firewall of this computer rejects all connections but DNS", direct | rights, func(s *scene) {
		s.Filter(PC, "inet", "filter", "output", "oif lo accept", "tcp dport != 53 reject")
	}},
	{"net-local-firewall-block", "a firewall of this computer lets no answer in", direct | rights, func(s *scene) {
		s.Filter(PC, "inet", "filter", "input", "iif lo accept", "meta l4proto { icmp, icmpv6, udp } accept", "drop")
	}},
	{"net-mtu-blackhole", "the gateway's line takes 1400 bytes, and the gateway does not say so", direct | rights, func(s *scene) {
		s.IP(PC, "link set "+s.Adapter+" mtu 1500")
		s.IP(Gateway, "link set wan0 mtu 1400")
		s.Filter(Gateway, "inet", "filter", "output", "icmp type destination-unreachable drop", "icmpv6 type packet-too-big drop")
	}},
	{"net-mtu-blackhole", "the gateway's line takes 1400 bytes, and nothing of ICMP passes", direct | rights, func(s *scene) {
		s.IP(PC, "link set "+s.Adapter+" mtu 1500")
		s.IP(Gateway, "link set wan0 mtu 1400")
		s.Filter(Gateway, "inet", "filter", "output", "icmp type destination-unreachable drop", "icmpv6 type packet-too-big drop")
		s.Filter(Gateway, "inet", "filter", "forward", "meta l4proto { icmp, icmpv6 } drop")
	}},
	{healthy, "the gateway's line takes 1400 bytes, and the gateway says so", anywhere, func(s *scene) {
		s.IP(Gateway, "link set wan0 mtu 1400")
		s.IP(Internet, "link set eth0 mtu 1400")
	}},
	{"net-ip-conflict", "a second machine has the pc's address", direct | rights | with4, func(s *scene) {
		s.join("twin", s.Local.String())
	}},
	{"net-dhcp-rogue-server", "a second DHCP server hands out itself as router", direct | rights | with4, func(s *scene) {
		s.serveLeases(1)
		rogue := netip.PrefixFrom(s.free(3), s.Local.Bits())
		s.join("rogue", rogue.String())
		s.leaseFrom("rogue", "eth0", rogue.Addr().String(), s.pool(2))
	}},
	{healthy, "one DHCP server", with4, func(s *scene) { s.serveLeases(1) }},
	{"net-static-ip-wrong", "the pc's address is of another network than the DHCP server's", direct | rights | with4, func(s *scene) {
		s.serveLeases(1)
		s.flushDefaults("-4")
		s.flushDefaults("-6")
		elsewhere := s.apart("10.99.0.0/24")
		if s.Local.Addr().As4()[0] == 10 {
			elsewhere = s.apart("192.168.213.0/24")
		}
		s.IP(PC, "addr del "+s.Local.String()+" dev "+s.Adapter, "addr add "+nth(elsewhere, 5).String()+" dev "+s.Adapter, "route add default via "+nth(elsewhere, 1).Addr().String())
	}},
	{"net-8021x-auth-failed", "the switch's port refuses the pc's password", direct | rights, func(s *scene) {
		s.guardPort()
		s.unnumber()
		s.signIn("bad", "EAP-FAILURE")
	}},
	{"net-dhcp-no-offer", "dhclient asks, and nobody answers", direct | rights, func(s *scene) {
		s.unnumber()
		s.lease()
	}},
	{"net-vpn-stale-routes", "the routes of a VPN whose program is gone", direct | with4, func(s *scene) {
		s.IP(PC, "tuntap add tun9 mode tun", "addr add "+nth(s.apart("10.8.0.0/24"), 2).String()+" dev tun9", "link set tun9 up", "route add 0.0.0.0/1 dev tun9", "route add 128.0.0.0/1 dev tun9")
	}},
	{"net-vpn-subnet-overlap", "the network behind a VPN has the prefix of the pc's own", direct | office | with4, func(s *scene) {
		// The intranet lies behind the VPN, and at an address that the pc takes
		// for its neighbour's.
		s.openTunnel(s.Local.Masked().String() + " metric 50")
		records := s.records()
		records[s.names[intranet]] = []netip.Addr{s.free(4)}
		s.answerNames(0, func(name string, _ []netip.Addr) ([]netip.Addr, dnsmessage.RCode) {
			return answerTruly(name, records[name])
		})
	}},
	{"net-egress-port-blocked", "the gateway drops a port that policy names", direct | otherPorts | with4 | rights, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", "tcp dport "+s.otherPort+" drop")
	}},
}

// openTunnel makes a tunnel to a network that a program keeps, as a connected
// VPN has it.
func (s *scene) openTunnel(route string) {
	name, own := fmt.Sprintf("tun%d", s.tunnels), nth(s.apart("172.30.254.0/24"), 2)
	s.tunnels++
	_, err := os.Stat("/dev/net/tun")
	Need(s.t, "/dev/net/tun", err == nil)
	request, err := unix.NewIfreq(name)
	if err != nil {
		s.t.Fatal(err)
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := s.inside(PC, func() error {
		tunnel, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
		if err != nil {
			return err
		}
		s.t.Cleanup(func() { tunnel.Close() })
		return unix.IoctlIfreq(int(tunnel.Fd()), unix.TUNSETIFF, request)
	}); err != nil {
		s.t.Fatal(err)
	}
	s.IP(PC, "link set "+name+" up", "addr add "+own.String()+" dev "+name, "route add "+route+" dev "+name)
}

// serveLeases starts a DHCP server on the router, for one address.
func (s *scene) serveLeases(free int) {
	if s.leaseMake == kea {
		s.leaseFromKea(Gateway, "lan0", s.Router.Addr(), s.free(free))
		return
	}
	s.leaseFrom(Gateway, "lan0", s.Router.Addr().String(), s.pool(free))
}

func (s *scene) pool(free int) string {
	return fmt.Sprintf("--dhcp-range=%s,%s,%s,1h", s.free(free), s.free(free), mask(s.Local.Bits()))
}

// mask is a prefix length as dnsmasq has it.
func mask(bits int) netip.Addr {
	all := ^uint32(0) << (32 - bits)
	return netip.AddrFrom4([4]byte{byte(all >> 24), byte(all >> 16), byte(all >> 8), byte(all)})
}

// unnumber takes all addresses away, and with them the routes.
func (s *scene) unnumber() {
	s.flushDefaults("-4")
	s.flushDefaults("-6")
	s.Run(PC, "ip", "addr", "flush", "dev", s.Adapter, "scope", "global")
}
