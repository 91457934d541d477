package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// BenchmarkTray tells what the tray holds once it has done all it does:
// a page was opened, the icon changed, and something was told.
func BenchmarkTray(b *testing.B) {
	for b.Loop() {
		d := newDesktop(b, "DISPLAY=:77")
		tray := d.tray("open")
		if err := tray.Start(); err != nil {
			b.Fatal(err)
		}
		d.until("the page is opened", func() bool { return d.opened() != "" })
		d.agent.said <- &constatv1.WatchResponse{State: "answered", Title: "Ada answered", View: "tickets"}
		d.until("the answer is told", func() bool { return strings.Contains(d.told.all(), "Ada answered") })
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tray.Process.Pid))
		if err != nil {
			b.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			var kilobytes float64
			if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kilobytes); n == 1 {
				b.ReportMetric(kilobytes/1024, "MiB-RSS")
			}
		}
		_ = tray.Process.Kill()
		_ = tray.Wait()
	}
}
