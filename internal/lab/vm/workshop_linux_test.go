package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// newWorkshop boots a desktop with sound, a disk that is slow by its maker's
// choice, room for graphics cards, and a port for devices that are broken.
func newWorkshop(t *testing.T) *Machine {
	disk := sparse(t, 256<<20)
	m := Boot(t, Hardware{
		BIOS: Brands["HP"], Files: guestFiles(t), Memory: 2048,
		Devices: []string{
			"-drive", "if=none,id=d0,format=raw,file=" + disk + ",throttling.iops-total=25", "-device", "ide-hd,drive=d0,bus=ide.0,model=ST1000DM010,serial=ZN1X0001",
			"-audiodev", "none,id=silence", "-device", "intel-hda", "-device", "hda-duplex,mixer=on,audiodev=silence",
			"-device", "pcie-root-port,id=room0,chassis=1,slot=1,pref64-reserve=64M,mem-reserve=8M",
			"-device", "pcie-root-port,id=room1,chassis=2,slot=2,pref64-reserve=64M,mem-reserve=8M",
		},
	})
	m.Run(`modprobe -a ahci sd_mod ext4 snd-hda-intel snd-hda-codec-generic vhci-hcd usb-storage snd-usb-audio usbhid libcomposite usb_f_hid; modprobe dummy_hcd num=2
mount -t configfs config /sys/kernel/config
await test -e /dev/sda; await test -e /proc/asound/card0/pcm0p; await test -e /sys/devices/platform/vhci_hcd.0/attach
amixer -q -c 0 set Master 80% unmute; amixer -q -c 0 set Capture 80% cap
gadget logi 0x046d 0xc31c Logitech "USB Keyboard" "" full-speed; hid logi usb0 1 8 "$KEYBOARD"; plug logi 0; await present 046d:c31c
chmod 755 /root; ` + chooses("alsa_output.pci-$(pci).analog-stereo", "alsa_input.pci-$(pci).analog-stereo"))
	return m
}

// sparse is an empty file of a size.
func sparse(t *testing.T, size int64) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, size); err != nil {
		t.Fatal(err)
	}
	return file
}

// chooses is a step that notes what the person, who is root here, chose as output
// and input of sound, where their sound server does.
func chooses(sink, source string) string {
	return `mkdir -p ~root/.local/state/wireplumber
pci() { basename $(readlink -f /sys/class/sound/card0/device) | tr : _; }
printf '[default-nodes]\ndefault.configured.audio.sink=%s\ndefault.configured.audio.source=%s\n' "` + sink + `" "` + source + `" >~root/.local/state/wireplumber/default-nodes
`
}

// A device that the machine's host plays, in port 0 of a hub of its own.
func plugIn(kind string, seen string) func(*Machine) {
	return sh("guest device " + kind + " 0 >/tmp/device.log 2>&1 & echo $! >/tmp/device.pid\n" + seen)
}

// pullOut waits until the port is empty: what the kernel thinks of the device
// may take it some time.
var pullOut = sh(`kill $(cat /tmp/device.pid); echo 0 >/sys/devices/platform/vhci_hcd.0/detach || true
await sh -c 'grep -q "^hs *0000 004" /sys/devices/platform/vhci_hcd.0/status'; dmesg -c >/dev/null`)

func TestLabWorkshop(t *testing.T) {
	if !picked(workshopRows) {
		t.Skip("runs with make lab")
	}
	play(t, newWorkshop, workshopRows)
}

// screens are steps that plug graphics cards in, each with a screen that says
// what it is, or does not.
func screens(known ...bool) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		for i, k := range known {
			m.Command("device_add", map[string]any{"driver": "bochs-display", "bus": fmt.Sprintf("room%d", i), "id": fmt.Sprintf("card%d", i), "edid": k})
		}
		m.Run(fmt.Sprintf(`modprobe bochs
connected() { n=0; for c in /sys/class/drm/card*-*; do [ ! -e $c/status ] || { echo detect >$c/status; [ "$(cat $c/status)" != connected ] || n=$((n+1)); }; done; [ $n = %d ]; }
await connected`, len(known)))
	}
}

var workshopRows = []row{
	{"", "peripheral", "sound, a keyboard, and time to spare", nothing, nothing, false},
	{"audio-muted", "peripheral", "the sound was switched off", sh("amixer -q -c 0 set Master mute"), sh("amixer -q -c 0 set Master unmute"), false},
	{"audio-muted", "peripheral", "the sound was turned down to nothing", sh("amixer -q -c 0 set Master 0%"), sh("amixer -q -c 0 set Master 80%"), false},
	{"", "peripheral", "the sound is low", sh("amixer -q -c 0 set Master 25%"), sh("amixer -q -c 0 set Master 80%"), false},
	{"", "peripheral", "a headset is plugged in, and the loudspeakers were chosen", plugIn("headset", "await test -e /proc/asound/card1/pcm0p"), pullOut, false},
	{"", "peripheral", "a headset is plugged in, and was chosen", func(m *Machine) {
		plugIn("headset", "await test -e /proc/asound/card1/pcm0p\n"+chooses("alsa_output.usb-GN_Netcom_A_S_Jabra_EVOLVE_LINK-00.analog-stereo", "alsa_input.usb-GN_Netcom_A_S_Jabra_EVOLVE_LINK-00.mono-fallback"))(m)
	}, func(m *Machine) {
		pullOut(m)
		m.Run(chooses("alsa_output.pci-$(pci).analog-stereo", "alsa_input.pci-$(pci).analog-stereo"))
	}, false},
	{"usb-policy-blocked", "peripheral", "no new device is let in, and one comes",
		sh(`for u in /sys/bus/usb/devices/usb*; do echo 0 >$u/authorized_default; done
unplug logi; await absent 046d:c31c; plug logi 0; await refused 046d:c31c`),
		sh(`for u in /sys/bus/usb/devices/usb*; do echo 1 >$u/authorized_default; done; unplug logi; plug logi 0; await present 046d:c31c`), false},
	{"usb-device-absent", "peripheral", "the mouse that the service knew is not there any more",
		sh(`gadget mouse 0x046d 0xc077 Logitech "USB Optical Mouse" '' low-speed; hid mouse usb1 2 3 "$MOUSE"; plug mouse 1; await present 046d:c077
constat-agent run --config /etc/agent.yaml >/tmp/service.log 2>&1 & echo $! >/tmp/service.pid
await grep -rqs c077 /var/lib/constat-agent || { cat /tmp/service.log; ls -laR /var/lib/constat-agent; exit 1; }
unplug mouse; await absent 046d:c077; await remembers absent`),
		sh("kill $(cat /tmp/service.pid); rm -rf /var/lib/constat-agent"), false},
	{"os-memory-pressure", "slow", "a program has taken nearly all memory",
		sh(`guest hoard 95 >/tmp/hoard.log 2>&1 & echo $! >/tmp/hoard.pid; await grep -q all /tmp/hoard.log`), sh(`kill $(cat /tmp/hoard.pid)`), false},
	{"os-memory-pressure", "slow", "files in memory leave hardly any", sh(`mount -o remount,size=100% /dev/shm; left=$(awk '/MemAvailable/ {print int($2/1024) - 70}' /proc/meminfo); dd if=/dev/zero of=/dev/shm/video bs=1M count=$left 2>/dev/null`),
		sh("rm /dev/shm/video"), false},
	{"", "slow", "half of the memory is taken", sh(`guest hoard 900 >/tmp/hoard.log 2>&1 & echo $! >/tmp/hoard.pid; await grep -q all /tmp/hoard.log`), sh(`kill $(cat /tmp/hoard.pid)`), false},
	{"", "slow", "one program reads now and then", sh(`(while :; do dd if=/dev/sda of=/dev/null iflag=direct bs=4k count=1 2>/dev/null; usleep 500000; done) & echo $! >/tmp/load.pids; usleep 2000000`), noLoad, false},
	{"os-io-saturation", "slow", "programs read more than the disk gives", load("dd if=/dev/sda iflag=direct of=/dev/null bs=64k skip=$((n * 100)) count=200"), noLoad, false},
	{"os-io-saturation", "slow", "programs write more than the disk takes", func(m *Machine) {
		m.t.Helper()
		m.Run("mke2fs -b 4096 /dev/sda 65536 >/dev/null 2>&1; mkdir -p /srv; mount -t ext2 /dev/sda /srv")
		load("dd if=/dev/zero of=/srv/film.$n bs=64k count=50 conv=fsync")(m)
	}, func(m *Machine) { noLoad(m); m.Run("umount /srv") }, false},
	{"", "peripheral", "two screens that say what they are", screens(true, true), nil, false},
	{"display-not-detected", "peripheral", "the screen does not say what it is", screens(false), nil, false},
	{"display-not-detected", "peripheral", "the second of two screens does not say what it is", screens(true, false), nil, false},
	// The log keeps what was wrong with these, so nothing may follow but more of it.
	{"usb-enumeration-failed", "peripheral", "nothing that a device says can be understood", plugIn("mute", `await sh -c 'dmesg | grep -q "unable to enumerate"'`), pullOut, false},
	{"usb-enumeration-failed", "peripheral", "a device does not say what it does", plugIn("half", `await sh -c 'dmesg | grep -q "unable to enumerate"'`), pullOut, false},
	{"usb-power-budget", "peripheral", "a disk wants more than a port gives", plugIn("hungry", "await sh -c 'dmesg | grep -q insufficient'"), pullOut, false},
}

// load is a step after which six programs have kept the disk busy for a while.
func load(command string) func(*Machine) {
	return sh(`: >/tmp/load.pids; for n in 1 2 3 4 5 6; do
(while :; do ` + command + ` 2>/dev/null; done) & echo $! >>/tmp/load.pids; done; sleep 25`)
}

var noLoad = sh(`for p in $(cat /tmp/load.pids); do kill $p; done; for p in $(pidof dd); do kill $p || true; done; await sh -c '! pidof dd'`)
