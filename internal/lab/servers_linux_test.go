package lab

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

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

// startProxy makes the proxy of the surroundings and tells the pc of it.
func (s *scene) startProxy() {
	s.place(s.proxyAddress)
	s.proxy = s.Listen(Internet, net.JoinHostPort(s.proxyAddress.String(), s.proxyPort))
	Serve(s.t, s.proxy, s.relay())
	if s.proxyMode == proxyOnly {
		family := map[bool]string{true: "ip", false: "ip6"}[s.proxyAddress.Is4()]
		// Names may be asked of a server outside.
		s.Filter(Gateway, "inet", "filter", "forward", "udp dport 53 accept", "udp sport 53 accept", "tcp dport 53 accept", "tcp sport 53 accept",
			family+" daddr "+s.proxyAddress.String()+" accept", family+" saddr "+s.proxyAddress.String()+" accept", "drop")
	}
	host := s.proxyAddress.String()
	if s.proxyByName {
		host = s.proxyName
	}
	s.setProxy(host)
}

// setProxy puts a proxy into the pc's environment.
func (s *scene) setProxy(host string) {
	address := (&url.URL{Scheme: "http", Host: net.JoinHostPort(host, s.proxyPort)}).String()
	for _, name := range []string{"http_proxy", "https_proxy"} {
		if s.proxyUpperCase {
			name = strings.ToUpper(name)
		}
		s.env = append(s.env, name+"="+address)
	}
	s.env = append(s.env, "no_proxy=localhost,127.0.0.1")
}

// answerAtProxy puts a server that says one thing in the proxy's place.
func (s *scene) answerAtProxy(status int) {
	s.proxy.Close()
	Serve(s.t, s.Listen(Internet, net.JoinHostPort(s.proxyAddress.String(), s.proxyPort)), Page(status, ""))
}

// relay is a web proxy on the Internet's host.
func (s *scene) relay() http.Handler {
	transport := &http.Transport{DialContext: s.dialByName}
	s.t.Cleanup(transport.CloseIdleConnections)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			r.RequestURI = ""
			response, err := transport.RoundTrip(r)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer response.Body.Close()
			maps.Copy(w.Header(), response.Header)
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
	})
}

// dialByName connects on the Internet's host.
func (s *scene) dialByName(_ context.Context, network, target string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return nil, err
	}
	if known := s.records()[strings.ToLower(host)]; len(known) > 0 {
		host = known[0].String()
	}
	return s.Dial(Internet, network, net.JoinHostPort(host, port))
}

// answer is what a name server says of a name whose true addresses are known.
type answer func(name string, known []netip.Addr) ([]netip.Addr, dnsmessage.RCode)

func answerTruly(_ string, known []netip.Addr) ([]netip.Addr, dnsmessage.RCode) {
	if known == nil {
		return nil, dnsmessage.RCodeNameError
	}
	return known, dnsmessage.RCodeSuccess
}

// answerWith answers everything with a code.
func answerWith(code dnsmessage.RCode) answer {
	return func(string, []netip.Addr) ([]netip.Addr, dnsmessage.RCode) { return nil, code }
}

// answerAddress answers everything with these addresses.
func answerAddress(a ...netip.Addr) answer {
	return func(string, []netip.Addr) ([]netip.Addr, dnsmessage.RCode) { return a, dnsmessage.RCodeSuccess }
}

// stopNames ends the name server, whichever it is.
func (s *scene) stopNames() {
	s.stopDNS()
	// A program that another test is about to start has our sockets, too, from fork
	// to exec, and would hold their ports.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for _, c := range s.nameConns {
		c.Close()
	}
	s.nameConns = nil
}

// answerNames puts a name server of our own in place of the scene's, which
// takes its time.
func (s *scene) answerNames(after time.Duration, say answer) {
	s.stopNames()
	records := s.records()
	maps.DeleteFunc(records, func(name string, _ []netip.Addr) bool { return s.hiddenByProxy(name) })
	for _, a := range s.dnsAddresses {
		var conn net.PacketConn
		if err := s.inside(s.dnsHost, func() (err error) {
			conn, err = net.ListenPacket("udp", net.JoinHostPort(a.String(), "53"))
			return err
		}); err != nil {
			s.t.Fatal(err)
		}
		s.nameConns = append(s.nameConns, conn)
		s.t.Cleanup(func() { conn.Close() })
		go func() {
			buffer := make([]byte, 1500)
			for {
				n, from, err := conn.ReadFrom(buffer)
				if err != nil {
					return
				}
				if out := answerName(buffer[:n], records, say); out != nil {
					time.AfterFunc(after, func() { _, _ = conn.WriteTo(out, from) })
				}
			}
		}()
	}
}

func answerName(query []byte, records map[string][]netip.Addr, say answer) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	q := m.Questions[0]
	var addresses []netip.Addr
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	addresses, m.RCode = say(name, records[name])
	header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}
	for _, a := range addresses {
		switch {
		case q.Type == dnsmessage.TypeA && a.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	return out
}
