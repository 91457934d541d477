package vm

import (
	"fmt"
	"os"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// boltTable is what a Bolt receiver answers with a keyboard that sleeps.
const boltTable = `10ff8102000000 10ff8102000100
10ff81f1010000 10ff81f1010503
10ff81f1020000 10ff81f1020014
10ff83b5510000 11ff83b55101628b11223344010000000000000f
10ff83b5610100 11ff83b561010c4d58204b65797320532042ffff
1001001b00005a silent
`

// nonsense is what receivers answer that are broken, or of somebody who means
// ill: lengths that are none, more than anybody can read, other people's answers.
var nonsense = map[string]string{
	"silent":   "* silent\n",
	"flooding": "* flood\n",
	"hostile": `10ff8102000000 10ff8102000300
10ff83b5200000 11ff83b520ffffffffffffffffffffffffffffff
10ff83b5400000 11ff83b540ff4b383030ffffffffffffffffffff
1001001b00005a 1101001b04055a00000000000000000000000000
1001000b000500 1101000bff000000000000000000000000000000
1001ff0b000000 1101ff0bff000000000000000000000000000000
1001000b000300 1101000bfe000000000000000000000000000000
1001fe0b000000 1101fe0bff000000000000000000000000000000
1001000b100400 1101000bfd000000000000000000000000000000
1001fd1b000000 1101fd1bffffff00000000000000000000000000
* 11 1111 10ff 11ff83b5 flood silent
`,
}

// newCompanions boots a desktop with what people bring along: receivers, a
// Bluetooth keyboard; and ports for devices that are broken.
func newCompanions(t *testing.T) *Machine {
	debian := needPackages(t, "bluez", "bluez-test-tools", "libdw1", "libglib2.0-0", "libelf1", "libasound2")
	files := guestFiles(t)
	debian.into(t, files)
	m := Boot(t, Hardware{BIOS: Brands["HP"], Files: files})
	m.Run(`modprobe -a uhid hid_generic bluetooth hci_vhci algif_hash algif_skcipher evdev vhci-hcd usb-storage snd-usb-audio usbhid dummy_hcd libcomposite usb_f_hid
mount -t configfs config /sys/kernel/config
gadget logi 0x046d 0xc31c Logitech "USB Keyboard" "" full-speed; hid logi usb0 1 8 "$KEYBOARD"; plug logi 0; await present 046d:c31c
` + table("bolt", boltTable) + table("unifying", receiverTable) + `
receiver() { guest hid $1 "Logitech USB Receiver" /tmp/$2 >/tmp/$2.log 2>&1 & echo $! >/tmp/$2.pid; }
receiver c548 bolt; receiver c52b unifying; await sh -c 'ls -d /sys/bus/hid/devices/0003:046D:C548.*/hidraw /sys/bus/hid/devices/0003:046D:C52B.*/hidraw'
bus; radios; pairs 55`)
	return m
}

// table is a step that writes what a receiver answers.
func table(name, answers string) string {
	return "cat >/tmp/" + name + " <<'END'\n" + answers + "END\n"
}

func TestLabCompanions(t *testing.T) {
	if !picked(companionRows) {
		t.Skip("runs with make lab")
	}
	first := newCompanions(t)
	if os.Getenv("FAULT") == "" {
		for _, part := range []struct {
			name string
			look func(*testing.T, *Machine)
		}{{"receivers", receiversOnHID}, {"bluetooth", bluetoothFacts}} {
			t.Run(part.name, func(t *testing.T) {
				first.In(t)
				part.look(t, first)
			})
		}
	}
	play(t, func(t *testing.T) *Machine {
		m := first
		if first = nil; m == nil {
			m = newCompanions(t)
		}
		return m
	}, companionRows)
}

// receiversOnHID wants to see what the receivers know, and that broken ones cost
// nothing but what they would have told.
func receiversOnHID(t *testing.T, m *Machine) {
	p := facts(t, m, "root").GetPeripherals()
	named := func(p *constatv1.Peripherals, id string) *constatv1.Peripheral {
		return find(p.GetDevices(), func(d *constatv1.Peripheral) bool { return d.GetId() == id })
	}
	equal(t, "Unifying receiver's firmware", named(p, "046d:c52b/C8A1B2C3").GetFirmware(), "12.11.B0032")
	equal(t, "Bolt receiver", named(p, "046d:c548").GetModel()+" "+named(p, "046d:c548").GetFirmware(), "Bolt Receiver 05.03.B0014")
	keyboard := named(p, "046d:4024/874EAB12")
	equal(t, "Unifying keyboard", keyboard.GetModel()+" "+keyboard.GetFirmware(), "Wireless Keyboard K800 RBK28.01.B0015")
	equal(t, "its battery", keyboard.GetBatteryPercent(), 55)
	equal(t, "its link", keyboard.GetLinked(), true)
	mouse := named(p, "046d:4082/A1B2C3D4")
	equal(t, "a mouse that is off is linked", mouse.Linked != nil && !mouse.GetLinked(), true)
	asleep := named(p, "046d:8b62/11223344")
	equal(t, "Bolt keyboard", asleep.GetModel(), "MX Keys S B")
	equal(t, "whether who sleeps is linked is unknown", asleep != nil && asleep.Linked == nil && asleep.BatteryPercent == nil, true)

	for kind, answers := range nonsense {
		m.Run(table("unifying", answers))
		s := facts(t, m, "root")
		equal(t, kind+": the other receiver", named(s.GetPeripherals(), "046d:c548").GetFirmware(), "05.03.B0014")
		equal(t, kind+": the Bluetooth keyboard", len(s.GetPeripherals().GetBluetoothDevices()) > 0, true)
		for _, d := range s.GetPeripherals().GetDevices() {
			if d.BatteryPercent != nil && (d.GetBatteryPercent() < 0 || d.GetBatteryPercent() > 100) {
				t.Errorf("%s: a battery of %d %%", kind, d.GetBatteryPercent())
			}
		}
		for _, g := range s.GetManifest().GetGroups() {
			if o := g.GetObservation(); g.GetGroup() == "peripherals" {
				equal(t, kind+": the group", o.GetStatus(), "observed")
				if kind == "silent" && find(o.GetGaps(), func(g *constatv1.Gap) bool { return g.GetFact() == "devices" }) == nil {
					t.Error("nothing says that a receiver is silent")
				}
			}
		}
	}
	m.Run(table("unifying", receiverTable))
}

// bluetoothFacts wants to see the keyboard that was paired over the air.
func bluetoothFacts(t *testing.T, m *Machine) {
	keyboard := func() *constatv1.BluetoothDevice {
		return find(facts(t, m, "root").GetPeripherals().GetBluetoothDevices(), func(d *constatv1.BluetoothDevice) bool { return d.GetKind() == "keyboard" })
	}
	k := keyboard()
	equal(t, "Bluetooth keyboard", k.GetName(), "Wireless Keyboard")
	equal(t, "it is paired and connected", k.GetPaired() && k.GetConnected(), true)
	equal(t, "its battery", k.GetBatteryPercent(), 55)
	m.Run("echo 12 >/tmp/charge; await percentage 12")
	equal(t, "its battery, later", keyboard().GetBatteryPercent(), 12)
	m.Run("echo 55 >/tmp/charge; await percentage 55")
	a := facts(t, m, "root").GetPeripherals().GetBluetoothAdapters()
	equal(t, "adapters, with the keyboard's", len(a), 2)
	equal(t, "the adapter", fmt.Sprintf("%t %t %s", a[0].GetPowered(), a[0].GetBlocked(), a[0].GetServiceState()), "true false running")
}

var reconnect = sh("unblock; await turns_on; apart; pairs 55")

var companionRows = []row{
	{"", "peripheral", "receivers and a Bluetooth keyboard", nothing, nothing, false},
	{"bt-adapter-off", "peripheral", "Bluetooth is switched off", sh("await turns_off"), sh("await turns_on; apart; pairs 55"), false},
	{"bt-adapter-off", "peripheral", "all radios are switched off", sh("for f in /sys/class/bluetooth/hci?/rfkill*/soft; do echo 1 >$f; done; await unpowered"), reconnect, false},
	{"", "peripheral", "the Bluetooth keyboard is away", sh("apart; await disconnected"), reconnect, false},
	{"peripheral-battery-low", "peripheral", "the Bluetooth keyboard is at 4 %", sh("echo 4 >/tmp/charge; await percentage 4"), sh("echo 55 >/tmp/charge; await percentage 55"), false},
	{"usb-driver-failed", "peripheral", "a headset does not say what it can, and its driver gives up", plugIn("'dumb headset'", `await sh -c 'dmesg | grep -q "failed with error"'`), pullOut, false},
}
