package host

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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

// The second list of processes reads the files that the first one opened: they
// are those of the same processes, and none stays open.
func TestProcessesAreListedTwice(t *testing.T) {
	r := newReader(t.Context(), Config{})
	r.processes.again = true
	_, first, err := r.firstProcesses()
	if err != nil {
		t.Fatal(err)
	}
	files := slices.Collect(maps.Values(r.processes.files))
	if len(files) == 0 || len(files) > maxProcessFiles {
		t.Errorf("%d files of %d processes are open", len(files), len(first))
	}
	_, second, _, err := r.listProcesses()
	if err != nil {
		t.Fatal(err)
	}
	own := os.Getpid()
	if first[own].name == "" || second[own].name != first[own].name || second[own].started != first[own].started {
		t.Errorf("this process is %+v, then %+v", first[own], second[own])
	}
	r.closeProcesses()
	for _, file := range files {
		if name, err := os.Readlink(fmt.Sprint("/proc/self/fd/", file)); err == nil && strings.HasSuffix(name, "/stat") {
			t.Errorf("%s stays open", name)
		}
	}
}
