package host

import (
	"encoding/binary"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// macPageSize is the unit of sizes in what ps(1) writes.
const macPageSize = 1024

// parseMacProcesses reads ps -axo pid=,state=,rss=,etime=,time=,comm=: processes
// by their number, with times in 1/userHZ seconds. Since is how long the machine
// runs, in seconds.
func parseMacProcesses(content []byte, since float64) map[int]processStat {
	all := map[int]processStat{}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || len(all) == 1<<16 {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		resident, residentErr := strconv.ParseInt(fields[2], 10, 64)
		age, known := clockTime(fields[3])
		used, told := clockTime(fields[4])
		if err != nil || residentErr != nil || !known || !told || pid < 0 || resident < 0 {
			continue
		}
		p := processStat{pid: pid, resident: resident, cpu: uint64(used*userHZ + 0.5), state: macStates[fields[1][0]]}
		p.name = path.Base(strings.Join(fields[5:], " "))
		if started := since - age; started > 0 {
			p.started = uint64(started * userHZ)
		}
		all[pid] = p
	}
	return all
}

// macStates are the kernel's letters of Linux for those of ps(1) on macOS.
var macStates = map[byte]byte{'R': 'R', 'S': 'S', 'I': 'S', 'U': 'D', 'T': 'T', 'Z': 'Z'}

// sameProcesses makes the times at which processes started those of the first
// reading: ps tells their age in whole seconds, which wobbles by one.
func sameProcesses(before, after map[int]processStat) {
	for pid, now := range after {
		if was, known := before[pid]; known && was.name == now.name && math.Abs(float64(was.started)-float64(now.started)) <= 2*userHZ {
			now.started = was.started
			after[pid] = now
		}
	}
}

// clockTime reads “03-04:05:06”, “4:05:06” and “5:06.78” as seconds.
func clockTime(text string) (seconds float64, ok bool) {
	days, clock, found := strings.Cut(text, "-")
	if !found {
		days, clock = "0", text
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, false
	}
	parts := strings.Split(clock, ":")
	if len(parts) > 3 {
		return 0, false
	}
	for _, part := range parts {
		x, err := strconv.ParseFloat(part, 64)
		if err != nil || !(x >= 0) || x > 1e7 {
			return 0, false
		}
		seconds = seconds*60 + x
	}
	return seconds + float64(n)*24*60*60, true
}

// macCPUUse reads top -l 2: the last of its lines “CPU usage: 5.26% user, 10.52%
// sys, 84.21% idle”. The first is of all the time since the start.
func macCPUUse(content []byte, sample time.Duration) *constatv1.Cpu {
	c := &constatv1.Cpu{SampleMs: set(int32(sample.Milliseconds()))}
	for line := range strings.Lines(string(content)) {
		rest, found := strings.CutPrefix(line, "CPU usage:")
		if !found {
			continue
		}
		for part := range strings.SplitSeq(rest, ",") {
			fields := strings.Fields(part)
			if len(fields) != 2 || fields[1] != "idle" {
				continue
			}
			if idle, err := strconv.ParseFloat(strings.TrimSuffix(fields[0], "%"), 64); err == nil && idle >= 0 && idle <= 100 {
				c.BusyPercent = set(tenth(100 - idle))
			}
		}
	}
	return c
}

// macMemoryLevels are the words for kern.memorystatus_vm_pressure_level
// (NOTE_MEMORYSTATUS_PRESSURE_… of event.h).
var macMemoryLevels = map[int64]string{1: "normal", 2: "warning", 4: "critical"}

// macLook is what is asked of the load, as it was written: twice what only grows,
// and top, which measures between, once. Sample is how long that took, and since how
// long the machine had run before, in seconds.
type macLook struct {
	psBefore, psAfter, vmBefore, vmAfter, top []byte
	disksBefore, disksAfter                   node // IOBlockStorageDriver
	sample                                    time.Duration
	since                                     float64
}

// macLoad tells what the machine is busy with; nil where the kernel does not tell how
// much memory there is.
func macLoad(ask sysctl, look macLook) *constatv1.Load {
	l := &constatv1.Load{Memory: macMemoryUse(ask, look), Cpu: macCPUUse(look.top, look.sample)}
	if l.Memory == nil {
		return nil
	}
	l.Cpu.Threads = ask.count("hw.logicalcpu")
	macLoadAverages(ask, l.Cpu)
	if before, after := parseMacProcesses(look.psBefore, look.since), parseMacProcesses(look.psAfter, look.since+look.sample.Seconds()); len(after) > 0 {
		sameProcesses(before, after)
		l.Processes = busiest(before, after, look.sample, look.since+look.sample.Seconds(), macPageSize)
		l.Zombies, l.Blocked = set(int32(0)), set(int32(0))
		for _, p := range after {
			switch p.state {
			case 'Z':
				*l.Zombies++
			case 'D':
				*l.Blocked++
			}
		}
	}
	l.Disks = macDiskLoads(macTransferred(look.disksBefore), macTransferred(look.disksAfter), look.sample)
	l.OpenFiles, l.MaxOpenFiles = ask.number("kern.num_files", 0, math.MaxInt32), ask.number("kern.maxfiles", 1, math.MaxInt32)
	return l
}

// macMemoryUse tells how much memory there is, and how much programs could get; nil
// where the kernel does not tell the former.
func macMemoryUse(ask sysctl, look macLook) *constatv1.Memory {
	total := macMemoryBytes(ask)
	before, after := parseVMStat(look.vmBefore), parseVMStat(look.vmAfter)
	if total == nil {
		return nil
	}
	m := &constatv1.Memory{TotalBytes: total}
	if before != nil && before.available <= *total {
		m.AvailableBytes, m.AvailablePercent = &before.available, percent(uint64(before.available), uint64(*total))
	}
	if before != nil && after != nil && after.swapped >= before.swapped && look.sample > 0 {
		m.SwapPagesPerSecond = set(tenth(float64(after.swapped-before.swapped) / look.sample.Seconds()))
	}
	if raw := ask("vm.swapusage"); len(raw) >= 24 { // struct xsw_usage: total, available, used
		total, free := binary.LittleEndian.Uint64(raw), binary.LittleEndian.Uint64(raw[8:])
		if free <= total && total < 1<<60 {
			m.SwapTotalBytes, m.SwapFreeBytes = set(int64(total)), set(int64(free))
		}
	}
	if level := ask.number("kern.memorystatus_vm_pressure_level", 1, 4); level != nil {
		m.Level = filled(macMemoryLevels[*level])
	}
	return m
}

// macLoadAverages reads struct loadavg: three numbers, behind them, aligned to
// eight bytes, what they are multiplied with.
func macLoadAverages(ask sysctl, c *constatv1.Cpu) {
	raw := ask("vm.loadavg")
	if len(raw) < 24 {
		return
	}
	scale := float64(binary.LittleEndian.Uint64(raw[16:]))
	if scale <= 0 {
		return
	}
	for i, fact := range []**float64{&c.Load1, &c.Load5, &c.Load15} {
		*fact = set(tenth(float64(binary.LittleEndian.Uint32(raw[4*i:])) / scale))
	}
}

// macPages is what vm_stat(1) tells of memory: what programs could still get, in
// bytes, and how many pages went to and came from the disk since the start.
type macPages struct{ available, swapped int64 }

// parseVMStat reads vm_stat(1): pages by what they are, and the size of one. What
// programs could still get is what is free, what was read ahead, and what nobody
// used of late. nil of what is none of its answers.
func parseVMStat(content []byte) *macPages {
	pages := map[string]int64{}
	size := int64(0)
	for line := range strings.Lines(string(content)) {
		if _, rest, found := strings.Cut(line, "page size of "); found {
			number, _, _ := strings.Cut(rest, " ")
			size, _ = strconv.ParseInt(number, 10, 64)
			continue
		}
		key, value := labelled(line)
		if n, err := strconv.ParseInt(strings.TrimSuffix(value, "."), 10, 64); err == nil && n >= 0 && n < 1<<40 {
			pages[key] = n
		}
	}
	_, told := pages["Pages free"]
	if size < 512 || size > 1<<20 || !told {
		return nil
	}
	return &macPages{(pages["Pages free"] + pages["Pages inactive"] + pages["Pages speculative"]) * size, pages["Swapins"] + pages["Swapouts"]}
}
