package host

import (
	"errors"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// consoleOwner is who sits at the screen: they own its device.
func consoleOwner() (string, error) {
	info, err := os.Stat("/dev/console")
	if err != nil {
		return "", err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errors.ErrUnsupported
	}
	owner, err := user.LookupId(strconv.FormatUint(uint64(stat.Uid), 10))
	if err != nil {
		return "", err
	}
	return owner.Username, nil
}
