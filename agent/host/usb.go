package host

import (
	"bytes"
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// usbClasses are the base classes of USB-IF ("Defined Class Codes").
var usbClasses = map[int64]string{
	0x01: "audio", 0x02: "network", 0x03: "hid", 0x06: "video", 0x07: "printer", 0x08: "massStorage", 0x09: "hub",
	0x0a: "network", 0x0e: "video", 0x10: "video", 0xe0: "wireless", 0xff: "vendorSpecific",
}

// usbClass names a class code; what is not in the table is "other".
func usbClass(code int64) string {
	if word := usbClasses[code]; word != "" {
		return word
	}
	return "other"
}

// Device classes that say "look at the interfaces" and "several functions".
const (
	usbClassPerInterface = 0x00
	usbClassMisc         = 0xef
)

// deviceClass is what a device is, by its own class or those of its interfaces;
// nil where they do not tell.
func deviceClass(code *int64, interfaces []*constatv1.UsbInterface) *string {
	if code == nil {
		return nil
	}
	if *code != usbClassPerInterface && *code != usbClassMisc {
		return set(usbClass(*code))
	}
	var first *string
	for _, i := range interfaces {
		switch {
		case i.Class == nil:
			return nil
		case first != nil && *first != *i.Class:
			return set("composite")
		}
		first = i.Class
	}
	return first
}

// hidRoles are the boot protocols of HID (USB HID 1.11 section 4.3).
var hidRoles = map[int64]string{1: "keyboard", 2: "mouse"}

// finishUSB fills what follows from a device's other facts: class, classes of
// interfaces and brand.
func finishUSB(d *constatv1.UsbDevice, code *int64) {
	for _, i := range d.Interfaces {
		if i.Class != nil {
			d.InterfaceClasses = append(d.InterfaceClasses, *i.Class)
		}
	}
	slices.Sort(d.InterfaceClasses)
	d.InterfaceClasses = slices.Compact(d.InterfaceClasses)
	slices.Sort(d.HidRoles)
	d.HidRoles = slices.Compact(d.HidRoles)
	d.Class = deviceClass(code, d.Interfaces)
	vendor, _, _ := strings.Cut(d.GetId(), ":")
	if d.Brand = brandOf("usb:" + vendor); d.Brand == nil {
		d.Brand = brandOf(d.GetVendor())
	}
}

// sortUSB brings devices into the order of their paths.
func sortUSB(devices []*constatv1.UsbDevice) {
	slices.SortFunc(devices, func(a, b *constatv1.UsbDevice) int { return strings.Compare(a.GetPath(), b.GetPath()) })
}

// milliampere reads bMaxPower as sysfs writes it: "500mA".
func milliampere(text string) *int32 {
	n, err := strconv.ParseInt(strings.TrimSuffix(text, "mA"), 10, 32)
	if err != nil || n < 0 {
		return nil
	}
	return set(int32(n))
}

// Parts of a binary object store (USB 3.2 section 9.6.2).
const (
	bosDeviceCapability = 0x10
	bosSuperSpeed       = 0x03
)

// capableMbps is the speed a device could use: 5000 where it follows USB 3 or
// says so in its binary object store, unset where nothing tells. A USB 3 device
// behind a USB 2 port calls itself 2.1, so the store matters.
func capableMbps(bcdUSB string, bos []byte) *float64 {
	if major, err := strconv.ParseFloat(strings.TrimSpace(bcdUSB), 64); err == nil && major >= 3 {
		return set(5000.0)
	}
	for len(bos) >= 3 && bos[0] >= 3 && int(bos[0]) <= len(bos) {
		if bos[1] == bosDeviceCapability && bos[2] == bosSuperSpeed {
			return set(5000.0)
		}
		bos = bos[bos[0]:]
	}
	return nil
}

// idNames looks up vendor and product in a file of usb.ids or pci.ids format:
// vendors at the line's start, products behind one tab. Either may be "".
func idNames(ids []byte, vendor, product string) (vendorName, productName string) {
	vendorName, rest := idLine(ids, "\n"+vendor+"  ")
	if vendorName == "" {
		return "", ""
	}
	for len(rest) > 0 && (rest[0] == '\t' || rest[0] == '#' || rest[0] == '\n') {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if name, found := bytes.CutPrefix(line, []byte("\t"+product+"  ")); found {
			return vendorName, string(name)
		}
		rest = after
	}
	return vendorName, ""
}

// idLine returns what follows prefix on its line, and the lines after that.
func idLine(ids []byte, prefix string) (name string, rest []byte) {
	at := bytes.Index(ids, []byte(prefix))
	if bytes.HasPrefix(ids, []byte(prefix[1:])) {
		at = -1 // the first line follows no line end
	} else if at < 0 {
		return "", nil
	}
	line, rest, _ := bytes.Cut(ids[at+len(prefix):], []byte("\n"))
	return string(line), rest
}

// hasDriver tells whether a module for an alias is installed, by the lines
// "alias PATTERN MODULE" of modules.alias (depmod(8)).
func hasDriver(aliases []byte, modalias string) bool {
	bus, _, found := strings.Cut(modalias, ":")
	if !found {
		return false
	}
	prefix := []byte("alias " + bus + ":")
	for line := range bytes.Lines(aliases) {
		if !bytes.HasPrefix(line, prefix) {
			continue
		}
		fields := bytes.Fields(line)
		if len(fields) < 3 {
			continue
		}
		if match, err := path.Match(string(fields[1]), modalias); err == nil && match {
			return true
		}
	}
	return false
}

// usbFailures adds what the kernel's log tells to the failures already counted
// for a port. A device that was accepted in the end is no failure: the kernel
// tries more than once. Nor is a driver that gave up, where another took over or
// the device is gone.
func usbFailures(counted []*constatv1.UsbPortFailure, events []kernelEvent, devices []*constatv1.UsbDevice) []*constatv1.UsbPortFailure {
	find := func(failures []*constatv1.UsbPortFailure, path, kind string) int {
		return slices.IndexFunc(failures, func(f *constatv1.UsbPortFailure) bool { return f.GetPath() == path && f.GetKind() == kind })
	}
	failures := slices.Clone(counted)
	for _, e := range events {
		path := usbPortOf(e.subject)
		if e.kind != kernelUSB || find(counted, path, e.detail) >= 0 {
			continue
		}
		if e.detail == "enumeration" && slices.ContainsFunc(devices, func(d *constatv1.UsbDevice) bool { return d.GetPath() == path }) {
			continue
		}
		if e.detail == "driver" && !slices.ContainsFunc(devices, func(d *constatv1.UsbDevice) bool { return d.GetPath() == path && driverless(d) }) {
			continue
		}
		i := find(failures, path, e.detail)
		if i < 0 {
			i = len(failures)
			failures = append(failures, &constatv1.UsbPortFailure{Path: set(path), Kind: set(e.detail), Count: set(int32(0))})
		}
		*failures[i].Count++
		if e.code != 0 {
			failures[i].Error = set(e.code)
		}
	}
	slices.SortFunc(failures, func(a, b *constatv1.UsbPortFailure) int {
		return cmp.Or(strings.Compare(a.GetPath(), b.GetPath()), strings.Compare(a.GetKind(), b.GetKind()))
	})
	return failures
}

// driverless tells whether a part of a device has no driver.
func driverless(d *constatv1.UsbDevice) bool {
	return slices.ContainsFunc(d.Interfaces, func(i *constatv1.UsbInterface) bool { return i.Driver != nil && i.GetDriver() == "" })
}
