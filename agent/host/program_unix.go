//go:build !windows

package host

import (
	"os/exec"
	"syscall"
)

// endsWithChildren has a program's end by its deadline be that of what it started
// too: system_profiler works in a child.
func endsWithChildren(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}
