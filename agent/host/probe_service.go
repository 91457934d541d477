package host

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// Ports of services that policy names without one: HTTPS-based VPNs, and mail
// over TLS (RFC 8314).
const (
	vpnPort  = "443"
	mailPort = "993"
)

// askService asks one of the organisation's services: a page by GET, the rest
// by a connection. A target that must not be probed has no answer.
func (p *prober) askService(service *constatv1.ProbeService) *constatv1.ServiceProbe {
	s := &constatv1.ServiceProbe{Name: set(service.GetName())}
	target := ""
	switch {
	case service.GetUrl() != "":
		s.Kind = set("url")
		u, err := url.Parse(service.GetUrl())
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			s.Result = set("error")
			return s
		}
		s.Host = set(u.Hostname())
		return p.askWeb(s, u)
	case service.GetTcp() != "":
		s.Kind, target = set("tcp"), service.GetTcp()
	case service.GetVpn() != "":
		s.Kind, target = set("vpn"), withPort(service.GetVpn(), vpnPort)
	case service.GetMail() != "":
		s.Kind, target = set("mail"), withPort(service.GetMail(), mailPort)
	}
	s.Host = set(hostOf(target))
	start := time.Now()
	conn, attempts, err := p.reach(p.ctx, target)
	if errors.Is(err, errForbidden) {
		p.withhold("services", hostOf(target), err)
		return nil
	}
	s.Result, s.Ms = set(resultOf(err)), milliseconds(start)
	s.NameResolved, s.Connected, s.Attempts = set(attempts > 0), set(err == nil), set(int32(attempts))
	if err != nil {
		return s
	}
	defer conn.Close()
	s.Ms = p.patience.own(start)
	if s.GetKind() == "mail" {
		s.Result = set(p.askMail(conn, target))
		s.Ms = milliseconds(start)
	}
	return s
}

// tlsMailPorts are where mail is spoken inside TLS from the first byte (RFC
// 8314); greetings are how SMTP, IMAP and POP servers begin elsewhere.
var (
	tlsMailPorts = []string{"465", "993", "995"}
	greetings    = []string{"220", "* OK", "* PREAUTH", "+OK"}
)

// askMail waits for a mail server's greeting, inside TLS where its port says so,
// and returns what a ServiceProbe says of it. Nothing is sent but the handshake.
func (p *prober) askMail(conn net.Conn, target string) string {
	host, port, _ := net.SplitHostPort(target)
	ctx, cancel := p.patience.within(p.ctx, pageLimit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if slices.Contains(tlsMailPorts, port) {
		if err := checkStore(); err != nil {
			return "error"
		}
		secure := tls.Client(conn, &tls.Config{ServerName: host})
		if err := secure.HandshakeContext(ctx); err != nil {
			if ctx.Err() != nil {
				return "timeout"
			}
			return handshakeResult(err, leafOf(err), time.Now())
		}
		conn = secure
	}
	line, err := bufio.NewReaderSize(io.LimitReader(conn, maxPage), 512).ReadString('\n')
	switch {
	case slices.ContainsFunc(greetings, func(g string) bool { return strings.HasPrefix(line, g) }):
		return "ok"
	case err != nil && !errors.Is(err, io.EOF):
		return resultOf(err)
	}
	return "error"
}

// askWeb fetches a page; any answer below 500 shows that the service is there.
func (p *prober) askWeb(s *constatv1.ServiceProbe, u *url.URL) *constatv1.ServiceProbe {
	var proxy *url.URL
	if a := p.proxy(); a != "" && !bypasses(p.network.GetProxy(), u.Hostname()) {
		proxy = &url.URL{Scheme: "http", Host: a}
	}
	start := time.Now()
	f, err := p.fetch(u, proxy)
	if errors.Is(err, errForbidden) {
		p.withhold("services", u.Hostname(), err)
		return nil
	}
	s.Ms = milliseconds(start)
	if f.connects > 0 {
		s.Attempts = set(int32(f.connects))
	}
	s.Result = set(webResult(f, err))
	if err != nil {
		if proxy != nil && tlsResult(err, leafOf(err), time.Now()) == "" {
			direct, err := p.fetch(u, nil)
			s.DirectResult = set(webResult(direct, err))
		}
		s.NameResolved = set(s.GetResult() != "nameNotResolved")
		switch s.GetResult() {
		case "timeout", "error":
			if proxy == nil { // else it is the proxy that was connected to
				s.Connected = set(f.connected)
			}
		case "nameNotResolved", "refused", "unreachable", "blocked":
			s.Connected = set(false)
		default:
			s.Connected = set(true)
		}
		return s
	}
	s.Status, s.NameResolved, s.Connected = set(int32(f.StatusCode)), set(true), set(true)
	return s
}

// webResult is the word for a page's answer.
func webResult(f fetched, err error) string {
	switch {
	case err != nil:
		return cmp.Or(tlsResult(err, leafOf(err), time.Now()), resultOf(err))
	case f.StatusCode >= http.StatusInternalServerError:
		return "httpError"
	}
	return "ok"
}
