package host

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
)

// smallFile is what nearly all files of /proc and /sys fit into.
const smallFile = 2 << 10

// readFile reads a whole file, up to maxFile bytes; a larger one is an error. A
// look at the machine reads a thousand small files of /proc and /sys, for which
// os.File costs three times the system calls: it asks of each whether it can be
// waited for.
func readFile(name string) ([]byte, error) {
	failed := func(op string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }
	file := -1
	err := again(func() (err error) {
		file, err = syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, failed("open", err)
	}
	defer syscall.Close(file)
	var small [smallFile]byte
	content, isSmall := small[:0], true
	for {
		if len(content) == cap(content) {
			more := len(content)
			var stat syscall.Stat_t
			if isSmall && syscall.Fstat(file, &stat) == nil && stat.Size > int64(more) {
				more = int(min(stat.Size, maxFile)) + 1 - len(content)
			}
			content, isSmall = slices.Grow(content, max(more, smallFile)), false
		}
		n := 0
		err := again(func() (err error) {
			n, err = syscall.Read(file, content[len(content):cap(content)])
			return err
		})
		if err != nil {
			return nil, failed("read", err)
		}
		if n == 0 {
			break
		}
		if content = content[:len(content)+n]; len(content) > maxFile {
			return nil, fmt.Errorf("%s is larger than %d bytes", name, maxFile)
		}
	}
	if isSmall {
		return slices.Clone(content), nil
	}
	return content, nil
}

// again calls until no signal comes between.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
