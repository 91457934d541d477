package host

import (
	"os"
	"path/filepath"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// fixture writes files below a directory that stands for the machine's root.
func fixture(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

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
