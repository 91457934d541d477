package privileged

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Limits of the kernel's log: what is returned of it, and the longest record
// that the kernel gives out (CONSOLE_EXT_LOG_MAX).
const (
	maxKernelLog    = 1 << 20
	maxKernelRecord = 8192
)

// readKernelLog returns the newest records of the kernel's log as they are, at
// most maxKernelLog bytes, without waiting for more: in the form of syslog(2), all
// at once, where that tells times; otherwise in that of /dev/kmsg, which gives
// out one record a call and costs ten times as much.
func readKernelLog(ctx context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("kernel-log takes no argument")
	}
	const name = "/dev/kmsg"
	// Where that is not the kernel's own device, as in a container, the kernel's log
	// is another machine's.
	var device unix.Stat_t
	if unix.Stat(name, &device) == nil && device.Mode&unix.S_IFMT == unix.S_IFCHR && device.Rdev == unix.Mkdev(1, 11) {
		if log := syslogBuffer(); log != nil {
			return newestRecords(log), nil
		}
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	var log []byte
	record := make([]byte, maxKernelRecord)
	for ctx.Err() == nil {
		n, err := unix.Read(fd, record)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return newestRecords(log), nil
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR):
			continue // records were overwritten meanwhile: on with the oldest one left
		case err != nil:
			return nil, &os.PathError{Op: "read", Path: name, Err: err}
		case n == 0:
			return newestRecords(log), nil
		}
		if log = append(log, record[:n]...); len(log) > 2*maxKernelLog {
			log = append(log[:0], newestRecords(log)...)
		}
	}
	return nil, fmt.Errorf("reading %s: %w", name, ctx.Err())
}

// syslogBuffer is the kernel's log as syslog(2) tells it, or nil where it does
// not, or tells no times (the kernel's parameter printk.time).
func syslogBuffer() []byte {
	size, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_BUFFER, nil)
	if err != nil || size <= 0 {
		return nil
	}
	// The records take more room as text, with their times, than in the buffer;
	// what does not fit is cut off at the front.
	log := make([]byte, min(size, maxKernelLog)*2)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, log)
	if err != nil || n == 0 {
		return nil
	}
	log = log[:n]
	_, first, _ := bytes.Cut(log, []byte(">"))
	if log[0] != '<' || len(first) == 0 || first[0] != '[' {
		return nil
	}
	return log
}

// newestRecords cuts whole lines off the front until the rest is small enough.
func newestRecords(log []byte) []byte {
	if len(log) <= maxKernelLog {
		return log
	}
	log = log[len(log)-maxKernelLog:]
	for i, c := range log {
		if c == '\n' {
			return log[i+1:]
		}
	}
	return nil
}
