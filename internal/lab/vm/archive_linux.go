package vm

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// archive writes an initramfs: "newc" of cpio(5), which the kernel unpacks
// (Documentation/driver-api/early-userspace/buffer-format.rst). Archives may
// follow each other in one file.
type archive struct {
	to    io.Writer
	inode int
	dirs  map[string]bool
	err   error
}

func newArchive(to io.Writer) *archive { return &archive{to: to, dirs: map[string]bool{}} }

// add writes a file by its path in the guest, and the directories above it.
func (a *archive) add(name string, mode fs.FileMode, content []byte) {
	name = strings.TrimPrefix(name, "/")
	for i, c := range name {
		if c == '/' && !a.dirs[name[:i]] {
			a.dirs[name[:i]] = true
			a.write(name[:i], 0o40755, nil)
		}
	}
	kind := 0o100000
	if mode&fs.ModeSymlink != 0 {
		kind = 0o120000
	}
	a.write(name, kind|int(mode.Perm()), content)
}

// addFile writes a file of this machine by a path in the guest.
func (a *archive) addFile(name, from string) {
	if a.err != nil {
		return
	}
	content, err := os.ReadFile(from)
	if err != nil {
		a.err = err
		return
	}
	info, err := os.Stat(from)
	if err != nil {
		a.err = err
		return
	}
	a.add(name, info.Mode(), content)
}

// addTree writes the files below a directory, or a file, by their path below
// another one in the guest.
func (a *archive) addTree(to, dir string) {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil {
			a.addFile(filepath.Join(to, name), path)
		}
		return err
	})
	if a.err == nil {
		a.err = err
	}
}

func (a *archive) write(name string, mode int, content []byte) {
	if a.err != nil {
		return
	}
	a.inode++
	header := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0, name)
	if _, a.err = io.WriteString(a.to, header+padding(len(header))); a.err != nil {
		return
	}
	if _, a.err = a.to.Write(content); a.err == nil {
		_, a.err = io.WriteString(a.to, padding(len(content)))
	}
}

// close ends the archive.
func (a *archive) close() error {
	a.write("TRAILER!!!", 0, nil)
	return a.err
}

// padding is what follows n bytes up to a multiple of four.
func padding(n int) string { return "\x00\x00\x00"[:-n&3] }
