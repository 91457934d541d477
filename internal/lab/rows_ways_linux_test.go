package lab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// wayRecipes are the same faults as elsewhere by other ways, as somebody would
// make them who never saw our recipes; and what looks wrong and is not.
var wayRecipes = []recipe{
	// Name servers.
	{"net-dns-wrong-answers", "the name server answers every name with no address at all", direct, func(s *scene) {
		s.answerNames(0, answerWith(dnsmessage.RCodeSuccess))
	}},
	{"net-dns-wrong-answers", "the name server answers everything with an address of an office network", direct, func(s *scene) {
		s.answerNames(0, answerAddress(netip.MustParseAddr("10.66.66.66"), netip.MustParseAddr("fd66::66")))
	}},
	{"net-dns-wrong-answers", "the name server answers everything with 0.0.0.0, as a block list does", direct, func(s *scene) {
		s.answerNames(0, answerAddress(netip.IPv4Unspecified(), netip.IPv6Unspecified()))
	}},
	{"net-dns-unreachable", "the name server's machine rejects questions", direct, func(s *scene) {
		s.Filter(s.dnsHost, "inet", "filter", "input", "udp dport 53 reject", "tcp dport 53 reject with tcp reset")
	}},
	{"net-dns-unreachable", "the name server forbids questions by ICMP", direct, func(s *scene) {
		s.Filter(s.dnsHost, "inet", "filter", "input", "udp dport 53 reject with icmpx type admin-prohibited", "tcp dport 53 reject with icmpx type admin-prohibited")
	}},
	{"net-dns-unreachable", "the name server hangs", direct | quickDNS, func(s *scene) { s.hangNames() }},
	{"net-dns-unreachable", "the name server answers FORMERR", direct, func(s *scene) { s.answerNames(0, answerWith(dnsmessage.RCodeFormatError)) }},
	{"net-dns-unreachable", "two name servers, and both are dead", direct | with4, func(s *scene) {
		s.nameServers(s.free(0), s.free(2))
	}},
	{"net-dns-slow", "the first of two name servers drops what it is asked", direct | with4, func(s *scene) {
		other := netip.PrefixFrom(s.free(2), s.Local.Bits())
		s.join("names", other.String())
		s.Filter("names", "inet", "filter", "input", "udp dport 53 drop", "tcp dport 53 drop")
		s.nameServers(append([]netip.Addr{other.Addr()}, s.dnsAddresses...)...)
	}},
	// Routers and lines.
	{"net-gateway-arp-unresolved", "the switch lets the pc and the router not talk to each other", anywhere, func(s *scene) {
		s.Run(Switch, "bridge", "link", "set", "dev", "pc0", "isolated", "on")
		s.Run(Switch, "bridge", "link", "set", "dev", "gw0", "isolated", "on")
	}},
	{"net-gateway-arp-unresolved", "the router lost its addresses", direct | lossless, func(s *scene) {
		s.Run(Gateway, "sh", "-c", "ip addr flush dev lan0; ip -6 addr flush dev lan0; ip -6 addr add fe80::77/64 dev lan0 nodad")
		s.IP(PC, "neigh flush all")
	}},
	{"net-gateway-arp-unresolved", "somebody wrote down a wrong hardware address of the router", direct | with4, func(s *scene) {
		s.IP(PC, "neigh replace "+s.Router.Addr().String()+" lladdr 02:00:5e:00:53:01 dev "+s.Adapter+" nud permanent")
		if s.Local6.IsValid() {
			s.Run(PC, "sysctl", "-qw", "net.ipv6.conf."+s.Adapter+".disable_ipv6=1")
		}
	}},
	{"net-upstream-outage", "the router drops what it should forward, by a route", direct, func(s *scene) {
		s.replaceDefaults("blackhole")
	}},
	{"net-upstream-outage", "the router says at once that it knows no way", direct, func(s *scene) {
		s.replaceDefaults("unreachable")
	}},
	{"net-upstream-outage", "nobody out there knows the way back", direct, func(s *scene) {
		if s.Local.IsValid() {
			s.IP(Internet, "route del "+s.Local.Masked().String())
		}
		if s.Local6.IsValid() {
			s.IP(Internet, "-6 route del "+s.Local6.Masked().String())
		}
	}},
	{"net-no-default-route", "the default route was taken by a program that ended", direct | lossless, func(s *scene) {
		s.flushDefaults("-4")
		s.flushDefaults("-6")
		s.Run(PC, "sh", "-c", "ip route add blackhole default; ip -6 route add blackhole default metric 1 2>/dev/null; true")
	}},
	{"net-mtu-blackhole", "the line takes 1300 bytes, and nobody says so", direct | rights | with4, func(s *scene) { s.narrowSilently(1300) }},
	{"net-mtu-blackhole", "the line takes 1452 bytes, and nobody says so", direct | rights, func(s *scene) { s.narrowSilently(1452) }},
	{"net-packet-loss", "one of four frames from the switch to the pc is lost", openWay, func(s *scene) {
		s.Filter(Switch, "bridge", "filter", "forward", `oifname "pc0" numgen random mod 4 == 0 drop`)
	}},
	{"net-packet-loss", "the line loses one of six packets that come, and delays all", direct | lossless, func(s *scene) {
		s.longLine(30*time.Millisecond, 6)
	}},
	{"net-ipv6-broken", "nobody out there knows the way back to the pc's IPv6", direct | with4 | with6, func(s *scene) {
		s.IP(Internet, "-6 route del "+s.Local6.Masked().String())
	}},
	{"net-ipv6-broken", "the router drops IPv6 by a route", direct | with4 | with6, func(s *scene) {
		s.IP(Gateway, "-6 route del default", "-6 route add blackhole default")
	}},
	// Portals, proxies and filters.
	{"net-captive-portal", "HTTP is redirected to the router's own address, HTTPS leads to it", direct, func(s *scene) {
		host := s.nearRouter().String()
		if s.nearRouter().Is6() {
			host = "[" + host + "]"
		}
		Serve(s.t, s.Listen(Gateway, ":8080"), http.RedirectHandler("http://"+host+":8000/index.html?dst=", http.StatusFound))
		Serve(s.t, s.Listen(Gateway, ":8443"), Page(http.StatusOK, "sign in"), s.issueNow(NewAuthority(s.t, "router"), "router.lan"))
		s.Filter(Gateway, "inet", "nat", "prerouting", `iifname "lan0" tcp dport 80 redirect to :8080`, `iifname "lan0" tcp dport 443 redirect to :8443`)
		s.Filter(Gateway, "inet", "filter", "forward", "udp dport 53 accept", "udp sport 53 accept", "tcp dport 53 accept", "tcp sport 53 accept", "drop")
	}},
	{"net-captive-portal", "HTTP gets the sign-in page, everything else is rejected", direct, func(s *scene) {
		Serve(s.t, s.Listen(Gateway, ":8080"), Page(http.StatusOK, "<html><meta http-equiv=refresh content='0; url=http://login.example/'></html>"))
		s.Filter(Gateway, "inet", "nat", "prerouting", `iifname "lan0" tcp dport 80 redirect to :8080`)
		s.Filter(Gateway, "inet", "filter", "forward", "udp dport 53 accept", "udp sport 53 accept", "tcp dport 53 accept", "tcp sport 53 accept", "reject with icmpx type admin-prohibited")
	}},
	{"net-proxy-unreachable", "/etc/environment names a proxy that is gone", direct, func(s *scene) {
		s.WriteFile(PC, "environment", fmt.Sprintf("PATH=\"/usr/bin:/bin\"\nexport http_proxy='http://%s'\nhttps_proxy=\"http://%[1]s\"\n", net.JoinHostPort(s.addressesOf(1)[0], s.proxyPort)))
	}},
	{"net-proxy-unreachable", "the proxy of the network takes connections and says nothing", proxied, func(s *scene) {
		s.proxy.Close()
		s.Listen(Internet, net.JoinHostPort(s.proxyAddress.String(), s.proxyPort))
	}},
	{"net-egress-port-blocked", "the gateway forbids a port that policy names, by ICMP", direct | otherPorts | with4 | rights, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", "tcp dport "+s.otherPort+" reject with icmpx type admin-prohibited")
	}},
	{"net-tls-interception-untrusted", "an unknown authority signs each site's name anew, but not the intranet's", openWay, func(s *scene) {
		filter := NewAuthority(s.t, "Endpoint Security")
		for i := range intranet {
			s.replace(i, s.issueNow(filter, s.names[i]))
		}
	}},
	{"net-service-cert-invalid", "the intranet's certificate is of an authority nobody here knows", anywhere, func(s *scene) {
		s.replace(intranet, s.issueNow(NewAuthority(s.t, "Old Company CA"), s.names[intranet]))
	}},
	{"net-service-down", "the intranet's gateway answers 502 or 504", anywhere, func(s *scene) {
		s.replace(intranet, s.goodCertificate(), Page(pick(s.draw, http.StatusBadGateway, http.StatusGatewayTimeout), "nginx"))
	}},
	{"net-service-down", "the intranet's name was deleted", direct | office, func(s *scene) {
		s.answerNames(0, func(name string, known []netip.Addr) ([]netip.Addr, dnsmessage.RCode) {
			if name == s.names[intranet] {
				known = nil
			}
			return answerTruly(name, known)
		})
	}},
	{"net-ncsi-probe-blocked", "a filter of names knows no connectivity page", direct, func(s *scene) {
		s.answerNames(0, func(name string, known []netip.Addr) ([]netip.Addr, dnsmessage.RCode) {
			if name == s.pageName {
				known = nil
			}
			return answerTruly(name, known)
		})
	}},
	{"net-ncsi-probe-blocked", "a filter of names gives the connectivity page no real address", direct, func(s *scene) {
		s.answerNames(0, func(name string, known []netip.Addr) ([]netip.Addr, dnsmessage.RCode) {
			if name == s.pageName {
				known = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
			}
			return answerTruly(name, known)
		})
	}},
	{"net-service-down", "the way to the intranet's machine is rejected", direct, func(s *scene) {
		var rules []string
		for _, a := range s.addressesOf(intranet) {
			rules = append(rules, map[bool]string{true: "ip6", false: "ip"}[strings.Contains(a, ":")]+" daddr "+a+" reject with icmpx type host-unreachable")
		}
		s.Filter(Gateway, "inet", "filter", "forward", rules...)
	}},
	{"net-local-firewall-block", "a firewall of this computer lets out only names and what is established", direct | rights, func(s *scene) {
		s.Filter(PC, "inet", "filter", "output", "oif lo accept", "ct state established accept", "meta l4proto { icmp, icmpv6 } accept", "udp dport 53 accept", "tcp dport 53 accept", "counter drop")
	}},
	{"net-hosts-override", "the hosts file has a site in capitals, with a Windows line end", direct | with4, func(s *scene) {
		s.hosts("198.51.100.9\t" + strings.ToUpper(s.names[s.wellSite()]) + "\r")
	}},
	{"net-vpn-gateway-unreachable", "the way to the VPN's machine drops its port", remote, func(s *scene) {
		var rules []string
		for _, a := range s.addressesOf(vpn) {
			rules = append(rules, map[bool]string{true: "ip6", false: "ip"}[strings.Contains(a, ":")]+" daddr "+a+" tcp dport 443 drop")
		}
		s.Filter(Internet, "inet", "filter", "input", rules...)
	}},

	// Nothing of this harms anybody.
	{healthy, "the router has another hardware address than the one that was learned", direct | with4 | rights, func(s *scene) {
		s.IP(PC, "neigh replace "+s.Router.Addr().String()+" lladdr 02:00:5e:00:53:02 dev "+s.Adapter+" nud stale")
	}},
	{healthy, "one of the sites that policy names is no more", direct, func(s *scene) {
		s.answerNames(0, func(name string, known []netip.Addr) ([]netip.Addr, dnsmessage.RCode) {
			if name == s.names[2] {
				known = nil
			}
			return answerTruly(name, known)
		})
	}},
	{healthy, "the name server answers SERVFAIL for IPv6 addresses", direct | with4, func(s *scene) {
		s.nameServers(s.dnsAddresses...) // a dead one behind them would be asked next
		s.stopNames()
		records := s.knownNames()
		for _, a := range s.dnsAddresses {
			s.respond(s.dnsHost, a, func(query []byte) []byte {
				var m dnsmessage.Message
				if m.Unpack(query) == nil && len(m.Questions) == 1 && m.Questions[0].Type == dnsmessage.TypeAAAA {
					return answerName(query, nil, answerWith(dnsmessage.RCodeServerFailure))
				}
				return answerName(query, records, answerTruly)
			})
		}
	}},
	{healthy, "a proxy is set, and everything is excepted from it", direct, func(s *scene) {
		s.setProxy("proxy.gone.example")
		s.env = append(s.env, "no_proxy=*", "NO_PROXY=*")
	}},
	{healthy, "a satellite: everything takes 600 ms", direct | lossless, func(s *scene) { s.longLine(300*time.Millisecond, 0) }},
	{healthy, "a far line: everything takes 180 ms", direct, func(s *scene) { s.longLine(90*time.Millisecond, 0) }},
	{healthy, "resolv.conf asks for TCP, and the name server takes nothing else", direct | quickDNS, func(s *scene) {
		s.resolvHeader += "options use-vc\n"
		s.nameServers(s.dnsAddresses...)
		s.Filter(s.dnsHost, "inet", "filter", "input", "udp dport 53 drop")
	}},
	{healthy, "the name server is the router's link-local address", direct | with6 | quickDNS, func(s *scene) {
		s.IP(Gateway, "addr replace "+routerLinkLocal+"/64 dev lan0 nodad")
		s.stopNames()
		records := s.knownNames()
		s.respond(Gateway, netip.MustParseAddr(routerLinkLocal+"%lan0"), func(query []byte) []byte { return answerName(query, records, answerTruly) })
		s.WriteFile(PC, "resolv.conf", "nameserver "+routerLinkLocal+"%"+s.Adapter+"\n")
	}},
	{healthy, "a name service of this computer asks the network's", direct, func(s *scene) {
		options := []string{"--cache-size=50"}
		for _, a := range s.dnsAddresses {
			options = append(options, "--server="+a.String())
		}
		s.forwardNames(options)
		s.WriteFile(PC, "resolv.conf", "nameserver 127.0.0.1\noptions edns0\n")
	}},
	{healthy, "the name server refuses questions with extensions, as old ones do", direct, func(s *scene) { s.answerNamesWithoutExtensions() }},
	{healthy, "the name server's answers are cut, and whole by TCP", direct | quickDNS, func(s *scene) { s.cutAnswers() }},
	{healthy, "the first of two name servers refuses, the second answers", direct | with4, func(s *scene) {
		other := netip.PrefixFrom(s.free(2), s.Local.Bits())
		s.join("names", other.String())
		s.nameServers(append([]netip.Addr{other.Addr()}, s.dnsAddresses...)...)
		s.answerNamesAt("names", other.Addr(), answerWith(dnsmessage.RCodeRefused))
	}},
	{healthy, "the router asks its own name server, whomever the pc asks", direct | quickDNS, func(s *scene) {
		s.ServeDNS(Gateway, s.routerAddresses(), s.hostRecords()...)
		s.nameServers(netip.MustParseAddr("8.8.8.8"))
		s.Filter(Gateway, "inet", "nat", "prerouting", `iifname "lan0" udp dport 53 redirect`, `iifname "lan0" tcp dport 53 redirect`)
		if !s.Local.IsValid() {
			s.nameServers(netip.MustParseAddr("2001:4860:4860::8888"))
		}
	}},
	{healthy, "a firewall drops the first packet to each address", direct | with4 | lossless, func(s *scene) {
		s.Run(Gateway, "nft", "table ip first {\n set seen { type ipv4_addr; flags dynamic; }\n chain forward {\n  type filter hook forward priority 0;\n  iifname \"lan0\" tcp flags syn ip daddr != @seen add @seen { ip daddr } drop\n }\n}\n")
	}},
	{healthy, "the router lets 20 new connections a second pass", direct, func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", `iifname "lan0" ct state new meta l4proto tcp limit rate over 20/second burst 40 packets drop`)
	}},
	{healthy, "the connectivity page moves to HTTPS of the same site", direct, func(s *scene) {
		for _, l := range s.page {
			l.Close()
		}
		for _, a := range s.addressesOf(0) {
			Serve(s.t, s.Listen(Internet, net.JoinHostPort(a, "80")), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://"+r.Host+r.URL.Path, http.StatusMovedPermanently)
			}))
		}
	}},
	{healthy, "two default routes over two adapters, and both lead out", direct | with4, func(s *scene) {
		second := netip.PrefixFrom(s.free(2), s.Local.Bits())
		s.IP(PC, "link add eth5 type veth peer name pc5 netns "+s.Namespace(Switch), "link set eth5 up")
		s.IP(Switch, "link set pc5 master br0 up")
		s.AwaitLink(PC, "eth5", "state UP")
		s.Run(PC, "sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth5.rp_filter=0")
		s.IP(PC, "addr add "+second.String()+" dev eth5 noprefixroute", "route add default via "+s.Router.Addr().String()+" dev eth5 onlink metric 700")
	}},
	{healthy, "the default route has two ways of one weight, over the same router", direct | with4 | lossless, func(s *scene) {
		s.flushDefaults("-4")
		second := s.free(3)
		s.IP(Gateway, "addr add "+netip.PrefixFrom(second, s.Local.Bits()).String()+" dev lan0")
		s.IP(PC, "route add default nexthop via "+s.Router.Addr().String()+" dev "+s.Adapter+" nexthop via "+second.String()+" dev "+s.Adapter)
	}},
	{healthy, "the default route stands in a table of its own", direct | with4, func(s *scene) {
		s.flushDefaults("-4")
		s.IP(PC, "route add default via "+s.Router.Addr().String()+" dev "+s.Adapter+" table 220", "rule add pref 220 lookup 220")
	}},
	{healthy, "IPv6 has a default route that says at once that it leads nowhere", direct | with4, func(s *scene) {
		s.Run(PC, "sysctl", "-qw", "net.ipv6.conf."+s.Adapter+".disable_ipv6=0")
		s.flushDefaults("-6")
		s.IP(PC, "-6 route add unreachable default metric 1024")
	}},
	{healthy, "the pc's address is a bridge's, as hosts of virtual machines have it", direct | with4, func(s *scene) { s.bridgeAdapter() }},
	{healthy, "the router translates all addresses twice", direct, func(s *scene) {
		s.Run(Gateway, "nft", "table inet twice {\n chain post {\n  type nat hook postrouting priority 100;\n  oifname \"wan0\" masquerade\n }\n}\n")
	}},
	{healthy, "servers take 700 ms for a handshake", direct, func(s *scene) {
		good := s.goodCertificate()
		for i := range s.sites {
			s.closeSite(i)
			for _, a := range s.addressesOf(i) {
				l := s.Listen(Internet, net.JoinHostPort(a, "443"))
				s.sites[i] = append(s.sites[i], l)
				Serve(s.t, hesitating{l}, Page(http.StatusOK, "hello"), good)
			}
		}
	}},
}

// replaceDefaults gives the router a default route of this kind.
func (s *scene) replaceDefaults(kind string) {
	s.Run(Gateway, "sh", "-c", "ip route del default 2>/dev/null; ip -6 route del default 2>/dev/null; ip route add "+kind+" default; ip -6 route add "+kind+" default")
}

// routerAddresses are the router's, on the pc's side.
func (s *scene) routerAddresses() (list []string) {
	for _, p := range []netip.Prefix{s.Router, s.Router6} {
		if p.IsValid() {
			list = append(list, p.Addr().String())
		}
	}
	return list
}

// narrowSilently lets the line take no larger packets, and nobody be told.
func (s *scene) narrowSilently(bytes int) {
	s.IP(PC, "link set "+s.Adapter+" mtu 1500")
	s.IP(Gateway, fmt.Sprintf("link set wan0 mtu %d", bytes))
	s.Filter(Gateway, "inet", "filter", "output", "icmp type destination-unreachable drop", "icmpv6 type packet-too-big drop")
}

// hangNames stops the name server's process, which keeps its sockets.
func (s *scene) hangNames() {
	s.run("kill", "-STOP", fmt.Sprint(s.dns.Process.Pid))
}

// bridgeAdapter moves the pc's addresses to a bridge over its adapter.
func (s *scene) bridgeAdapter() {
	s.IP(PC, "link add br1 type bridge forward_delay 0", "link set br1 up", "addr flush dev "+s.Adapter, "link set "+s.Adapter+" master br1",
		"addr add "+s.Local.String()+" dev br1", "route add default via "+s.Router.Addr().String()+" dev br1")
	s.AwaitLink(PC, "br1", "state UP")
}

// hesitating is a listener of a server that thinks before it says anything.
type hesitating struct{ net.Listener }

func (h hesitating) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &hesitant{Conn: c}, nil
}

type hesitant struct {
	net.Conn
	thought bool
}

func (h *hesitant) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if !h.thought {
		h.thought = true
		time.Sleep(700 * time.Millisecond) // a server's own time, not a wait
	}
	return n, err
}

// longLine puts a line between the router and the provider that takes this long
// each way, and of what comes loses one packet of so many (0: none).
func (s *scene) longLine(delay time.Duration, loses int) {
	near, far := s.tun(Gateway, "wan1"), s.tun(Internet, "far1")
	s.IP(Gateway, "link set wan1 up")
	s.IP(Internet, "link set far1 up")
	if s.Local.IsValid() {
		s.IP(Gateway, "route replace default dev wan1")
		s.IP(Internet, "route replace "+s.Local.Masked().String()+" dev far1")
	}
	if s.Local6.IsValid() {
		s.IP(Gateway, "-6 route del default", "-6 route add default dev wan1")
		s.IP(Internet, "-6 route del "+s.Local6.Masked().String(), "-6 route add "+s.Local6.Masked().String()+" dev far1")
	}
	carry(near, far, delay, func() bool { return true })
	draw := rand.New(rand.NewPCG(s.draw.Uint64(), 1))
	carry(far, near, delay, func() bool { return loses == 0 || draw.IntN(loses) > 0 })
}

// tun makes a tunnel device on a host; the file is its other end.
func (s *scene) tun(host, name string) *os.File {
	s.t.Helper()
	_, err := os.Stat("/dev/net/tun")
	Need(s.t, "/dev/net/tun", err == nil)
	request, err := unix.NewIfreq(name)
	if err != nil {
		s.t.Fatal(err)
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	var fd int
	if err := s.inside(host, func() (err error) {
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}); err != nil {
		s.t.Fatal(err)
	}
	end := os.NewFile(uintptr(fd), name)
	s.t.Cleanup(func() { end.Close() })
	return end
}

// carry hands packets on in their order, each so late, if they pass.
func carry(from, to *os.File, delay time.Duration, passes func() bool) {
	type packet struct {
		content []byte
		due     time.Time
	}
	way := make(chan packet, 10000)
	go func() {
		defer close(way)
		buffer := make([]byte, 65536)
		for {
			n, err := from.Read(buffer)
			if err != nil {
				return
			}
			if passes() {
				way <- packet{bytes.Clone(buffer[:n]), time.Now().Add(delay)}
			}
		}
	}()
	go func() {
		for p := range way {
			time.Sleep(time.Until(p.due)) // the length of the line, not a wait
			_, _ = to.Write(p.content)
		}
	}()
}

// forwardNames starts a name service on the pc itself.
func (s *scene) forwardNames(options []string) {
	s.need("dnsmasq", "dnsmasq-base")
	s.daemon(PC, "started", "dnsmasq", append([]string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-daemon", "--log-facility=-",
		"--pid-file=", "--user=root", "--bind-interfaces", "--listen-address=127.0.0.1",
	}, options...)...)
}

// knownNames are the records that the name server gives out.
func (s *scene) knownNames() map[string][]netip.Addr {
	records := s.records()
	maps.DeleteFunc(records, func(name string, _ []netip.Addr) bool { return s.hiddenByProxy(name) })
	return records
}

// answerNamesAt puts a name server of our own on a host.
func (s *scene) answerNamesAt(host string, address netip.Addr, say answer) {
	records := s.knownNames()
	s.respond(host, address, func(query []byte) []byte { return answerName(query, records, say) })
}

// answerNamesWithoutExtensions answers truly what RFC 1035 knows, and FORMERR
// where a question carries more (RFC 6891 7).
func (s *scene) answerNamesWithoutExtensions() {
	s.stopNames()
	records := s.knownNames()
	for _, a := range s.dnsAddresses {
		s.respond(s.dnsHost, a, func(query []byte) []byte {
			if len(query) > 11 && (query[10] != 0 || query[11] != 0) {
				return answerName(query, nil, answerWith(dnsmessage.RCodeFormatError))
			}
			return answerName(query, records, answerTruly)
		})
	}
}

// cutAnswers answers by UDP that there is more than fits, and the whole by TCP
// (RFC 7766).
func (s *scene) cutAnswers() {
	s.stopNames()
	records := s.knownNames()
	for _, a := range s.dnsAddresses {
		s.respond(s.dnsHost, a, func(query []byte) []byte {
			out := answerName(query, nil, answerWith(dnsmessage.RCodeSuccess))
			if out != nil {
				out[2] |= 0x02 // TC
			}
			return out
		})
		l := s.Listen(s.dnsHost, net.JoinHostPort(a.String(), "53"))
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					for {
						var size [2]byte
						if _, err := io.ReadFull(c, size[:]); err != nil {
							return
						}
						query := make([]byte, binary.BigEndian.Uint16(size[:]))
						if _, err := io.ReadFull(c, query); err != nil {
							return
						}
						out := answerName(query, records, answerTruly)
						if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
							return
						}
					}
				}()
			}
		}()
	}
}

// respond answers the datagrams that come to a host's port 53.
func (s *scene) respond(host string, address netip.Addr, say func(query []byte) []byte) {
	var conn net.PacketConn
	s.Await("port 53 of "+address.String(), func() error { // of the server before, until a moment ago
		return s.inside(host, func() (err error) {
			conn, err = net.ListenPacket("udp", net.JoinHostPort(address.String(), "53"))
			return err
		})
	})
	s.nameConns = append(s.nameConns, conn)
	s.t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if out := say(bytes.Clone(buffer[:n])); out != nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
}
