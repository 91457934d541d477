package tray

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// settled gives a tray that has done all it does: a page was opened, the icon
// changed, and something was told.
func settled(b *testing.B) *exec.Cmd {
	b.Helper()
	d := newDesktop(b, "DISPLAY=:77")
	tray := d.tray("open")
	if err := tray.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = tray.Process.Kill()
		_ = tray.Wait()
	})
	d.until("the page is opened", func() bool { return d.opened() != "" })
	d.agent.said <- &constatv1.WatchResponse{State: "answered", Title: "Ada answered", View: "tickets"}
	d.until("the answer is told", func() bool { return strings.Contains(d.told.all(), "Ada answered") })
	return tray
}

// counted sums up a line of the status of a process' threads.
func counted(b *testing.B, threads, name string) (sum float64) {
	b.Helper()
	files, err := filepath.Glob(threads)
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			var n float64
			if key, value, _ := strings.Cut(line, ":"); key == name {
				if _, err := fmt.Sscanf(value, "%f", &n); err != nil {
					b.Fatal(err)
				}
				sum += n
			}
		}
	}
	return sum
}

// BenchmarkTray tells what the tray holds once it has done all it does.
func BenchmarkTray(b *testing.B) {
	for b.Loop() {
		tray := settled(b)
		b.ReportMetric(counted(b, fmt.Sprintf("/proc/%d/status", tray.Process.Pid), "VmRSS")/1024, "MiB-RSS")
	}
}

// BenchmarkTrayAtRest tells how often the tray, with nothing to do and a page that was
// opened, wakes up: how often one of its threads waited anew.
func BenchmarkTrayAtRest(b *testing.B) {
	tray := settled(b)
	threads := fmt.Sprintf("/proc/%d/task/*/status", tray.Process.Pid)
	const calm, rest = 5 * time.Minute, 10 * time.Second
	limit := time.Now().Add(calm)
	for before := -1.0; before != counted(b, threads, "voluntary_ctxt_switches") && time.Now().Before(limit); time.Sleep(rest) {
		before = counted(b, threads, "voluntary_ctxt_switches")
	}
	for b.Loop() {
		before := counted(b, threads, "voluntary_ctxt_switches")
		time.Sleep(rest)
		b.ReportMetric(counted(b, threads, "voluntary_ctxt_switches")-before, "wakeups/10s")
	}
}
