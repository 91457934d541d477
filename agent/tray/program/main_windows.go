// Program constat-tray starts the command of this name of the agent beside it. It
// is there because Windows opens a window for whoever starts the agent, which is a
// program for consoles, and this one is not.
package main

import (
	"os"
	"path/filepath"
	"syscall"
)

// createNoWindow is CREATE_NO_WINDOW of winbase.h: a console that is never shown.
const createNoWindow = 0x08000000

func main() {
	if start() != nil {
		os.Exit(2)
	}
}

func start() error {
	own, err := os.Executable()
	if err != nil {
		return err
	}
	nothing, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	agent := filepath.Join(filepath.Dir(own), "constat-agent.exe")
	tray, err := os.StartProcess(agent, append([]string{agent, "tray"}, os.Args[1:]...), &os.ProcAttr{
		Files: []*os.File{nothing, nothing, nothing},
		Sys:   &syscall.SysProcAttr{CreationFlags: createNoWindow},
	})
	if err != nil {
		return err
	}
	return tray.Release()
}
