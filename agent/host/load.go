package host

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// userHZ is the unit of times in /proc: the kernel's interface fixes it at 100
// a second on all architectures that Constat is built for.
const userHZ = 100

// cpuTimes is the first line of /proc/stat, in 1/userHZ seconds.
type cpuTimes struct {
	total, idle, iowait, steal uint64
	threads                    int
}

// parseCPUTimes reads /proc/stat, see proc_stat(5).
func parseCPUTimes(content []byte) (cpuTimes, error) {
	var t cpuTimes
	for line := range bytes.Lines(content) {
		if !bytes.HasPrefix(line, []byte("cpu")) {
			break // the processors stand first
		}
		fields := bytes.Fields(line)
		if string(fields[0]) != "cpu" {
			t.threads++
			continue
		}
		if len(fields) < 9 {
			return t, fmt.Errorf("/proc/stat: short line %.80q", line)
		}
		// user nice system idle iowait irq softirq steal; guests are in user.
		for i, field := range fields[1:9] {
			n, err := strconv.ParseUint(string(field), 10, 64)
			if err != nil {
				return t, fmt.Errorf("/proc/stat: %w", err)
			}
			t.total += n
			switch i {
			case 3:
				t.idle = n
			case 4:
				t.iowait = n
			case 7:
				t.steal = n
			}
		}
	}
	if t.threads == 0 || t.total == 0 {
		return t, errors.New("/proc/stat has no processor")
	}
	return t, nil
}

// cpuUse is what happened between two readings; nothing is set when no time
// was counted between them.
func cpuUse(before, after cpuTimes, sample time.Duration) *constatv1.Cpu {
	c := &constatv1.Cpu{Threads: set(int32(after.threads)), SampleMs: set(int32(sample.Milliseconds()))}
	if after.total <= before.total {
		return c
	}
	whole := float64(after.total - before.total)
	// iowait may go backwards, says proc_stat(5).
	share := func(a, b uint64) float64 { return math.Max(0, float64(a)-float64(b)) / whole * 100 }
	idle, iowait := share(after.idle, before.idle), share(after.iowait, before.iowait)
	c.BusyPercent = set(tenth(math.Max(0, 100-idle-iowait)))
	c.IowaitPercent = set(tenth(math.Min(100, iowait)))
	c.StealPercent = set(tenth(math.Min(100, share(after.steal, before.steal))))
	return c
}

// tenth rounds to one decimal: more would be noise.
func tenth(x float64) float64 { return math.Round(x*10) / 10 }

// parseKeyed reads files of "Key: 123 kB" or "key 123" lines: /proc/meminfo,
// /proc/vmstat. Lines without a number are passed over.
func parseKeyed(content []byte) map[string]int64 {
	values := map[string]int64{}
	for line := range bytes.Lines(content) {
		fields := bytes.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if n, err := strconv.ParseInt(string(fields[1]), 10, 64); err == nil {
			values[string(bytes.TrimSuffix(fields[0], []byte(":")))] = n
		}
	}
	return values
}

// keyed reads the number of one key of such a file; nil when it is not there.
func keyed(content []byte, key string) *int64 {
	for line := range bytes.Lines(content) {
		if rest, found := bytes.CutPrefix(line, []byte(key)); found && len(rest) > 0 && rest[0] == ' ' {
			return parseCount(string(bytes.TrimSpace(rest)))
		}
	}
	return nil
}

// parseCount reads a number; nil when it is none, or too large for the schema.
func parseCount(text string) *int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// memoryOf turns /proc/meminfo into facts; what it does not list stays unset.
func memoryOf(meminfo []byte) (*constatv1.Memory, error) {
	kilobytes := parseKeyed(meminfo)
	byteCount := func(key string) *int64 {
		n, found := kilobytes[key]
		if !found || n < 0 || n > math.MaxInt64/1024 {
			return nil
		}
		return set(n * 1024)
	}
	m := &constatv1.Memory{
		TotalBytes:     byteCount("MemTotal"),
		AvailableBytes: byteCount("MemAvailable"),
		SwapTotalBytes: byteCount("SwapTotal"),
		SwapFreeBytes:  byteCount("SwapFree"),
	}
	if m.GetTotalBytes() == 0 {
		return nil, errors.New("/proc/meminfo does not tell the memory's size")
	}
	if m.AvailableBytes != nil {
		m.AvailablePercent = percent(uint64(*m.AvailableBytes), uint64(*m.TotalBytes))
	}
	return m, nil
}

// parsePressure reads a file of /proc/pressure (Documentation/accounting/psi):
// the averages over 10 and 60 seconds of its lines "some" and "full".
func parsePressure(content []byte) (some10, some60, full10, full60 *float64, err error) {
	for line := range strings.Lines(string(content)) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		averages := map[string]*float64{}
		for _, field := range strings.Fields(rest) {
			key, value, _ := strings.Cut(field, "=")
			if !strings.HasPrefix(key, "avg") {
				continue
			}
			x, err := strconv.ParseFloat(value, 64)
			if err != nil || x < 0 || x > 100 {
				return nil, nil, nil, nil, fmt.Errorf("pressure: %.80q", line)
			}
			averages[key] = &x
		}
		switch kind {
		case "some":
			some10, some60 = averages["avg10"], averages["avg60"]
		case "full":
			full10, full60 = averages["avg10"], averages["avg60"]
		}
	}
	return some10, some60, full10, full60, nil
}

// processStat is what Constat reads of /proc/PID/stat: never arguments.
type processStat struct {
	pid      int
	name     string
	state    byte
	cpu      uint64 // user and system time, 1/userHZ seconds
	started  uint64 // after boot, 1/userHZ seconds
	resident int64  // pages
}

// parseProcessStat reads /proc/PID/stat, see proc_pid_stat(5). The name may
// hold any character, also parentheses and spaces.
func parseProcessStat(content []byte) (processStat, error) {
	var p processStat
	open, end := bytes.IndexByte(content, '('), bytes.LastIndexByte(content, ')')
	if open < 1 || end < open {
		return p, fmt.Errorf("process status: %.80q", content)
	}
	fields := make([]string, 0, 64) // on the stack: 50 fields, hundreds of processes
	for field := range strings.FieldsSeq(string(content[end+1:])) {
		if fields = append(fields, field); len(fields) == cap(fields) {
			break
		}
	}
	if len(fields) < 22 || len(fields[0]) != 1 {
		return p, fmt.Errorf("process status is short: %.80q", content)
	}
	var errs [5]error
	p.pid, errs[0] = strconv.Atoi(string(bytes.TrimSpace(content[:open])))
	p.name, p.state = string(content[open+1:end]), fields[0][0]
	user, err := strconv.ParseUint(fields[11], 10, 63)
	errs[1] = err
	system, err := strconv.ParseUint(fields[12], 10, 63)
	errs[2] = err
	p.cpu = user + system
	p.started, errs[3] = strconv.ParseUint(fields[19], 10, 64)
	p.resident, errs[4] = strconv.ParseInt(fields[21], 10, 64)
	return p, errors.Join(errs[:]...)
}

// processStates are the words for the kernel's letters (proc_pid_stat(5)).
var processStates = map[byte]string{
	'R': "running", 'S': "sleeping", 'I': "sleeping", 'D': "diskSleep", 'Z': "zombie", 'T': "stopped", 't': "stopped",
}

// maxProcesses is how many processes a snapshot names, and of them how many at
// least for their memory.
const (
	maxProcesses  = 10
	largeOnesKept = 3
)

// busiest picks the processes to name: those that used most of the processor
// between the readings, and the largest ones. Uptime is in seconds.
func busiest(before, after map[int]processStat, sample time.Duration, uptime float64, pageSize int64) []*constatv1.Process {
	all := make([]*constatv1.Process, 0, len(after))
	for pid, now := range after {
		p := &constatv1.Process{
			Name:          set(now.name),
			Pid:           set(int32(pid)),
			ResidentBytes: set(now.resident * pageSize),
		}
		if word := processStates[now.state]; word != "" {
			p.State = &word
		}
		// The same id may be another process by now.
		if was, known := before[pid]; known && was.started == now.started && now.cpu >= was.cpu && sample > 0 {
			p.CpuPercent = set(tenth(float64(now.cpu-was.cpu) / userHZ / sample.Seconds() * 100))
		}
		if age := uptime - float64(now.started)/userHZ; age > 0 {
			p.AgeSeconds = set(int64(age))
			p.LifetimeCpuPercent = set(tenth(float64(now.cpu) / userHZ / age * 100))
		}
		all = append(all, p)
	}
	byCPU := func(a, b *constatv1.Process) int {
		return cmp.Or(
			cmp.Compare(b.GetCpuPercent(), a.GetCpuPercent()),
			cmp.Compare(b.GetLifetimeCpuPercent(), a.GetLifetimeCpuPercent()),
			cmp.Compare(a.GetPid(), b.GetPid()))
	}
	bySize := func(a, b *constatv1.Process) int {
		return cmp.Or(cmp.Compare(b.GetResidentBytes(), a.GetResidentBytes()), cmp.Compare(a.GetPid(), b.GetPid()))
	}
	slices.SortFunc(all, byCPU)
	if len(all) > maxProcesses {
		busy := maxProcesses - largeOnesKept
		slices.SortFunc(all[busy:], bySize)
		all = all[:maxProcesses]
		slices.SortFunc(all, byCPU)
	}
	return all
}

// diskStat is one line of /proc/diskstats (Documentation/admin-guide/iostats).
type diskStat struct {
	operations, waitMS, busyMS, queueMS uint64
}

// parseDiskStats reads /proc/diskstats by name of the device.
func parseDiskStats(content []byte) map[string]diskStat {
	stats := map[string]diskStat{}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 14 {
			continue
		}
		var n [11]uint64
		for i := range n {
			n[i], _ = strconv.ParseUint(fields[i+3], 10, 64)
		}
		stats[fields[2]] = diskStat{operations: n[0] + n[4], waitMS: n[3] + n[7], busyMS: n[9], queueMS: n[10]}
	}
	return stats
}

// diskUse is what one disk did between two readings; the wait is unset when it
// had nothing to do.
func diskUse(name string, before, after diskStat, sample time.Duration) *constatv1.DiskLoad {
	d := &constatv1.DiskLoad{Disk: &name}
	ms := float64(sample.Milliseconds())
	if ms <= 0 || after.busyMS < before.busyMS || after.operations < before.operations {
		return d
	}
	d.BusyPercent = set(tenth(math.Min(100, float64(after.busyMS-before.busyMS)/ms*100)))
	d.Queue = set(tenth(float64(after.queueMS-before.queueMS) / ms))
	if done := after.operations - before.operations; done > 0 {
		d.AwaitMs = set(tenth(float64(after.waitMS-before.waitMS) / float64(done)))
	}
	return d
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
