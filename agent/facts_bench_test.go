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

// BenchmarkFacts looks at all facts (without probes, which wait for the network)
// side by side with two programs of Debian that inventory a machine, in turns,
// and reports the medians of CPU and wall time, and how many times the others'
// CPU time that is: "first" is constat-agent facts from start to end where it
// never ran before, "command" where it did, and keeps what an unchanged package
// database gave; both with the half that holds the rights. "look" is the running
// agent's. Programs that are not installed are left out. Aimed at, of
// fusioninventory-agent, is 20 times.
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
	facts := []string{agent, "facts", "--json", "--group", strings.Join(seen, ",")}
	cache := b.TempDir()
	b.Setenv(cacheVariable, cache)
	programs := [][]string{facts, facts}
	names := []string{"first", "command"}
	for _, other := range [][]string{{"fusioninventory-inventory"}, {"lshw", "-quiet", "-xml"}} {
		if _, err := exec.LookPath(other[0]); err != nil {
			b.Logf("skipped: %s is not installed; apt-get install fusioninventory-agent lshw brings it", other[0])
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
	const ours = 3
	cpu, wall := make([][]float64, 1+len(programs)), make([][]float64, 1+len(programs))
	for b.Loop() {
		used, start := ownCPU(b), time.Now()
		host.Observe(b.Context(), host.Config{}, seen)
		cpu[0], wall[0] = append(cpu[0], ownCPU(b)-used), append(wall[0], time.Since(start).Seconds())
		if err := os.RemoveAll(filepath.Join(cache, "packages")); err != nil {
			b.Fatal(err)
		}
		for i, program := range programs {
			used, took := cost(b, program)
			cpu[i+1], wall[i+1] = append(cpu[i+1], used), append(wall[i+1], took)
		}
	}
	names = append([]string{"look"}, names...)
	b.ReportMetric(0, "ns/op") // of all together: it says nothing
	for i, name := range names {
		b.ReportMetric(1000*median(cpu[i]), name+"-cpu-ms")
		b.ReportMetric(1000*median(wall[i]), name+"-wall-ms")
	}
	for i := ours; i < len(names); i++ {
		for own := range ours {
			b.ReportMetric(median(cpu[i])/median(cpu[own]), names[i]+"/"+names[own])
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
