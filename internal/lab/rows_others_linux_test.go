package lab

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// strangeRecipes are worlds that somebody who distrusts the rules would try:
// rare but real networks without a fault, faults in them, and silences that
// look like another's.
var strangeRecipes = []recipe{
	{healthy, "names lead to IPv4 hosts by NAT64 alone, as DNS64 says", direct | with4 | with6 | office, func(s *scene) { s.translate() }},
	{healthy, "a router that is not in the pc's network answers ARP for it", direct | with4, func(s *scene) {
		// Cloud networks number so: an address alone, and a router on the link.
		s.flushDefaults("-4")
		s.IP(PC, "addr del "+s.Local.String()+" dev "+s.Adapter, "addr add "+s.Local.Addr().String()+"/32 dev "+s.Adapter,
			"route add default via "+s.Router.Addr().String()+" dev "+s.Adapter+" onlink")
	}},
	{healthy, "the router answers ARP for the whole network (proxy ARP)", direct | with4, func(s *scene) {
		s.Run(Gateway, "sysctl", "-qw", "net.ipv4.conf.lan0.proxy_arp=1", "net.ipv4.conf.lan0.proxy_arp_pvlan=1")
	}},
	{healthy, "the line is a PPPoE line of 1492 bytes, which says so", direct, func(s *scene) { s.narrowLine(1492) }},
	{healthy, "the line takes 1280 bytes, and says so", direct, func(s *scene) { s.narrowLine(1280) }},
	{healthy, "a transparent proxy fetches the pages", direct, func(s *scene) {
		l := s.Listen(Gateway, ":8080")
		Serve(s.t, l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Via", "1.1 cache")
			Page(http.StatusOK, s.pageBody+"\n").ServeHTTP(w, nil)
		}))
		s.Filter(Gateway, "inet", "nat", "prerouting", `iifname "lan0" tcp dport 80 redirect to :8080`)
	}},
	{healthy, "only TCP passes, and names by TCP and UDP", direct, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", "udp dport 53 accept", "udp sport 53 accept", "meta l4proto udp drop")
	}},
	{healthy, "the intranet takes two seconds for its page", direct, func(s *scene) {
		s.replace(intranet, s.goodCertificate(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(2 * time.Second) // a server's own time, not a wait
			Page(http.StatusOK, "hello").ServeHTTP(w, r)
		}))
	}},
	{healthy, "the router neither answers echoes nor anything else to itself", direct, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "input", `iifname "lan0" udp dport 53 accept`, `iifname "lan0" tcp dport 53 accept`,
			"icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept", `iifname "lan0" drop`)
	}},
	{healthy, "a second adapter has a default route that is not preferred, and leads nowhere", direct | with4, func(s *scene) {
		deadEnd := s.preferDeadEnd()
		s.flushDefaults("-4")
		s.IP(PC, "route add default via "+s.Router.Addr().String()+" dev "+s.Adapter+" metric 100",
			"route add default via "+deadEnd+" dev eth9 metric 600")
	}},
	{healthy, "the hosts file names this computer and its printer oddly", direct | with4, func(s *scene) {
		s.hosts("10.9.9.9 old-server old-server.example", "0.0.0.0 "+s.host+".localdomain")
	}},
	{"net-packet-loss", "the switch loses one of ten frames", openWay, func(s *scene) {
		s.Filter(Switch, "bridge", "filter", "forward", "numgen random mod 100 < 10 drop")
	}},
	{"net-packet-loss", "the line behind the router loses one of five packets", openWay, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", "numgen random mod 100 < 20 drop")
	}},
	{"net-upstream-outage", "the router answers no echoes, and its line is down", direct, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "input", "icmp type echo-request drop", "icmpv6 type echo-request drop")
		s.IP(Gateway, "link set wan0 down")
	}},
	{"net-captive-portal", "every name is the portal's, which redirects, and HTTPS is refused", direct, func(s *scene) {
		s.namePortal(http.RedirectHandler("http://portal.example/hello", http.StatusSeeOther))
	}},
	{"net-captive-portal", "HTTP is redirected, other addresses answer TLS with the portal's certificate", direct, func(s *scene) {
		Serve(s.t, s.Listen(Gateway, ":8080"), http.RedirectHandler("https://portal.example/login", http.StatusFound))
		Serve(s.t, s.Listen(Gateway, ":8443"), Page(http.StatusOK, "sign in"), s.issueNow(NewAuthority(s.t, "Portal"), "portal.example"))
		s.Filter(Gateway, "inet", "nat", "prerouting", `iifname "lan0" tcp dport 80 redirect to :8080`, `iifname "lan0" tcp dport 443 redirect to :8443`)
	}},
	{"net-service-down", "the intranet takes connections and never answers", direct, func(s *scene) {
		s.closeSite(intranet)
		for _, a := range s.addressesOf(intranet) {
			s.Listen(Internet, net.JoinHostPort(a, "443")) // accepted by the kernel, by nobody else
		}
	}},
	{"net-dns-unreachable", "the name server answers SERVFAIL for all but what it has kept", direct, func(s *scene) {
		s.answerNames(0, func(name string, known []netip.Addr) ([]netip.Addr, dnsmessage.RCode) {
			if name == s.names[intranet] {
				return answerTruly(name, known)
			}
			return nil, dnsmessage.RCodeServerFailure
		})
	}},
	{"net-vpn-stale-routes", "the half routes of a VPN that carried all, beside a router that is there", direct | with4, func(s *scene) {
		s.IP(PC, "tuntap add wg9 mode tun", "addr add "+nth(s.apart("10.66.0.2/32"), 0).String()+" dev wg9", "link set wg9 up", "route add 0.0.0.0/1 dev wg9", "route add 128.0.0.0/1 dev wg9")
	}},
	{abstain, "HTTP answers as it should, and HTTPS is dropped", direct, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", "tcp dport 443 drop")
	}},
}

// narrowLine gives both ends of the provider's link this size.
func (s *scene) narrowLine(bytes int) {
	s.IP(Gateway, fmt.Sprintf("link set wan0 mtu %d", bytes))
	s.IP(Internet, fmt.Sprintf("link set eth0 mtu %d", bytes))
}

// translate leaves the pc IPv6 alone, and gives every name without an IPv6
// address one that embeds its IPv4 address (RFC 6147), where a translator stands
// (RFC 6146). What the site is reached by behind that is not seen from the pc.
func (s *scene) translate() {
	s.Run(PC, "ip", "-4", "addr", "flush", "dev", s.Adapter)
	s.dnsHost, s.dnsAddresses = Gateway, []netip.Addr{s.Router6.Addr()}
	s.nameServers(s.dnsAddresses...)
	embedded := func(a netip.Addr) netip.Addr {
		b := netip.MustParsePrefix("64:ff9b::/96").Addr().As16()
		four := a.As4()
		copy(b[12:], four[:])
		return netip.AddrFrom16(b)
	}
	var rules []string
	for i, a := range s.Services {
		rules = append(rules, "ip6 daddr "+embedded(netip.MustParseAddr(a)).String()+" dnat to "+s.Services6[i])
	}
	s.Filter(Gateway, "ip6", "nat", "prerouting", rules...)
	s.answerNames(0, func(name string, known []netip.Addr) ([]netip.Addr, dnsmessage.RCode) {
		addresses, code := answerTruly(name, known)
		if !slices.ContainsFunc(addresses, netip.Addr.Is6) {
			for _, a := range addresses {
				addresses = append(addresses, embedded(a))
			}
		}
		return addresses, code
	})
}
