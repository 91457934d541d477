package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// loadSample is how long the machine is watched. Shorter, and the kernel's
// 10 ms ticks blur a process's share by more than a few percent.
const loadSample = 400 * time.Millisecond

// reading is the counters at one moment.
type reading struct {
	at      time.Time
	cpu     cpuTimes
	cpuErr  error
	disks   map[string]diskStat
	swapped *int64 // pages in and out of swap since boot
}

func readLoad(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("/proc")
	listed, processes, _ := r.firstProcesses()
	defer r.closeProcesses()
	before := r.counters()
	if before.cpuErr != nil {
		return nil, failed("/proc/stat", before.cpuErr)
	}
	var boot *constatv1.Boot
	var bootErr error
	booted := make(chan struct{})
	go func() { // while the machine is watched
		defer close(booted)
		boot, bootErr = readBoot(ctx, r)
	}()
	select {
	case <-time.After(loadSample):
	case <-ctx.Done():
		return nil, failed("/proc", ctx.Err())
	}
	after := r.counters()
	if after.cpuErr != nil {
		return nil, failed("/proc/stat", after.cpuErr)
	}
	sample := after.at.Sub(before.at)
	listedAgain, processesNow, _, _ := r.listProcesses()
	sampleOfProcesses := listedAgain.Sub(listed)

	l := &constatv1.Load{Cpu: cpuUse(before.cpu, after.cpu, sample)}
	if after.cpu.total == before.cpu.total {
		sample, sampleOfProcesses = 0, 0 // no tick was counted: nothing that is a share of the time is known
	}
	if text, err := r.text("/proc/loadavg"); err == nil {
		averages := [3]*float64{}
		for i, field := range strings.Fields(text)[:min(3, len(strings.Fields(text)))] {
			if x, err := strconv.ParseFloat(field, 64); err == nil {
				averages[i] = &x
			}
		}
		l.Cpu.Load1, l.Cpu.Load5, l.Cpu.Load15 = averages[0], averages[1], averages[2]
	}
	if khz := r.number("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"); khz != nil {
		l.Cpu.CurrentMhz = set(int32(*khz / 1000))
	}

	if content, err := r.file("/proc/meminfo"); err != nil {
		gap(o, "memory", err)
	} else if l.Memory, err = memoryOf(content); err != nil {
		gap(o, "memory", err)
	} else if before.swapped != nil && after.swapped != nil && sample > 0 && *after.swapped >= *before.swapped {
		l.Memory.SwapPagesPerSecond = set(tenth(float64(*after.swapped-*before.swapped) / sample.Seconds()))
	}

	var err error
	if l.Pressure, err = r.pressure(); err != nil {
		gap(o, "pressure", err)
	}
	uptime := 0.0
	if text, err := r.text("/proc/uptime"); err == nil {
		first, _, _ := strings.Cut(text, " ")
		uptime, _ = strconv.ParseFloat(first, 64)
	}
	l.Processes = busiest(processes, processesNow, sampleOfProcesses, uptime, int64(os.Getpagesize()))
	l.Zombies, l.Blocked = set(int32(0)), set(int32(0))
	for pid, p := range processesNow {
		switch {
		case p.state == 'Z':
			*l.Zombies++
		case p.state == 'D' && processes[pid].state == 'D': // once is normal
			*l.Blocked++
		}
	}
	for _, name := range sortedNames(after.disks) {
		if _, known := before.disks[name]; known {
			l.Disks = append(l.Disks, diskUse(name, before.disks[name], after.disks[name], sample))
		}
	}
	select {
	case <-booted:
		if l.Boot = boot; bootErr != nil {
			gap(o, "boot", bootErr)
		}
	case <-ctx.Done():
		return nil, failed("/proc", ctx.Err())
	}
	if text, err := r.text("/proc/sys/fs/file-nr"); err == nil {
		if fields := strings.Fields(text); len(fields) == 3 {
			l.OpenFiles, l.MaxOpenFiles = parseCount(fields[0]), parseCount(fields[2])
		}
	}
	return l, o
}

// counters reads what load is computed from, but for the processes.
func (r *reader) counters() reading {
	now := reading{at: time.Now(), disks: map[string]diskStat{}}
	stat, err := r.file("/proc/stat")
	if err == nil {
		now.cpu, err = parseCPUTimes(stat)
	}
	now.cpuErr = err
	if content, err := r.file("/proc/diskstats"); err == nil {
		blocks, _ := r.names("/sys/block")
		stats := parseDiskStats(content)
		for _, name := range blocks {
			if stat, found := stats[name]; found && isDisk(name) {
				now.disks[name] = stat
			}
		}
	}
	if content, err := r.file("/proc/vmstat"); err == nil {
		in, out := keyed(content, "pswpin"), keyed(content, "pswpout")
		if in != nil && out != nil {
			now.swapped = set(*in + *out)
		}
	}
	return now
}

// maxProcessFiles is how many files of processes stay open from the first list to
// the second, which costs half as much with them.
const maxProcessFiles = 256

// firstProcesses are the processes as they were first listed. Where load is to be
// read, which lists them again, and only there, their files stay open.
func (r *reader) firstProcesses() (time.Time, map[int]processStat, error) {
	p := &r.processes
	p.Do(func() {
		if p.again {
			p.files = map[string]int{}
		}
		p.at, p.byID, p.hidden, p.err = r.listProcesses()
	})
	return p.at, p.byID, p.err
}

// closeProcesses is for who lists them again.
func (r *reader) closeProcesses() {
	for _, file := range r.processes.files {
		_ = syscall.Close(file)
	}
	r.processes.files = nil
}

// processStat reads the line of one process. A file that was kept is of the
// process it was opened for; of another one with its number it says nothing.
func (r *reader) processStat(name string) ([]byte, error) {
	files, stat := r.processes.files, "/proc/"+name+"/stat"
	var line [smallFile]byte
	file, kept := files[name]
	if kept {
		if n, err := syscall.Pread(file, line[:], 0); err == nil && n > 0 && n < len(line) {
			return slices.Clone(line[:n]), nil
		}
	}
	if kept || files == nil || len(files) == maxProcessFiles {
		return r.file(stat)
	}
	file, err := syscall.Open(r.path(stat), syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: stat, Err: err}
	}
	files[name] = file
	n, err := readOnce(file, line[:])
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: stat, Err: err}
	}
	return slices.Clone(line[:n]), nil
}

// listProcesses reads what every process did so far. hidden says why there may
// be others.
func (r *reader) listProcesses() (at time.Time, byID map[int]processStat, hidden, err error) {
	now := time.Now()
	names, err := r.names("/proc")
	if err != nil {
		return now, nil, nil, err
	}
	processes := make(map[int]processStat, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		content, err := r.processStat(name)
		if errors.Is(err, fs.ErrPermission) {
			hidden = err
		}
		if err != nil {
			continue // it ended meanwhile, or is hidden from this user
		}
		p, err := parseProcessStat(content)
		if err != nil {
			hidden = err
			continue
		}
		processes[pid] = p
	}
	// There is always a first process: where it is not seen, others are not
	// either (hidepid of proc(5)).
	if _, seen := processes[1]; !seen && hidden == nil {
		hidden = fmt.Errorf("the processes of others are hidden: %w", fs.ErrPermission)
	}
	return now, processes, hidden, nil
}

// pressure reads the stall information, which some kernels have switched off.
func (r *reader) pressure() (*constatv1.Pressure, error) {
	p := &constatv1.Pressure{}
	for name, to := range map[string][4]**float64{
		"cpu":    {&p.CpuSome10, &p.CpuSome60, nil, nil},
		"memory": {&p.MemorySome10, &p.MemorySome60, &p.MemoryFull10, &p.MemoryFull60},
		"io":     {&p.IoSome10, &p.IoSome60, &p.IoFull10, &p.IoFull60},
	} {
		content, err := r.file("/proc/pressure/" + name)
		if err != nil {
			return nil, err
		}
		some10, some60, full10, full60, err := parsePressure(content)
		if err != nil {
			return nil, err
		}
		for i, value := range []*float64{some10, some60, full10, full60} {
			if to[i] != nil {
				*to[i] = value
			}
		}
	}
	return p, nil
}
