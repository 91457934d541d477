package vm

import (
	"slices"
	"strings"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// rested is the laptop's battery in everyday use: 62 % of what it was, held at
// 80 % of that, with the charger in.
var rested = map[Dial]int{
	DesignMilliwattHours: 57000, FullMilliwattHours: 35340, Cycles: 212, BatteryState: 0, RateMilliwatts: 0, LeftMilliwattHours: 28272,
	AdapterOnline: 1, TenthsKelvin: Celsius(45), BatteryGone: 0,
}

// receiverTable is what a Unifying receiver answers with a keyboard nearby and a
// mouse that is switched off; the keyboard's battery stands at 55 %.
const receiverTable = `10ff8102000000 10ff8102000200
10ff81f1010000 10ff81f1011211
10ff81f1020000 10ff81f1020032
10ff83b5030000 11ff83b503c8a1b2c300060000000000000000ff
10ff83b5200000 11ff83b520081440240401010000000000000000
10ff83b5300000 11ff83b530874eab121e40000002000000000000
10ff83b5400000 11ff83b540044b383030ffffffffffffffffffff
1001001b00005a 1101001b04055a00000000000000000000000000
1001000b000500 1101000b03000000000000000000000000000000
1001030b000000 1101030b18000000000000000000000000000000
1001031b000000 1101031b576972656c657373204b6579626f6172
1001031b100000 1101031b64204b38303000000000000000000000
1001000b000300 1101000b02000000000000000000000000000000
1001020b000000 1101020b02000000000000000000000000000000
1001021b000000 1101021b01424c20000100000000000000000000
1001021b010000 1101021b0052424b280100150000000000000000
1001000b100400 1101000b06000000000000000000000000000000
1001061b000000 1101061b37040000000000000000000000000000
10ff83b5220000 11ff83b5220808408204020200000000000000ff
10ff83b5320000 11ff83b532a1b2c3d41e40000001000000000000
10ff83b5420000 11ff83b5420b4d58204d617374657220333300ff
1003001b00005a 10038f001b0900
`

// newLaptop boots a Dell with a battery, an NVMe disk, two radios and USB, and
// puts it on the Wi-Fi of an office. It may have further devices of QEMU's.
func newLaptop(t *testing.T, further ...string) (m *Machine) {
	for again := range 2 {
		m = bootLaptop(t, further...)
		failed := m.Try(t, func() { equip(m) })
		switch {
		case failed == nil:
			return m
		case again > 0:
			t.Fatal(failed)
		}
		t.Logf("%v\nonce more, in a machine started anew", failed)
		m.Stop()
	}
	return m
}

func bootLaptop(t *testing.T, further ...string) *Machine {
	return Boot(t, Hardware{
		BIOS: Brands["Dell"], ACPI: []string{Laptop}, Files: guestFiles(t),
		Devices: append([]string{"-drive", "if=none,id=d1,file=null-co://,file.size=1G,format=raw", "-device", "nvme,id=nv0,drive=d1,serial=S4EWNX0M123456"}, further...),
	})
}

// equip plugs everything in, and puts the machine on its network.
func equip(m *Machine) {
	m.Turn(rested)
	m.Run(`modprobe -a battery ac thermal processor nvme usbhid hid_generic usb-storage usblp libcomposite usb_f_hid usb_f_printer usb_f_mass_storage
mount -t configfs config /sys/kernel/config; modprobe dummy_hcd num=4; modprobe mac80211_hwsim radios=3
cat >/tmp/receiver <<'EOF'
` + receiverTable + `EOF
gadget logi 0x046d 0xc31c Logitech "USB Keyboard" "" full-speed; hid logi usb0 1 8 "$KEYBOARD"; plug logi 0
gadget stick 0x0951 0x1666 Kingston "DataTraveler 3.0" 60A44C413FA0B2 high-speed
dd if=/dev/zero of=/tmp/stick.img bs=1M count=2 2>/dev/null
with stick mass_storage.0; echo /tmp/stick.img >$G/stick/functions/mass_storage.0/lun.0/file; plug stick 1
gadget hp 0x03f0 0x2b17 Hewlett-Packard "HP LaserJet 1020" JL12345 high-speed; mkdir -p $G/hp/functions/printer.usb0
echo "MFG:Hewlett-Packard;MDL:HP LaserJet 1020;CMD:ZJS;CLS:PRINTER;SN:JL12345;" >$G/hp/functions/printer.usb0/pnp_string
with hp printer.usb0; plug hp 2
gadget unifying 0x046d 0xc52b Logitech "USB Receiver" "" full-speed; hid unifying usb1 0 20 "$HIDPP"; plug unifying 3
for d in 046d:c31c 0951:1666 03f0:2b17 046d:c52b; do await present $d; done
await ls /dev/hidg1; guest receiver /dev/hidg1 /tmp/receiver >/tmp/receiver.log 2>&1 &
`)
	m.Run(`bus; office; iw phy phy0 set netns name out; iw phy phy2 set netns name out
access_point CorpNet correct-horse 6; ip -n out addr add 192.168.50.1/24 dev wlan0; names; enter; signal -50`)
}

func TestLabLaptop(t *testing.T) {
	if !picked(laptopRows) {
		t.Skip("runs with make lab")
	}
	first := newLaptop(t)
	t.Run("facts", func(t *testing.T) {
		first.In(t)
		laptopFacts(t, first)
	})
	play(t, func(t *testing.T) *Machine {
		m := first
		if first = nil; m == nil {
			m = newLaptop(t)
		}
		return m
	}, laptopRows)
}

// laptopFacts wants to see what was put in.
func laptopFacts(t *testing.T, m *Machine) {
	warning(4)(m)
	m.Run("signal -95")
	defer func() {
		warning(0)(m)
		m.Run("signal -50")
	}()
	s := facts(t, m, "root")
	h := s.GetHardware()
	equal(t, "maker", h.GetSystem().GetManufacturer(), "Dell Inc.")
	equal(t, "brand", h.GetSystem().GetBrand(), "Dell")
	equal(t, "model", h.GetSystem().GetModel(), "Latitude 5420")
	equal(t, "serial", h.GetSystem().GetSerial(), "ABC1234")
	equal(t, "sku", h.GetSystem().GetSku(), "0A20")
	equal(t, "asset tag", h.GetSystem().GetAssetTag(), "PC-0042")
	equal(t, "firmware", h.GetFirmware().GetVersion(), "1.32.1")
	equal(t, "chassis", h.GetChassis(), "laptop")
	module := find(h.GetMemoryModules(), func(m *constatv1.MemoryModule) bool { return strings.HasPrefix(m.GetLocator(), "DIMM A") })
	equal(t, "part number in slot DIMM A", module.GetPartNumber(), "M471A1K43DB1-CWE")
	if b := s.GetPower().GetBatteries(); len(b) != 1 {
		t.Errorf("batteries: %v", b)
	} else {
		equal(t, "battery health", b[0].GetHealthPercent(), 62)
		equal(t, "battery cycles", b[0].GetCycles(), 212)
	}
	disk := find(s.GetStorage().GetDisks(), func(d *constatv1.Disk) bool { return d.GetBus() == "nvme" })
	equal(t, "NVMe serial", disk.GetSerial(), "S4EWNX0M123456")
	equal(t, "NVMe warning", disk.GetCriticalWarning(), 4)
	keyboard := find(s.GetUsb().GetDevices(), func(d *constatv1.UsbDevice) bool { return d.GetId() == "046d:c31c" })
	equal(t, "keyboard's brand", keyboard.GetBrand(), "Logitech")
	equal(t, "keyboard's speed", keyboard.GetSpeedMbps(), 12)
	radio := find(s.GetWifi().GetRadios(), func(r *constatv1.Radio) bool { return r.GetLink() == "wlan1" })
	equal(t, "SSID", radio.GetSsid(), "CorpNet")
	equal(t, "signal", radio.GetSignalDbm(), -95)
	paired := func(id string) *constatv1.Peripheral {
		return find(s.GetPeripherals().GetDevices(), func(p *constatv1.Peripheral) bool { return strings.HasPrefix(p.GetId(), id) })
	}
	equal(t, "receiver's firmware", paired("046d:c52b").GetFirmware(), "12.11.B0032")
	equal(t, "paired keyboard", paired("046d:4024").GetModel(), "Wireless Keyboard K800")
	equal(t, "paired keyboard's battery", paired("046d:4024").GetBatteryPercent(), 55)
	equal(t, "paired keyboard is linked", paired("046d:4024").GetLinked(), true)
	equal(t, "paired mouse", paired("046d:4082").GetModel(), "MX Master 3")
	equal(t, "paired mouse is linked", paired("046d:4082").GetLinked(), false)

	plain := facts(t, m, "nobody")
	if plain.GetHardware().GetSystem().Serial != nil {
		t.Errorf("nobody sees the serial number, which the kernel lets only root read")
	}
	equal(t, "model as nobody", plain.GetHardware().GetSystem().GetModel(), "Latitude 5420")
	for _, g := range plain.GetManifest().GetGroups() {
		if g.GetObservation().GetStatus() == "failed" {
			t.Errorf("as nobody %s failed: %s", g.GetGroup(), g.GetObservation().GetReason())
		}
	}
}

// find returns the first that fits, or nil.
func find[T any](list []*T, fits func(*T) bool) *T {
	if i := slices.IndexFunc(list, fits); i >= 0 {
		return list[i]
	}
	return nil
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}
