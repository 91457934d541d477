package host

import (
	"fmt"
	"strconv"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// Speeds of USB devices in megabits a second, by two properties of the registry:
// "Device Speed" (kUSBDeviceSpeed… of USBSpec.h) and "USBSpeed"
// (kUSBHostConnectionSpeed… of IOUSBHostFamilyDefinitions.h).
var (
	macDeviceSpeeds = []float64{1.5, 12, 480, 5000, 10000, 20000}
	macHostSpeeds   = []float64{0, 12, 1.5, 480, 5000, 10000, 20000}
)

// macUSB lists the USB devices of a tree that ioreg wrote, sorted by path.
func macUSB(tree node) []*constatv1.UsbDevice {
	var devices []*constatv1.UsbDevice
	seen := map[string]bool{}
	ioEntries(tree, func(entry node) {
		d := macUSBDevice(entry)
		if d == nil || seen[d.GetPath()] || len(devices) == maxMacUSB {
			return
		}
		seen[d.GetPath()] = true
		devices = append(devices, d)
	})
	sortUSB(devices)
	return devices
}

// maxMacUSB is how many devices are told of.
const maxMacUSB = 2048

// macUSBDevice is an entry of the registry that is a USB device; nil for others.
func macUSBDevice(entry node) *constatv1.UsbDevice {
	vendor, product, class := entry.at("idVendor").small(0, 0xffff), entry.at("idProduct").small(0, 0xffff), entry.at("bDeviceClass").small(0, 0xff)
	location := entry.at("locationID").number()
	if vendor == nil || product == nil || class == nil || location == nil || entry.at("bInterfaceNumber").there() {
		return nil
	}
	d := &constatv1.UsbDevice{
		Path:    set(macUSBPath(uint32(*location))),
		Id:      set(fmt.Sprintf("%04x:%04x", *vendor, *product)),
		Vendor:  firstOfKeys(entry, "USB Vendor Name", "kUSBVendorString").word(),
		Product: firstOfKeys(entry, "USB Product Name", "kUSBProductString").word(),
		Serial:  meaningful(firstOfKeys(entry, "USB Serial Number", "kUSBSerialNumberString").text()),
	}
	if n := entry.at("Device Speed").within(0, int64(len(macDeviceSpeeds)-1)); n != nil {
		d.SpeedMbps = &macDeviceSpeeds[*n]
	} else if n := entry.at("USBSpeed").within(1, int64(len(macHostSpeeds)-1)); n != nil {
		d.SpeedMbps = &macHostSpeeds[*n]
	}
	if bcd := entry.at("bcdUSB").within(0x0100, 0x0fff); bcd != nil {
		d.BcdUsb = set(fmt.Sprintf("%x.%02x", *bcd>>8, *bcd&0xff))
		d.CapableMbps = capableMbps(*d.BcdUsb, nil)
	}
	if n := entry.at("kUSBCurrentConfiguration").within(1, 255); n != nil {
		d.Configured = set(true)
	}
	if entry.at("non-removable").is() {
		d.Removable = set(false)
	}
	macUSBInterfaces(d, entry, 0)
	if len(d.Interfaces) > 0 {
		d.Configured = set(true)
	}
	finishUSB(d, set(int64(*class)))
	return d
}

// macUSBPath is where a device is by its location: the bus in the first byte, and
// four bits for each port on the way.
func macUSBPath(location uint32) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(int(location >> 24)))
	separator := byte('-')
	for rest := location << 8; rest != 0; rest <<= 4 {
		b.WriteByte(separator)
		b.WriteString(strconv.Itoa(int(rest >> 28)))
		separator = '.'
	}
	if separator == '-' {
		b.WriteString("-0")
	}
	return b.String()
}

// macUSBInterfaces adds the interfaces that lie below a device, and not below the
// devices behind it. What is not taken up by the kernel may be by a program:
// nothing says that an interface has no driver.
func macUSBInterfaces(d *constatv1.UsbDevice, entry node, depth int) {
	if depth > 3 {
		return
	}
	for _, child := range entry.at("IORegistryEntryChildren").list() {
		class := child.at("bInterfaceClass").small(0, 0xff)
		if class == nil {
			if !child.at("bDeviceClass").there() {
				macUSBInterfaces(d, child, depth+1)
			}
			continue
		}
		if len(d.Interfaces) == 64 {
			return
		}
		i := &constatv1.UsbInterface{Number: child.at("bInterfaceNumber").small(0, 255), Class: set(usbClass(int64(*class)))}
		for _, driver := range child.at("IORegistryEntryChildren").list() {
			if name := driver.at("IOObjectClass").text(); name != "" && !strings.HasSuffix(name, "UserClient") {
				i.Driver, i.DriverAvailable = set(name), set(true)
				break
			}
		}
		d.Interfaces = append(d.Interfaces, i)
		const boot = 1
		if protocol := child.at("bInterfaceProtocol").within(0, 255); *class == 3 && protocol != nil && child.at("bInterfaceSubClass").within(boot, boot) != nil {
			if role := hidRoles[*protocol]; role != "" {
				d.HidRoles = append(d.HidRoles, role)
			}
		}
	}
}

// macUSBPower adds how much current devices ask for, and what their place can give, by
// the report SPUSB. It names a device by where it is: “0x1a110000 / 2”.
func macUSBPower(devices []*constatv1.UsbDevice, reports node) {
	byPath := map[string]*constatv1.UsbDevice{}
	for _, d := range devices {
		byPath[d.GetPath()] = d
	}
	var visit func(entries []node, depth int)
	visit = func(entries []node, depth int) {
		for _, entry := range entries {
			if depth < maxPlistDepth {
				visit(entry.at("_items").list(), depth+1)
			}
			location := hexNumber(entry.at("location_id").text())
			if location == nil {
				continue
			}
			if d := byPath[macUSBPath(uint32(*location))]; d != nil {
				d.MaxPowerMa, d.AvailableMa = entry.at("bus_power_used").small(0, 100_000), entry.at("bus_power").small(0, 100_000)
			}
		}
	}
	visit(profiled(reports, "SPUSBDataType"), 0)
}
