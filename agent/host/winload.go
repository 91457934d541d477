package host

import (
	"time"
	"unicode/utf16"

	constatv1 "constat/proto/constat/v1"
)

// Places in SYSTEM_PROCESS_INFORMATION on 64 bits (winternl.h, ntexapi.h). Times
// are in tenths of microseconds.
const (
	processRowSize = 256
	processCreated = 32
	processUser    = 40
	processKernel  = 48
	processName    = 56 // UNICODE_STRING: length in bytes, room, pointer
	processID      = 80
	processMemory  = 144
)

// decodeProcesses reads the processes of NtQuerySystemInformation. Boot is when the
// machine started, which their start is counted from. The idle process is none.
func decodeProcesses(b winBuffer, boot time.Time) map[int]processStat {
	const ticksPerHZ = 1e7 / userHZ
	all := map[int]processStat{}
	for at := 0; at+processRowSize <= len(b.data); {
		p := processStat{pid: int(uint32(b.u64(at + processID))), cpu: (b.u64(at+processUser) + b.u64(at+processKernel)) / ticksPerHZ, resident: int64(b.u64(at + processMemory))}
		if created := fileTime(b.u64(at + processCreated)); created.After(boot) {
			p.started = uint64(created.Sub(boot) / (time.Second / userHZ))
		}
		if p.name = b.counted(at + processName); p.name == "" {
			p.name = "System"
		}
		if p.pid != 0 {
			all[p.pid] = p
		}
		next := int(b.u32(at))
		if next < processRowSize {
			break
		}
		at += next
	}
	return all
}

// counted is a UNICODE_STRING.
func (b winBuffer) counted(at int) string {
	length, pointer := int(b.u16(at)), b.u64(at+8)
	if pointer < b.base || pointer-b.base >= uint64(len(b.data)) {
		return ""
	}
	start := int(pointer - b.base)
	var units []uint16
	for i := start; i+2 <= min(start+length, len(b.data)); i += 2 {
		units = append(units, b.u16(i))
	}
	return string(utf16.Decode(units))
}

// systemTimes is what GetSystemTimes counts, of all processors together; kernel has
// idle in it.
type systemTimes struct{ idle, kernel, user uint64 }

// windowsCPU is what happened between two readings.
func windowsCPU(before, after systemTimes, threads int, sample time.Duration) *constatv1.Cpu {
	c := &constatv1.Cpu{Threads: set(int32(threads)), SampleMs: set(int32(sample.Milliseconds()))}
	total := (after.kernel + after.user) - (before.kernel + before.user)
	idle := after.idle - before.idle
	if after.kernel+after.user > before.kernel+before.user && idle <= total {
		c.BusyPercent = set(tenth(float64(total-idle) / float64(total) * 100))
	}
	return c
}
