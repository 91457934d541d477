package host

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// pageLimit is how long a connected server may take to answer.
const pageLimit = time.Second

// maxPage is how much of a page is read: a connectivity page has a few bytes, a
// portal's page is cut.
const maxPage = 64 << 10

// askPage fetches the connectivity page without TLS, by the configured proxy
// as programs would, and compares it. Redirects are not followed: where one
// leads is the finding. A page that must not be probed has no answer.
func (p *prober) askPage(page *constatv1.ProbeHttp) *constatv1.HttpProbe {
	h := &constatv1.HttpProbe{Url: set(page.GetUrl()), ViaProxy: set(false)}
	u, err := url.Parse(page.GetUrl())
	if err != nil || u.Host == "" {
		h.Result = set("error")
		return h
	}
	var proxy *url.URL
	if a := p.network.GetProxy().GetHttp(); a != "" && u.Scheme == "http" && !bypasses(p.network.GetProxy(), u.Hostname()) {
		proxy, h.ViaProxy = &url.URL{Scheme: "http", Host: a}, set(true)
	}
	start := time.Now()
	f, err := p.fetch(u, proxy)
	if errors.Is(err, errForbidden) {
		p.withhold("http", u.Hostname(), err)
		return nil
	}
	h.Ms = milliseconds(start)
	if err != nil {
		h.Result = set(resultOf(err))
		return h
	}
	h.Status = set(int32(f.StatusCode))
	if h.GetViaProxy() && slices.Contains(proxyStatuses, f.StatusCode) {
		h.Result = set("error") // the proxy speaks, not the page
		return h
	}
	result, to := judgePage(f.StatusCode, f.Header.Get("Location"), f.body, page)
	h.Result, h.RedirectHost = &result, filled(to)
	if date, err := http.ParseTime(f.Header.Get("Date")); err == nil {
		// The header has whole seconds and was written halfway.
		here := start.Add(time.Since(start) / 2)
		h.ClockOffsetSeconds = set(date.Add(500 * time.Millisecond).Sub(here.Round(0)).Seconds())
	}
	return h
}

// proxyStatuses are what a proxy says of itself (RFC 9110).
var proxyStatuses = []int{
	http.StatusProxyAuthRequired, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// judgePage compares an answer with the page that is expected: ok, redirect
// (with the host it leads to) or rewritten. An expected status of 0 means 200.
// An empty expected body is compared only where the status has one (204).
func judgePage(status int, location, body string, page *constatv1.ProbeHttp) (result, host string) {
	expected := int(page.GetStatus())
	if expected == 0 {
		expected = http.StatusOK
	}
	want := strings.TrimSpace(page.GetBody())
	switch {
	case status == expected && (want == "" || strings.TrimSpace(body) == want):
		return "ok", ""
	case status >= 300 && status < 400 && location != "":
		if u, err := url.Parse(location); err == nil {
			host = u.Hostname()
		}
		return "redirect", host
	default:
		return "rewritten", ""
	}
}

// fetched is the answer to a GET, if one came.
type fetched struct {
	*http.Response
	body string // its first maxPage bytes
	// connects is how many were tried, connected whether one was answered.
	connects  int
	connected bool
}

// fetch sends one GET.
func (p *prober) fetch(u, proxy *url.URL) (f fetched, err error) {
	if err := p.permit(p.ctx, u.Hostname()); err != nil {
		return f, err
	}
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	// Atomic: a connect may outlive the request.
	var connects atomic.Int32
	var connected atomic.Bool
	defer func() { f.connects, f.connected = int(connects.Load()), connected.Load() }()
	transport := &http.Transport{
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxPage,
		Proxy:                  http.ProxyURL(proxy),
		DialContext: func(ctx context.Context, _, target string) (net.Conn, error) {
			conn, n, err := p.dial(ctx, target)
			connects.Store(int32(n))
			connected.Store(err == nil)
			if err != nil {
				return nil, err
			}
			// Only now, connected, does the server's own time run.
			answer, stop := p.patience.within(ctx, pageLimit)
			unhook := context.AfterFunc(answer, cancel)
			return closer{conn, func() { unhook(); stop() }}, nil
		},
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return f, err
	}
	request.Header.Set("User-Agent", "constat")
	request.Header.Set("Cache-Control", "no-cache")
	f.Response, err = client.Do(request)
	if err != nil {
		return f, err
	}
	defer f.Body.Close()
	body, err := io.ReadAll(io.LimitReader(f.Body, maxPage))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // a cut page is another page, and judged as such
	}
	f.body = string(body)
	return f, err
}

// closer is a connection that ends its timer when it is closed.
type closer struct {
	net.Conn
	stop func()
}

func (c closer) Close() error {
	c.stop()
	return c.Conn.Close()
}
