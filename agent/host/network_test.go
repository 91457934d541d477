package host

import (
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// networkOf reads the network group with files below root.
func networkOf(t *testing.T, root string) *constatv1.Network {
	t.Helper()
	n, o := newReader(t.Context(), Config{Root: root}).network()
	if o.GetStatus() != statusObserved {
		t.Fatalf("network: %v", o)
	}
	return n
}

func TestReadNetworkFindsLoopback(t *testing.T) {
	for _, l := range networkOf(t, "").GetLinks() {
		if l.GetKind() != "loopback" {
			continue
		}
		for _, a := range l.GetAddresses() {
			if a.GetCidr() == "127.0.0.1/8" && a.GetFamily() == 4 {
				return
			}
		}
	}
	t.Error("no loopback link with 127.0.0.1/8")
}

func BenchmarkReadNetwork(b *testing.B) {
	for b.Loop() {
		if _, o := readNetwork(b.Context(), newReader(b.Context(), Config{})); o.GetStatus() != statusObserved {
			b.Fatal(o)
		}
	}
}
