package lab

import "fmt"

// replayedRows put the traces of a fault where the agent finds them, because
// the fault itself is not to be had here: they are counted apart.
var replayedRows = []machineRow{
	replayed("hw-battery-worn", "power", "a battery that holds a third of what it was made for", func(o *premises) {
		o.supplies(map[string]string{
			"BAT0/type": "Battery", "BAT0/present": "1", "BAT0/status": "Full", "BAT0/capacity": "100", "BAT0/scope": "System",
			"BAT0/energy_full_design": "57000000", "BAT0/energy_full": fmt.Sprint(15000000 + o.draw.IntN(8000000)), "BAT0/energy_now": "15000000",
			"BAT0/cycle_count": fmt.Sprint(600 + o.draw.IntN(600)), "BAT0/manufacturer": "SMP",
			"AC/type": "Mains", "AC/online": "1",
		})
	}),
	replayed("", "power", "a battery held at 80 percent, on its charger", func(o *premises) {
		o.supplies(map[string]string{
			"BAT0/type": "Battery", "BAT0/present": "1", "BAT0/status": "Charging", "BAT0/capacity": "71", "BAT0/scope": "System",
			"BAT0/energy_full_design": "57000000", "BAT0/energy_full": "54000000", "BAT0/energy_now": "38000000", "BAT0/cycle_count": "120",
			"BAT0/charge_control_end_threshold": "80", "AC/type": "Mains", "AC/online": "1",
		})
	}),
	replayed("sw-hang", "software", "a program that answered no more was reported to the system", func(o *premises) {
		o.sh(`printf 'ProblemType: Hang\nDate: %s\nExecutablePath: /usr/bin/%s\nPackage: office 7.4-1\n' "$(date -u '+%a %b %e %H:%M:%S %Y')" "$1" >"/var/crash/_usr_bin_$1.1000.crash"
chmod 644 /var/crash/*`, pick(o.draw, "worksheet", "mailer", "drawing"))
		o.undo("rm /var/crash/*")
	}),
}

// replayed is a row of traces.
func replayed(fault, procedure, how string, inject func(*premises)) machineRow {
	return machineRow{fault: fault, how: how, procedure: procedure, inject: inject, replayed: true}
}

// supplies puts power supplies in the place of this system's, in the files of
// Documentation/ABI/testing/sysfs-class-power.
func (o *premises) supplies(files map[string]string) {
	o.t.Helper()
	o.sh("mount -t tmpfs supplies /sys/class/power_supply")
	o.undo("umount /sys/class/power_supply")
	for name, content := range files {
		o.machine.WriteFile("/sys/class/power_supply/"+name, content+"\n")
	}
}
