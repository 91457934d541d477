package privileged

import (
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

// readKernelLog returns the newest records of /dev/kmsg as they are, at most
// maxKernelLog bytes, without waiting for more.
func readKernelLog(ctx context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("kernel-log takes no argument")
	}
	const name = "/dev/kmsg"
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
