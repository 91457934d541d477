package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

var hostRows = []machineRow{
	{fault: "os-disk-full", how: "the root is full", procedure: "slow", inject: func(o *premises) { o.fill("/var/tmp") }},
	{fault: "os-disk-full", how: "the root is full, and somebody wants to sign in", procedure: "sign-in", inject: func(o *premises) {
		o.signIn("anna")
		o.fill("/var/log")
	}},
	{fault: "os-disk-full", how: "an ext4 for the homes is full", procedure: "software", inject: func(o *premises) {
		o.mountDisk("/home", "24M", "")
		o.fill("/home")
	}},
	{fault: "os-disk-full", how: "an ext4 for logs has no inodes left", procedure: "full", inject: func(o *premises) {
		o.mountDisk("/var/log", "24M", "-N 128")
		o.sh("for n in $(seq 200); do touch /var/log/mail.$n || break; done 2>/dev/null; true")
	}},
	{fault: "os-disk-full", how: "an ext4 for the programs' data is full but for what root keeps", procedure: "slow", inject: func(o *premises) {
		o.mountDisk("/var/cache", "64M", "")
		o.sh("tune2fs -m 20 /opt/disk.img >/dev/null; mount -o remount /var/cache")
		o.sh(`setpriv --reuid=65534 --regid=65534 --clear-groups true; chmod 1777 /var/cache; setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'head -c 1G /dev/zero >/var/cache/pages' 2>/dev/null || true`)
	}},
	{fault: "os-disk-full", how: "a tmpfs for /tmp is full", procedure: "software", inject: func(o *premises) {
		o.sh("mount -t tmpfs -o size=16m,mode=1777 tmp /tmp")
		o.undo("umount -l /tmp")
		o.fill("/tmp")
	}},
	{fault: "os-filesystem-readonly", how: "an ext4 for the homes met an error and went read-only", procedure: "full", inject: func(o *premises) {
		o.mountDisk("/home", "24M", "-e remount-ro")
		device, err := o.machine.Try("basename $(findmnt -no SOURCE /home)")
		device = strings.TrimSpace(device)
		if err != nil || !strings.HasPrefix(device, "loop") { // never a disk of this system
			o.t.Fatal(device, err)
		}
		if err := os.WriteFile(filepath.Join("/sys/fs/ext4", device, "trigger_fs_error"), []byte("lab"), 0); err != nil {
			o.t.Fatal(err)
		}
		o.await("findmnt -no OPTIONS /home | grep -qw -e ro -e emergency_ro")
	}},
	{fault: "os-filesystem-readonly", how: "somebody remounted the logs read-only", procedure: "slow", inject: func(o *premises) {
		o.mountDisk("/var/log", "24M", "")
		o.sh("mount -o remount,ro /var/log")
	}},
	{fault: "os-service-crashloop", how: "a service ends at once until systemd gives up", procedure: "software",
		beyond: "systemd says exit-code there, not start-limit-hit, and only its count of restarts tells", inject: func(o *premises) {
			o.startService("ExecStart=/bin/false\nRestart=always\nRestartSec=20ms\n")
			o.await(`systemctl is-failed lab-program.service`)
		}},
	{fault: "os-service-crashloop", how: "a service ends with a signal, again and again", procedure: "full", inject: func(o *premises) {
		o.startService("ExecStart=/bin/sh -c 'kill -SEGV $$$$'\nRestart=on-failure\nRestartSec=300ms\nLimitCORE=0\n", "StartLimitIntervalSec=0\n")
		o.await(`[ "$(systemctl show -P NRestarts lab-program.service)" -ge 3 ]`)
		o.sh(`printf '[Service]\nRestartSec=600\n' >/run/systemd/system/lab-program.service.d/slow.conf; systemctl daemon-reload`)
		o.await(`[ "$(systemctl show -P SubState lab-program.service)" = auto-restart ]`)
	}},
	{fault: "os-service-failed", how: "a service ended with an error", procedure: "software", inject: func(o *premises) {
		o.startService("ExecStart=/bin/sh -c 'exit 3'\n")
		o.await(`systemctl is-failed lab-program.service`)
	}},
	{fault: "os-service-failed", how: "a service was killed", procedure: "full", inject: func(o *premises) {
		o.startService("ExecStart=/bin/sleep 1000\n")
		o.sh("systemctl kill -s KILL lab-program.service")
		o.await(`systemctl is-failed lab-program.service`)
	}},
	{fault: "os-service-failed", how: "a service did not start in time", procedure: "software", inject: func(o *premises) {
		o.startService("Type=notify\nExecStart=/bin/sleep 1000\nTimeoutStartSec=300ms\n")
		o.await(`systemctl is-failed lab-program.service`)
	}},
	{fault: "os-service-failed", how: "the program of a service is not there", procedure: "software", inject: func(o *premises) {
		o.startService("ExecStart=/opt/inventory/bin/inventoryd\n")
		o.await(`systemctl is-failed lab-program.service`)
	}},
	{fault: "os-service-failed", how: "a task that runs once ended with an error", procedure: "full", inject: func(o *premises) {
		o.startService("Type=oneshot\nExecStart=/bin/sh -c 'exit 12'\n")
		o.await(`systemctl is-failed lab-program.service`)
	}},
	{fault: "os-service-crashloop", how: "a service may start twice only, and ends at once", procedure: "full", inject: func(o *premises) {
		o.startService("ExecStart=/bin/sh -c 'exit 1'\nRestart=on-failure\nRestartSec=10ms\n", "StartLimitBurst=2\nStartLimitIntervalSec=60\n")
		o.await(`systemctl is-failed lab-program.service`)
	}},
	{fault: "os-pending-reboot", how: "a package asked for a restart", procedure: "slow", inject: func(o *premises) {
		o.sh(`echo '*** System restart required ***' >/run/reboot-required; printf 'dbus\nlibc6\n' >/run/reboot-required.pkgs`)
		o.undo("rm /run/reboot-required /run/reboot-required.pkgs")
	}},
	{fault: "os-pending-reboot", how: "a newer kernel was installed", procedure: "full", inject: func(o *premises) {
		o.sh(`touch "/boot/vmlinuz-$(uname -r | sed 's/^[0-9]*/99/')"`)
		o.undo("rm /boot/vmlinuz-99.*")
	}},
	{fault: "os-update-failed", how: "a package's set-up script fails", procedure: "software", inject: func(o *premises) {
		o.installPackage("echo no >&2; exit 1")
	}},
	{fault: "os-update-failed", how: "dpkg was killed while it set a package up", procedure: "full", inject: func(o *premises) {
		o.installPackage("kill -9 $PPID")
	}},
	{fault: "os-update-failed", how: "a package was unpacked, and never set up", procedure: "software", inject: func(o *premises) {
		o.installPackage("exit 0")
		o.sh("dpkg --unpack /var/tmp/lab-tool.deb >/dev/null")
	}},
	{fault: "os-time-sync-stopped", how: "the time service is stopped", procedure: "full", inject: func(o *premises) {
		o.stopTimeSync()
	}},
	{fault: "os-time-sync-stopped", how: "the time service is stopped, and was right until then", procedure: "full", inject: func(o *premises) {
		o.wantsTimeService()
		o.sh("systemctl stop systemd-timesyncd.service")
		o.undo("systemctl start systemd-timesyncd.service; mkdir -p /run/systemd/timesync; touch /run/systemd/timesync/synchronized")
	}},
	{fault: "os-password-expired", how: "a password is older than it may be", procedure: "sign-in", inject: func(o *premises) {
		o.signIn("anna")
		o.sh("chage -d 2020-02-02 -M 90 anna")
	}},
	{fault: "os-password-expired", how: "a password must be changed", procedure: "sign-in", inject: func(o *premises) {
		o.signIn("anna")
		o.sh("chage -d 0 anna")
	}},
	{fault: "os-account-locked", how: "three wrong passwords", procedure: "sign-in", inject: func(o *premises) { o.lockOut("anna") }},
	{fault: "os-account-locked", how: "six wrong passwords, of somebody who is not signed in", procedure: "full", inject: func(o *premises) {
		o.signIn("anna")
		o.addAccount("paul")
		o.countFailures()
		o.failToSignIn("paul", 6)
	}},
	{fault: "os-temp-profile", how: "the home of who is signed in is not there", procedure: "full", inject: func(o *premises) {
		o.signIn("anna")
		o.sh("mv /home/anna /home/anna.gone")
		o.undo("mv /home/anna.gone /home/anna")
	}},
	{fault: "os-temp-profile", how: "the disk with the homes is not mounted", procedure: "sign-in", inject: func(o *premises) {
		o.signIn("anna")
		o.sh("mount -t tmpfs homes /home")
		o.undo("umount /home")
	}},
	{fault: "os-time-sync-stopped", how: "the time service is masked", procedure: "internet", inject: func(o *premises) {
		o.stopTimeSync()
		o.sh("systemctl mask --quiet systemd-timesyncd.service")
		o.undo("systemctl unmask systemd-timesyncd.service")
	}},
	{fault: "sw-oom-killed", how: "a program was killed for memory twice", procedure: "full", inject: func(o *premises) {
		o.killForMemory("statistics")
		o.killForMemory("statistics")
	}},
	{fault: "sw-oom-killed", how: "a program was killed for memory", procedure: "software", inject: func(o *premises) {
		o.killForMemory(pick(o.draw, "photo-editor", "worksheet", "mailer"))
	}},
	{fault: "sw-crash-module", how: "a program crashes twice in the same library", procedure: "software", long: true, inject: func(o *premises) {
		o.crash("drawing", "libvector")
		begun := time.Now()
		o.await("true")
		// Two crashes within half a minute may be one that was written down twice.
		o.awaitLong("half a minute to pass", func() bool { return time.Since(begun) > 31*time.Second })
		o.crash("drawing", "libvector")
	}},
	{fault: "os-runaway-process", how: "a process turns in a circle", procedure: "slow", long: true, inject: func(o *premises) {
		o.sh("systemd-run --quiet --unit lab-spin sh -c 'while :; do :; done'")
		o.undo("systemctl stop lab-spin.service")
		begun := time.Now()
		o.awaitLong("two minutes to pass", func() bool { return time.Since(begun) > 125*time.Second })
	}},

	{fault: "", how: "nothing is wrong, everything is looked at", procedure: "full", inject: func(*premises) {}},
	{fault: "", how: "nothing is wrong with the programs", procedure: "software",
		beyond: "the system does not note why a program did not start, so nobody can say that all do", inject: func(*premises) {}},
	{fault: "", how: "somebody is signed in, and may be", procedure: "sign-in", inject: func(o *premises) {
		o.signIn("anna")
		o.countFailures()
	}},
	{fault: "", how: "an account that nobody uses has an expired password", procedure: "sign-in", inject: func(o *premises) {
		o.signIn("anna")
		o.countFailures()
		o.addAccount("guest")
		o.sh("chage -d 2020-02-02 -M 90 guest")
	}},
	{fault: "", how: "two wrong passwords", procedure: "sign-in", inject: func(o *premises) {
		o.signIn("anna")
		o.countFailures()
		o.failToSignIn("anna", 2)
	}},
	{fault: "", how: "a disk of the homes is nine tenths full", procedure: "full", inject: func(o *premises) {
		o.mountDisk("/home", "64M", "")
		o.sh(`free=$(df --output=avail -k /home | tail -1); head -c $((free * 9 / 10))k /dev/zero >/home/films`)
	}},
	{fault: "", how: "a read-only image is full, as images are", procedure: "full",
		inject: func(o *premises) {
			o.mountDisk("/mnt", "16M", "")
			o.sh("head -c 1G /dev/zero >/mnt/image 2>/dev/null || true")
			o.sh("sed -i 's| /mnt ext4 defaults| /mnt ext4 ro|' /etc/fstab; mount -o remount,ro /mnt")
		}},
	{fault: "", how: "a service ended well, and another is masked", procedure: "full", inject: func(o *premises) {
		o.startService("Type=oneshot\nExecStart=/bin/true\n")
		o.sh("systemctl mask --quiet lab-other.service")
		o.undo("systemctl unmask lab-other.service")
	}},
	{fault: "", how: "a service was restarted once, and runs", procedure: "full", inject: func(o *premises) {
		o.startService("ExecStart=/bin/sleep 1000\nRestart=always\nRestartSec=50ms\n")
		o.sh("systemctl kill -s KILL lab-program.service")
		o.await(`[ "$(systemctl show -P NRestarts lab-program.service)" = 1 ] && systemctl is-active lab-program.service`)
	}},
	{fault: "", how: "a few dead children wait for their parent", procedure: "slow", inject: func(o *premises) {
		o.sh(`systemd-run --quiet --unit lab-zombies sh -c 'for n in 1 2 3; do (exit 0) & done; exec sleep 600'`)
		o.undo("systemctl stop lab-zombies.service")
		o.await("ps -e -o stat= | grep -q Z")
	}},
	{fault: "", how: "a program begins to compute", procedure: "slow", inject: func(o *premises) {
		o.sh("systemd-run --quiet --unit lab-spin sh -c 'while :; do :; done'")
		o.undo("systemctl stop lab-spin.service")
	}},
	{fault: "", how: "an administrator switched a service off", procedure: "full", inject: func(o *premises) {
		o.startService("ExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n")
		o.sh("systemctl stop lab-program.service; systemctl disable --quiet lab-program.service 2>/dev/null || true")
	}},
	{fault: "", how: "a service was restarted by hand several times, and runs", procedure: "full", inject: func(o *premises) {
		o.startService("ExecStart=/bin/sleep 1000\n")
		for range 4 {
			o.sh("systemctl restart lab-program.service")
		}
	}},
	{fault: "", how: "a package was removed, and its settings were kept", procedure: "full", inject: func(o *premises) {
		o.sh(`d=/var/tmp/kept; mkdir -p $d/DEBIAN $d/etc; echo 1 >$d/etc/lab-kept.conf
printf 'Package: lab-kept\nVersion: 1.0\nArchitecture: all\nMaintainer: Lab <lab@lab.example>\nDescription: A tool\n' >$d/DEBIAN/control
echo /etc/lab-kept.conf >$d/DEBIAN/conffiles; dpkg-deb --build $d /var/tmp/kept.deb >/dev/null; dpkg -i /var/tmp/kept.deb >/dev/null; dpkg -r lab-kept >/dev/null`)
		o.undo("dpkg --purge lab-kept >/dev/null; rm -r /var/tmp/kept /var/tmp/kept.deb")
	}},
	{fault: "", how: "an older kernel was left installed", procedure: "full", inject: func(o *premises) {
		o.sh("touch /boot/vmlinuz-3.16.0-4-amd64")
		o.undo("rm /boot/vmlinuz-3.16.0-4-amd64")
	}},
	{fault: "", how: "a squashfs image is full, as images are", procedure: "full", inject: func(o *premises) {
		_, err := exec.LookPath("mksquashfs")
		Need(o.t, "mksquashfs (Debian: squashfs-tools)", err == nil)
		o.sh("mkdir -p /opt/snap /var/tmp/image; echo program >/var/tmp/image/program; mksquashfs /var/tmp/image /opt/program.snap -quiet -no-progress >/dev/null; mount -o loop /opt/program.snap /opt/snap")
		o.undo("umount /opt/snap; rm -r /opt/snap /opt/program.snap /var/tmp/image")
	}},
	{fault: "", how: "a folder is shown read-only a second time", procedure: "full", inject: func(o *premises) {
		o.sh("mkdir -p /opt/view; mount --bind /var/log /opt/view; mount -o remount,bind,ro /opt/view")
		o.undo("umount /opt/view; rmdir /opt/view")
	}},
	{fault: "", how: "an account of somebody who left is locked by an administrator", procedure: "sign-in", inject: func(o *premises) {
		o.signIn("anna")
		o.countFailures()
		o.addAccount("paul")
		o.sh("usermod -L -e 1 -s /usr/sbin/nologin paul")
	}},
	{fault: "", how: "the time service was killed, and started again by itself", procedure: "full", inject: func(o *premises) {
		o.sh("systemctl kill -s KILL systemd-timesyncd.service")
		o.await("systemctl is-active systemd-timesyncd.service")
		o.sh("mkdir -p /run/systemd/timesync && touch /run/systemd/timesync/synchronized")
	}},
	{fault: "", how: "a package was installed", procedure: "full", inject: func(o *premises) { o.installPackage("exit 0") }},
}
