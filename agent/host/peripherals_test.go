package host

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

// Descriptors as devices have them, without what is not looked at.
var (
	// headsetDescriptors: an audio control interface whose terminals are the USB
	// stream, a headset's speaker, its microphone, and the stream back.
	headsetDescriptors = []byte{
		18, 1, 0, 2, 0, 0, 0, 64, 0x0e, 0x0b, 6, 3, 0, 1, 1, 2, 3, 1,
		9, 2, 200, 0, 4, 1, 0, 0x80, 250,
		9, 4, 0, 0, 0, 1, 1, 0, 0,
		12, 0x24, 2, 1, 0x01, 0x01, 0, 2, 3, 0, 0, 0,
		9, 0x24, 3, 2, 0x02, 0x04, 0, 1, 0,
		12, 0x24, 2, 4, 0x02, 0x04, 3, 1, 0, 0, 0, 0,
		9, 0x24, 3, 5, 0x01, 0x01, 0, 4, 0,
		9, 4, 1, 0, 0, 3, 0, 0, 0,
	}
	// cameraDescriptors: a video control interface, and a microphone.
	cameraDescriptors = []byte{
		9, 4, 0, 0, 1, 0x0e, 1, 0, 5,
		9, 4, 2, 0, 0, 1, 1, 0, 0,
		12, 0x24, 2, 1, 0x01, 0x02, 0, 1, 0, 0, 0, 0,
	}
)

func TestUSBFunctions(t *testing.T) {
	headset := parseUSBFunctions(headsetDescriptors)
	if !headset.headset() || headset.camera || headset.playback != "headset" || headset.capture != "headset" {
		t.Errorf("headset: %+v", headset)
	}
	camera := parseUSBFunctions(cameraDescriptors)
	if !camera.camera || camera.headset() || camera.capture != "microphone" || camera.playback != "" {
		t.Errorf("camera with a microphone: %+v", camera)
	}
	if f := parseUSBFunctions(headsetDescriptors[:40]); f != (usbFunctions{}) {
		t.Errorf("cut before the terminals: %+v", f)
	}
	if f := (usbFunctions{playback: "speakers", capture: "microphone"}); f.headset() {
		t.Error("a speakerphone was taken for a headset")
	}
}

// receiverReports is the descriptor of a receiver's third interface: HID++ in
// short and long reports on a page of the vendor's.
var receiverReports = []byte{
	0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01, 0x85, 0x10, 0x75, 0x08, 0x95, 0x06, 0x15, 0x00, 0x26, 0xff, 0x00, 0x09, 0x01, 0x81, 0x00, 0xc0,
	0x06, 0x00, 0xff, 0x09, 0x02, 0xa1, 0x01, 0x85, 0x11, 0x75, 0x08, 0x95, 0x13, 0xc0,
}

func TestVendorReports(t *testing.T) {
	if got := vendorReports(receiverReports); len(got) != 2 || !got[0x10] || !got[0x11] {
		t.Errorf("receiver: %v", got)
	}
	mouse := []byte{0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x85, 0x10, 0x09, 0x01, 0xc0}
	if got := vendorReports(mouse); len(got) != 0 {
		t.Errorf("a mouse whose report has the number of HID++'s: %v", got)
	}
}

func TestInputKinds(t *testing.T) {
	for want, d := range map[string]inputDevice{
		"keyboard": {keys: bitmap("402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe")},
		"mouse":    {keys: bitmap("ffff0000 0 0 0 0"), relative: bitmap("1943")},
		"touchpad": {keys: bitmap("e520 10000 0 0 0 0"), absolute: bitmap("2e0800000000003")},
		"gamepad":  {keys: bitmap("7cdb000000000000 0 0 0 0"), absolute: bitmap("3003f")},
		"other":    {keys: bitmap("1c03 1f0000 0 0 0 0"), absolute: bitmap("1000d000003")}, // a tablet's pen
		"":         {keys: bitmap("10000000000000 0")},                                     // the power button
	} {
		if got := d.kind(); got != want {
			t.Errorf("%q was taken for %q", want, got)
		}
	}
}

// TestOneThingOnce: what a receiver tells and what the kernel shows of the same
// device is one device.
func TestOneThingOnce(t *testing.T) {
	path := set("1-2")
	dj := "/devices/pci0/usb1/1-2/1-2:1.2/0003:046D:C52B.0004/0003:046D:4024.0005"
	b := belongings{
		usb:    []*constatv1.UsbDevice{{Path: path, Id: set("046d:c52b"), Product: set("USB Receiver"), Brand: set("Logitech")}},
		inputs: []inputDevice{{bus: busUSB, vendor: 0x046d, product: 0x4024, name: "Logitech K800", sysfs: dj + "/input/input20", uniq: "4024-87-4e-ab-12", keys: bitmap("fffffffffffffffe")}},
		batteries: []hidBattery{{
			place: placeOf(dj + "/power_supply/hidpp_battery_0"), name: "K800", serial: "4024-87-4e-ab-12", level: "Normal", status: "Discharging", online: set(true),
		}},
		receivers: map[string][]*constatv1.Peripheral{"1-2": {
			{Kind: set("receiver"), Firmware: set("12.11.B0032"), Serial: set("C8A1B2C3")},
			{Id: set("046d:4024"), Kind: set("keyboard"), Model: set("Wireless Keyboard K800"), Serial: set("874EAB12"), Connection: set("receiver"), Linked: set(true), BatteryPercent: set(int32(55))},
			{Id: set("046d:4024"), Kind: set("keyboard"), Serial: set("00000001"), Connection: set("receiver")},
		}},
	}
	want := []*constatv1.Peripheral{
		{Id: set("046d:4024/00000001"), Kind: set("keyboard"), Serial: set("00000001"), Connection: set("receiver"), UsbPath: path},
		{
			Id: set("046d:4024/874EAB12"), Kind: set("keyboard"), Model: set("Wireless Keyboard K800"), Serial: set("874EAB12"), Connection: set("receiver"), UsbPath: path,
			Linked: set(true), BatteryPercent: set(int32(55)), BatteryState: set("good"),
		},
		{
			Id: set("046d:c52b/C8A1B2C3"), Kind: set("receiver"), Brand: set("Logitech"), Model: set("USB Receiver"), Serial: set("C8A1B2C3"),
			Firmware: set("12.11.B0032"), Connection: set("usb"), UsbPath: path,
		},
	}
	if diff := cmp.Diff(want, b.peripherals(), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTwinsHaveTheirOwnIDs(t *testing.T) {
	keyboard := func(path string) *constatv1.UsbDevice {
		return &constatv1.UsbDevice{Path: &path, Id: set("413c:2113"), HidRoles: []string{"keyboard"}}
	}
	list := belongings{usb: []*constatv1.UsbDevice{keyboard("1-2"), keyboard("1-10")}}.peripherals()
	if len(list) != 2 || list[0].GetId() != "413c:2113@1-10" || list[1].GetId() != "413c:2113@1-2" {
		t.Errorf("%v", list)
	}
}

func FuzzInputDevices(f *testing.F) {
	f.Add("I: Bus=0003 Vendor=046d Product=4024 Version=0111\nN: Name=\"K800\"\nS: Sysfs=/devices/usb1/1-2/1-2:1.2/0003:046D:C52B.0004/0003:046D:4024.0005/input/input20\nU: Uniq=4024-87-4e-ab-12\nB: KEY=fffffffffffffffe\nB: REL=1943\n\n")
	f.Fuzz(func(t *testing.T, content string) {
		inputs := parseInputDevices([]byte(content))
		list := belongings{inputs: inputs}.peripherals()
		if len(list) > len(inputs) || len(inputs) > maxInputs {
			t.Errorf("%d things of %d entries", len(list), len(inputs))
		}
		if !slices.IsSortedFunc(list, func(a, b *constatv1.Peripheral) int { return strings.Compare(a.GetId(), b.GetId()) }) {
			t.Errorf("not sorted: %v", list)
		}
	})
}

func FuzzPeripheralDescriptors(f *testing.F) {
	f.Add(headsetDescriptors, "00-03: HDMI 0 : HDMI 0 : playback 1\n")
	f.Add(receiverReports, " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n")
	f.Fuzz(func(t *testing.T, raw []byte, text string) {
		parseUSBFunctions(raw)
		if n := len(vendorReports(raw)); n > 256 {
			t.Errorf("%d report ids", n)
		}
		for _, s := range parseSoundDevices([]byte(text)) {
			s.audioEndpoints("", usbFunctions{}, func(string) *bool { return nil })
		}
		if n := len(parseSoundCards([]byte(text))); n > maxSounds {
			t.Errorf("%d cards", n)
		}
	})
}
