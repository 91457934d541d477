package host

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
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
	var small [smallFile]byte // it stays on the stack: most files end in it
	n, err := readOnce(file, small[:])
	if err != nil {
		return nil, failed("read", err)
	}
	if n < len(small) && oneValue(name) {
		return slices.Clone(small[:n]), nil
	}
	more := smallFile
	var stat syscall.Stat_t
	if n == len(small) && syscall.Fstat(file, &stat) == nil && stat.Size > int64(n) {
		more = int(min(stat.Size, maxFile)) + 1 - n
	} else if n < len(small) {
		more = len(small) - n
	}
	content := append(make([]byte, 0, n+more), small[:n]...)
	for {
		n, err := readOnce(file, content[len(content):cap(content)])
		if err != nil {
			return nil, failed("read", err)
		}
		if n == 0 {
			return content, nil
		}
		if content = content[:len(content)+n]; len(content) > maxFile {
			return nil, fmt.Errorf("%s is larger than %d bytes", name, maxFile)
		}
		if len(content) == cap(content) {
			content = slices.Grow(content, len(content))
		}
	}
}

// readNames lists a directory.
func readNames(name string) ([]string, error) {
	failed := func(op string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }
	dir := -1
	err := again(func() (err error) {
		dir, err = syscall.Open(name, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, failed("open", err)
	}
	defer syscall.Close(dir)
	var names []string
	var entries [8 << 10]byte
	for {
		n, err := syscall.ReadDirent(dir, entries[:])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return names, failed("readdirent", err)
		}
		if n <= 0 {
			return names, nil
		}
		_, _, names = syscall.ParseDirent(entries[:n], -1, names)
	}
}

// oneValue tells of which files the kernel gives the whole with one read: those
// of sysfs, and what it tells of a process in a line. Lists of /proc end with a
// read of nothing only.
func oneValue(name string) bool {
	return strings.HasPrefix(name, "/sys/") || strings.HasPrefix(name, "/proc/") && (strings.HasSuffix(name, "/stat") && name != "/proc/stat" || strings.HasSuffix(name, "/comm"))
}

func readOnce(file int, to []byte) (int, error) {
	for {
		if n, err := syscall.Read(file, to); !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// again calls until no signal comes between.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
