//go:build linux

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"constat/agent/host"
)

// maxShare is what a full look of the running agent may cost, of what
// fusioninventory-agent takes on the same machine in the same run: CPU seconds.
const maxShare = 1.0 / 20

// BenchmarkFacts looks at all facts (without probes, which wait for the network)
// side by side with two programs of Debian that inventory a machine, in turns,
// and reports the medians: "look" is the running agent's, which does not read an
// unchanged package database again; "command" is constat-agent facts from start
// to end, with the half that holds the rights. Programs that are not installed
// are left out.
//
//	apt-get install fusioninventory-agent lshw
//	go test -run '^$' -bench BenchmarkFacts$ -benchtime 5x ./agent
func BenchmarkFacts(b *testing.B) {
	dir := b.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} { // for the account that it becomes as root
		if err := os.Chmod(d, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	agent := filepath.Join(dir, "constat-agent")
	build := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", agent, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	seen := slices.DeleteFunc(groups(), func(g string) bool { return g == "probes" })
	programs := [][]string{{agent, "facts", "--json", "--group", strings.Join(seen, ",")}}
	names := []string{"command"}
	for _, other := range [][]string{{"fusioninventory-inventory"}, {"lshw", "-quiet", "-xml"}} {
		if _, err := exec.LookPath(other[0]); err != nil {
			b.Logf("skipped: %s is not installed", other[0])
			continue
		}
		programs, names = append(programs, other), append(names, strings.TrimSuffix(other[0], "-inventory"))
	}
	// What the agent's other half used is counted when this process takes it over
	// and waits for it.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		b.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	host.Observe(b.Context(), host.Config{}, seen)
	var looks, waits []float64
	cpu, wall := make([][]float64, len(programs)), make([][]float64, len(programs))
	for b.Loop() {
		used, start := ownCPU(b), time.Now()
		host.Observe(b.Context(), host.Config{}, seen)
		looks, waits = append(looks, ownCPU(b)-used), append(waits, time.Since(start).Seconds())
		for i, program := range programs {
			used, took := cost(b, program)
			cpu[i], wall[i] = append(cpu[i], used), append(wall[i], took)
		}
	}
	b.ReportMetric(0, "ns/op") // of all together: it says nothing
	b.ReportMetric(1000*median(looks), "look-cpu-ms")
	b.ReportMetric(1000*median(waits), "look-wall-ms")
	for i, name := range names {
		b.ReportMetric(1000*median(cpu[i]), name+"-cpu-ms")
		b.ReportMetric(1000*median(wall[i]), name+"-wall-ms")
	}
	if i := slices.Index(names, "fusioninventory"); i > 0 {
		share := median(looks) / median(cpu[i])
		b.ReportMetric(1/share, "times-less-cpu")
		if share > maxShare {
			b.Errorf("a look costs 1/%.1f of fusioninventory-agent's CPU time, and at most 1/%.0f is promised", 1/share, 1/maxShare)
		}
	}
}

// cost runs a program and returns the CPU seconds of all its processes, and the
// seconds that passed.
func cost(b *testing.B, program []string) (cpu, wall float64) {
	b.Helper()
	start := time.Now()
	cmd := exec.Command(program[0], program[1:]...)
	cmd.Stdout = io.Discard
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s: %v", program[0], err)
	}
	wall = time.Since(start).Seconds()
	cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	for {
		var used unix.Rusage
		if _, err := unix.Wait4(-1, nil, 0, &used); err != nil {
			return cpu, wall // no child is left
		}
		cpu += time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
	}
}

// ownCPU is the CPU seconds of this process so far.
func ownCPU(b *testing.B) float64 {
	b.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}
