package lab

// programRows are programs that cannot start, each in a way that its system
// notes: real services, and what the kernel, the loader or they themselves say.
var programRows = []machineRow{
	{fault: "sw-missing-library", how: "a service was made for a library that is not there", procedure: "software", inject: func(o *premises) {
		// The name of what it needs, in the program itself, is of the same length.
		o.sh(`mkdir -p /opt/inventory && sed 's/libc\.so\.6/libq.so.6/g' /usr/bin/sleep >/opt/inventory/inventory && chmod 755 /opt/inventory/inventory`)
		o.failToStart("ExecStart=/opt/inventory/inventory 600\n", "loading shared libraries: libq.so.6")
	}},
	{fault: "sw-missing-library", how: "a library of a service is empty", procedure: "full", inject: func(o *premises) {
		o.sh(`mkdir -p /opt/inventory/lib && cp /usr/bin/sleep /opt/inventory/inventory && : >/opt/inventory/lib/libc.so.6`)
		o.failToStart("Environment=LD_LIBRARY_PATH=/opt/inventory/lib\nExecStart=/opt/inventory/inventory 600\n", "libc.so.6: file too short")
	}},
	{fault: "sw-incompatible", how: "a service is a program for another kind of processor", procedure: "software", inject: func(o *premises) {
		// The machine in its header: AArch64 instead of what this is.
		o.sh(`mkdir -p /opt/inventory && cp /usr/bin/sleep /opt/inventory/inventory && printf '\267\000' | dd of=/opt/inventory/inventory bs=1 seek=18 conv=notrunc status=none`)
		o.failToStart("ExecStart=/opt/inventory/inventory 600\n", "MESSAGE_ID=641257651c1b4ec9a8624d7a40a9e1e7")
	}},
	{fault: "sw-port-in-use", how: "another name server has the port of this one", procedure: "software", inject: func(o *premises) {
		o.serveNames("lab-first", "5300")
		o.failToStart("ExecStart=/usr/sbin/dnsmasq --keep-in-foreground --conf-file=/dev/null --port=5300 --user=root --pid-file\n", "already in use")
	}},
	{fault: "sw-config-corrupt", how: "a name server's configuration is damaged", procedure: "software", inject: func(o *premises) {
		o.machine.WriteFile("/etc/inventory.conf", "port=0\n\x01\x02{{{\n")
		o.undo("rm /etc/inventory.conf")
		o.failToStart("ExecStart=/usr/sbin/dnsmasq --keep-in-foreground --conf-file=/etc/inventory.conf --user=root --pid-file\n", "inventory.conf")
	}},
	{fault: "sw-instance-lock", how: "a second Avahi finds the first one's sign", procedure: "software", inject: func(o *premises) {
		o.failToStart("ExecStart=/usr/sbin/avahi-daemon -s --no-rlimits\n", "already running")
	}},
	{fault: "sw-permission-denied", how: "a service may not read its data", procedure: "software", inject: func(o *premises) {
		o.sh(`mkdir -p /srv/plans && echo plan >/srv/plans/plan && chmod 600 /srv/plans/plan`)
		o.undo("rm -r /srv/plans")
		o.failToStart("User=nobody\nExecStart=/usr/bin/sort /srv/plans/plan\n", "ermission denied")
	}},
	{fault: "sw-permission-denied", how: "a service's program may not be executed by its account", procedure: "full", inject: func(o *premises) {
		o.sh(`mkdir -p /opt/inventory && cp /usr/bin/sleep /opt/inventory/inventory && chmod 700 /opt/inventory/inventory`)
		o.failToStart("User=nobody\nExecStart=/opt/inventory/inventory 600\n", "MESSAGE_ID=641257651c1b4ec9a8624d7a40a9e1e7")
	}},
	{fault: "sw-security-blocked", how: "a service's program lies where nothing may be executed", procedure: "software", inject: func(o *premises) {
		o.sh(`mkdir -p /opt/inventory && mount -t tmpfs -o noexec,mode=755 inventory /opt/inventory && cp /usr/bin/sleep /opt/inventory/inventory`)
		o.undo("umount /opt/inventory; rmdir /opt/inventory")
		o.failToStart("ExecStart=/opt/inventory/inventory 600\n", "MESSAGE_ID=641257651c1b4ec9a8624d7a40a9e1e7")
	}},
	{fault: "sw-install-damaged", how: "a file of a program was cut short", procedure: "software", inject: func(o *premises) {
		o.installProgram()
		o.sh("truncate -s 3 /usr/lib/lab-tool/engine")
	}},
	{fault: "sw-install-damaged", how: "a file of a program is gone", procedure: "software", inject: func(o *premises) {
		o.installProgram()
		o.sh("rm /usr/lib/lab-tool/engine")
	}},
	// Traps: the same words, of programs that go on, and of one that ended well.
	{how: "a service says that its port is taken, and takes another", procedure: "software", inject: func(o *premises) {
		o.startService("ExecStart=/bin/sh -c 'echo \"bind: Address already in use (port 8080), trying 8081\"; exec sleep 600'\n")
		o.await(`journalctl -q -u lab-program.service | grep -q "trying 8081"`)
		o.undo(forgetJournal)
	}},
	{how: "a service reports a file that it may not read, and ends well", procedure: "full", inject: func(o *premises) {
		o.startService("ExecStart=/bin/sh -c 'echo \"/srv/old: Permission denied, passed over\"; sleep 0.2'\n")
		o.await(`journalctl -q -u lab-program.service | grep -q "passed over" && ! systemctl is-active --quiet lab-program.service`)
		o.undo(forgetJournal)
	}},
}

// forgetJournal has the journal begin anew: what it tells is told for days.
const forgetJournal = `journalctl -q --rotate; rm -f /run/log/journal/*/*@*.journal /var/log/journal/*/*@*.journal`

// failToStart starts a service that cannot, and waits for the journal to have
// the words.
func (o *premises) failToStart(service, words string) {
	o.t.Helper()
	o.undo(`rm -rf /opt/inventory/*; rmdir /opt/inventory 2>/dev/null || true; ` + forgetJournal)
	o.startService(service)
	o.await(`systemctl is-failed --quiet lab-program.service`)
	o.await(`journalctl -q -o export -n 200 | grep -qF "$1"`, words)
}

// serveNames starts a name server.
func (o *premises) serveNames(unit, port string) {
	o.t.Helper()
	o.sh(`systemd-run --quiet --unit "$1" /usr/sbin/dnsmasq --keep-in-foreground --conf-file=/dev/null --port="$2" --user=root --pid-file`, unit, port)
	o.undo("systemctl stop " + unit + ".service")
	o.await(`systemctl is-active --quiet "$1"`, unit)
	o.await(`ss -lun "sport = :$1" | grep -q ":$1"`, port)
}

// installProgram has dpkg install a program with an engine, a line in the menu, a
// manual and settings, from a package that a source of apt has.
func (o *premises) installProgram() {
	o.t.Helper()
	o.sh(`d=/var/tmp/program; mkdir -p $d/DEBIAN $d/etc $d/usr/bin $d/usr/lib/lab-tool $d/usr/share/applications $d/usr/share/doc/lab-tool
printf 'Package: lab-tool\nVersion: 1.0\nArchitecture: all\nMaintainer: Lab <lab@lab.example>\nDescription: A tool\n' >$d/DEBIAN/control
echo /etc/lab-tool.conf >$d/DEBIAN/conffiles
echo colour=blue >$d/etc/lab-tool.conf; echo manual >$d/usr/share/doc/lab-tool/README; seq 1000 >$d/usr/lib/lab-tool/engine
printf '#!/bin/sh\nexec cat /usr/lib/lab-tool/engine\n' >$d/usr/bin/lab-tool; chmod 755 $d/usr/bin/lab-tool
printf '[Desktop Entry]\nType=Application\nName=Lab tool\nExec=lab-tool\n' >$d/usr/share/applications/lab-tool.desktop
(cd $d && find usr -type f -exec md5sum {} + >DEBIAN/md5sums)
mkdir -p /var/tmp/source /etc/apt/sources.list.d /var/lib/apt/lists/partial /var/cache/apt/archives/partial
cd /var/tmp/source; dpkg-deb --build $d lab-tool.deb >/dev/null
{ dpkg-deb --field lab-tool.deb; printf 'Filename: ./lab-tool.deb\nSize: %s\nSHA256: %s\n' $(stat -c %s lab-tool.deb) $(sha256sum lab-tool.deb | cut -d' ' -f1); } >Packages
echo 'deb [trusted=yes] file:/var/tmp/source ./' >/etc/apt/sources.list.d/lab.list
apt-get -q update >/var/log/apt.out 2>&1
dpkg -i lab-tool.deb >/var/log/dpkg.out 2>&1`)
	o.undo(`dpkg --purge --force-all lab-tool >/dev/null 2>&1; rm -r /var/tmp/program /var/tmp/source /etc/apt/sources.list.d/lab.list`)
}
