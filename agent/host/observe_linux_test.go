package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// Once it has looked, a look at the machine starts no other program: nothing was
// waited for, and nothing is running.
func TestFactsStartNoProgram(t *testing.T) {
	waited := func() (r syscall.Rusage) {
		_ = syscall.Getrusage(syscall.RUSAGE_CHILDREN, &r)
		return r
	}
	children := func() string {
		var all []byte
		lists, _ := filepath.Glob("/proc/self/task/*/children")
		for _, list := range lists {
			content, _ := os.ReadFile(list)
			all = append(all, content...)
		}
		return string(all)
	}
	groups := slices.DeleteFunc(Groups(), func(name string) bool { return name == "probes" })
	Observe(t.Context(), Config{}, groups) // rpm is asked after its database changed
	before, running := waited(), children()
	Observe(t.Context(), Config{}, groups)
	// The page faults of a program's start are counted when it was waited for.
	if after := waited(); after.Minflt != before.Minflt || children() != running {
		t.Errorf("programs were started: %d page faults of children, then %d; children %q, then %q", before.Minflt, after.Minflt, running, children())
	}
	if err := exec.Command("/bin/true").Run(); err == nil && waited().Minflt == before.Minflt {
		t.Error("this test would not see a program")
	}
}

// BenchmarkFactsOnce reads all groups but the probes, and reports the processor
// time that takes; most of the time on the clock is the load's sample.
func BenchmarkFactsOnce(b *testing.B) {
	groups := slices.DeleteFunc(Groups(), func(name string) bool { return name == "probes" })
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	for b.Loop() {
		Observe(b.Context(), Config{}, groups)
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := time.Duration(after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano())
	b.ReportMetric(float64(cpu.Microseconds())/1000/float64(b.N), "cpu-ms/op")
}
