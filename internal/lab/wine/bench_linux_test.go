package wine

import (
	"os"
	"testing"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// TestAgentIsSmall: what Windows installs stays below 20 MiB, as what Linux does
// (internal/house). This one names more files, as it is built without -trimpath.
func TestAgentIsSmall(t *testing.T) {
	image(t)
	file, err := built()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("constat-agent.exe: %.2f MiB", float64(info.Size())/(1<<20))
	if info.Size() > 20<<20 {
		t.Errorf("constat-agent.exe has %d bytes, more than 20 MiB", info.Size())
	}
}

// BenchmarkFacts looks at all that Wine shows of a Windows, from the start of the
// program to its end, without probes, which wait for a network; "slowest-ms" is the
// group that took longest. Wine starts a program more slowly than Windows and
// reads its registry from text: the numbers compare with each other only.
func BenchmarkFacts(b *testing.B) {
	w := &Windows{shared(b).session, b}
	groups := []string{"clock", "counters", "crashes", "hardware", "host", "load", "network", "peripherals", "power", "printing", "readings", "security",
		"services", "sign_in", "software", "space", "storage", "updates", "usb", "wifi"}
	var s *constatv1.Snapshot
	for b.Loop() {
		s = facts(w, groups...)
	}
	var slowest int32
	for _, g := range s.GetManifest().GetGroups() {
		slowest = max(slowest, g.GetObservation().GetDurationMs())
	}
	b.ReportMetric(float64(slowest), "slowest-ms")
	alone := time.Now()
	w.Run("cmd.exe", "/c", "exit")
	b.ReportMetric(float64(time.Since(alone).Milliseconds()), "empty-program-ms")
}
