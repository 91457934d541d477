package lab

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// abstain stands for worlds whose cause nothing here can prove: no fault may be
// more than possible, and the verdict is undetermined.
const abstain = "undetermined"

// otherWorlds are what networks do beyond the recipes of faultRows: they were
// tried after the rules had been written.
var otherWorlds = []faultRow{
	{"", "a second default route of lower preference, whose gateway is dead", func(s *scene) {
		s.IP(PC, "route add default via 10.77.0.98 metric 500")
	}},
	{"net-gateway-arp-unresolved", "the preferred of two default routes leads to a dead gateway", func(s *scene) {
		s.IP(PC, "route del default", "route add default via 10.77.0.98 metric 50", "route add default via "+GatewayAddress+" metric 500")
	}},
	{"", "the second of two name servers is dead", func(s *scene) {
		s.WriteFile(PC, "resolv.conf", "nameserver "+GatewayAddress+"\nnameserver 10.77.0.99\n")
	}},
	{"net-dns-slow", "the first of two name servers is dead", func(s *scene) {
		s.WriteFile(PC, "resolv.conf", "nameserver 10.77.0.99\nnameserver "+GatewayAddress+"\n")
	}},
	{"net-dns-unreachable", "the gateway drops UDP to port 53, TCP passes", func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "input", "udp dport 53 drop")
	}},
	{"", "the name server takes 800 ms", func(s *scene) { s.answerNames(GatewayAddress, 800*time.Millisecond, dnsmessage.RCodeSuccess) }},
	{"", "the name server takes 1500 ms", func(s *scene) { s.answerNames(GatewayAddress, 1500*time.Millisecond, dnsmessage.RCodeSuccess) }},
	{"net-dns-unreachable", "the name server answers SERVFAIL", func(s *scene) { s.answerNames(GatewayAddress, 0, dnsmessage.RCodeServerFailure) }},
	{"net-dns-unreachable", "the name server answers REFUSED", func(s *scene) { s.answerNames(GatewayAddress, 0, dnsmessage.RCodeRefused) }},
	{"net-dns-wrong-answers", "the name server answers NXDOMAIN", func(s *scene) { s.answerNames(GatewayAddress, 0, dnsmessage.RCodeNameError) }},
	{"", "only the proxy leads out", func(s *scene) {
		s.proxyOnly()
	}},
	{"net-proxy-unreachable", "only the proxy leads out, and it is down", func(s *scene) {
		s.proxyOnly().Close()
	}},
	{"", "IPv6 only", func(s *scene) {
		s.IP(PC, "-4 route del default", "addr del "+PCAddress+"/24 dev eth0")
		s.WriteFile(PC, "resolv.conf", "nameserver "+GatewayAddress6+"\n")
		s.answerNames(GatewayAddress6, 0, dnsmessage.RCodeSuccess)
		Serve(s.t, s.Listen(Internet, net.JoinHostPort(Services6[0], "80")), Page(http.StatusOK, "success\n"))
	}},
	{"net-gateway-arp-unresolved", "IPv6 only, and the gateway's port is down", func(s *scene) {
		s.IP(PC, "-4 route del default", "addr del "+PCAddress+"/24 dev eth0")
		s.WriteFile(PC, "resolv.conf", "nameserver "+GatewayAddress6+"\n")
		s.IP(Gateway, "link set lan0 down")
	}},
	{"net-captive-portal", "every name is the portal's, which has a certificate of its own", func(s *scene) {
		s.ServeDNS("--address=/#/" + GatewayAddress)
		Serve(s.t, s.Listen(Gateway, ":80"), http.RedirectHandler("http://portal.example/login", http.StatusFound))
		portal := NewAuthority(s.t, "Portal")
		Serve(s.t, s.Listen(Gateway, ":443"), Page(http.StatusOK, "sign in"), portal.Issue(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "portal.example"))
		s.Filter(Gateway, "inet", "filter", "forward", "drop")
	}},
	{"net-captive-portal", "every name is the portal's, which serves its page at once", func(s *scene) {
		s.ServeDNS("--address=/#/" + GatewayAddress)
		Serve(s.t, s.Listen(Gateway, ":80"), Page(http.StatusOK, "<html>sign in</html>"))
		s.Filter(Gateway, "inet", "filter", "forward", "drop")
	}},
	{abstain, "a firewall resets every connection to HTTPS, names and HTTP work", func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", "tcp dport 443 reject with tcp reset")
	}},
	{abstain, "a firewall resets everything", func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", "meta l4proto tcp reject with tcp reset", "drop")
	}},
	{"net-service-cert-invalid", "one public site's certificate has run out", func(s *scene) {
		s.replace(1, s.authority.Issue(time.Now().AddDate(0, -2, 0), time.Now().AddDate(0, 0, -3), siteNames...))
	}},
	{"net-dns-unreachable", "resolv.conf names only a stub of this computer that is dead", func(s *scene) {
		s.WriteFile(PC, "resolv.conf", "nameserver 127.0.0.53\noptions edns0 trust-ad\n")
	}},
	{"", "one public site and one address are down", func(s *scene) { s.sites[1].Close() }},
	{abstain, "every site resets the connection when TLS begins", func(s *scene) {
		for i := range s.sites {
			s.sites[i].Close()
			go resetAll(s.Listen(Internet, siteAddress(i)))
		}
	}},
	{"", "a hosts file that blocks advertisers", func(s *scene) {
		s.WriteFile(PC, "hosts", "127.0.0.1 localhost\n0.0.0.0 ads.example\n0.0.0.0 tracker.example\n")
	}},
	{"", "the switch loses every seventh frame", func(s *scene) {
		s.Filter(Switch, "bridge", "filter", "forward", "numgen inc mod 7 == 0 drop")
	}},
}

// resetAll reads a little from every connection and resets it.
func resetAll(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_, _ = c.Read(make([]byte, 1))
		c.Close()
	}
}

// proxyOnly lets nothing out but to a proxy; public names do not exist inside.
func (s *scene) proxyOnly() net.Listener {
	s.IP(Internet, "addr add 198.51.100.30/32 dev lo")
	l := s.Listen(Internet, "198.51.100.30:3128")
	transport := &http.Transport{DialContext: s.dialByName}
	s.t.Cleanup(transport.CloseIdleConnections)
	Serve(s.t, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			r.RequestURI = ""
			response, err := transport.RoundTrip(r)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer response.Body.Close()
			w.WriteHeader(response.StatusCode)
			_, _ = io.Copy(w, response.Body)
			return
		}
		far, err := s.dialByName(r.Context(), "tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer far.Close()
		near, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer near.Close()
		_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(far, near); far.Close() }()
		_, _ = io.Copy(near, far)
	}))
	s.ServeDNS("--local=/#/")
	s.Filter(Gateway, "inet", "filter", "forward", "ip daddr 198.51.100.30 accept", "ip saddr 198.51.100.30 accept", "drop")
	s.env = append(s.env, "https_proxy=http://user:hush@198.51.100.30:3128", "http_proxy=http://user:hush@198.51.100.30:3128")
	return l
}

// addresses are what the name servers of otherWorlds know.
var addresses = map[string][2]string{
	"page.example": {Services[0], Services6[0]}, "www.alpha.example": {Services[0], Services6[0]},
	"www.beta.example": {Services[1], Services6[1]}, "www.gamma.example": {Services[2], Services6[0]},
	"intranet.example": {intranetHost, Services6[1]},
}

// dialByName connects on the Internet's host.
func (s *scene) dialByName(_ context.Context, network, target string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return nil, err
	}
	return s.Dial(Internet, network, net.JoinHostPort(cmp.Or(addresses[host][0], host), port))
}

// answerNames puts a name server in place of the one of newScene, which takes
// its time, and answers everything with a code, or with what it knows.
func (s *scene) answerNames(on string, after time.Duration, code dnsmessage.RCode) {
	s.stopDNS()
	var conn net.PacketConn
	if err := s.inside(Gateway, func() (err error) {
		conn, err = net.ListenPacket("udp", net.JoinHostPort(on, "53"))
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if out := answerName(buffer[:n], code); out != nil {
				time.AfterFunc(after, func() { _, _ = conn.WriteTo(out, from) })
			}
		}
	}()
}

func answerName(query []byte, code dnsmessage.RCode) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.RecursionAvailable, m.RCode, m.Additionals = true, true, code, nil
	q := m.Questions[0]
	known, ok := addresses[strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))]
	header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}
	switch {
	case code != dnsmessage.RCodeSuccess:
	case !ok:
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: netip.MustParseAddr(known[0]).As4()}}}
	case q.Type == dnsmessage.TypeAAAA:
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(known[1]).As16()}}}
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	return out
}
