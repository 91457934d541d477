package host

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"constat/agent/hidpp"
	constatv1 "constat/proto/constat/v1"
)

// hidBattery is the battery of something wireless, as the kernel's power
// supplies show it.
type hidBattery struct {
	place
	// name and maker are what the device calls itself.
	name, maker, serial string
	percent             *int32
	// status and level are the kernel's words ("Discharging", "Low").
	status, level string
	// online is false while the device is away; nil where nothing tells.
	online *bool
}

// hidBatteryStates are words of Peripheral.battery_state for POWER_SUPPLY_STATUS
// and POWER_SUPPLY_CAPACITY_LEVEL of the kernel.
var hidBatteryStates = map[string]string{
	"Charging": "charging", "Full": "full", "High": "good", "Normal": "good", "Low": "low", "Critical": "critical",
}

// state is what the kernel says of a battery, nil when it says nothing. What
// charges is not called low.
func (b hidBattery) state() *string {
	if b.status == "Charging" || b.status == "Full" {
		return set(hidBatteryStates[b.status])
	}
	return filled(hidBatteryStates[b.level])
}

// fill notes a battery with its device. A device that is away has no charge
// that anyone knows.
func (b hidBattery) fill(p *constatv1.Peripheral) {
	if p.GetConnection() == "receiver" && p.Linked == nil {
		p.Linked = b.online
	}
	if b.online != nil && !*b.online {
		return
	}
	// Of one that is away the kernel says 0.
	if p.BatteryPercent == nil && (b.online != nil || !b.paired || b.percent == nil || *b.percent > 0) {
		p.BatteryPercent = b.percent
	}
	if p.BatteryState == nil {
		p.BatteryState = b.state()
	}
}

// belongings is what there is to tell of the things people touch, before it is
// joined: one thing shows up in several places.
type belongings struct {
	usb []*constatv1.UsbDevice
	// functions are what USB devices do for people, by path.
	functions map[string]usbFunctions
	inputs    []inputDevice
	// inputsKnown: the list of inputs could be read, so what is not in it is
	// none.
	inputsKnown bool
	batteries   []hidBattery
	// receivers are what receivers told of themselves and their devices, by
	// USB path where they have one.
	receivers map[string][]*constatv1.Peripheral
}

// peripherals joins what belongs to one thing: a USB device with its inputs, a
// receiver with its devices, a device with its battery. Sorted by id.
func (b belongings) peripherals() []*constatv1.Peripheral {
	j := joined{byUSB: map[string]*constatv1.Peripheral{}, byHID: map[string]*constatv1.Peripheral{}}
	for _, d := range b.usb {
		if kind := usbKind(d, b.functions[d.GetPath()], b.inputs); kind != "" {
			p := usbPeripheral(d, kind)
			if kind == "other" && !b.inputsKnown {
				p.Kind = nil
			}
			j.add(place{usb: d.GetPath()}, p)
		}
	}
	for path, devices := range b.receivers {
		for _, told := range devices {
			if own := j.byUSB[path]; told.GetKind() == "receiver" && own != nil {
				own.Firmware = told.Firmware
				if own.Serial == nil {
					own.Serial = told.Serial
				}
				continue
			}
			if usbPart().MatchString(path) {
				told.UsbPath = &path
			}
			j.list = append(j.list, told)
		}
	}
	for _, d := range b.inputs {
		j.input(d)
	}
	for _, battery := range b.batteries {
		j.battery(battery, b.inputsKnown)
	}
	j.number()
	return j.list
}

// joined is a list of things under way, with where each was seen.
type joined struct {
	list  []*constatv1.Peripheral
	byUSB map[string]*constatv1.Peripheral
	byHID map[string]*constatv1.Peripheral
}

func (j *joined) add(at place, p *constatv1.Peripheral) {
	j.list = append(j.list, p)
	j.note(at, p)
}

func (j *joined) note(at place, p *constatv1.Peripheral) {
	if at.hid != "" {
		j.byHID[at.hid] = p
	}
	if at.usb != "" && !at.paired {
		j.byUSB[at.usb] = p
	}
}

// at finds what hangs at a place; nil when nothing is known to.
func (j *joined) at(where place) *constatv1.Peripheral {
	if p := j.byHID[where.hid]; p != nil {
		return p
	}
	if where.usb != "" && !where.paired {
		return j.byUSB[where.usb]
	}
	return nil
}

// told finds what a receiver told of a device by itself.
func (j *joined) told(where place, serial string) *constatv1.Peripheral {
	for _, p := range j.list {
		if p.GetConnection() == "receiver" && p.GetUsbPath() == where.usb && p.GetId() == hidID(where.hid) &&
			(p.Serial == nil || serial == "" || p.GetSerial() == serial) {
			return p
		}
	}
	return nil
}

// input joins an input device: keys and movements of a thing that is there
// already, else a thing of its own.
func (j *joined) input(d inputDevice) {
	where := placeOf(d.sysfs)
	kind := d.kind()
	if kind == "" || d.bus == busVirtual {
		return
	}
	if p := j.at(where); p != nil {
		if p.GetKind() == "other" && p.GetConnection() != "usb" {
			p.Kind = &kind // its first entry was something else
		}
		return
	}
	serial := pairedSerial(d.uniq)
	if where.paired {
		if p := j.told(where, serial); p != nil {
			j.note(where, p)
			return
		}
	}
	p := &constatv1.Peripheral{Kind: &kind, Model: filled(d.name), Brand: usbBrand(fmt.Sprintf("%04x", d.vendor), d.name)}
	switch {
	case where.paired:
		p.Connection, p.Serial, p.UsbPath = set("receiver"), filled(serial), set(where.usb)
	case d.bus == busBluetooth:
		p.Connection = set("bluetooth")
	case d.bus == busUSB:
		p.Connection, p.UsbPath = set("usb"), filled(where.usb)
	default:
		p.Connection = set("internal")
	}
	p.Id = set(fmt.Sprintf("%04x:%04x", d.vendor, d.product))
	j.add(where, p)
}

// battery joins a battery with its device, or makes one that is nothing but a
// battery to us: it is on, and moves nothing. known tells whether what moves is
// known at all.
func (j *joined) battery(b hidBattery, known bool) {
	p := j.at(b.place)
	if p == nil && b.paired {
		p = j.told(b.place, pairedSerial(b.serial))
	}
	if p == nil {
		id := hidID(b.hid)
		vendor, _, _ := strings.Cut(id, ":")
		p = &constatv1.Peripheral{
			Id: filled(cmp.Or(id, b.name)), Model: filled(b.name), Brand: usbBrand(vendor, b.maker+" "+b.name),
		}
		if known {
			p.Kind = set("other")
		}
		switch {
		case b.paired:
			p.Connection, p.UsbPath, p.Serial = set("receiver"), set(b.usb), filled(pairedSerial(b.serial))
		case b.bluetooth:
			p.Connection = set("bluetooth")
		case b.usb != "":
			p.Connection, p.UsbPath = set("usb"), set(b.usb)
		}
		j.add(b.place, p)
	}
	b.fill(p)
}

// number gives each thing an id that stays with it: vendor and product, and the
// serial number where it has one; equal ones are told apart by their port.
func (j *joined) number() {
	seen := map[string]int{}
	for _, p := range j.list {
		if p.Serial != nil {
			p.Id = set(p.GetId() + "/" + p.GetSerial())
		}
		seen[p.GetId()]++
	}
	for _, p := range j.list {
		if seen[p.GetId()] > 1 && p.UsbPath != nil {
			p.Id = set(p.GetId() + "@" + p.GetUsbPath())
		}
	}
	slices.SortStableFunc(j.list, func(a, b *constatv1.Peripheral) int { return strings.Compare(a.GetId(), b.GetId()) })
}

// displayLink makes the chips of docks that carry screens over USB.
const displayLink = "17e9:"

// usbKind tells what a USB device is to a person; "" for what has a group of its
// own (printers, disks) or is plumbing.
func usbKind(d *constatv1.UsbDevice, f usbFunctions, inputs []inputDevice) string {
	product, logitech := strings.CutPrefix(d.GetId(), "046d:")
	_, isReceiver := hidpp.ReceiverName(product)
	switch {
	case logitech && isReceiver:
		return "receiver"
	case strings.Contains(strings.ToLower(d.GetProduct()), "dock") || strings.HasPrefix(d.GetId(), displayLink):
		return "dock"
	case d.GetClass() == "hub":
		return ""
	case f.camera:
		return "webcam"
	case f.headset():
		return "headset"
	}
	// The first entry that is something decides: mice with many buttons have a
	// keyboard as well, behind the mouse.
	for _, i := range inputs {
		if where := placeOf(i.sysfs); where.usb == d.GetPath() && !where.paired && i.kind() != "" {
			return i.kind()
		}
	}
	for _, role := range d.GetHidRoles() {
		return role // not started, or no driver: what it says it would be
	}
	if f.playback != "" || f.capture != "" {
		return "other"
	}
	return ""
}

func usbPeripheral(d *constatv1.UsbDevice, kind string) *constatv1.Peripheral {
	return &constatv1.Peripheral{
		Id: d.Id, Brand: d.Brand, Model: d.Product, Kind: &kind, Serial: d.Serial, Connection: set("usb"), UsbPath: d.Path,
	}
}

// usbBrand names a brand by a vendor's id, else by the name.
func usbBrand(vendor, name string) *string {
	if brand := brandOf("usb:" + vendor); brand != nil {
		return brand
	}
	return brandOf(name)
}

// pairedSerial brings what the kernel calls a device behind a receiver
// ("4024-87-4e-ab-12") into the form in which receivers and labels tell it.
func pairedSerial(uniq string) string {
	if _, serial, found := strings.Cut(uniq, "-"); found && len(serial) == len("87-4e-ab-12") {
		return strings.ToUpper(strings.ReplaceAll(serial, "-", ""))
	}
	return ""
}
