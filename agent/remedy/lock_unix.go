//go:build unix

package remedy

import (
	"errors"
	"os"
	"syscall"
)

// holdAlone keeps other processes from holding a file, as long as it is open.
func holdAlone(f *os.File) error {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrElsewhere
		default:
			return err
		}
	}
}
