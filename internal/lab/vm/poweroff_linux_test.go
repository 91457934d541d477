package vm

import "testing"

// newUnplugged boots a desktop whose log of starts and shutdowns, which systemd
// keeps, is on a disk.
func newUnplugged(t *testing.T) *Machine {
	files := guestFiles(t)
	needPackages(t, "systemd", "libsystemd-shared").into(t, files)
	m := Boot(t, Hardware{
		BIOS: Brands["HP"], Files: files,
		Devices: []string{"-drive", "if=none,id=d0,format=raw,cache=writethrough,file=" + sparse(t, 16<<20), "-device", "ide-hd,drive=d0,bus=ide.0,model=ST1000DM010,serial=ZN1X0001"},
	})
	m.Run("modprobe -a ahci sd_mod; await test -e /dev/sda; mke2fs /dev/sda >/dev/null 2>&1\n" + startUp)
	return m
}

// startUp and shutDown are what a system does that keeps that log: systemd's own
// program, which wants to ask systemd since when it runs, and takes no answer.
const (
	startUp = `modprobe -a ahci sd_mod ext4; await test -e /dev/sda; mkdir -p /var/log /run/systemd; mount -t ext4 /dev/sda /var/log; touch /var/log/wtmp /run/utmp
[ -e /run/systemd/private ] || dbus-daemon --fork --address=unix:path=/run/systemd/private --nopidfile --config-file=/usr/share/dbus-1/system.conf
/lib/systemd/systemd-update-utmp reboot; sync
`
	shutDown = "/lib/systemd/systemd-update-utmp shutdown; sync; umount /var/log\n"
)

// powerCut is a step in which the power goes, and comes back.
func powerCut(m *Machine) {
	m.t.Helper()
	m.Command("system_reset", nil)
	m.awaitStart()
	m.Run(startUp)
}

func TestLabPowerCut(t *testing.T) {
	if !picked(powerCutRows) {
		t.Skip("runs with make lab")
	}
	play(t, newUnplugged, powerCutRows)
}

var powerCutRows = []row{
	{"", "power", "the computer was shut down and started", func(m *Machine) {
		m.t.Helper()
		m.Crash(shutDown + "reboot -f")
		m.Run(startUp)
	}, nothing, false},
	{"hw-unexpected-poweroff", "power", "the power was cut", powerCut, nothing, false},
	{"hw-unexpected-poweroff", "power", "the power was cut, once more", powerCut, nil, false},
}
