package journal

import (
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func openJournal(name string) (openFile, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return openFile{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNoJournal
	}
	var one *file
	if err == nil {
		one, err = open(f, info.Size())
	}
	if err != nil {
		f.Close()
		return openFile{}, err
	}
	return openFile{one, func() { f.Close() }}, nil
}

// spawnKind is why systemd could not start a program, by the error's number:
// only what the number and the file's own rights leave no doubt about.
func spawnKind(number, file string) (kind, detail string) {
	n, err := strconv.Atoi(number)
	if err != nil || !strings.HasPrefix(file, "/") {
		return "", ""
	}
	switch unix.Errno(n) {
	case unix.ENOEXEC:
		return "incompatible", "ENOEXEC"
	case unix.ELIBBAD, unix.ELIBACC:
		return "missingLibrary", ""
	case unix.EACCES:
		var fs unix.Statfs_t
		if unix.Statfs(file, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0 {
			return "noexec", ""
		}
		for at := file; at != "/"; at = path.Dir(at) {
			if info, err := os.Stat(at); err == nil && info.Mode().Perm()&0o001 == 0 {
				return "permission", ""
			}
		}
	}
	return "", ""
}
