// Package durable writes files that are there after a power cut or are not
// there at all, never half. The agent's spool, its identity and the
// collector's key file rest on it.
package durable

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// TemporarySuffix ends the name of a file that is being written. One that a
// crash left behind carries no promise and may be deleted.
const TemporarySuffix = ".tmp"

// Write makes path hold exactly data, with the given permissions, and returns
// after both the bytes and the name are on stable storage. Before that, path is
// what it was: whoever reads it meanwhile sees the old file or the new one.
// The directory must exist.
func Write(path string, data []byte, mode fs.FileMode) error {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := os.CreateTemp(dir, "."+base+".*"+TemporarySuffix)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	temporary := f.Name()
	err = fill(f, data, mode)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		// The file is unfinished; that it cannot be removed either changes
		// nothing, its suffix says what it is.
		_ = os.Remove(temporary)
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return SyncDir(dir)
}

func fill(f *os.File, data []byte, mode fs.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		// Before the rename: a name that survives must never lead to bytes
		// that did not.
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

// SyncDir makes renames and new names in dir stable. On Windows it does
// nothing: a directory cannot be flushed there, and NTFS journals the rename.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot make %s durable: %w", dir, err)
	}
	err = d.Sync()
	if closing := d.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("cannot make %s durable: %w", dir, err)
	}
	return nil
}
