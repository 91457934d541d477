package host

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// guardedProber probes for a policy of somebody else's, on a machine that has
// the address 192.0.2.5; names are known to it without asking.
func guardedProber(t *testing.T, policy *constatv1.ProbePolicy, names map[string]string) *prober {
	p := loopbackProber(t, nil)
	p.guarded = true
	p.network = &constatv1.Network{Links: []*constatv1.Link{{Addresses: []*constatv1.Address{{Cidr: set("192.0.2.5/24")}}}}}
	for name, address := range names {
		known := &lookup{done: make(chan struct{}), addresses: []netip.Addr{netip.MustParseAddr(address)}}
		close(known.done)
		p.lookups[name] = known
	}
	p.policy = p.admit(policy)
	return p
}

func TestPolicyCannotReachThisMachine(t *testing.T) {
	names := map[string]string{
		"www.example": "198.51.100.1", "rebind.example": "127.0.0.1", "mapped.example": "::ffff:169.254.169.254",
	}
	p := guardedProber(t, &constatv1.ProbePolicy{}, names)
	for host, want := range map[string]bool{
		"198.51.100.1": true, "2001:db8::1": true, "192.0.2.1": true, "10.0.0.1": true, "www.example": true,
		"127.0.0.1": false, "127.8.9.1": false, "::1": false, "::ffff:127.0.0.1": false, "0.0.0.0": false, "::": false,
		"169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "::ffff:169.254.1.1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::c633:6401": true, "2002:a9fe:a9fe::": false, "::7f00:1": false,
		"224.0.0.1": false, "255.255.255.255": false, "ff02::1": false, "fd00:ec2::254": false, "100.100.100.200": false,
		"192.0.2.5": false, "localhost": false, "LOCALHOST.": false, "metadata.localhost": false,
		"rebind.example": false, "Rebind.Example": false, "mapped.example": false,
	} {
		if err := p.permit(t.Context(), host); (err == nil) != want {
			t.Errorf("%s: %v, want permitted %t", host, err, want)
		}
	}
	p.guarded = false
	if err := p.permit(t.Context(), "127.0.0.1"); err != nil {
		t.Errorf("this machine's own configuration may name what it likes: %v", err)
	}
}

func TestForbiddenTargetsAreGapsAndNeverAsked(t *testing.T) {
	asked := make(chan string, 16)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.String() }))
	defer server.Close()
	literal := server.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(literal)
	named := net.JoinHostPort("rebind.example", port)
	p := guardedProber(t, &constatv1.ProbePolicy{
		Tcp:  []string{literal, named},
		Http: &constatv1.ProbeHttp{Url: "http://" + named + "/page"},
		Tls:  []*constatv1.ProbeTls{{Address: literal}, {Address: named}},
		Services: []*constatv1.ProbeService{
			{Name: "a", Url: "http://" + literal + "/"}, {Name: "b", Url: "http://" + named + "/"}, {Name: "c", Tcp: named}, {Name: "d", Vpn: literal},
		},
	}, map[string]string{"rebind.example": "127.0.0.1"})
	result := p.run(t.Context())
	if len(result.GetTcp())+len(result.GetTls())+len(result.GetServices()) != 0 || result.GetHttp() != nil {
		t.Errorf("results of what must not be asked: %v", result)
	}
	gaps := map[string]int{}
	for _, g := range p.gaps {
		gaps[g.GetFact()]++
		if g.GetStatus() != "denied" || !strings.Contains(g.GetReason(), "is not probed") {
			t.Errorf("gap %v", g)
		}
	}
	if gaps["tcp"] != 2 || gaps["tls"] != 2 || gaps["services"] != 4 || gaps["http"] != 1 {
		t.Errorf("gaps %v", gaps)
	}
	select {
	case url := <-asked:
		t.Errorf("%s was asked", url)
	default:
	}
	// A proxy is this machine's own setting, and may run on it; what it is asked
	// for may not.
	p.network.Proxy = &constatv1.Proxy{Http: set(literal)}
	if h := p.askPage(&constatv1.ProbeHttp{Url: "http://169.254.169.254/latest/meta-data/"}); h != nil || len(asked) != 0 {
		t.Errorf("metadata by way of a proxy: %v", h)
	}
	if h := p.askPage(&constatv1.ProbeHttp{Url: "http://198.51.100.1/page"}); h == nil || <-asked == "" {
		t.Errorf("another page by way of a local proxy: %v", h)
	}
}

func TestPolicyIsBounded(t *testing.T) {
	var many []string
	for range maxTargets + 3 {
		many = append(many, "198.51.100.1:443")
	}
	p := guardedProber(t, &constatv1.ProbePolicy{Tcp: many}, nil)
	if len(p.policy.GetTcp()) != maxTargets || len(p.gaps) != 3 {
		t.Errorf("%d targets, %d gaps", len(p.policy.GetTcp()), len(p.gaps))
	}
}

func FuzzPermit(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "::ffff:1.2.3.4", "localhost", "a.example", "fe80::1%eth0", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		p := newProber(t.Context(), &constatv1.Network{}, nil)
		p.forbidsAtSight(host)
	})
}
