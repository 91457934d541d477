package remedy

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// holdAlone keeps other processes from holding a file, as long as it is open.
func holdAlone(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrElsewhere
	}
	return err
}
