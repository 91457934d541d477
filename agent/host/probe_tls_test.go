package host

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

func TestAskTLS(t *testing.T) {
	if err := checkStore(); err != nil {
		lab.Need(t, "certificate authorities (package ca-certificates)", false)
	}
	stranger := lab.NewAuthority(t, "Strange Authority")
	now := time.Now()
	for _, c := range []struct {
		name     string
		from, to time.Time
		host     string
		want     string
	}{
		{"nobody knows who signed it", now.Add(-time.Hour), now.Add(time.Hour), "localhost", "unknownAuthority"},
		{"run out", now.Add(-2 * time.Hour), now.Add(-time.Hour), "localhost", "expired"},
		{"of tomorrow", now.Add(time.Hour), now.Add(2 * time.Hour), "localhost", "notYetValid"},
		{"another's name", now.Add(-time.Hour), now.Add(time.Hour), "www.example", "nameMismatch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := listenTLS(t, stranger.Issue(c.from, c.to, c.host))
			_, port, _ := net.SplitHostPort(l.Addr().String())
			p := loopbackProber(t, nil).askTLS(&constatv1.ProbeTls{Address: net.JoinHostPort("localhost", port), Issuer: "Our Authority"})
			if c.want == "expired" {
				told(t, &constatv1.Snapshot{Probes: &constatv1.Probes{Tls: []*constatv1.TlsProbe{p}}})
			}
			if p.GetResult() != c.want || !p.GetConnected() || p.GetIssuer() != "Strange Authority" || p.IssuerExpected == nil || p.GetIssuerExpected() {
				t.Errorf("got %v, want %s", p, c.want)
			}
			if d := p.GetNotAfter().AsTime().Sub(c.to); d < -time.Second || d > time.Second || len(p.GetSpkiSha256()) != 64 {
				t.Errorf("not after %v, key %q", p.GetNotAfter().AsTime(), p.GetSpkiSha256())
			}
			s := loopbackProber(t, nil).askService(&constatv1.ProbeService{Name: "intranet", Url: "https://" + net.JoinHostPort("localhost", port)})
			if s.GetResult() != c.want || !s.GetConnected() {
				t.Errorf("as a service: %v, want %s", s, c.want)
			}
		})
	}
}

// listenTLS serves a page with a certificate on a loopback port.
func listenTLS(t *testing.T, certificate tls.Certificate) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lab.Serve(t, l, lab.Page(http.StatusOK, "hello"), certificate)
	return l
}

func TestAskTLSOfAnotherProtocol(t *testing.T) {
	plain := httptest.NewServer(lab.Page(http.StatusOK, "hello"))
	defer plain.Close()
	address := plain.Listener.Addr().String()
	if p := loopbackProber(t, nil).askTLS(&constatv1.ProbeTls{Address: address}); p.GetResult() != "handshakeFailed" {
		t.Errorf("plain HTTP: %v", p)
	}
	plain.Close()
	if p := loopbackProber(t, nil).askTLS(&constatv1.ProbeTls{Address: address}); p.GetResult() != "refused" || p.GetConnected() {
		t.Errorf("a closed port: %v", p)
	}
	if got := handshakeResult(errNoStore, nil, time.Now()); got != "error" {
		t.Errorf("no authorities here: %s says something of the server", got)
	}
	if got := handshakeResult(errors.New("tls: new words"), nil, time.Now()); got != "handshakeFailed" {
		t.Errorf("an unknown error of a handshake: %s", got)
	}
}

func TestAskService(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer server.Close()
	web := &constatv1.ProbeService{Name: "intranet", Url: server.URL}
	for _, c := range []struct {
		status int
		want   string
	}{{200, "ok"}, {302, "ok"}, {401, "ok"}, {404, "ok"}, {500, "httpError"}, {503, "httpError"}} {
		status = c.status
		if s := loopbackProber(t, nil).askService(web); s.GetResult() != c.want || s.GetStatus() != int32(c.status) || s.GetKind() != "url" {
			t.Errorf("%d: %v, want %s", c.status, s, c.want)
		}
	}
	address := server.Listener.Addr().String()
	for kind, service := range map[string]*constatv1.ProbeService{
		"tcp": {Tcp: address}, "vpn": {Vpn: address},
	} {
		if s := loopbackProber(t, nil).askService(service); s.GetResult() != "ok" || s.GetKind() != kind || !s.GetConnected() {
			t.Errorf("%s: %v", kind, s)
		}
	}
	for target, want := range map[string]string{"ftp://files.example": "error", "http://no-such-host.invalid": "nameNotResolved"} {
		if s := loopbackProber(t, nil).askService(&constatv1.ProbeService{Url: target}); s.GetResult() != want {
			t.Errorf("%s: %v, want %s", target, s, want)
		}
	}
}
