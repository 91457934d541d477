package host

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	constatv1 "constat/proto/constat/v1"
)

func TestJudgePage(t *testing.T) {
	success := &constatv1.ProbeHttp{Status: 200, Body: "success"}
	noContent := &constatv1.ProbeHttp{Status: 204}
	for _, c := range []struct {
		name             string
		page             *constatv1.ProbeHttp
		status           int
		location, body   string
		result, redirect string
	}{
		{"as expected", success, 200, "", "success\n", "ok", ""},
		{"no status expected means 200", &constatv1.ProbeHttp{Body: "success"}, 200, "", "success", "ok", ""},
		{"empty page as expected", noContent, 204, "", "", "ok", ""},
		{"any body", &constatv1.ProbeHttp{Status: 200}, 200, "", "<html>", "ok", ""},
		{"a portal's redirect", success, 302, "http://portal.example:8080/login?from=x", "", "redirect", "portal.example"},
		{"a redirect to nowhere readable", success, 307, "http://%zz/", "", "redirect", ""},
		{"a redirect to a path", success, 301, "/login", "", "redirect", ""},
		{"a redirect status without a place", success, 304, "", "", "rewritten", ""},
		{"a portal's page in its place", success, 200, "", "<html>Welcome</html>", "rewritten", ""},
		{"a page where none is expected", noContent, 200, "", "Welcome", "rewritten", ""},
		{"sign-in required (RFC 6585)", success, 511, "", "", "rewritten", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			result, redirect := judgePage(c.status, c.location, c.body, c.page)
			if result != c.result || redirect != c.redirect {
				t.Errorf("got %s %q, want %s %q", result, redirect, c.result, c.redirect)
			}
		})
	}
}

func FuzzJudgePage(f *testing.F) {
	f.Add(302, "http://portal.example/", "", int32(200), "success")
	f.Add(204, "", "", int32(204), "")
	f.Add(399, "http://[::1%25eth0]/", "\x00", int32(0), "x")
	f.Fuzz(func(t *testing.T, status int, location, body string, want int32, wantBody string) {
		result, host := judgePage(status, location, body, &constatv1.ProbeHttp{Status: want, Body: wantBody})
		if host != "" && result != "redirect" {
			t.Errorf("%s leads to %s", result, host)
		}
		if result == "ok" && strings.TrimSpace(wantBody) != "" && strings.TrimSpace(body) != strings.TrimSpace(wantBody) {
			t.Error("another body passed")
		}
	})
}

// loopbackProber probes with what network says, and nothing else.
func loopbackProber(t testing.TB, network *constatv1.Network) *prober {
	return newProber(t.Context(), network, &constatv1.ProbePolicy{})
}

func TestAskPage(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		_, _ = w.Write([]byte("success\n"))
	})
	mux.Handle("/portal", http.RedirectHandler("http://portal.example/", http.StatusFound))
	mux.HandleFunc("/flood", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(strings.Repeat("success ", maxPage)))
	})
	mux.HandleFunc("/silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("success"))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	for target, want := range map[string]string{
		server.URL + "/ok": "ok", server.URL + "/portal": "redirect", server.URL + "/flood": "rewritten",
		server.URL + "/missing": "rewritten", server.URL + "/silent": "timeout", server.URL + "/cut": "ok",
		closed.URL: "refused", "http://no-such-host.invalid/": "nameNotResolved", "::": "error",
	} {
		h := loopbackProber(t, nil).askPage(&constatv1.ProbeHttp{Url: target, Status: 200, Body: "success"})
		if h.GetResult() != want {
			t.Errorf("%s: %v, want %s", target, h, want)
		}
		if strings.HasSuffix(target, "/ok") && (h.GetClockOffsetSeconds() < 3590 || h.GetClockOffsetSeconds() > 3610) {
			t.Errorf("clock offset %v of a server one hour ahead", h.GetClockOffsetSeconds())
		}
	}
}

func TestAskPageByProxy(t *testing.T) {
	status := http.StatusOK
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "page.example" {
			t.Errorf("the proxy was asked for %s", r.URL)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("success"))
	}))
	defer proxy.Close()
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := loopbackProber(t, &constatv1.Network{Proxy: &constatv1.Proxy{Mode: set("manual"), Http: set(u.Host)}})
	page := &constatv1.ProbeHttp{Url: "http://page.example/", Body: "success"}
	if h := p.askPage(page); h.GetResult() != "ok" || !h.GetViaProxy() {
		t.Errorf("got %v", h)
	}
	status = http.StatusProxyAuthRequired
	if h := p.askPage(page); h.GetResult() != "error" || h.GetStatus() != 407 {
		t.Errorf("a proxy that wants a password is no portal: %v", h)
	}
}

func TestAskProxy(t *testing.T) {
	for status, want := range map[int]string{200: "ok", 407: "authRequired", 502: "badGateway", 504: "badGateway", 403: "error"} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodConnect || r.Host != "www.example:443" {
				t.Errorf("the proxy was asked %s %s", r.Method, r.Host)
			}
			w.WriteHeader(status)
		}))
		p := loopbackProber(t, nil)
		p.policy.Tls = []*constatv1.ProbeTls{{Address: "www.example"}}
		if r := p.askProxy(strings.TrimPrefix(proxy.URL, "http://")); r.GetResult() != want {
			t.Errorf("%d: %v", status, r)
		}
		proxy.Close()
		if r := p.askProxy(strings.TrimPrefix(proxy.URL, "http://")); r.GetResult() != "refused" {
			t.Errorf("gone: %v", r)
		}
	}
}
