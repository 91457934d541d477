package host

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

const usbRoot = "PCIROOT(0)#PCI(1400)#USBROOT(0)"

// deskDevices is what hangs on a laptop at a desk, composed from the
// documentation of Plug and Play: a controller with its hub, a keyboard of
// several functions, a scanner without a driver, a device that no driver
// understood, a camera of the laptop's own, and a touchpad on another bus.
func deskDevices() []plugDevice {
	const started = 0x0180200a
	return []plugDevice{
		{instance: `PCI\VEN_8086&DEV_A0ED&SUBSYS_0A681028&REV_20\3&11583659&0&A0`, class: "USB", service: "USBXHCI", bus: set(uint64(0)), address: set(uint64(0x140000)), status: started, maker: "Generic", description: "@usbxhci.inf,%x%;USB xHCI Compliant Host Controller"},
		{instance: `PCI\VEN_8086&DEV_15FB&SUBSYS_0A681028&REV_20\3&11583659&0&FE`, compatible: []string{`PCI\VEN_8086&CC_020000`, `PCI\CC_0200`}, bus: set(uint64(0)), address: set(uint64(0x1f0006)), status: nodeHasProblem, problem: 28},
		{instance: `USB\ROOT_HUB30\4&1&0`, parent: `PCI\VEN_8086&DEV_A0ED&SUBSYS_0A681028&REV_20\3&11583659&0&A0`, class: "USB", service: "USBHUB3", locations: []string{usbRoot}, status: started},
		{
			instance: `USB\VID_046D&PID_C31C\5&2&0&3`, parent: `USB\ROOT_HUB30\4&1&0`, class: "USB", service: "usbccgp", locations: []string{usbRoot + "#USB(3)"},
			compatible: []string{`USB\COMPOSITE`}, reported: "USB Keyboard", maker: "@usb.inf,%generic.mfg%;(Standard USB Host Controller)", status: started, removalPolicy: set(uint64(3)), address: set(uint64(3)),
		},
		{instance: `USB\VID_046D&PID_C31C&MI_00\6&3&0&0000`, parent: `USB\VID_046D&PID_C31C\5&2&0&3`, class: "HIDClass", service: "HidUsb", compatible: []string{`USB\Class_03&SubClass_01&Prot_01`, `USB\Class_03`}, status: started},
		{instance: `USB\VID_046D&PID_C31C&MI_01\6&3&0&0001`, parent: `USB\VID_046D&PID_C31C\5&2&0&3`, class: "HIDClass", service: "HidUsb", compatible: []string{`USB\Class_03&SubClass_00&Prot_00`}, status: started},
		{instance: `HID\VID_046D&PID_C31C&MI_00\7&4&0&0000`, parent: `USB\VID_046D&PID_C31C&MI_00\6&3&0&0000`, class: "Keyboard", status: started},
		{
			instance: `USB\VID_04B8&PID_0142\583147593033363465`, parent: `USB\ROOT_HUB30\4&1&0`, locations: []string{usbRoot + "#USB(4)"},
			compatible: []string{`USB\Class_FF&SubClass_FF&Prot_FF`}, reported: "EPSON Scanner", status: nodeHasProblem, problem: problemFailedInstall,
		},
		{instance: `USB\VID_0000&PID_0002\5&2&0&5`, parent: `USB\ROOT_HUB30\4&1&0`, locations: []string{usbRoot + "#USB(5)"}, status: nodeHasProblem, problem: 43, description: "Unknown USB Device (Device Descriptor Request Failed)"},
		{
			instance: `USB\VID_0BDA&PID_5520\200901010001`, parent: `USB\ROOT_HUB30\4&1&0`, class: "Camera", service: "usbvideo", locations: []string{usbRoot + "#USB(6)"},
			compatible: []string{`USB\Class_0e&SubClass_03&Prot_00`}, reported: "Integrated_Webcam_HD", status: started, removalPolicy: set(uint64(1)),
		},
		{instance: `HID\DELL0A68&COL02\5&9&0&0001`, parent: `ACPI\DELL0A68\4&8&0`, class: "HIDClass", hardware: []string{`HID\DELL0A68&Col02`, "HID_DEVICE_UP:000D_U:0005"}, description: "@input.inf,%x%;HID-compliant touch pad", status: started},
		{instance: `ROOT\RDP_KBD\0000`, class: "Keyboard", description: "Remote Desktop Keyboard Device", status: started},
	}
}

func TestPlugTree(t *testing.T) {
	tree := newPlugTree(deskDevices())
	tree.ports[`USB\VID_046D&PID_C31C\5&2&0&3`] = hubPort{
		status: 1, speed: 0, configuration: 1, bcdUSB: 0x0110, descriptors: []byte{9, 2, 59, 0, 2, 1, 0, 0xa0, 45},
	}
	tree.ports[`USB\VID_0000&PID_0002\5&2&0&5`] = hubPort{status: 2, speed: 1}
	devices, failures := tree.usb()
	byPath := map[string]*constatv1.UsbDevice{}
	var paths []string
	for _, d := range devices {
		byPath[d.GetPath()] = d
		paths = append(paths, d.GetPath())
	}
	if want := []string{"1-3", "1-4", "1-5", "1-6", "usb1"}; !slices.Equal(paths, want) {
		t.Fatalf("paths %v, want %v", paths, want)
	}
	want := &constatv1.UsbDevice{
		Path: set("1-3"), Id: set("046d:c31c"), Product: set("USB Keyboard"), Brand: set("Logitech"), Class: set("hid"), InterfaceClasses: []string{"hid"},
		HidRoles: []string{"keyboard"}, ProblemCode: set(int32(0)), Removable: set(true), Configured: set(true), BcdUsb: set("1.10"), SpeedMbps: set(1.5),
		MaxPowerMa: set(int32(90)), SelfPowered: set(false),
		Interfaces: []*constatv1.UsbInterface{
			{Number: set(int32(0)), Class: set("hid"), Driver: set("HidUsb")}, {Number: set(int32(1)), Class: set("hid"), Driver: set("HidUsb")},
		},
	}
	if d := cmp.Diff(want, byPath["1-3"], protocmp.Transform()); d != "" {
		t.Error(d)
	}
	scanner := byPath["1-4"]
	if scanner.GetProblemCode() != 28 || scanner.GetSerial() != "583147593033363465" || scanner.GetBrand() != "Epson" || len(scanner.Interfaces) != 1 ||
		scanner.Interfaces[0].Driver == nil || scanner.Interfaces[0].GetDriver() != "" || scanner.GetClass() != "vendorSpecific" {
		t.Errorf("scanner %v", scanner)
	}
	if byPath["1-5"].GetId() != "0000:0002" || byPath["1-5"].GetProblemCode() != 43 || byPath["usb1"].GetClass() != "hub" || byPath["1-6"].GetRemovable() {
		t.Errorf("devices %v", devices)
	}
	if len(failures) != 1 || failures[0].GetPath() != "1-5" || failures[0].GetKind() != "enumeration" {
		t.Errorf("failures %v", failures)
	}
	bus, gpus := tree.busDevices()
	if len(bus) != 2 || bus[0].GetAddress() != "0000:00:14.0" || bus[0].GetClass() != "usb" || bus[0].Vendor != nil || bus[1].GetAddress() != "0000:00:1f.6" ||
		bus[1].GetClass() != "network" || bus[1].GetProblemCode() != 28 || bus[1].GetId() != "8086:15fb" || len(gpus) != 0 {
		t.Errorf("bus %v, %v", bus, gpus)
	}
	if at := tree.busAddress(`USB\VID_046D&PID_C31C&MI_01\6&3&0&0001`); at != "1-3" {
		t.Errorf("a function hangs at %q", at)
	}
	kinds := map[string]string{}
	for _, p := range tree.peripherals() {
		kinds[p.GetModel()] = p.GetKind() + " " + p.GetConnection()
	}
	if d := cmp.Diff(map[string]string{"USB Keyboard": "keyboard usb", "Integrated_Webcam_HD": "webcam usb", "HID-compliant touch pad": "touchpad internal"}, kinds); d != "" {
		t.Error(d)
	}
}

// TestProblemCode: a device that was never started has left its reason in the
// registry; without that nothing is known.
func TestProblemCode(t *testing.T) {
	flags := func(n uint64) *uint64 { return &n }
	for name, c := range map[string]struct {
		device plugDevice
		want   *int32
	}{
		"runs":                 {plugDevice{status: nodeStarted}, set(int32(0))},
		"fails":                {plugDevice{status: nodeHasProblem, problem: 10}, set(int32(10))},
		"flags of a runner":    {plugDevice{status: nodeStarted, configFlags: flags(configFailedInstall)}, set(int32(0))},
		"silent":               {plugDevice{}, nil},
		"silent, no driver":    {plugDevice{configFlags: flags(configFailedInstall)}, set(int32(28))},
		"silent, with driver":  {plugDevice{configFlags: flags(configFailedInstall), service: "HidUsb"}, nil},
		"silent, switched off": {plugDevice{configFlags: flags(configDisabled), service: "HidUsb"}, set(int32(22))},
	} {
		if got := c.device.problemCode(); (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestUSBPort(t *testing.T) {
	raw := make([]byte, 35)
	copy(raw[4:], []byte{18, 1, 0x10, 0x02, 0x09})
	raw[22], raw[23] = 1, 2
	binary.LittleEndian.PutUint32(raw[31:], 4)
	p, err := parseHubPort(raw)
	if err != nil || p.bcdUSB != 0x0210 || p.class != 9 || p.configuration != 1 || p.speed != 2 || usbConnection[p.status] != "overcurrent" {
		t.Errorf("port %v, %v", p, err)
	}
	u := &constatv1.UsbDevice{}
	p.addSpeeds([]byte{1, 0, 0, 0, 16, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0})
	p.fill(u)
	if u.GetSpeedMbps() != 480 || u.GetCapableMbps() != 5000 || u.GetBcdUsb() != "2.10" {
		t.Errorf("a fast device in a slow port: %v", u)
	}
	if _, err := parseHubPort(raw[:34]); err == nil {
		t.Error("a cut one was understood")
	}
}

// FuzzPlugTree: what devices call themselves is theirs to choose.
func FuzzPlugTree(f *testing.F) {
	for _, d := range deskDevices() {
		f.Add(d.instance, d.parent, strings.Join(d.locations, "\n"), strings.Join(d.compatible, "\n"), d.class, d.reported, []byte{9, 2, 59, 0, 2, 1, 0, 0xa0, 45})
	}
	f.Fuzz(func(t *testing.T, instance, parent, locations, compatible, class, name string, raw []byte) {
		devices := append(deskDevices(), plugDevice{
			instance: instance, parent: parent, locations: strings.Split(locations, "\n"), compatible: strings.Split(compatible, "\n"), class: class, reported: name,
			bus: set(uint64(len(raw))), address: set(uint64(len(name))),
		})
		tree := newPlugTree(devices)
		if port, err := parseHubPort(raw); err == nil {
			port.addSpeeds(raw)
			port.descriptors = raw
			tree.ports[instance] = port
		}
		list, _ := tree.usb()
		for _, d := range list {
			if d.Path == nil {
				t.Errorf("a device without a place: %v", d)
			}
		}
		tree.busDevices()
		for _, p := range tree.peripherals() {
			if p.GetKind() == "" || p.Id == nil {
				t.Errorf("a thing without a kind or a name: %v", p)
			}
		}
	})
}
