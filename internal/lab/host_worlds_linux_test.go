package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fill writes files until a file system takes no more.
func (o *premises) fill(dir string) {
	o.t.Helper()
	o.sh(`for n in 1 2 3; do head -c 1G /dev/zero >>"$1/video.$n" || true; done 2>/dev/null`, dir)
	o.undo(`rm -f "$1"/video.*`, dir)
}

// mountDisk puts an ext4 file system in a file behind a mount point, and says so
// in fstab.
func (o *premises) mountDisk(point, size, options string) {
	o.t.Helper()
	_, err := os.Stat("/dev/loop-control")
	Need(o.t, "loop devices", err == nil)
	mkfs := "mke2fs -t ext4 -q -m 0 " + strings.ReplaceAll(options, "-e remount-ro", "")
	o.sh("truncate -s " + size + " /opt/disk.img && " + mkfs + " /opt/disk.img")
	if strings.Contains(options, "remount-ro") {
		o.sh("tune2fs -e remount-ro /opt/disk.img >/dev/null")
	}
	o.sh(`mount -o loop /opt/disk.img "$1" && echo "/opt/disk.img $1 ext4 defaults 0 2" >>/etc/fstab`, point)
	o.undo(`umount "$1" || umount -l "$1"; sed -i '\|^/opt/disk.img|d' /etc/fstab; rm /opt/disk.img`, point)
}

// startService starts a service of this [Service] section, and perhaps lines of
// its [Unit] section.
func (o *premises) startService(service string, unit ...string) {
	o.t.Helper()
	o.machine.WriteFile("/run/systemd/system/lab-program.service", "[Unit]\nDescription=Inventory\n"+strings.Join(unit, "")+"[Service]\n"+service)
	o.sh("mkdir -p /run/systemd/system/lab-program.service.d; systemctl daemon-reload; systemctl start lab-program.service 2>/dev/null || true")
	o.undo("systemctl stop lab-program.service; rm -r /run/systemd/system/lab-program.service*; systemctl daemon-reload; systemctl reset-failed")
}

// installPackage has dpkg install a package with this set-up script.
func (o *premises) installPackage(postinst string) {
	o.t.Helper()
	o.sh(`d=/var/tmp/package; mkdir -p $d/DEBIAN
printf 'Package: lab-tool\nVersion: 1.0\nArchitecture: all\nMaintainer: Lab <lab@lab.example>\nDescription: A tool\n' >$d/DEBIAN/control
printf '#!/bin/sh\n%s\n' "$1" >$d/DEBIAN/postinst; chmod 755 $d/DEBIAN/postinst
dpkg-deb --build $d /var/tmp/lab-tool.deb >/dev/null
dpkg -i /var/tmp/lab-tool.deb >/var/log/dpkg.out 2>&1 || true`, postinst)
	o.undo(`printf '#!/bin/sh\nexit 0\n' >/var/lib/dpkg/info/lab-tool.postinst
dpkg --configure -a >/dev/null 2>&1; dpkg --purge lab-tool >/dev/null 2>&1; rm -r /var/tmp/package /var/tmp/lab-tool.deb`)
}

// stopTimeSync stops the time service. Where this system's own clock is
// synchronised, the kernel says so in the machine, too: nothing to be seen.
func (o *premises) stopTimeSync() {
	o.t.Helper()
	var t unix.Timex
	if state, err := unix.Adjtimex(&t); err != nil || state != 5 && t.Status&unix.STA_UNSYNC == 0 {
		o.t.Skip("the kernel of this system keeps its clock synchronised")
	}
	o.wantsTimeService()
	o.undo("systemctl start systemd-timesyncd.service; touch /run/systemd/timesync/synchronized")
	o.sh("systemctl stop systemd-timesyncd.service; rm -f /run/systemd/timesync/synchronized")
}

// wantsTimeService makes the machine one that sets its own clock: systemd notes
// that the lab's runs in a container, and there its host's clock counts.
func (o *premises) wantsTimeService() {
	o.t.Helper()
	o.sh("if [ -e /run/systemd/container ]; then mv /run/systemd/container /run/container.noted; fi")
	o.undo("if [ -e /run/container.noted ]; then mv /run/container.noted /run/systemd/container; fi")
}

// addAccount adds a person.
func (o *premises) addAccount(name string) {
	o.t.Helper()
	o.sh(`useradd --create-home --shell /bin/sh "$1"; printf '%s:correct-horse\n' "$1" | chpasswd`, name)
	o.undo(`pkill -KILL -u "$1" || true; userdel --force --remove "$1" 2>/dev/null || true`, name)
}

// signIn adds a person and opens a session for them.
func (o *premises) signIn(name string) {
	o.t.Helper()
	o.addAccount(name)
	o.sh(`systemd-run --quiet --unit lab-session --uid "$1" -E XDG_SESSION_CLASS=user --property PAMName=login sleep 600`, name)
	o.undo("systemctl stop lab-session.service")
	o.await(`loginctl --no-legend list-sessions | grep -qw "$1"`, name)
}

// countFailures has wrong passwords counted (pam_faillock(8)).
func (o *premises) countFailures() {
	o.t.Helper()
	o.sh(`cp /etc/pam.d/common-auth /var/tmp/common-auth
{ echo 'auth required pam_faillock.so preauth nodelay'; echo 'auth [success=1 default=ignore] pam_unix.so nodelay'; echo 'auth [default=die] pam_faillock.so authfail nodelay'
  echo 'auth required pam_permit.so'; } >/etc/pam.d/common-auth
mkdir -p /run/faillock`)
	o.undo("cp /var/tmp/common-auth /etc/pam.d/common-auth; rm -rf /run/faillock")
}

// failToSignIn gives wrong passwords.
func (o *premises) failToSignIn(name string, times int) {
	o.t.Helper()
	for range times {
		o.sh(`echo battery-staple | setpriv --reuid=65534 --regid=65534 --clear-groups su "$1" -c true >/dev/null 2>&1 || true`, name)
	}
}

func (o *premises) lockOut(name string) {
	o.t.Helper()
	o.signIn(name)
	o.countFailures()
	o.failToSignIn(name, 3)
}

// killForMemory has the kernel kill a program, in a control group that has
// little memory.
func (o *premises) killForMemory(program string) {
	o.t.Helper()
	dir, limit := "", ""
	for _, top := range [][2]string{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		removeGroups(top[0])
		made, err := os.MkdirTemp(top[0], fmt.Sprintf("%s%d-", worldPrefix, os.Getpid()))
		if err != nil {
			continue
		}
		o.t.Cleanup(func() { _ = os.Remove(made) })
		if _, err := os.Stat(filepath.Join(made, top[1])); err == nil {
			dir, limit = made, filepath.Join(made, top[1])
			break
		}
	}
	Need(o.t, "a memory controller", dir != "")
	if err := os.WriteFile(limit, []byte("16777216"), 0); err != nil {
		o.t.Fatal(err)
	}
	// It enters the group by itself, and then takes more than there is.
	copied := filepath.Join(o.t.TempDir(), program)
	if out, err := exec.Command("cp", "/usr/bin/tail", copied).CombinedOutput(); err != nil {
		o.t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command("sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$1" /dev/zero`, dir, copied).CombinedOutput()
	if err == nil {
		o.t.Fatalf("%s was not killed: %s", program, out)
	}
	o.showKernelLog(program[:min(len(program), 15)])
}

// showKernelLog waits for a record with this word, and gives the machine those.
func (o *premises) showKernelLog(word string) {
	o.t.Helper()
	o.Await("the kernel to log "+word, func() error {
		found := false
		eachKernelRecord(o.t, func(sequence uint64, record string) {
			found = found || sequence > o.machine.logBegin && strings.Contains(record, word)
		})
		if !found {
			return fmt.Errorf("nothing yet")
		}
		return nil
	})
	o.machine.ShowKernelLog(word)
	o.undo(": >/dev/kmsg")
}

// crash runs a program that writes where it may not, in a library.
func (o *premises) crash(program, library string) {
	o.t.Helper()
	_, err := exec.LookPath("gcc")
	Need(o.t, "gcc (Debian: gcc libc6-dev)", err == nil)
	dir := o.t.TempDir()
	so := filepath.Join(dir, library+".so.2")
	for name, text := range map[string]string{
		"library.c": "void draw(int *p) { *p = 1; }\n", "program.c": "void draw(int *);\nint main(void) { draw(0); return 0; }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			o.t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"-shared", "-fPIC", "-Wl,-soname," + library + ".so.2", "-o", so, filepath.Join(dir, "library.c")},
		{"-o", filepath.Join(dir, program), filepath.Join(dir, "program.c"), so, "-Wl,-rpath," + dir},
	} {
		if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
			o.t.Fatalf("gcc: %v: %s", err, out)
		}
	}
	run := exec.Command("sh", "-c", `ulimit -c 0; exec "$0"`, filepath.Join(dir, program))
	var out bytes.Buffer
	run.Stderr = &out
	if err := run.Run(); err == nil {
		o.t.Fatalf("%s did not crash: %s", program, &out)
	}
	o.showKernelLog(library)
}

// awaitLong waits for what takes minutes.
func (o *premises) awaitLong(what string, done func() bool) {
	o.t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		if time.Now().After(deadline) {
			o.t.Fatalf("waited in vain for %s", what)
		}
		<-tick.C
	}
}
