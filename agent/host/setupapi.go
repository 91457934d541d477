package host

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// plugDevice is a device as Windows' Plug and Play manager has it (SetupAPI,
// cfgmgr32.h).
type plugDevice struct {
	instance, parent string
	// class is the setup class's name: "USB", "HIDClass", "Net", ….
	class                                    string
	hardware, compatible                     []string
	description, friendly, reported, maker   string
	service                                  string
	locations                                []string // "PCIROOT(0)#PCI(1400)#USBROOT(0)#USB(2)"
	bus, address, configFlags, removalPolicy *uint64
	// status and problem are what CM_Get_DevNode_Status says; status 0 is nothing.
	status, problem uint32
	driverVersion   string
	// battery is what a device of Bluetooth told of it, in percent.
	battery *int32
}

// Bits of a device's status and of its ConfigFlags, and problem codes (cfg.h,
// regstr.h).
const (
	nodeStarted    = 0x00000008
	nodeHasProblem = 0x00000400

	configDisabled      = 0x01
	configFailedInstall = 0x40

	problemDisabled      = 22
	problemFailedInstall = 28
)

// problemCode is why Windows can't use a device; nil where that is not told. One
// that was never started has left its reason in the registry.
func (d *plugDevice) problemCode() *int32 {
	switch {
	case d.status&nodeHasProblem != 0:
		return set(int32(d.problem))
	case d.status != 0:
		return set(int32(0))
	case d.configFlags == nil:
		return nil
	case *d.configFlags&configDisabled != 0:
		return set(int32(problemDisabled))
	case *d.configFlags&configFailedInstall != 0 && d.service == "":
		return set(int32(problemFailedInstall))
	}
	return nil
}

// driver is the service that runs a device: empty where none is installed, nil
// where that is not told.
func (d *plugDevice) driver() *string {
	if d.service != "" {
		return &d.service
	}
	if code := d.problemCode(); code != nil && *code == problemFailedInstall {
		return set("")
	}
	return nil
}

// name is what a device calls itself, else what its driver calls it.
func (d *plugDevice) name() string {
	return cmp.Or(d.reported, plainText(d.friendly), plainText(d.description))
}

// plainText is a text of an INF file without the place where Windows found it:
// "@usb.inf,%usb\composite.devicedesc%;USB Composite Device".
func plainText(text string) string {
	if strings.HasPrefix(text, "@") {
		return text[strings.LastIndex(text, ";")+1:]
	}
	return text
}

// madeBy is the maker by the driver's INF file; nil where that names those of
// Windows itself.
func (d *plugDevice) madeBy() *string {
	maker := plainText(d.maker)
	if strings.HasPrefix(maker, "(") || strings.EqualFold(maker, "Microsoft") || strings.EqualFold(maker, "Generic") {
		return nil
	}
	return filled(maker)
}

// idField finds a field of a hardware or compatible id ("VID_046D&PID_C52B"), in
// lower case.
func idField(id, name string) string {
	for field := range strings.FieldsFuncSeq(id, func(c rune) bool { return c == '&' || c == '\\' }) {
		if value, found := strings.CutPrefix(strings.ToUpper(field), name); found {
			return strings.ToLower(value)
		}
	}
	return ""
}

// usbID is the vendor and product of a USB device or function; "" for others.
func usbID(instance string) string {
	vendor, product := idField(instance, "VID_"), idField(instance, "PID_")
	if !strings.HasPrefix(strings.ToUpper(instance), `USB\`) || len(vendor) != 4 || len(product) != 4 {
		return ""
	}
	return vendor + ":" + product
}

// classCodes are class, subclass and protocol of the compatible ids of a device
// ("USB\Class_03&SubClass_01&Prot_02"); nil where they are not told. Those of the
// device as a whole stand as "DevClass".
func (d *plugDevice) classCodes(name string) (class, subclass, protocol *int64) {
	code := func(text string) *int64 {
		n, err := strconv.ParseInt(text, 16, 64)
		if err != nil {
			return nil
		}
		return &n
	}
	for _, id := range d.compatible {
		class = cmp.Or(class, code(idField(id, name)))
		subclass = cmp.Or(subclass, code(idField(id, "SUBCLASS_")))
		protocol = cmp.Or(protocol, code(idField(id, "PROT_")))
	}
	return class, subclass, protocol
}

// plugTree is all devices, with who hangs on whom.
type plugTree struct {
	devices []plugDevice
	byID    map[string]*plugDevice
	// roots are the root hubs' location paths, sorted: their place is the number
	// of the bus.
	roots []string
	ports map[string]hubPort // by the device's instance
}

// maxDevices bounds what is looked at; a machine has some hundreds.
const maxDevices = 4096

func newPlugTree(devices []plugDevice) *plugTree {
	t := &plugTree{devices: devices[:min(len(devices), maxDevices)], byID: map[string]*plugDevice{}, ports: map[string]hubPort{}}
	for i := range t.devices {
		d := &t.devices[i]
		t.byID[strings.ToUpper(d.instance)] = d
		if root, _, found := usbLocation(d); found && !slices.Contains(t.roots, root) {
			t.roots = append(t.roots, root)
		}
	}
	slices.Sort(t.roots)
	return t
}

func (t *plugTree) get(instance string) *plugDevice { return t.byID[strings.ToUpper(instance)] }

// usbLocation takes a location path apart: the root hub's, and the ports from
// there.
func usbLocation(d *plugDevice) (root string, ports []string, found bool) {
	for _, path := range d.locations {
		var at []string
		root, inside := "", false
		for part := range strings.SplitSeq(path, "#") {
			name, argument, _ := strings.Cut(strings.TrimSuffix(part, ")"), "(")
			switch {
			case !inside:
				root += "#" + part
				inside = name == "USBROOT"
			case name == "USB":
				at = append(at, argument)
			}
		}
		if inside {
			return root, at, true
		}
	}
	return "", nil, false
}

// usbPath is where a USB device hangs, as Linux words it: "1-2.3", or "usb1" for
// the hub of a controller; its instance where Windows does not tell.
func (t *plugTree) usbPath(d *plugDevice) string {
	root, ports, found := usbLocation(d)
	number := slices.Index(t.roots, root) + 1
	switch {
	case !found:
		return d.instance
	case len(ports) == 0:
		return fmt.Sprintf("usb%d", number)
	}
	return fmt.Sprintf("%d-%s", number, strings.Join(ports, "."))
}

// busAddress is where a device sits: its PCI address, the USB device's path, or
// its instance.
func (t *plugTree) busAddress(instance string) string {
	d := t.get(instance)
	if d == nil {
		return instance
	}
	if usb := t.usbDevice(d); usb != nil {
		return t.usbPath(usb)
	}
	if strings.HasPrefix(strings.ToUpper(d.instance), `PCI\`) && d.bus != nil && d.address != nil {
		return fmt.Sprintf("%04x:%02x:%02x.%x", *d.bus>>8, *d.bus&0xff, *d.address>>16&0x1f, *d.address&7)
	}
	return d.instance
}

// maxDepth is how deep devices hang in each other.
const maxDepth = 32

// usbDevice is the USB device that something is, or is a part of, or hangs on by
// its functions; nil where that is none.
func (t *plugTree) usbDevice(d *plugDevice) *plugDevice {
	for depth := 0; d != nil && depth < maxDepth; depth++ {
		if isUSBDevice(d) {
			return d
		}
		d = t.get(d.parent)
	}
	return nil
}

// isUSBDevice tells a device from the functions of one.
func isUSBDevice(d *plugDevice) bool {
	upper := strings.ToUpper(d.instance)
	return strings.HasPrefix(upper, `USB\`) && idField(upper, "MI_") == ""
}

// isRootHub tells the hub that is a part of the controller.
func isRootHub(d *plugDevice) bool {
	return strings.HasPrefix(strings.ToUpper(d.instance), `USB\ROOT_HUB`)
}

// hubPort is what a hub tells of what is plugged into one of its ports.
type hubPort struct {
	status, speed, configuration byte
	bcdUSB                       uint16
	class                        byte
	// fast and faster: it runs, and could run, at 5 Gb/s or more; nil where the
	// hub does not tell.
	fast, capable *bool
	// descriptors are the device's configuration with all that is in it.
	descriptors []byte
}

// parseHubPort reads USB_NODE_CONNECTION_INFORMATION_EX (usbioctl.h), which is
// packed.
func parseHubPort(raw []byte) (hubPort, error) {
	const (
		descriptor    = 4
		configuration = 22
		speed         = 23
		status        = 31
		size          = 35
	)
	if len(raw) < size {
		return hubPort{}, errors.New("what the hub tells of a port is cut off")
	}
	return hubPort{
		status: raw[status], speed: raw[speed], configuration: raw[configuration],
		bcdUSB: binary.LittleEndian.Uint16(raw[descriptor+2:]), class: raw[descriptor+4],
	}, nil
}

// addSpeeds reads USB_NODE_CONNECTION_INFORMATION_EX_V2.
func (p *hubPort) addSpeeds(raw []byte) {
	if len(raw) >= 16 {
		flags := binary.LittleEndian.Uint32(raw[12:])
		p.fast, p.capable = set(flags&1 != 0), set(flags&2 != 0)
	}
}

// usbConnection are our words for USB_CONNECTION_STATUS where it is a failure.
var usbConnection = map[byte]string{2: "enumeration", 3: "enumeration", 4: "overcurrent", 5: "power", 6: "bandwidth"}

// usbSpeeds are USB_DEVICE_SPEED in Mb/s.
var usbSpeeds = []float64{1.5, 12, 480, 5000}

// usb is the tree of USB devices, sorted by path, and what failed.
func (t *plugTree) usb() (list []*constatv1.UsbDevice, failures []*constatv1.UsbPortFailure) {
	for i := range t.devices {
		d := &t.devices[i]
		if !isUSBDevice(d) {
			continue
		}
		u := t.usbFacts(d)
		list = append(list, u)
		if kind := usbConnection[t.ports[d.instance].status]; kind != "" {
			failures = append(failures, &constatv1.UsbPortFailure{Path: u.Path, Kind: &kind, Count: set(int32(1))})
		}
	}
	sortUSB(list)
	slices.SortFunc(failures, func(a, b *constatv1.UsbPortFailure) int { return strings.Compare(a.GetPath(), b.GetPath()) })
	return list, failures
}

// functions are the parts of a composite device, by their number.
func (t *plugTree) functions(device *plugDevice) (parts []*plugDevice) {
	for i := range t.devices {
		f := &t.devices[i]
		if id := usbID(f.instance); id != "" && id == usbID(device.instance) && idField(f.instance, "MI_") != "" &&
			(f.parent == "" || strings.EqualFold(f.parent, device.instance)) {
			parts = append(parts, f)
		}
	}
	slices.SortFunc(parts, func(a, b *plugDevice) int {
		return cmp.Or(strings.Compare(idField(a.instance, "MI_"), idField(b.instance, "MI_")), strings.Compare(a.instance, b.instance))
	})
	return parts
}

func (t *plugTree) usbFacts(d *plugDevice) *constatv1.UsbDevice {
	u := &constatv1.UsbDevice{
		Path: set(t.usbPath(d)), Id: filled(usbID(d.instance)), Vendor: d.madeBy(), Product: filled(d.name()), Serial: usbSerial(d.instance),
		ProblemCode: d.problemCode(),
	}
	if u.GetProblemCode() == problemDisabled {
		u.Authorized = set(false)
	}
	if d.removalPolicy != nil {
		const expectNone = 1 // CM_REMOVAL_POLICY_EXPECT_NO_REMOVAL
		u.Removable = set(*d.removalPolicy > expectNone)
	}
	code, _, _ := d.classCodes("DEVCLASS_")
	if isRootHub(d) {
		code = set(int64(0x09))
	}
	parts := t.functions(d)
	for _, f := range parts {
		u.Interfaces = append(u.Interfaces, usbFunction(f, u))
		if own := f.problemCode(); u.GetProblemCode() == 0 && own != nil && *own != 0 {
			u.ProblemCode = own
		}
	}
	if class, _, _ := d.classCodes("CLASS_"); len(parts) == 0 && class != nil {
		if u.Interfaces = append(u.Interfaces, usbFunction(d, u)); code == nil {
			code = set(int64(usbClassPerInterface))
		}
	} else if code == nil && len(parts) > 0 {
		code = set(int64(usbClassPerInterface))
	}
	if port, found := t.ports[d.instance]; found {
		port.fill(u)
	}
	finishUSB(u, code)
	return u
}

// usbFunction is one function of a device, with the role that it plays.
func usbFunction(f *plugDevice, u *constatv1.UsbDevice) *constatv1.UsbInterface {
	i := &constatv1.UsbInterface{Driver: f.driver(), Number: set(int32(0))}
	if text := idField(f.instance, "MI_"); text != "" {
		if n, err := strconv.ParseUint(text, 16, 8); err == nil {
			i.Number = set(int32(n))
		}
	}
	class, _, protocol := f.classCodes("CLASS_")
	if class != nil {
		i.Class = set(usbClass(*class))
		if protocol != nil && i.GetClass() == "hid" && hidRoles[*protocol] != "" {
			u.HidRoles = append(u.HidRoles, hidRoles[*protocol])
		}
	}
	return i
}

// usbSerial is the serial number in an instance; nil where Windows made one up,
// which has an ampersand.
func usbSerial(instance string) *string {
	serial := instance[strings.LastIndex(instance, `\`)+1:]
	if strings.Contains(serial, "&") {
		return nil
	}
	return filled(serial)
}

// fill adds what the hub tells.
func (p hubPort) fill(u *constatv1.UsbDevice) {
	u.BcdUsb = set(fmt.Sprintf("%x.%02x", p.bcdUSB>>8, p.bcdUSB&0xff))
	u.Configured = set(p.configuration != 0)
	if int(p.speed) < len(usbSpeeds) {
		u.SpeedMbps = set(usbSpeeds[p.speed])
	}
	if p.fast != nil && *p.fast && u.GetSpeedMbps() < 5000 {
		u.SpeedMbps = set(5000.0)
	}
	u.CapableMbps = capableMbps(u.GetBcdUsb(), nil)
	if p.capable != nil && *p.capable {
		u.CapableMbps = set(5000.0)
	}
	const attributes, power, selfPowered = 7, 8, 0x40 // USB 2.0 table 9-10
	if c := p.descriptors; len(c) > power && c[1] == 0x02 {
		unit := int32(2)
		if u.GetSpeedMbps() >= 5000 {
			unit = 8 // USB 3.2 table 9-22
		}
		u.MaxPowerMa, u.SelfPowered = set(int32(c[power])*unit), set(c[attributes]&selfPowered != 0)
	}
}

// plugClasses are our words for setup classes of devices on PCI (devguid.h).
var plugClasses = map[string]string{
	"net": "network", "display": "display", "media": "audio", "hdc": "storage", "scsiadapter": "storage", "usb": "usb", "bluetooth": "bluetooth",
}

// busDevices are the devices on PCI that faults ask about, sorted by address,
// and the graphics adapters among them. What no driver is installed for has no
// setup class: its compatible ids have the class code.
func (t *plugTree) busDevices() (list []*constatv1.BusDevice, gpus []*constatv1.Gpu) {
	for i := range t.devices {
		d := &t.devices[i]
		if !strings.HasPrefix(strings.ToUpper(d.instance), `PCI\`) {
			continue
		}
		class := plugClasses[strings.ToLower(d.class)]
		for _, id := range d.compatible {
			code, err := strconv.ParseInt(idField(id, "CC_"), 16, 64)
			if err == nil && len(idField(id, "CC_")) == 4 && pciClass(code<<8) != "" {
				class = pciClass(code << 8)
			}
		}
		if class == "" {
			continue
		}
		b := &constatv1.BusDevice{
			Address: set(t.busAddress(d.instance)), Class: &class, Driver: d.driver(), ProblemCode: d.problemCode(), Vendor: d.madeBy(), Model: filled(d.name()),
		}
		if vendor, device := idField(d.instance, "VEN_"), idField(d.instance, "DEV_"); len(vendor) == 4 && len(device) == 4 {
			b.Id = set(vendor + ":" + device)
		}
		list = append(list, b)
		if class == "display" {
			gpus = append(gpus, &constatv1.Gpu{Vendor: b.Vendor, Model: b.Model, Driver: b.Driver, DriverVersion: filled(d.driverVersion)})
		}
	}
	slices.SortFunc(list, func(a, b *constatv1.BusDevice) int { return strings.Compare(a.GetAddress(), b.GetAddress()) })
	return list, gpus
}

// peripherals are the things people touch: USB devices by what their functions
// are, and what is a part of the machine or joined by radio.
func (t *plugTree) peripherals() []*constatv1.Peripheral {
	j := joined{byUSB: map[string]*constatv1.Peripheral{}, byHID: map[string]*constatv1.Peripheral{}}
	for i := range t.devices {
		d := &t.devices[i]
		if !isUSBDevice(d) || isRootHub(d) {
			continue
		}
		u := t.usbFacts(d)
		kinds := t.kindsBelow(d)
		if len(kinds) > 0 {
			u.HidRoles = kinds[:1] // the first of its functions decides
		}
		f := parseUSBFunctions(t.ports[d.instance].descriptors)
		f.camera = f.camera || slices.Contains(kinds, "webcam")
		if kind := usbKind(u, f, nil); kind != "" {
			j.add(place{usb: u.GetPath()}, usbPeripheral(u, kind))
		}
	}
	for i := range t.devices {
		d := &t.devices[i]
		kind := inputKind(d)
		if kind == "" || kind == "webcam" || t.usbDevice(d) != nil {
			continue
		}
		p := &constatv1.Peripheral{Kind: &kind, Model: filled(d.name()), Connection: set("internal")}
		for at, depth := d, 0; at != nil && depth < maxDepth; at, depth = t.get(at.parent), depth+1 {
			upper := strings.ToUpper(at.instance)
			switch {
			case strings.HasPrefix(upper, "ROOT"), strings.HasPrefix(upper, "TERMINPUT_BUS"):
				p = nil // of a remote session, or made by a program
			case p != nil && (strings.HasPrefix(upper, "BTH") || strings.Contains(upper, "{00001124-") || strings.Contains(upper, "{00001812-")):
				p.Connection = set("bluetooth")
				if p.BatteryPercent == nil {
					p.BatteryPercent = t.radioBattery(radioAddress(upper))
				}
				if name := plainText(at.friendly); strings.HasPrefix(upper, "BTH") && name != "" {
					p.Model = &name
				}
			}
			if p == nil {
				break
			}
		}
		if p == nil {
			continue
		}
		p.Brand = brandOf(p.GetModel())
		p.Id = set(d.instance)
		if slices.ContainsFunc(j.list, func(o *constatv1.Peripheral) bool {
			return o.GetConnection() == p.GetConnection() && o.GetModel() == p.GetModel() && o.GetKind() == p.GetKind()
		}) {
			continue // another collection of the same thing
		}
		j.list = append(j.list, p)
	}
	j.number()
	return j.list
}

// radioPlace is where the address of a Bluetooth device is in an instance:
// "BTHLE\DEV_C8D083A1B2C3\8&1&0&C8D083A1B2C3", "BTHENUM\{0000111E-…}_LOCALMFG&0000\7&1&0&C8D083A1B2C3_C00000000".
var radioPlace = form(`(?:DEV_|[&_])([0-9A-F]{12})(?:[_\\]|$)`)

// radioAddress is the address of a device by an instance in capitals; 0 where there
// is none.
func radioAddress(instance string) uint64 {
	if found := radioPlace().FindStringSubmatch(instance); found != nil && strings.HasPrefix(instance, "BTH") {
		address, _ := strconv.ParseUint(found[1], 16, 64)
		return address
	}
	return 0
}

// radioBattery is how full the battery of the Bluetooth device with an address is;
// nil where none of its nodes tells.
func (t *plugTree) radioBattery(address uint64) *int32 {
	for i := range t.devices {
		if d := &t.devices[i]; d.battery != nil && *d.battery >= 0 && *d.battery <= 100 && address != 0 && radioAddress(strings.ToUpper(d.instance)) == address {
			return d.battery
		}
	}
	return nil
}

// lowEnergy are the paired devices of Bluetooth LE, which the Bluetooth API of
// programs leaves out. Whether they are connected is not told.
func (t *plugTree) lowEnergy() (list []*constatv1.BluetoothDevice) {
	for i := range t.devices {
		d := &t.devices[i]
		upper := strings.ToUpper(d.instance)
		if !strings.HasPrefix(upper, `BTHLE\DEV_`) {
			continue
		}
		b := &constatv1.BluetoothDevice{Kind: set("other"), Paired: set(true), BatteryPercent: t.radioBattery(radioAddress(upper))}
		for j := range t.devices {
			kind := inputKind(&t.devices[j])
			for at, depth := &t.devices[j], 0; kind != "" && at != nil && depth < maxDepth; at, depth = t.get(at.parent), depth+1 {
				if at == d {
					b.Kind = &kind
				}
			}
		}
		if !slices.Contains(namedByPeople, b.GetKind()) {
			b.Name = filled(plainText(d.friendly))
		}
		list = append(list, b)
	}
	return list
}

// kindsBelow are what the functions of a USB device are to a person, in their
// order.
func (t *plugTree) kindsBelow(device *plugDevice) (kinds []string) {
	type part struct{ order, kind string }
	var parts []part
	for i := range t.devices {
		d := &t.devices[i]
		if kind := inputKind(d); kind != "" && t.usbDevice(d) == device {
			parts = append(parts, part{idField(d.instance, "MI_") + "/" + idField(d.instance, "COL"), kind})
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return strings.Compare(a.order, b.order) })
	for _, p := range parts {
		if !slices.Contains(kinds, p.kind) {
			kinds = append(kinds, p.kind)
		}
	}
	return kinds
}

// inputKind says what a device is to a person, by its setup class, or as a HID
// collection by its usage (HID Usage Tables: 01h/05h a gamepad, 0Dh/05h a
// touchpad).
func inputKind(d *plugDevice) string {
	switch strings.ToLower(d.class) {
	case "keyboard":
		return "keyboard"
	case "mouse":
		return "mouse"
	case "camera", "image":
		if strings.EqualFold(d.service, "usbvideo") || strings.EqualFold(d.class, "camera") {
			return "webcam"
		}
	case "hidclass":
		for _, id := range d.hardware {
			switch strings.ToUpper(id) {
			case "HID_DEVICE_UP:000D_U:0005":
				return "touchpad"
			case "HID_DEVICE_UP:0001_U:0005", "HID_DEVICE_UP:0001_U:0004":
				return "gamepad"
			}
		}
	}
	return ""
}
