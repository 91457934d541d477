package tray

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unsafe"

	"fyne.io/systray"
	"golang.org/x/sys/windows"
)

// again starts the tray as a session does: by the program that opens no window.
func (p program) again() error {
	file, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(file), "constat-tray.exe"), p.rest()...)
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// rest is what follows the agent's command.
func (p program) rest() []string { return p.command[min(2, len(p.command)):] }

// comesBack asks Windows to start the tray again after an installer had it ended
// because its file is in use; not after a crash or a start of Windows (winbase.h:
// RESTART_NO_CRASH, RESTART_NO_HANG, RESTART_NO_REBOOT).
func (p program) comesBack() {
	const afterInstalling = 1 | 2 | 8
	arguments := append(append([]string{"tray"}, p.rest()...), again)
	for i, a := range arguments {
		arguments[i] = windows.EscapeArg(a)
	}
	line, err := windows.UTF16PtrFromString(strings.Join(arguments, " "))
	if err != nil {
		return
	}
	// Where it is refused, the icon is back when the person signs in again.
	_, _, _ = windows.NewLazySystemDLL("kernel32.dll").NewProc("RegisterApplicationRestart").Call(uintptr(unsafe.Pointer(line)), afterInstalling)
}

// quit ends this tray, the icon with it.
func quit() { systray.Quit() }
