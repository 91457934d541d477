package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"constat/internal/lab"
)

// newNotebook boots an Asus, whose driver sets the limit of charging and how
// quiet it is, and tells the fan's speed.
func newNotebook(t *testing.T) *Machine {
	m := Boot(t, Hardware{BIOS: Brands["Asus"], ACPI: []string{Laptop, Asus}, Files: guestFiles(t)})
	m.Turn(rested)
	m.Turn(map[Dial]int{FanHundreds: 24})
	m.Run("modprobe -a battery ac thermal processor asus-nb-wmi; await test -e /sys/firmware/acpi/platform_profile; await test -e " + limit + "; echo 100 >" + limit)
	return m
}

const limit = "/sys/class/power_supply/BAT0/charge_control_end_threshold"

// charged is the battery held at 80 %, or full, as it tells of itself.
func held(percent int) func(*Machine) {
	return dials(map[Dial]int{LeftMilliwattHours: rested[FullMilliwattHours] * percent / 100, BatteryState: 0})
}

func TestLabNotebook(t *testing.T) {
	if !picked(notebookRows) {
		t.Skip("runs with make lab")
	}
	play(t, newNotebook, notebookRows)
}

var notebookRows = []row{
	{"hw-charge-threshold", "power", "charging was limited to 80 %", func(m *Machine) { held(80)(m); m.Run("echo 80 >" + limit) }, func(m *Machine) { m.Run("echo 100 >" + limit); held(80)(m) }, false},
	{"hw-charge-threshold", "power", "charging was limited to 60 %", func(m *Machine) { held(60)(m); m.Run("echo 60 >" + limit) }, func(m *Machine) { m.Run("echo 100 >" + limit); held(80)(m) }, false},
	{"", "slow", "charging was limited to 80 %, and nobody complains of it", func(m *Machine) { held(80)(m); m.Run("echo 80 >" + limit) }, func(m *Machine) { m.Run("echo 100 >" + limit); held(80)(m) }, false},
	{"os-power-saver-limits", "slow", "the notebook was told to be quiet", sh("echo quiet >/sys/firmware/acpi/platform_profile"), sh("echo balanced >/sys/firmware/acpi/platform_profile"), false},
	{"", "slow", "the notebook was told to be fast", sh("echo performance >/sys/firmware/acpi/platform_profile"), sh("echo balanced >/sys/firmware/acpi/platform_profile"), false},
	{"", "slow", "the fan rests, and it is cool", dials(map[Dial]int{FanHundreds: 0}), dials(map[Dial]int{FanHundreds: 24}), false},
	{"hw-fan-failed", "slow", "the fan stands still at 92 °C", dials(map[Dial]int{FanHundreds: 0, TenthsKelvin: Celsius(92)}), dials(map[Dial]int{FanHundreds: 24, TenthsKelvin: Celsius(45)}), false},
	{"hw-fan-failed", "power", "the fan stands still, and the processor is slowed down", dials(map[Dial]int{FanHundreds: 0, TenthsKelvin: Celsius(98)}), dials(map[Dial]int{FanHundreds: 24, TenthsKelvin: Celsius(45)}), false},
	{"hw-cpu-thermal-throttle", "slow", "the fan turns at its fastest, at 97 °C", dials(map[Dial]int{FanHundreds: 52, TenthsKelvin: Celsius(97)}), dials(map[Dial]int{FanHundreds: 24, TenthsKelvin: Celsius(45)}), false},
}

// lastWordsAddress is memory that the kernel leaves alone, and in which its
// last words outlive a restart, as on machines whose firmware has a place for
// them.
const lastWordsAddress = 0x31000000

// keepLastWords is a step that has the kernel keep its last words.
var keepLastWords = fmt.Sprintf(`modprobe ramoops mem_address=%#x mem_size=0x100000 record_size=0x20000 ecc=1
grep -q " /sys/fs/pstore " /proc/mounts || mount -t pstore pstore /sys/fs/pstore
`, lastWordsAddress)

func newCrasher(t *testing.T) *Machine {
	files := guestFiles(t)
	needPackages(t, "apparmor").into(t, files)
	files["/usr/bin/viewer"] = compile(t, viewer)
	m := Boot(t, Hardware{BIOS: Brands["HP"], Files: files, Kernel: fmt.Sprintf("memmap=1M$%#x", lastWordsAddress)})
	m.Run(keepLastWords)
	return m
}

// viewer is a program that shows a file, and does not expect that it may not.
const viewer = `#include <stdio.h>
int main(int n, char **names) {
	FILE *f = fopen(names[1], "r");
	int c;
	while ((c = getc(f)) != EOF) putchar(c);
	return 0;
}
`

// compile makes a program of C that needs nothing beside it.
func compile(t *testing.T, source string) string {
	t.Helper()
	compiler, err := exec.LookPath("gcc")
	lab.Need(t, "gcc (Debian: gcc libc6-dev)", err == nil)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "viewer.c"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(compiler, "-static", "-o", filepath.Join(dir, "viewer"), filepath.Join(dir, "viewer.c")).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return filepath.Join(dir, "viewer")
}

// profile is a step that has AppArmor allow the viewer some files.
func profile(files string) string {
	return `grep -q " /sys/kernel/security " /proc/mounts || mount -t securityfs securityfs /sys/kernel/security
echo "profile viewer /usr/bin/viewer { /usr/bin/viewer mr, ` + files + ` }" >/tmp/profile; apparmor_parser --replace --skip-cache /tmp/profile
mkdir -p /srv; echo report >/srv/report
`
}

// restart is a step that ends in a restart.
func restart(script string) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		m.Crash(script)
		m.Run(keepLastWords)
	}
}

var forget = sh("rm -f /sys/fs/pstore/*")

func TestLabCrash(t *testing.T) {
	if !picked(crashRows) {
		t.Skip("runs with make lab")
	}
	play(t, newCrasher, crashRows)
}

var crashRows = []row{
	{"", "power", "the computer was restarted", restart("reboot -f"), forget, false},
	{"", "software", "a program may read what it wants to", sh(profile("/srv/** r,") + "[ \"$(viewer /srv/report)\" = report ]"), nothing, false},
	{"sw-security-blocked", "software", "AppArmor lets a program not read its file, and it falls over it", sh(profile("") + "viewer /srv/report || true"), sh("dmesg -c >/dev/null"), false},
	{"os-kernel-crash", "power", "the kernel followed a wrong pointer", restart("echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger"), forget, false},
	{"os-kernel-crash", "software", "there was no memory left, and the kernel was told to give up then",
		restart("echo 2 >/proc/sys/vm/panic_on_oom; guest hoard -1"), forget, false},
}

// worn are blocks of 4 KiB that can't be read: part of the table that says where
// files lie (in a small ext2, from block 4 on).
var worn = []int{60, 61, 62}

// newWornDisk boots a desktop with a disk that has sectors nobody can read.
func newWornDisk(t *testing.T) *Machine {
	var rules strings.Builder
	for i, block := range worn {
		fmt.Fprintf(&rules, ",file.inject-error.%d.event=read_aio,file.inject-error.%d.iotype=read,file.inject-error.%d.sector=%d,file.inject-error.%d.errno=5", i, i, i, 8*block, i)
	}
	m := Boot(t, Hardware{
		BIOS: Brands["HP"], Files: guestFiles(t),
		Devices: []string{
			"-drive", "if=none,id=d1,driver=raw,file.driver=blkdebug,file.image.driver=file,file.image.filename=" + sparse(t, 48<<20) + rules.String(),
			"-device", "nvme,id=nv0,drive=d1,serial=S4EWNX0M123456",
		},
	})
	m.Run("modprobe -a nvme ext4; await test -e /dev/nvme0n1; mke2fs -b 4096 /dev/nvme0n1 >/dev/null 2>&1; mkdir -p /srv")
	return m
}

// use is a step that mounts the worn disk in a way, and works with it.
func use(how string) func(*Machine) {
	return sh(`echo "/dev/nvme0n1 /srv ext4 ` + how + ` 0 2" >/etc/fstab; mount -t ext4 -o ` + how + ` /dev/nvme0n1 /srv
for n in $(seq 2400); do : >/srv/mail.$n || break; done
umount /srv; mount -t ext4 -o ` + how + ` /dev/nvme0n1 /srv
ls -l /srv >/dev/null 2>&1 || true`)
}

var putAside = sh("umount /srv; mke2fs -b 4096 /dev/nvme0n1 >/dev/null 2>&1; : >/etc/fstab")

func TestLabWornDisk(t *testing.T) {
	if !picked(wornDiskRows) {
		t.Skip("runs with make lab")
	}
	play(t, newWornDisk, wornDiskRows)
}

var wornDiskRows = []row{
	{"hw-disk-io-errors", "slow", "sectors of a disk can't be read", use("errors=continue"), putAside, false},
	{"hw-disk-io-errors", "slow", "sectors can't be read, and the files are read-only since", use("errors=remount-ro"), putAside, false},
}
