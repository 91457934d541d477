//go:build !windows

package tray

import (
	"os"
	"syscall"
)

// again makes this process one of the program that lies there now.
func (p program) again() error { return syscall.Exec(p.file, p.command, os.Environ()) }

// quit has nothing to do: what begins again is this very process.
func quit() {}
