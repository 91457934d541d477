package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// asideEnding is how the name of a program ends that icons still run, and that is gone
// after the next start of the service or of Windows.
const asideEnding = ".old"

// setAside lets Windows' installer replace this program while people's icons run it,
// who go on with what has another name then. In the place of the program is a copy
// that nobody runs, which the installer can take away, and bring back. Otherwise it
// would leave the former program there until Windows starts again.
func setAside() error {
	own, err := os.Executable()
	if err != nil {
		return err
	}
	others, err := runsElsewhere(filepath.Base(own))
	if err != nil || !others {
		return err
	}
	old := fmt.Sprintf("%s.%d%s", own, os.Getpid(), asideEnding)
	if err := os.Rename(own, old); err != nil {
		return err
	}
	if err := copyProgram(own, old); err != nil {
		os.Remove(own)
		return errors.Join(err, os.Rename(old, own))
	}
	name, err := windows.UTF16PtrFromString(old)
	if err != nil {
		return err
	}
	return windows.MoveFileEx(name, nil, windows.MOVEFILE_DELAY_UNTIL_REBOOT)
}

// sweepAside removes what was set aside and nobody runs any more.
func sweepAside() {
	own, err := os.Executable()
	if err != nil {
		return
	}
	names, err := filepath.Glob(own + ".*" + asideEnding)
	if err != nil {
		return
	}
	for _, name := range names {
		_ = os.Remove(name) // what still runs stays
	}
}

// runsElsewhere tells whether another process is of a program of this name.
func runsElsewhere(program string) (bool, error) {
	list, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return false, err
	}
	defer windows.CloseHandle(list)
	entry := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err = windows.Process32First(list, &entry); err == nil; err = windows.Process32Next(list, &entry) {
		if entry.ProcessID != windows.GetCurrentProcessId() && strings.EqualFold(windows.UTF16ToString(entry.ExeFile[:]), program) {
			return true, nil
		}
	}
	if errors.Is(err, windows.ERROR_NO_MORE_FILES) {
		err = nil
	}
	return false, err
}

// copyProgram writes a program's bytes to another name, which has no file yet.
func copyProgram(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
