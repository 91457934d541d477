package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"github.com/shirou/gopsutil/v3/mem"
	"golang.org/x/sys/windows"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// loadSample is how long the machine is watched.
const loadSample = 400 * time.Millisecond

func readLoad(ctx context.Context, _ *reader) (proto.Message, *constatv1.Observation) {
	o := observed("NtQuerySystemInformation, GetSystemTimes, disk requests, event log, gopsutil")
	l := &constatv1.Load{}
	boot, bootErr := started()
	times, timesErr := processorTimes()
	processes, processesErr := processList(boot)
	disks, disksErr := disksAtWork()
	began := time.Now()
	if memory, err := mem.VirtualMemoryWithContext(ctx); err != nil {
		gap(o, "memory", err)
	} else {
		l.Memory = &constatv1.Memory{
			TotalBytes: set(int64(memory.Total)), AvailableBytes: set(int64(memory.Available)), AvailablePercent: percent(memory.Available, memory.Total),
		}
		if swap, err := mem.SwapMemoryWithContext(ctx); err != nil {
			gap(o, "memory.swap_total_bytes", err)
		} else {
			l.Memory.SwapTotalBytes, l.Memory.SwapFreeBytes = set(int64(swap.Total)), set(int64(swap.Free))
		}
	}
	select {
	case <-time.After(loadSample):
	case <-ctx.Done():
		return nil, failed(o.Source, ctx.Err())
	}
	sample := time.Since(began)
	if now, err := processorTimes(); errors.Join(timesErr, err) != nil {
		gap(o, "cpu", errors.Join(timesErr, err))
	} else {
		l.Cpu = windowsCPU(times, now, runtime.NumCPU(), sample)
	}
	if now, err := processList(boot); errors.Join(processesErr, bootErr, err) != nil {
		gap(o, "processes", errors.Join(processesErr, bootErr, err))
	} else {
		l.Processes = busiest(processes, now, sample, time.Since(boot).Seconds(), 1)
	}
	if now, err := disksAtWork(); cmp.Or(disksErr, err) != nil {
		gap(o, "disks", cmp.Or(disksErr, err))
	} else {
		for _, name := range sortedNames(now) {
			if use := disks[name].use(name, now[name]); use != nil && disks[name].now != 0 {
				l.Disks = append(l.Disks, use)
			}
		}
	}
	if err := bootErr; err != nil {
		gap(o, "boot", err)
	} else if events, err := loggedEvents(ctx, startRows, time.Since(boot)); err != nil {
		gap(o, "boot", err)
	} else if l.Boot = bootOfWindows(events, boot); l.Boot == nil {
		gap(o, "boot", fmt.Errorf("the event log has no word of this start: %w", errors.ErrUnsupported))
	}
	gap(o, "pressure", errNoStalls)
	if l.Memory == nil && l.Cpu == nil && l.Processes == nil {
		return nil, failed(o.Source, errors.Join(timesErr, processesErr, bootErr))
	}
	return l, o
}

// disksAtWork asks the disks for what they did so far. It begins to count with the
// first question.
func disksAtWork() (map[string]diskTimes, error) {
	const performance = 0x70020 // IOCTL_DISK_PERFORMANCE
	all := map[string]diskTimes{}
	var silent error
	for number := range maxDrives {
		name := fmt.Sprintf("PhysicalDrive%d", number)
		handle, err := openDevice(`\\.\`+name, 0)
		if err != nil {
			continue
		}
		raw, err := control(handle, performance, nil, 88)
		windows.CloseHandle(handle)
		if err != nil {
			silent = err
		} else if times, ok := parseDiskTimes(raw); ok {
			all[name] = times
		}
	}
	if len(all) == 0 {
		if silent == nil {
			silent = fmt.Errorf("no disk can be seen: %w", errors.ErrUnsupported)
		}
		return nil, silent
	}
	return all, nil
}

func processorTimes() (systemTimes, error) {
	var idle, kernel, user uint64
	ok, _, err := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetSystemTimes").Call(uintptr(unsafe.Pointer(&idle)), uintptr(unsafe.Pointer(&kernel)), uintptr(unsafe.Pointer(&user)))
	if ok == 0 {
		return systemTimes{}, windowsError("GetSystemTimes", err)
	}
	return systemTimes{idle, kernel, user}, nil
}

// processList lists what every process did so far.
func processList(boot time.Time) (map[int]processStat, error) {
	size := uint32(256 << 10)
	for range 5 {
		buffer := make([]uint64, size/8)
		var needed uint32
		err := windows.NtQuerySystemInformation(windows.SystemProcessInformation, unsafe.Pointer(&buffer[0]), size, &needed)
		if err == nil {
			return decodeProcesses(bufferOf(buffer), boot), nil
		}
		if !errors.Is(err, windows.STATUS_INFO_LENGTH_MISMATCH) && !errors.Is(err, windows.STATUS_BUFFER_TOO_SMALL) || size > 16<<20 {
			return nil, fmt.Errorf("NtQuerySystemInformation: %w", err)
		}
		size = max(size*2, needed/8*8+64<<10)
	}
	return nil, errors.New("NtQuerySystemInformation: its answer grows")
}
