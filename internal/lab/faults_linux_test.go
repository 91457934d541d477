package lab

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// recipe is one way to one fault: how it is put into a healthy scene, and what
// must be named.
type recipe struct {
	// fault is healthy where nothing must be named, and abstain where nothing
	// can be.
	fault string
	how   string
	// needs is where it shows as this fault.
	needs  need
	inject func(*scene)
}

const (
	// healthy is the id of no fault at all.
	healthy = ""
	// abstain stands for worlds whose cause nothing here can prove: no fault
	// may be more than possible, and the verdict is undetermined.
	abstain = "undetermined"
)

// faultRecipes are the faults of the way from the adapter to the services.
var faultRecipes = []recipe{
	{"net-link-no-carrier", "the switch's port is down", anywhere, func(s *scene) {
		s.IP(Switch, "link set pc0 down")
		s.AwaitLink(PC, s.Adapter, "NO-CARRIER")
	}},
	{"net-link-no-carrier", "the switch's port is down, and a spare adapter is switched off", anywhere, func(s *scene) {
		s.IP(PC, "link add eth9 type veth peer name far9 netns "+s.Namespace(Switch))
		s.IP(Switch, "link set pc0 down")
		s.AwaitLink(PC, s.Adapter, "NO-CARRIER")
	}},
	{"net-adapter-disabled", "the adapter is switched off", anywhere, func(s *scene) {
		s.IP(PC, "link set "+s.Adapter+" down")
	}},
	{"net-adapter-disabled", "the adapter is switched off, and a spare one waits for a cable", anywhere, func(s *scene) {
		s.IP(PC, "link add eth9 type veth peer name far9 netns "+s.Namespace(Switch), "link set eth9 up", "link set "+s.Adapter+" down")
		s.AwaitLink(PC, "eth9", "NO-CARRIER")
	}},
	{"net-no-default-route", "no default route is left", anywhere, func(s *scene) {
		s.flushDefaults("-4")
		s.flushDefaults("-6")
	}},
	{"net-gateway-arp-unresolved", "the gateway's port is down, the switch stays up", anywhere, func(s *scene) {
		s.IP(Gateway, "link set lan0 down")
	}},
	{"net-gateway-arp-unresolved", "the switch drops ARP and neighbour discovery, the entry is forgotten", anywhere, func(s *scene) {
		s.Filter(Switch, "bridge", "filter", "forward", "ether type arp drop", "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } drop")
		s.IP(PC, "neigh flush all")
	}},
	{"net-gateway-arp-unresolved", "the preferred of two default routes leads to a dead gateway", with4, func(s *scene) {
		s.flushDefaults("-4")
		s.IP(PC, "route add default via "+s.neighbour4().String()+" dev "+s.Adapter+" metric 50",
			"route add default via "+s.Router.Addr().String()+" dev "+s.Adapter+" metric 500")
	}},
	{"net-gateway-arp-unresolved", "the default route leads to an address that nobody has", with4, func(s *scene) {
		s.flushDefaults("-4")
		s.IP(PC, "route add default via "+s.neighbour4().String()+" dev "+s.Adapter)
	}},
	{"net-dns-no-server", "resolv.conf is empty", direct, func(s *scene) {
		s.WriteFile(PC, "resolv.conf", pick(s.draw, "# nothing\n", "", "search lan\n", "options edns0\n"))
	}},
	{"net-dns-unreachable", "port 53 is dropped before the name server", direct, func(s *scene) {
		s.Filter(s.dnsHost, "inet", "filter", "input", "udp dport 53 drop", "tcp dport 53 drop")
	}},
	{"net-dns-unreachable", "UDP to port 53 is dropped, TCP passes", direct | quickDNS, func(s *scene) {
		s.Filter(s.dnsHost, "inet", "filter", "input", "udp dport 53 drop")
	}},
	{"net-dns-unreachable", "the name server is not running", direct, func(s *scene) { s.stopNames() }},
	{"net-dns-unreachable", "resolv.conf names an address that nobody has", direct, func(s *scene) { s.nameServers(s.nobody()) }},
	{"net-dns-unreachable", "resolv.conf names only a stub of this computer that is dead", direct, func(s *scene) {
		s.nameServers(netip.MustParseAddr("127.0.0.53"))
	}},
	{"net-dns-unreachable", "the name server answers SERVFAIL", direct, func(s *scene) { s.answerNames(0, answerWith(dnsmessage.RCodeServerFailure)) }},
	{"net-dns-unreachable", "the name server answers REFUSED", direct, func(s *scene) { s.answerNames(0, answerWith(dnsmessage.RCodeRefused)) }},
	{"net-dns-wrong-answers", "the name server answers NXDOMAIN", direct, func(s *scene) { s.answerNames(0, answerWith(dnsmessage.RCodeNameError)) }},
	{"net-dns-wrong-answers", "the name server answers everything with the router's address", direct, func(s *scene) {
		s.answerNames(0, answerAddress(s.nearRouter()))
	}},
	{"net-dns-wrong-answers", "the name server answers everything with an address far away", direct, func(s *scene) {
		s.answerNames(0, answerAddress(netip.MustParseAddr("198.51.100.250"), netip.MustParseAddr("2001:db8:bad::1")))
	}},
	{"net-dns-slow", "the first of two name servers is dead", direct, func(s *scene) {
		s.nameServers(append([]netip.Addr{s.nobody()}, s.dnsAddresses...)...)
	}},
	{"net-hosts-override", "the hosts file sends a site elsewhere", direct | with4, func(s *scene) {
		s.hosts("198.51.100.9 " + s.names[s.wellSite()])
	}},
	{"net-hosts-override", "the hosts file sends a site to this computer", direct | with4, func(s *scene) {
		s.hosts("# tests of last year", "127.0.0.1 "+s.names[s.wellSite()])
	}},
	{"net-upstream-outage", "the gateway drops what it should forward", direct, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", "drop")
	}},
	{"net-upstream-outage", "the gateway's line is down", direct, func(s *scene) { s.IP(Gateway, "link set wan0 down") }},
	{"net-upstream-outage", "the gateway knows no way on", direct, func(s *scene) {
		s.Run(Gateway, "sh", "-c", "ip route del default 2>/dev/null; ip -6 route del default 2>/dev/null; true")
	}},
	{"net-upstream-outage", "the provider's router is silent", direct, func(s *scene) {
		s.Filter(Internet, "inet", "filter", "input", "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept", "drop")
	}},
	{"net-captive-portal", "HTTP is redirected to a sign-in page, HTTPS is dropped", direct, func(s *scene) {
		s.portal(http.RedirectHandler(pick(s.draw, "http://portal.example/login", "https://login.hotspot.test/?a=1"), http.StatusFound), "drop")
	}},
	{"net-captive-portal", "HTTP is redirected to a sign-in page, HTTPS is reset", direct, func(s *scene) {
		s.portal(http.RedirectHandler("https://wifi.example/welcome", http.StatusTemporaryRedirect), "reject with tcp reset")
	}},
	{"net-captive-portal", "HTTP gets the sign-in page at once, HTTPS is dropped", direct, func(s *scene) {
		s.portal(Page(http.StatusOK, "<html><title>Welcome</title>sign in</html>"), "drop")
	}},
	{"net-captive-portal", "HTTP gets 511, HTTPS is dropped", direct, func(s *scene) {
		s.portal(Page(http.StatusNetworkAuthenticationRequired, "<html>sign in</html>"), "drop")
	}},
	{"net-captive-portal", "every name is the portal's, which has a certificate of its own", direct, func(s *scene) {
		s.namePortal(http.RedirectHandler("http://portal.example/login", http.StatusFound))
		Serve(s.t, s.Listen(Gateway, ":443"), Page(http.StatusOK, "sign in"), s.issueNow(NewAuthority(s.t, "Portal"), "portal.example"))
	}},
	{"net-captive-portal", "every name is the portal's, which serves its page at once", direct, func(s *scene) {
		s.namePortal(Page(http.StatusOK, "<html>sign in</html>"))
	}},
	{"net-ncsi-probe-blocked", "the connectivity page alone is replaced", direct, func(s *scene) {
		Serve(s.t, s.Listen(Gateway, ":8080"), Page(pick(s.draw, http.StatusForbidden, http.StatusOK), "blocked by the filter"))
		s.Filter(Gateway, "inet", "nat", "prerouting", `iifname "lan0" tcp dport 80 redirect to :8080`)
	}},
	{"net-ncsi-probe-blocked", "the connectivity page's port refuses", direct, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", "tcp dport 80 reject with tcp reset")
	}},
	{"net-ipv6-broken", "the gateway forwards no IPv6", direct | with4 | with6, func(s *scene) {
		s.Filter(Gateway, "ip6", "filter", "forward", "drop")
	}},
	{"net-ipv6-broken", "the gateway has no IPv6 line behind it", direct | with4 | with6, func(s *scene) {
		s.IP(Gateway, "-6 route del default")
	}},
	{"net-ipv6-broken", "the announced router is not there", direct | with4 | with6, func(s *scene) {
		s.flushDefaults("-6")
		s.IP(PC, "-6 route add default via fe80::dead dev "+s.Adapter+" proto ra")
	}},
	{"net-proxy-unreachable", "the environment names a proxy with a closed port", direct, func(s *scene) { s.setProxy(s.addressesOf(1)[0]) }},
	{"net-proxy-unreachable", "the environment names a proxy that is silent", direct, func(s *scene) { s.setProxy(s.nobody().String()) }},
	{"net-proxy-unreachable", "the environment names a proxy that has no address", direct, func(s *scene) { s.setProxy("proxy.gone.example") }},
	{"net-proxy-unreachable", "the proxy of the network is not running", proxied, func(s *scene) { s.proxy.Close() }},
	{"net-proxy-unreachable", "the proxy of the network has lost its own line", proxied, func(s *scene) {
		s.answerAtProxy(pick(s.draw, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout))
	}},
	{"net-proxy-auth-required", "the proxy answers 407", proxied, func(s *scene) { s.answerAtProxy(http.StatusProxyAuthRequired) }},
	{"net-service-down", "the intranet's port is closed", anywhere, func(s *scene) { s.closeSite(intranet) }},
	{"net-service-down", "the intranet's machine is gone", direct, func(s *scene) { s.drop(intranet) }},
	{"net-service-down", "the intranet answers 500 or 503", anywhere, func(s *scene) {
		s.replace(intranet, s.goodCertificate(), Page(pick(s.draw, http.StatusInternalServerError, http.StatusServiceUnavailable), "out of order"))
	}},
	{"net-service-down", "the intranet resets every connection", direct, func(s *scene) {
		s.closeSite(intranet)
		for _, a := range s.addressesOf(intranet) {
			go resetAll(s.Listen(Internet, net.JoinHostPort(a, "443")))
		}
	}},
	{"net-service-cert-invalid", "the intranet's certificate has run out", anywhere, func(s *scene) {
		s.replace(intranet, s.authority.Issue(time.Now().AddDate(0, -2, 0), time.Now().AddDate(0, 0, -3), s.names...))
	}},
	{"net-service-cert-invalid", "the intranet's certificate is another site's", anywhere, func(s *scene) {
		s.replace(intranet, s.issueNow(s.authority, "other.example"))
	}},
	{"net-service-cert-invalid", "the intranet's certificate is of its own making", anywhere, func(s *scene) {
		s.replace(intranet, s.issueNow(NewAuthority(s.t, "self-signed"), s.names...))
	}},
	{"net-service-cert-invalid", "one public site's certificate has run out", openWay, func(s *scene) {
		s.replace(1, s.authority.Issue(time.Now().AddDate(0, -2, 0), time.Now().AddDate(0, 0, -3), s.names...))
	}},
	{"net-service-cert-invalid", "one public site's certificate is not valid yet", openWay, func(s *scene) {
		s.replace(2, s.authority.Issue(time.Now().AddDate(0, 0, 2), time.Now().AddDate(0, 2, 0), s.names...))
	}},
	{"net-vpn-gateway-unreachable", "the VPN's port is closed", remote, func(s *scene) { s.closeSite(vpn) }},
	{"net-vpn-gateway-unreachable", "the VPN's machine is gone", remote, func(s *scene) { s.drop(vpn) }},
	{"net-clock-skew-tls", "the pc is months behind everybody else", openWay, func(s *scene) {
		// The agent reads the kernel's clock, so the world moves instead.
		s.moveTime(time.Now().AddDate(0, 2+s.draw.IntN(120), 0))
	}},
	{"net-clock-skew-tls", "the pc is years ahead of everybody else", openWay, func(s *scene) {
		s.moveTime(time.Now().AddDate(-1-s.draw.IntN(9), 0, 0))
	}},
	{"net-tls-interception-untrusted", "every site shows a certificate of one unknown authority", openWay, func(s *scene) {
		stranger := s.issueNow(NewAuthority(s.t, s.owner+" Web Filter"), s.names...)
		for i := range s.sites {
			s.replace(i, stranger)
		}
	}},
	{"net-ip-conflict", "another machine has the same IPv6 address", with6, func(s *scene) {
		s.IP(Switch, "addr add "+s.Local6.String()+" dev br0 nodad")
		s.Run(PC, "sysctl", "-qw", "net.ipv6.conf."+s.Adapter+".accept_dad=1", "net.ipv6.conf."+s.Adapter+".dad_transmits=1")
		s.IP(PC, "addr del "+s.Local6.String()+" dev "+s.Adapter, "addr add "+s.Local6.String()+" dev "+s.Adapter)
		s.Await("the conflict to be seen", func() error {
			if out := s.Run(PC, "ip", "addr", "show", "dev", s.Adapter); !strings.Contains(out, "dadfailed") {
				return errors.New(out)
			}
			return nil
		})
	}},
}

// flushDefaults deletes all default routes of a family.
func (s *scene) flushDefaults(family string) {
	s.Run(PC, "sh", "-c", "while ip "+family+" route del default 2>/dev/null; do :; done")
}

// nearRouter is the gateway's address on the pc's side.
func (s *scene) nearRouter() netip.Addr {
	if s.Local.IsValid() {
		return s.Router.Addr()
	}
	return s.Router6.Addr()
}

// portal sends HTTP to a page on the gateway and does this with HTTPS.
func (s *scene) portal(page http.Handler, https string) {
	Serve(s.t, s.Listen(Gateway, ":8080"), page)
	s.Filter(Gateway, "inet", "nat", "prerouting", `iifname "lan0" tcp dport 80 redirect to :8080`)
	s.Filter(Gateway, "inet", "filter", "forward", "tcp dport 443 "+https)
}

// namePortal gives every name the gateway's address, serves a page there and
// forwards nothing but questions for names.
func (s *scene) namePortal(page http.Handler) {
	s.answerNames(0, answerAddress(s.nearRouter()))
	Serve(s.t, s.Listen(Gateway, ":80"), page)
	s.Filter(Gateway, "inet", "filter", "forward", "udp dport 53 accept", "udp sport 53 accept", "drop")
}

// drop makes a site's machine silent.
func (s *scene) drop(site int) {
	var rules []string
	for _, a := range s.addressesOf(site) {
		rules = append(rules, map[bool]string{true: "ip6", false: "ip"}[strings.Contains(a, ":")]+" daddr "+a+" drop")
	}
	s.Filter(Gateway, "inet", "filter", "forward", rules...)
}

// moveTime gives the whole Internet another time than the pc's.
func (s *scene) moveTime(to time.Time) {
	s.servePage(func(w http.ResponseWriter) { w.Header().Set("Date", to.UTC().Format(http.TimeFormat)) })
	for i := range s.sites {
		s.replace(i, s.authority.Issue(to.Add(-time.Hour), to.Add(time.Hour), s.names...))
	}
}
