//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkIdle shows what an agent costs that has nothing to do: enrolled at a
// real collector over loopback, after its first snapshot. One "op" is ten
// seconds of idling; RSS and CPU are of the agent's own process, and helper-MiB
// of the one that holds the rights, where it runs as root.
//
//	go test -run '^$' -bench Idle -benchtime 3x ./agent
func BenchmarkIdle(b *testing.B) {
	dir := b.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	build := exec.Command("go", "build", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", dir, ".", "../collector")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	// go build names programs after their folders.
	agent, data := filepath.Join(dir, "agent"), filepath.Join(dir, "data")
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	quickstart := exec.CommandContext(ctx, filepath.Join(dir, "collector"), "quickstart",
		"--data", data, "--agent", agent, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
	quickstart.Cancel = func() error { return quickstart.Process.Signal(syscall.SIGTERM) }
	var said, stderr bytes.Buffer
	quickstart.Stderr = &stderr
	out, err := quickstart.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := quickstart.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		cancel()
		_ = quickstart.Wait()
	}()
	buf := make([]byte, 4096)
	for !strings.Contains(said.String(), "Stop with Ctrl-C") {
		n, err := out.Read(buf)
		said.Write(buf[:n])
		if err != nil {
			b.Fatalf("the quickstart ended: %s%s", said.String(), stderr.String())
		}
	}
	pid := childOf(b, quickstart.Process.Pid)

	before, start := cpuSeconds(b, pid), time.Now()
	for b.Loop() {
		<-time.After(10 * time.Second)
	}
	elapsed := time.Since(start).Seconds()
	b.ReportMetric(100*(cpuSeconds(b, pid)-before)/elapsed, "%core")
	b.ReportMetric(rssMiB(b, pid), "rss-MiB")
	if helper := childOf(b, pid); helper != 0 {
		b.ReportMetric(rssMiB(b, helper), "helper-MiB")
	}
}

// childOf is the first child of a process, 0 without one. The kernel lists
// children by the thread that started them.
func childOf(b *testing.B, pid int) int {
	b.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		b.Fatal(err)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			b.Fatal(err)
		}
		if fields := strings.Fields(string(text)); len(fields) > 0 {
			child, err := strconv.Atoi(fields[0])
			if err != nil {
				b.Fatal(err)
			}
			return child
		}
	}
	return 0
}

// cpuSeconds is user and system time of a process (proc(5): fields 14 and 15 of
// stat, in hundredths of a second).
func cpuSeconds(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

func rssMiB(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Fatal(err)
	}
	pages, _ := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	return pages * float64(os.Getpagesize()) / (1 << 20)
}
