package host

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"net/netip"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// A server that answers whatever the size of packets proves nothing about the
// path, nor does one that never answers.
func TestNarrowNeedsADifference(t *testing.T) {
	if !clampsSegments {
		t.Skip("segments are not clamped on this system")
	}
	answers := httptest.NewTLSServer(nil)
	defer answers.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, address := range map[string]string{"answers": answers.Listener.Addr().String(), "silent": silent.Addr().String()} {
		p := newProber(t.Context(), &constatv1.Network{}, &constatv1.ProbePolicy{})
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		p.narrow(t.Context(), conn, "example.com")
		conn.Close()
		if m, done := p.narrowed[4]; m != nil || !done {
			t.Errorf("%s: %v, tried %v", name, m, done)
		}
	}
}

func TestClampedSegments(t *testing.T) {
	if !clampsSegments {
		t.Skip("segments are not clamped on this system")
	}
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	to := netip.MustParseAddrPort(server.Listener.Addr().String())
	if !shakes(t.Context(), to, "example.com", 576) {
		t.Error("no handshake with small packets")
	}
	conn, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if full, told := pathOf(conn); full < 1280 || told {
		t.Errorf("packets up to %d, told %v", full, told)
	}
	one, _ := tls.Dial("tcp", to.String(), &tls.Config{InsecureSkipVerify: true})
	if one != nil {
		defer one.Close()
		if full, _ := pathOf(one); full != 0 {
			t.Errorf("of no socket: %d", full)
		}
	}
}

func TestSizesSeen(t *testing.T) {
	p := newProber(t.Context(), &constatv1.Network{}, &constatv1.ProbePolicy{})
	tried := &constatv1.MtuProbe{Target: set("192.0.2.1"), LargestOkBytes: set(int32(1400)), SmallestLostBytes: set(int32(1420))}
	p.narrowed[4] = tried
	silent := &constatv1.MtuProbe{Target: set("192.0.2.9"), SmallestLostBytes: set(int32(576))}
	six := &constatv1.MtuProbe{Target: set("2001:db8::9"), SmallestLostBytes: set(int32(1280))}
	if got := p.sizesSeen([]*constatv1.MtuProbe{silent, six}); len(got) != 2 || got[0] != six || got[1] != tried {
		t.Errorf("%v, want what was tried for a silent target", got)
	}
	told := &constatv1.MtuProbe{Target: set("192.0.2.9"), LargestOkBytes: set(int32(1500))}
	if got := p.sizesSeen([]*constatv1.MtuProbe{told}); len(got) != 1 || got[0] != told {
		t.Errorf("%v, want what echoes told", got)
	}
}
