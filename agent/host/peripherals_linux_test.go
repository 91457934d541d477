package host

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	"constat/agent/hidpp"
	constatv1 "constat/proto/constat/v1"
)

// desk is the machine of testdata/desk.txtar, with its binary files.
func desk(t *testing.T) (root string) {
	t.Helper()
	root = machine(t, "desk")
	const receiver = "sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1."
	for name, content := range map[string][]byte{
		"sys/bus/usb/devices/1-4/descriptors":                               headsetDescriptors,
		"sys/bus/usb/devices/1-5/descriptors":                               cameraDescriptors,
		receiver + "0/0003:046D:C52B.0002/hidraw/hidraw0/report_descriptor": {0x05, 0x01},
		receiver + "0/0003:046D:C52B.0002/hidraw/hidraw0/device":            nil,
		receiver + "2/0003:046D:C52B.0004/hidraw/hidraw2/device":            nil,
		receiver + "0/0003:046D:C52B.0002/report_descriptor":                {0x05, 0x01, 0x85, 0x10, 0x85, 0x11},
		receiver + "2/0003:046D:C52B.0004/report_descriptor":                receiverReports,
	} {
		file := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil && content == nil {
			err = os.Symlink("../../", file)
		} else if err == nil {
			err = os.WriteFile(file, content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// line writes a peripheral in short: what is not known is "-".
func line(p *constatv1.Peripheral) string {
	linked, percent, state := "-", "-", "-"
	if p.Linked != nil {
		linked = fmt.Sprint(*p.Linked)
	}
	if p.BatteryPercent != nil {
		percent = fmt.Sprint(*p.BatteryPercent)
	}
	if p.BatteryState != nil {
		state = *p.BatteryState
	}
	return strings.Join([]string{p.GetId(), p.GetKind(), p.GetBrand(), p.GetModel(), p.GetConnection(), p.GetUsbPath(), linked, percent, state}, "|")
}

func TestDesk(t *testing.T) {
	root := desk(t)
	asked := []string{}
	s := Observe(t.Context(), Config{Root: root, Privileged: func(_ context.Context, verb, arg string) ([]byte, error) {
		asked = append(asked, verb+" "+arg)
		switch verb + " " + arg {
		case "camera-cover video0":
			return nil, fs.ErrNotExist // its driver has no such control
		case "camera-cover event12":
			return []byte{1}, nil
		}
		return json.Marshal(map[string][]*hidpp.Peripheral{"devices": {
			{Kind: set("receiver"), Firmware: set("12.11.B0032")},
			{ID: set("046d:4024"), Kind: set("keyboard"), Brand: set("Logitech"), Model: set("Wireless Keyboard K800"), Serial: set("874EAB12"), Connection: set("receiver"), Linked: set(true), BatteryPercent: set(int32(12))},
		}})
	}}, []string{"peripherals"})
	told(t, s)
	p := s.Peripherals
	var got []string
	for _, d := range p.Devices {
		got = append(got, line(d))
	}
	want := []string{
		"0001:0001|keyboard||AT Translated Set 2 keyboard|internal||-|-|-",
		"046d:4024/874EAB12|keyboard|Logitech|Wireless Keyboard K800|receiver|1-2|true|12|low",
		"046d:4082/A1B2C3D4|mouse|Logitech|Logitech MX Master 3|receiver|1-2|false|-|-",
		"046d:b01d|mouse|Logitech|MX Ergo|bluetooth||-|80|-",
		"046d:c52b|receiver|Logitech|USB Receiver|usb|1-2|-|-|-",
		"04f2:b6d0|webcam|Chicony|Integrated Camera|usb|1-5|-|-|-",
		"056a:0357|other|Wacom|Wacom Intuos Pro M|usb|1-9|-|100|full",
		"06cb:ce67|touchpad||SYNA8018:00 06CB:CE67 Touchpad|internal||-|-|-",
		"0b0e:0306/0004A1B2C3D4|headset|Jabra|Jabra EVOLVE LINK|usb|1-4|-|-|-",
		"1532:0088/PM1945H04301234|mouse|Razer|Razer Basilisk Ultimate|usb|1-3|-|62|charging",
		"17ef:3066|dock|Lenovo|ThinkPad Thunderbolt 3 Dock|usb|1-6|-|-|-",
		"413c:2113|keyboard|Dell|Dell KB216 Wired Keyboard|usb|1-7|-|-|-",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"hidpp hidraw2", "camera-cover video0", "camera-cover event12"}, asked); diff != "" {
		t.Errorf("asked of the process with rights (-want +got):\n%s", diff)
	}
	wantAudio := []*constatv1.AudioEndpoint{
		{Name: set("HDA Intel PCH: ALC257 Analog"), Direction: set("output"), InUse: set(false)},
		{Name: set("HDA Intel PCH: ALC257 Analog"), Direction: set("input"), InUse: set(false)},
		{Name: set("HDA Intel PCH: HDMI 0"), Direction: set("output"), Form: set("hdmi")},
		{Name: set("Jabra EVOLVE LINK"), Direction: set("output"), Form: set("headset"), InUse: set(true)},
		{Name: set("Jabra EVOLVE LINK"), Direction: set("input"), Form: set("headset"), InUse: set(false)},
	}
	if diff := cmp.Diff(wantAudio, p.Audio, protocmp.Transform()); diff != "" {
		t.Errorf("audio (-want +got):\n%s", diff)
	}
	if len(p.Cameras) != 1 || p.Cameras[0].GetUsedBy() != "zoom" || !p.Cameras[0].GetCovered() {
		t.Errorf("cameras %v; want one, used by zoom, with its cover closed", p.Cameras)
	}
	if len(p.BluetoothAdapters) != 1 || !p.BluetoothAdapters[0].GetBlocked() || p.BluetoothAdapters[0].GetServiceState() != "absent" {
		t.Errorf("adapters %v; want one, switched off, without a service", p.BluetoothAdapters)
	}
	if text := prototext.Format(s); strings.Contains(text, "canary") || strings.Contains(text, "aa:bb:cc") {
		t.Errorf("the snapshot tells a command line or a Bluetooth address:\n%s", text)
	}
}

// TestReceiverWithoutRights: what is paired is a gap then, and the rest is there.
func TestReceiverWithoutRights(t *testing.T) {
	s := Observe(t.Context(), Config{Root: desk(t)}, []string{"peripherals"})
	denied := 0
	for _, g := range s.Manifest.Groups[0].Observation.Gaps {
		if g.Fact == "devices" && g.Status == statusDenied {
			denied++
		}
	}
	if denied != 1 || len(s.Peripherals.Devices) != 12 {
		t.Errorf("%d gaps, %d devices: %v", denied, len(s.Peripherals.Devices), s.Manifest.Groups[0].Observation)
	}
}

func TestNoPeripherals(t *testing.T) {
	s := Observe(t.Context(), Config{Root: t.TempDir()}, []string{"peripherals"})
	if s.Peripherals == nil || len(s.Peripherals.Devices)+len(s.Peripherals.Audio)+len(s.Peripherals.Cameras) != 0 {
		t.Errorf("%v", s.Peripherals)
	}
	if len(s.Manifest.Groups[0].Observation.Gaps) == 0 {
		t.Error("nothing could be read, and no gap says so")
	}
}

// bluezService answers as bluetoothd does.
type bluezService map[dbus.ObjectPath]map[string]map[string]dbus.Variant

func (b bluezService) GetManagedObjects() (map[dbus.ObjectPath]map[string]map[string]dbus.Variant, *dbus.Error) {
	return b, nil
}

func TestBluetooth(t *testing.T) {
	root := desk(t)
	conn := startBus(t, root)
	device := func(name, icon string, paired, connected bool) map[string]dbus.Variant {
		return map[string]dbus.Variant{
			"Name": dbus.MakeVariant(name), "Icon": dbus.MakeVariant(icon), "Paired": dbus.MakeVariant(paired), "Connected": dbus.MakeVariant(connected),
			"Address": dbus.MakeVariant("AA:BB:CC:DD:EE:FF"),
		}
	}
	service := bluezService{
		"/org/bluez/hci0":       {"org.bluez.Adapter1": {"Powered": dbus.MakeVariant(true)}},
		"/org/bluez/hci0/dev_1": {"org.bluez.Device1": device("MX Ergo", "input-mouse", true, true), "org.bluez.Battery1": {"Percentage": dbus.MakeVariant(byte(80))}},
		"/org/bluez/hci0/dev_2": {"org.bluez.Device1": device("Ann's phone", "phone", true, false)},
		"/org/bluez/hci0/dev_3": {"org.bluez.Device1": device("a neighbour's", "audio-headset", false, false)},
	}
	if err := conn.Export(service, "/", "org.freedesktop.DBus.ObjectManager"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName("org.bluez", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	s := Observe(t.Context(), Config{Root: root}, []string{"peripherals"})
	told(t, s)
	p := s.Peripherals
	wantAdapters := []*constatv1.BluetoothAdapter{{Name: set("hci0"), Powered: set(true), Blocked: set(true), ServiceState: set("running")}}
	if diff := cmp.Diff(wantAdapters, p.BluetoothAdapters, protocmp.Transform()); diff != "" {
		t.Errorf("adapters (-want +got):\n%s", diff)
	}
	wantDevices := []*constatv1.BluetoothDevice{
		{Kind: set("phone"), Paired: set(true), Connected: set(false)},
		{Name: set("MX Ergo"), Kind: set("mouse"), Paired: set(true), Connected: set(true), BatteryPercent: set(int32(80))},
	}
	if diff := cmp.Diff(wantDevices, p.BluetoothDevices, protocmp.Transform()); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}
}
