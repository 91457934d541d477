package host

import (
	"slices"
	"syscall"
	"testing"
	"time"
)

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
