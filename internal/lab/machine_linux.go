package lab

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Machine is a computer in namespaces, on a host of a World, that systemd
// started. Whatever is done to its disk, its services and its accounts stays in
// it and is gone when the test ends: of this system's files it has /usr and the
// package database, under an overlay in memory. Its kernel, its hardware and
// its load are this system's.
type Machine struct {
	t   testing.TB
	pid int
	// logBegin is the last record of the kernel's log when it started.
	logBegin uint64
}

//go:embed boot.sh
var boot string

// machineFiles are in the /etc of every machine.
var machineFiles = map[string]string{
	"hostname":   "pc-lab\n",
	"machine-id": "6f2b9d3c41e84b7fa0c5d1e2f3a4b5c6\n",
	"fstab":      "# nothing beyond the root\n",
	"systemd/system/lab.target": "[Unit]\nRequires=basic.target dbus.service systemd-logind.service\n" +
		"Wants=avahi-daemon.service cups.service systemd-timesyncd.service\nAfter=basic.target dbus.service systemd-logind.service cups.service\n",
	// systemd does not start it in what it takes for a container, and it must not
	// set this system's clock.
	"systemd/system/systemd-timesyncd.service.d/lab.conf": "[Unit]\nConditionCapability=\nConditionVirtualization=\n" +
		"[Service]\nAmbientCapabilities=\nCapabilityBoundingSet=\nCapabilityBoundingSet=CAP_SETUID\n",
	// Its limits count the processes of this system's account, too.
	"systemd/system/avahi-daemon.service.d/lab.conf": "[Service]\nExecStart=\nExecStart=/usr/sbin/avahi-daemon -s --no-rlimits\n",
	"systemd/timesyncd.conf":                         "[Time]\nNTP=192.0.2.123\n",
	"cups/cupsd.conf": "LogLevel warn\nListen /run/cups/cups.sock\nBrowsing No\nWebInterface No\n" +
		"<Location />\n Order allow,deny\n</Location>\n<Policy default>\n <Limit All>\n  Order deny,allow\n </Limit>\n</Policy>\n",
	"cups/cups-files.conf": "SystemGroup root lpadmin\nFileDevice Yes\nSyncOnClose No\n",
}

// masked units would reach beyond the machine, or wait for hardware.
var masked = []string{
	"apt-daily.timer", "apt-daily-upgrade.timer", "console-setup.service", "dev-hugepages.mount", "dev-mqueue.mount",
	"getty-static.service", "ifupdown-pre.service", "keyboard-setup.service", "man-db.timer", "networking.service",
	"proc-sys-fs-binfmt_misc.automount", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount",
	"sys-kernel-tracing.mount", "systemd-binfmt.service", "systemd-firstboot.service", "systemd-hwdb-update.service",
	"systemd-modules-load.service", "systemd-networkd.service", "systemd-random-seed.service", "systemd-resolved.service",
	"systemd-sysctl.service", "systemd-udev-trigger.service", "systemd-udevd.service", "systemd-update-utmp.service", "udev.service", "user@.service",
}

// StartMachine starts a computer on a host of a world, with a program of the
// test's in its /usr/local/bin and further files in its /etc, and waits until
// its services run.
func StartMachine(t testing.TB, w *World, host, program string, files map[string]string) *Machine {
	t.Helper()
	Need(t, "root, to make a machine of namespaces", os.Geteuid() == 0)
	for _, part := range [][2]string{
		{"systemd (Debian: systemd)", "/lib/systemd/systemd"}, {"a system bus (Debian: dbus)", "/usr/bin/dbus-daemon"},
		{"cupsd (Debian: cups)", "/usr/sbin/cupsd"}, {"nsenter (Debian: util-linux)", "/usr/bin/nsenter"},
	} {
		_, err := os.Stat(part[1])
		Need(t, part[0], err == nil)
	}
	out, err := exec.Command("unshare", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "sh", "-ec",
		`mount --make-rprivate /; mount -t tmpfs disk "$0"; mkdir "$0"/a "$0"/b "$0"/c; mount -t overlay -o "lowerdir=/usr,upperdir=$0/a,workdir=$0/b" over "$0"/c; mknod "$0"/a/x c 1 3`,
		t.TempDir()).CombinedOutput()
	Need(t, fmt.Sprintf("namespaces, overlays and devices (%s)", bytes.TrimSpace(out)), err == nil)
	dir := t.TempDir()
	etc, disk := filepath.Join(dir, "etc"), filepath.Join(dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, content string) {
		name = filepath.Join(etc, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, list := range []map[string]string{machineFiles, files} {
		for name, content := range list {
			write(name, content)
		}
	}
	for _, name := range []string{"resolv.conf", "hosts"} {
		content, err := os.ReadFile(filepath.Join(w.etc(host), name))
		if err != nil {
			t.Fatal(err)
		}
		write(name, string(content))
	}
	wants := filepath.Join(etc, "systemd/system/sysinit.target.wants")
	if err := errors.Join(os.MkdirAll(wants, 0o755), os.Symlink("/lib/systemd/system/systemd-timesyncd.service", filepath.Join(wants, "systemd-timesyncd.service"))); err != nil {
		t.Fatal(err)
	}
	for _, unit := range masked {
		if err := os.Symlink("/dev/null", filepath.Join(etc, "systemd/system", unit)); err != nil {
			t.Fatal(err)
		}
	}
	m := &Machine{t: t}
	if _, err := os.Stat("/dev/kmsg"); err == nil { // who needs the log says so
		m.logBegin = lastKernelRecord(t)
	}
	m.start(w.Namespace(host), "sh", "-c", boot, "boot", disk, etc, program, controlGroup(t))
	w.Await("the machine's services", func() error {
		out, err := m.Command(context.Background(), "systemctl", "is-active", "lab.target", "cups.service").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	// The time service may not set this system's clock, so it never gets there;
	// this is what it leaves behind when it does.
	m.Sh("mkdir -p /run/systemd/timesync && touch /run/systemd/timesync/synchronized")
	return m
}

// controlGroup makes a group for a machine, in the hierarchy of version 2.
func controlGroup(t testing.TB) string {
	t.Helper()
	for _, top := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(filepath.Join(top, "cgroup.procs")); err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(top, "cgroup.controllers")); err != nil {
			continue
		}
		sweepGroups.Do(func() { removeGroups(top) })
		dir, err := os.MkdirTemp(top, fmt.Sprintf("%s%d-", worldPrefix, os.Getpid()))
		Need(t, "control groups that may be written", err == nil)
		t.Cleanup(func() { removeGroup(dir) })
		return dir
	}
	Need(t, "control groups of version 2", false)
	return ""
}

var sweepGroups sync.Once

// removeGroups removes the groups of test processes that were killed.
func removeGroups(top string) {
	dirs, _ := filepath.Glob(filepath.Join(top, worldPrefix+"*"))
	for _, dir := range dirs {
		maker, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), worldPrefix), "-")
		if _, err := os.Stat("/proc/" + maker); err != nil {
			removeGroup(dir)
		}
	}
}

// removeGroup removes a control group and those in it.
func removeGroup(dir string) {
	var dirs []string
	_ = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, name)
		}
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		_ = os.Remove(dirs[i]) // rmdir: it takes empty groups only
	}
}

// start runs process 1 of the machine, in a network namespace or this system's
// own. It is a child of a thread that lives as long as the machine, and dies with
// it: so even a killed test leaves none.
func (m *Machine) start(network, name string, args ...string) {
	m.t.Helper()
	started, stop, stopped := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		cmd := exec.Command(name, args...)
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
			Pdeathsig:  syscall.SIGKILL,
		}
		err := func() error {
			if network == "" {
				return cmd.Start()
			}
			ns, err := os.Open(filepath.Join("/run/netns", network))
			if err != nil {
				return err
			}
			defer ns.Close()
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			return cmd.Start()
		}()
		if err == nil {
			m.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		<-stop
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if m.t.Failed() && output.Len() > 0 {
			m.t.Logf("the machine's console: %s", &output)
		}
	}()
	if err := <-started; err != nil {
		m.t.Fatalf("starting the machine: %v", err)
	}
	m.t.Cleanup(func() {
		close(stop)
		<-stopped
	})
}

// Command prepares a command on the machine, as root.
func (m *Machine) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	args = append([]string{"-t", strconv.Itoa(m.pid), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--", name}, args...)
	return exec.CommandContext(ctx, "nsenter", args...)
}

// Path is where a file of the machine is seen from outside.
func (m *Machine) Path(name string) string {
	return filepath.Join("/proc", strconv.Itoa(m.pid), "root", name)
}

// Sh runs a shell script on the machine and returns what it printed; its
// failure fails the test.
func (m *Machine) Sh(script string, args ...string) string {
	m.t.Helper()
	out, err := m.Try(script, args...)
	if err != nil {
		m.t.Fatalf("on the machine: %s %v: %v\n%s", script, args, err, out)
	}
	return out
}

// Try runs one that may fail, and returns what it printed.
func (m *Machine) Try(script string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	out, err := m.Command(ctx, "sh", append([]string{"-ec", script, "sh"}, args...)...).CombinedOutput()
	return string(out), err
}

// WriteFile writes a file of the machine.
func (m *Machine) WriteFile(name, content string) {
	m.t.Helper()
	cmd := m.Command(context.Background(), "sh", "-ec", `mkdir -p "$(dirname "$0")" && cat >"$0"`, name)
	cmd.Stdin = strings.NewReader(content)
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("writing %s: %v\n%s", name, err, out)
	}
}

// ShowKernelLog gives the machine the kernel's records since it started, as far
// as they have one of these words in them: others fill the same log.
func (m *Machine) ShowKernelLog(words ...string) {
	m.t.Helper()
	var shown strings.Builder
	eachKernelRecord(m.t, func(sequence uint64, record string) {
		for _, word := range words {
			if sequence > m.logBegin && strings.Contains(record, word) {
				shown.WriteString(record)
				break
			}
		}
	})
	m.WriteFile("/dev/kmsg", shown.String())
}

func lastKernelRecord(t testing.TB) (last uint64) {
	eachKernelRecord(t, func(sequence uint64, _ string) { last = sequence })
	return last
}

// eachKernelRecord reads the kernel's log: records of "priority,sequence,…;text".
func eachKernelRecord(t testing.TB, do func(sequence uint64, record string)) {
	t.Helper()
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	Need(t, "the kernel's log (/dev/kmsg)", err == nil)
	defer unix.Close(fd)
	buffer := make([]byte, 8192)
	for {
		n, err := unix.Read(fd, buffer)
		switch {
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR):
			continue
		case err != nil || n == 0: // EAGAIN: that was all
			return
		}
		fields := strings.SplitN(string(buffer[:n]), ",", 3)
		if sequence, err := strconv.ParseUint(fields[min(1, len(fields)-1)], 10, 64); err == nil {
			do(sequence, string(buffer[:n]))
		}
	}
}
