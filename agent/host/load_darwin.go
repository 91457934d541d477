package host

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// psWords list all processes, without their arguments.
var psWords = []string{"-axo", "pid=,state=,rss=,etime=,time=,comm="}

func readLoad(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("sysctl, vm_stat, top, ps")
	l := &constatv1.Load{}
	memory, err := r.macMemory(ctx)
	if err != nil {
		return nil, failed(o.Source, err)
	}
	l.Memory = memory
	since := time.Since(bootedAt()).Seconds()
	begun := time.Now()
	before, err := r.run(ctx, programLimit, psProgram, psWords...)
	if err != nil {
		gap(o, "processes", err)
	}
	// top measures between its two looks, one second apart.
	cpu, cpuErr := r.run(ctx, programLimit, topProgram, "-l", "2", "-n", "0", "-s", "1")
	sample := time.Since(begun)
	if l.Cpu = macCPUUse(cpu, sample); cpuErr != nil {
		gap(o, "cpu.busy_percent", cpuErr)
	}
	if n, err := unix.SysctlUint32("hw.logicalcpu"); err == nil && n < 4096 {
		l.Cpu.Threads = set(int32(n))
	}
	macLoadAverages(l.Cpu)
	if after, err := r.run(ctx, programLimit, psProgram, psWords...); err == nil {
		first, second := parseMacProcesses(before, since), parseMacProcesses(after, since+sample.Seconds())
		sameProcesses(first, second)
		l.Processes = busiest(first, second, sample, since+sample.Seconds(), macPageSize)
		zombies, blocked := int32(0), int32(0)
		for _, p := range second {
			switch p.state {
			case 'Z':
				zombies++
			case 'D':
				blocked++
			}
		}
		l.Zombies, l.Blocked = &zombies, &blocked
	}
	for name, fact := range map[string]**int64{"kern.num_files": &l.OpenFiles, "kern.maxfiles": &l.MaxOpenFiles} {
		if n, err := unix.SysctlUint32(name); err == nil {
			*fact = set(int64(n))
		}
	}
	for _, fact := range []string{"boot", "cpu.iowait_percent", "cpu.steal_percent", "disks", "pressure"} {
		gap(o, fact, errMacSilent)
	}
	return l, o
}

// macMemory reads how much memory there is, and how much programs could get.
func (r *reader) macMemory(ctx context.Context) (*constatv1.Memory, error) {
	total, err := unix.SysctlUint64("hw.memsize")
	if err != nil || total == 0 || total > 1<<60 {
		return nil, fmt.Errorf("hw.memsize: %w", err)
	}
	m := &constatv1.Memory{TotalBytes: set(int64(total))}
	content, err := r.run(ctx, programLimit, vmStatProgram)
	if err != nil {
		return nil, err
	}
	if available, ok := parseVMStat(content); ok && uint64(available) <= total {
		m.AvailableBytes, m.AvailablePercent = &available, percent(uint64(available), total)
	}
	if raw, err := unix.SysctlRaw("vm.swapusage"); err == nil && len(raw) >= 24 { // struct xsw_usage: total, available, used
		m.SwapTotalBytes, m.SwapFreeBytes = set(int64(binary.LittleEndian.Uint64(raw))), set(int64(binary.LittleEndian.Uint64(raw[8:])))
	}
	if level, err := unix.SysctlUint32("kern.memorystatus_vm_pressure_level"); err == nil {
		m.Level = filled(macMemoryLevels[level])
	}
	return m, nil
}

// macLoadAverages reads struct loadavg: three numbers, behind them, aligned to
// eight bytes, what they are multiplied with.
func macLoadAverages(c *constatv1.Cpu) {
	raw, err := unix.SysctlRaw("vm.loadavg")
	if err != nil || len(raw) < 24 {
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
