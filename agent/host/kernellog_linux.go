package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	constatv1 "constat/proto/constat/v1"
)

// maxSyslog is how much of the end of a system logger's file is read, in bytes.
const maxSyslog = 4 << 20

// kernelLog returns the events of the kernel's log since the machine started,
// as far back as the kernel keeps them, oldest first. It is read once for one
// observation. Most systems give the log to root only; some let administrators
// read the file that a system logger makes of it.
func (r *reader) kernelLog(ctx context.Context) ([]kernelEvent, error) {
	r.kernel.Do(func() {
		records, err := r.kernelRecords(ctx)
		if err == nil {
			r.kernel.events = parseKernelLog(records, r.kernelClockZero())
			return
		}
		lines, fileErr := r.tail("/var/log/kern.log", maxSyslog)
		if fileErr != nil {
			r.kernel.err = fmt.Errorf("the kernel's log: %w", err)
			return
		}
		r.kernel.events = parseSyslog(lines, r.kernelClockZero())
	})
	return r.kernel.events, r.kernel.err
}

// kernelRecords returns the records of /dev/kmsg.
func (r *reader) kernelRecords(ctx context.Context) ([]byte, error) {
	switch {
	case r.Root != "":
		return r.file("/dev/kmsg")
	case r.Privileged != nil:
		return r.Privileged(ctx, "kernel-log", "")
	}
	return nil, fs.ErrPermission
}

// tail reads the end of a file, at most limit bytes.
func (r *reader) tail(name string, limit int64) ([]byte, error) {
	f, err := os.Open(r.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-limit), limit))
}

// kernelClockZero is when the clock of the kernel's log would have stood at
// zero, had the machine never slept.
func (r *reader) kernelClockZero() time.Time {
	var up unix.Timespec
	if r.Root == "" && unix.ClockGettime(unix.CLOCK_MONOTONIC, &up) == nil {
		return time.Now().Add(-time.Duration(up.Nano()))
	}
	stat, _ := r.file("/proc/stat")
	boot, _ := parseBootTime(stat)
	return boot.AsTime()
}

// loggedErrors counts the errors that the kernel logged of disks.
func loggedErrors(ctx context.Context, r *reader, disks []*constatv1.Disk) {
	events, _ := r.kernelLog(ctx) // denied: the facts stay unknown
	countErrors(disks, events)
}

// missingFirmware notes which devices do not work for want of a file: their
// driver asked for it in vain, and they have no driver or, where their driver
// stays all the same, no network interface. Drivers ask for several versions,
// so asking in vain alone means nothing.
func missingFirmware(ctx context.Context, r *reader, devices []*constatv1.BusDevice) {
	events, _ := r.kernelLog(ctx) // denied: the facts stay unknown
	for _, e := range events {
		if e.kind != kernelFirmware {
			continue
		}
		for _, d := range devices {
			if d.GetAddress() != e.subject {
				continue
			}
			dead := d.Driver != nil && *d.Driver == ""
			if d.GetClass() == "network" || d.GetClass() == "wireless" {
				_, err := r.stat("/sys/bus/pci/devices/" + e.subject + "/net")
				dead = dead || errors.Is(err, fs.ErrNotExist)
			}
			if dead {
				d.MissingFirmware = set(e.detail)
			}
		}
	}
}
