package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// value is text where a file that is not there and an empty one mean the same.
func (r *reader) value(name string) string {
	text, _ := r.text(name)
	return text
}

// hex reads a file of one hexadecimal number, with or without 0x; nil when it
// cannot be read or is none.
func (r *reader) hex(name string) *int64 {
	n, err := strconv.ParseInt(strings.TrimPrefix(r.value(name), "0x"), 16, 64)
	if err != nil {
		return nil
	}
	return &n
}

// code reads a file of one byte in hexadecimal, which always has two digits.
func (r *reader) code(name string) *int64 {
	if len(r.value(name)) != 2 {
		return nil
	}
	return r.hex(name)
}

// fourHex writes a vendor or device id as their lists do.
func fourHex(n int64) string { return fmt.Sprintf("%04x", n&0xffff) }

// driver names the driver bound to a device of sysfs: empty when none is, nil
// when that cannot be seen.
func (r *reader) driver(dir string) *string {
	target, err := r.link(dir + "/driver")
	switch {
	case err == nil:
		return set(path.Base(target))
	case errors.Is(err, fs.ErrNotExist):
		if _, err := r.stat(dir); err == nil {
			return set("")
		}
	}
	return nil
}

// ids opens the names of vendors and devices, where the system has them; the
// caller closes them.
func (r *reader) ids(name string) (list *idList, closed func()) {
	for _, dir := range []string{"/usr/share/misc/", "/usr/share/hwdata/", "/var/lib/usbutils/"} {
		f, err := os.Open(r.path(dir + name))
		if err != nil {
			continue
		}
		if info, err := f.Stat(); err == nil {
			return &idList{file: f, size: info.Size()}, func() { f.Close() }
		}
		f.Close()
	}
	return nil, func() {}
}

// moduleAliases reads which modules the running kernel has for which devices.
func (r *reader) moduleAliases() []byte {
	release := r.value("/proc/sys/kernel/osrelease")
	if release == "" {
		return nil
	}
	for _, dir := range []string{"/lib/modules/", "/usr/lib/modules/"} {
		if content, err := r.file(dir + release + "/modules.alias"); err == nil {
			return content
		}
	}
	return nil
}
