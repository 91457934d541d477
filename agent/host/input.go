package host

import (
	"strconv"
	"strings"
)

// inputDevice is one entry of the kernel's list of input devices. A keyboard or
// mouse often has several: one for its keys, one for its media keys, ….
type inputDevice struct {
	// bus, vendor and product are those of linux/input.h (BUS_USB, …).
	bus, vendor, product uint16
	name, sysfs, uniq    string
	// keys, relative, absolute and switches are the events it can send, as bit
	// sets.
	keys, relative, absolute, switches []uint64
	// node is its event node: "event4"; "" where it has none.
	node string
}

// Buses of linux/input.h.
const (
	busUSB       = 0x03
	busBluetooth = 0x05
	busVirtual   = 0x06
)

// maxInputs is how many entries of a list are read.
const maxInputs = 1024

// parseInputDevices reads /proc/bus/input/devices: entries of lines "X: text",
// apart by an empty line. What it does not know it leaves out.
func parseInputDevices(content []byte) []inputDevice {
	var list []inputDevice
	var d inputDevice
	for line := range strings.Lines(string(content) + "\n") {
		line = strings.TrimRight(line, "\n")
		kind, text, _ := strings.Cut(line, ": ")
		key, value, _ := strings.Cut(text, "=")
		switch {
		case line == "":
			if d.sysfs != "" && len(list) < maxInputs {
				list = append(list, d)
			}
			d = inputDevice{}
		case kind == "I":
			for field := range strings.FieldsSeq(text) {
				key, value, _ := strings.Cut(field, "=")
				n, _ := strconv.ParseUint(value, 16, 16)
				switch key {
				case "Bus":
					d.bus = uint16(n)
				case "Vendor":
					d.vendor = uint16(n)
				case "Product":
					d.product = uint16(n)
				}
			}
		case kind == "N":
			d.name = strings.Trim(value, `"`)
		case kind == "S":
			d.sysfs = value
		case kind == "U":
			d.uniq = value
		case kind == "B" && key == "KEY":
			d.keys = bitmap(value)
		case kind == "B" && key == "REL":
			d.relative = bitmap(value)
		case kind == "B" && key == "ABS":
			d.absolute = bitmap(value)
		case kind == "B" && key == "SW":
			d.switches = bitmap(value)
		case kind == "H":
			for handler := range strings.FieldsSeq(value) {
				if strings.HasPrefix(handler, "event") {
					d.node = handler
				}
			}
		}
	}
	return list
}

// bitmap reads a set of bits as the kernel writes it: words of 64 bits in
// hexadecimal, the highest first. There are at most 768 keys.
func bitmap(text string) []uint64 {
	words := strings.Fields(text)
	if len(words) > 12 {
		return nil
	}
	set := make([]uint64, len(words))
	for i, word := range words {
		n, err := strconv.ParseUint(word, 16, 64)
		if err != nil {
			return nil
		}
		set[len(words)-1-i] = n
	}
	return set
}

func hasBit(set []uint64, bit int) bool {
	return bit/64 < len(set) && set[bit/64]>>(bit%64)&1 == 1
}

// Codes of linux/input-event-codes.h.
const (
	axisX         = 0x00
	axisY         = 0x01
	buttonTrigger = 0x120 // joysticks
	buttonSouth   = 0x130 // gamepads
	buttonLeft    = 0x110
	toolPen       = 0x140
	toolFinger    = 0x145
	lensCover     = 0x09
	// letterKeys are the first 31 keys, from Escape to S: what has them all is
	// a keyboard, what has some is a row of buttons (as udev's input_id judges).
	letterKeys = 0xfffffffe
)

// kind tells what an entry is to a person: keyboard, mouse, touchpad, gamepad;
// "" for buttons, lids, jacks and the like.
func (d inputDevice) kind() string {
	moves := hasBit(d.relative, axisX) && hasBit(d.relative, axisY)
	points := hasBit(d.absolute, axisX) && hasBit(d.absolute, axisY)
	switch {
	case moves && hasBit(d.keys, buttonLeft):
		return "mouse"
	case points && hasBit(d.keys, toolFinger) && !hasBit(d.keys, toolPen):
		return "touchpad"
	case points && hasBit(d.keys, toolPen):
		return "other" // a tablet
	case hasBit(d.keys, buttonSouth) || hasBit(d.keys, buttonTrigger):
		return "gamepad"
	case len(d.keys) > 0 && d.keys[0]&letterKeys == letterKeys:
		return "keyboard"
	}
	return ""
}

// Parts of a path in sysfs that are a HID device ("0003:046D:4024.0006") and a
// USB device ("1-2.3").
var (
	hidPart = form(`^([0-9A-F]{4}):([0-9A-F]{4}):([0-9A-F]{4})\.[0-9A-F]{4}$`)
	usbPart = form(`^[0-9]+-[0-9]+(\.[0-9]+)*$`)
)

// place is where in the tree of devices something hangs.
type place struct {
	// hid is the HID device; "" when it is none.
	hid string
	// usb is the path of the USB device; "" when it hangs on none.
	usb string
	// paired: the HID device is the child of another one, a receiver's.
	paired bool
	// bluetooth: it came over the radio, not over USB.
	bluetooth bool
}

func placeOf(sysfs string) place {
	var p place
	for part := range strings.SplitSeq(sysfs, "/") {
		switch {
		case usbPart().MatchString(part):
			p.usb = part
		case hidPart().MatchString(part):
			p.paired = p.hid != ""
			p.hid = part
			p.bluetooth = strings.HasPrefix(part, "0005:")
		}
	}
	if p.bluetooth {
		p.usb = "" // that is the adapter's
	}
	return p
}

// hidID returns vendor and product of a HID device's name: "046d:4024".
func hidID(part string) string {
	m := hidPart().FindStringSubmatch(part)
	if m == nil {
		return ""
	}
	return strings.ToLower(m[2] + ":" + m[3])
}
