package tray

import (
	"os/exec"
	"path/filepath"

	"fyne.io/systray"
)

// again starts the tray as a session does: by the program that opens no window, with
// what followed the agent's command.
func (p program) again() error {
	cmd := exec.Command(filepath.Join(filepath.Dir(p.file), "constat-tray.exe"), p.command[min(2, len(p.command)):]...)
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// quit ends this tray, the icon with it.
func quit() { systray.Quit() }
