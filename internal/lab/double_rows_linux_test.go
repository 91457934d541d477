package lab

// both is a row of two faults that have nothing to do with each other.
func both(faults, procedure, how string, inject func(*premises)) machineRow {
	return machineRow{fault: faults, how: how, procedure: procedure, inject: inject}
}

var doubleRows = []machineRow{
	both("printer-queue-paused+net-dns-unreachable", "full", "a paused queue, and a dead name server", func(o *premises) {
		o.pause(o.queue)
		o.dropNames()
	}),
	both("printer-paper-jam+os-disk-full", "full", "paper is stuck, and the root is full", func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		o.device.Report("media-jam")
		o.fill("/var/tmp")
	}),
	both("printer-paper-jam+printer-unreachable-off", "printing", "one printer is jammed, another is off", func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		other := o.addDevice("pr1", 82)
		o.addQueue("hall", other)
		o.device.Report("media-jam")
		other.Off()
		o.print("hall")
	}),
	both("printer-supply-empty+os-password-expired", "full", "no toner, and an expired password", func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		o.device.Set("supplies", "supply0=25&supply1=0")
		o.signIn("anna")
		o.sh("chage -d 2021-03-03 -M 60 anna")
	}),
	both("os-service-failed+os-pending-reboot", "full", "a service was killed, and a restart is due", func(o *premises) {
		o.startService("ExecStart=/bin/sleep 1000\n")
		o.sh("systemctl kill -s KILL lab-program.service")
		o.await(`systemctl is-failed lab-program.service`)
		o.sh("touch /run/reboot-required")
		o.undo("rm /run/reboot-required")
	}),
	both("os-update-failed+printer-spooler-stopped", "full", "a broken package, and no print service", func(o *premises) {
		o.installPackage("exit 1")
		o.stopPrintService()
	}),
	both("os-disk-full+os-time-sync-stopped", "full", "a full disk for the homes, and nobody sets the clock", func(o *premises) {
		o.stopTimeSync()
		o.mountDisk("/home", "24M", "")
		o.fill("/home")
	}),
	both("printer-driver-filter-missing+printer-cover-open", "printing", "one queue lacks its filter, the printer of another is open", func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		other := o.addDevice("pr1", 83)
		o.addDriver("photo", "rastertolab")
		o.addQueue("hall", other)
		other.Report("cover-open")
	}),
	both("os-filesystem-readonly+printer-unreachable-off", "full", "logs are read-only, and the printer is off", func(o *premises) {
		o.mountDisk("/var/log", "24M", "")
		o.sh("mount -o remount,ro /var/log")
		o.switchOff()
	}),
	both("net-hosts-override+printer-paper-out", "full", "the hosts file sends a site elsewhere, and there is no paper", func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		o.sh(`cp /etc/hosts /var/tmp/hosts; echo "198.51.100.99 $1" >>/etc/hosts`, o.names[1])
		o.undo("cp /var/tmp/hosts /etc/hosts")
		o.device.Report("media-empty", "media-needed")
	}),
	both("printer-port-blocked+os-pending-reboot", "full", "the printer's port is silent, and a restart is due", func(o *premises) {
		o.filter(o.device.host, "inet", "input", "tcp dport 631 drop")
		o.sh("touch /run/reboot-required")
		o.undo("rm /run/reboot-required")
	}),
	both("printer-media-mismatch+os-service-failed", "full", "the printer asks for another paper, and a service ended with an error", func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		o.device.Report("media-needed")
		o.startService("ExecStart=/bin/sh -c 'exit 3'\n")
		o.await(`systemctl is-failed lab-program.service`)
	}),
	both("printer-output-full+printer-paper-out", "printing", "one printer's tray is full, another has no paper", func(o *premises) {
		o.t.Cleanup(o.device.Restart)
		saidByDriver("", "", "output-area-full-error").inject(o)
		o.device.Report("media-empty", "media-needed")
	}),
	both("os-account-locked+os-pending-reboot", "full", "a locked account, and a restart is due", func(o *premises) {
		o.lockOut("anna")
		o.sh("touch /run/reboot-required")
		o.undo("rm /run/reboot-required")
	}),
	both("net-gateway-arp-unresolved+os-service-crashloop", "full", "a dead gateway, and a service that ends again and again", func(o *premises) {
		o.startService("ExecStart=/bin/false\nRestart=always\nRestartSec=300ms\n", "StartLimitIntervalSec=0\n")
		o.await(`[ "$(systemctl show -P NRestarts lab-program.service)" -ge 3 ]`)
		o.IP(Gateway, "link set lan0 down")
		o.t.Cleanup(func() { o.IP(Gateway, "link set lan0 up") })
		o.IP(PC, "neigh flush all")
	}),
}

// dropNames silences the name server until the row ends.
func (o *premises) dropNames() {
	o.Run(Gateway, "nft", "table inet lab-names {\n chain input {\n  type filter hook input priority 0;\n  udp dport 53 drop\n  tcp dport 53 drop\n }\n}\n")
	o.t.Cleanup(func() { o.Run(Gateway, "nft", "delete", "table", "inet", "lab-names") })
}
