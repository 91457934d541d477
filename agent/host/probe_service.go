package host

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
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
		return p.askWeb(s, u)
	case service.GetTcp() != "":
		s.Kind, target = set("tcp"), service.GetTcp()
	case service.GetVpn() != "":
		s.Kind, target = set("vpn"), withPort(service.GetVpn(), vpnPort)
	case service.GetMail() != "":
		s.Kind, target = set("mail"), withPort(service.GetMail(), mailPort)
	}
	start := time.Now()
	conn, attempts, err := p.reach(p.ctx, target)
	if errors.Is(err, errForbidden) {
		p.withhold("services", hostOf(target), err)
		return nil
	}
	s.Result, s.Ms = set(resultOf(err)), milliseconds(start)
	s.NameResolved, s.Connected = set(attempts > 0), set(err == nil)
	if err == nil {
		conn.Close()
	}
	return s
}

// askWeb fetches a page; any answer below 500 shows that the service is there.
func (p *prober) askWeb(s *constatv1.ServiceProbe, u *url.URL) *constatv1.ServiceProbe {
	var proxy *url.URL
	if a := p.proxy(); a != "" && !bypasses(p.network.GetProxy(), u.Hostname()) {
		proxy = &url.URL{Scheme: "http", Host: a}
	}
	start := time.Now()
	response, _, err := p.fetch(u, proxy)
	if errors.Is(err, errForbidden) {
		p.withhold("services", u.Hostname(), err)
		return nil
	}
	s.Ms = milliseconds(start)
	if err != nil {
		s.Result = set(cmp.Or(tlsResult(err, leafOf(err), time.Now()), resultOf(err)))
		s.NameResolved = set(s.GetResult() != "nameNotResolved")
		switch s.GetResult() {
		case "timeout", "error": // where it went quiet is not told
		case "nameNotResolved", "refused", "unreachable", "blocked":
			s.Connected = set(false)
		default:
			s.Connected = set(true)
		}
		return s
	}
	s.Status, s.NameResolved, s.Connected = set(int32(response.StatusCode)), set(true), set(true)
	s.Result = set("ok")
	if response.StatusCode >= http.StatusInternalServerError {
		s.Result = set("httpError")
	}
	return s
}
