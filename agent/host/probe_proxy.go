package host

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// askProxy asks the proxy for a tunnel to the first TLS target, without
// credentials.
func (p *prober) askProxy(address string) *constatv1.ProxyProbe {
	r := &constatv1.ProxyProbe{Address: &address}
	start := time.Now()
	conn, _, err := p.dial(p.ctx, address)
	if err != nil {
		r.Result, r.Ms = set(resultOf(err)), milliseconds(start)
		return r
	}
	defer conn.Close()
	if a, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil && !a.Addr().IsLoopback() {
		r.Beyond = set(!p.onLink(a.Addr().Unmap()))
	}
	ctx, cancel := p.patience.within(p.ctx, pageLimit)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	target := p.tunnelTarget()
	_, err = fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: constat\r\n\r\n", target, target)
	var response *http.Response
	if err == nil {
		response, err = http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	}
	r.Ms = milliseconds(start)
	if err != nil {
		r.Result = set(resultOf(err))
		return r
	}
	defer response.Body.Close()
	r.Status, r.Result = set(int32(response.StatusCode)), set(tunnelResult(response.StatusCode))
	return r
}

// tunnelTarget is what a proxy is asked for: something policy names anyway.
func (p *prober) tunnelTarget() string {
	var targets []string
	for _, t := range p.policy.GetTls() {
		targets = append(targets, withPort(t.GetAddress(), "443"))
	}
	for _, t := range append(targets, p.policy.GetTcp()...) {
		if p.permit(p.ctx, hostOf(t)) == nil {
			return t
		}
	}
	return "example.com:443"
}

// tunnelResult is the word for a proxy's answer to CONNECT (RFC 9110).
func tunnelResult(status int) string {
	switch {
	case status >= 200 && status < 300:
		return "ok"
	case status == http.StatusProxyAuthRequired:
		return "authRequired"
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return "badGateway"
	default:
		return "error"
	}
}
