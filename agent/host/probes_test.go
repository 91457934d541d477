package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

func TestDefaultProbesAreWellFormed(t *testing.T) {
	p := DefaultProbes()
	families := map[int32]int{}
	for _, target := range p.GetTcp() {
		a, err := netip.ParseAddrPort(target)
		if err != nil {
			t.Errorf("%s: %v", target, err)
		}
		families[familyOf(a.Addr())]++
	}
	if families[4] < 3 || families[6] < 3 {
		t.Errorf("too few independent addresses: %v", families)
	}
	for _, n := range p.GetNames() {
		for _, e := range n.GetExpect() {
			if _, err := netip.ParsePrefix(e); err != nil {
				t.Errorf("%s: %v", n.GetHost(), err)
			}
		}
	}
}

func TestNamesAreAskedOnce(t *testing.T) {
	p := newProber(t.Context(), nil, &constatv1.ProbePolicy{
		Names: []*constatv1.ProbeName{{Host: "www.example", Expect: []string{"192.0.2.0/24"}}},
		Http:  &constatv1.ProbeHttp{Url: "http://Page.example/x"},
		Tls:   []*constatv1.ProbeTls{{Address: "WWW.example:443"}, {Address: "mail.example"}, {Address: "192.0.2.1:443"}},
		Services: []*constatv1.ProbeService{
			{Url: "https://mail.example:8443/"}, {Tcp: "[2001:db8::1]:22"}, {Vpn: "vpn.example"}, {Url: "http://%zz"},
		},
	})
	var got []string
	for _, n := range p.names() {
		got = append(got, n.GetHost())
	}
	if want := []string{"www.example", "Page.example", "mail.example", "vpn.example"}; !slices.Equal(got, want) {
		t.Errorf("names %v, want %v", got, want)
	}
}

func TestQuestionsPassStubsOver(t *testing.T) {
	stub := resolver(netip.MustParseAddr("127.0.0.53"), "resolv.conf")
	real := resolver(netip.MustParseAddr("192.0.2.1"), "resolved")
	names := []*constatv1.ProbeName{{Host: "www.example"}}
	for _, c := range []struct {
		servers []*constatv1.Resolver
		want    []string
	}{
		{nil, nil},
		{[]*constatv1.Resolver{stub, real}, []string{"192.0.2.1", "192.0.2.1"}},
		{[]*constatv1.Resolver{stub}, []string{"127.0.0.53", "127.0.0.53"}},
	} {
		var got []string
		lies := 0
		for _, q := range newProber(t.Context(), &constatv1.Network{Resolvers: c.servers}, nil).questions(names) {
			got = append(got, q.server.GetAddress())
			if q.lie {
				lies++
			}
		}
		if !slices.Equal(got, c.want) || lies != len(c.want)/2 {
			t.Errorf("%v: asked %v, %d for what cannot exist", c.servers, got, lies)
		}
	}
}

func TestAnswers(t *testing.T) {
	addresses := []netip.Addr{netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.9")}
	texts, expected := answers(addresses, nil)
	if !slices.Equal(texts, []string{"192.0.2.1", "192.0.2.9"}) || expected != nil {
		t.Errorf("got %v, %v", texts, expected)
	}
	for expect, want := range map[string]bool{"192.0.2.0/24": true, "198.51.100.0/24": false, "rubbish": false} {
		if _, expected := answers(addresses, []string{expect}); expected == nil || *expected != want {
			t.Errorf("%s: %v", expect, expected)
		}
	}
}

func TestResultOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, "ok"},
		{context.DeadlineExceeded, "timeout"},
		{&net.OpError{Err: os.ErrDeadlineExceeded}, "timeout"},
		{&net.DNSError{IsTimeout: true}, "nameNotResolved"},
		{errBadTarget, "error"},
		{errors.New("new words"), "error"},
	} {
		if got := resultOf(c.err); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
	}
	for errno, want := range socketResults {
		if got := resultOf(&net.OpError{Err: os.NewSyscallError("connect", errno)}); got != want {
			t.Errorf("%v: %s, want %s", errno, got, want)
		}
	}
	if socketResults[syscall.Errno(0)] != "" {
		t.Error("no error has a word")
	}
}

func TestDialTakesTurns(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	p := loopbackProber(t, nil)
	// 127.0.0.2 refuses at once, so that the next address is tried at once.
	known := &lookup{done: make(chan struct{}), addresses: []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")}}
	close(known.done)
	p.lookups["www.example"] = known
	conn, attempts, err := p.dial(t.Context(), net.JoinHostPort("www.example", port))
	if err != nil || attempts != 2 {
		t.Fatalf("%d attempts: %v", attempts, err)
	}
	conn.Close()
	for _, bad := range []string{"", "www.example", "127.0.0.1:port", "127.0.0.1:70000"} {
		if _, _, err := p.dial(t.Context(), bad); !errors.Is(err, errBadTarget) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestProbesWithoutANetwork(t *testing.T) {
	p := newProber(t.Context(), &constatv1.Network{}, &constatv1.ProbePolicy{}).run(t.Context())
	if len(p.GetGateways())+len(p.GetDns())+len(p.GetTcp())+len(p.GetTls())+len(p.GetServices()) != 0 || p.Http != nil || p.Proxy != nil {
		t.Errorf("asked somebody: %v", p)
	}
}

func FuzzHostOf(f *testing.F) {
	for _, s := range []string{"https://a.example:1/x", "a.example:443", "[::1]:443", "::1", "http://%zz", "]["} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, target string) {
		hostOf(target)
		hostOf(withPort(target, "443"))
	})
}

// BenchmarkProbes is a healthy run: name server excepted, which needs port 53.
func BenchmarkProbes(b *testing.B) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "success") }))
	defer page.Close()
	address := page.Listener.Addr().String()
	policy := &constatv1.ProbePolicy{
		Tcp:      []string{address, address, address},
		Http:     &constatv1.ProbeHttp{Url: page.URL, Body: "success"},
		Services: []*constatv1.ProbeService{{Url: page.URL}, {Tcp: address}},
	}
	for b.Loop() {
		if p := newProber(b.Context(), &constatv1.Network{}, policy).run(b.Context()); p.GetHttp().GetResult() != "ok" {
			b.Fatal(p)
		}
	}
}
