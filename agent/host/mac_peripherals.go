package host

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// macPeripherals are the things people touch: what USB has, and what the registry
// has of other human interface devices (IOHIDDevice), joined by where they are.
func macPeripherals(usb []*constatv1.UsbDevice, hid node) []*constatv1.Peripheral {
	functions := map[string]usbFunctions{}
	for _, d := range usb {
		functions[d.GetPath()] = usbFunctions{camera: slices.Contains(d.InterfaceClasses, "video")}
	}
	list := belongings{usb: usb, functions: functions}.peripherals()
	ioEntries(hid, func(entry node) {
		p := macHID(entry)
		if p == nil || len(list) > 256 {
			return
		}
		i := slices.IndexFunc(list, func(known *constatv1.Peripheral) bool { return sameThing(known, p) })
		if i < 0 {
			list = append(list, p)
			return
		}
		if known := list[i]; known.Kind == nil {
			known.Kind = p.Kind
		}
		list[i].BatteryPercent = cmp.Or(list[i].BatteryPercent, p.BatteryPercent)
		list[i].BatteryState = cmp.Or(list[i].BatteryState, p.BatteryState)
	})
	list = slices.DeleteFunc(list, func(p *constatv1.Peripheral) bool { return p.Kind == nil && p.Model == nil })
	slices.SortStableFunc(list, func(a, b *constatv1.Peripheral) int { return strings.Compare(a.GetId(), b.GetId()) })
	return list
}

// sameThing tells whether two entries are of one thing: one place on USB, else one
// product with one serial number.
func sameThing(a, b *constatv1.Peripheral) bool {
	if a.UsbPath != nil && b.UsbPath != nil {
		return *a.UsbPath == *b.UsbPath
	}
	id := func(p *constatv1.Peripheral) string {
		product, _, _ := strings.Cut(p.GetId(), "/")
		product, _, _ = strings.Cut(product, "@")
		return product
	}
	return a.UsbPath == nil && b.UsbPath == nil && a.GetConnection() == b.GetConnection() && id(a) == id(b) && a.GetSerial() == b.GetSerial()
}

// macTransports are our words for those of HID devices.
var macTransports = map[string]string{
	"USB": "usb", "Bluetooth": "bluetooth", "Bluetooth Low Energy": "bluetooth", "BluetoothLowEnergy": "bluetooth", "SPI": "internal", "SPU": "internal", "FIFO": "internal", "I2C": "internal",
}

// macUsages are kinds by usage page and usage (HID Usage Tables).
var macUsages = map[[2]int64]string{
	{1, 2}: "mouse", {1, 4}: "gamepad", {1, 5}: "gamepad", {1, 6}: "keyboard", {13, 5}: "touchpad",
}

// macHID is an entry of the registry that people type or point with; nil for
// others: sensors, buttons of the case.
func macHID(entry node) *constatv1.Peripheral {
	page, usage := entry.at("PrimaryUsagePage").number(), entry.at("PrimaryUsage").number()
	connection := macTransports[entry.at("Transport").text()]
	if page == nil || usage == nil || connection == "" {
		return nil
	}
	kind := macUsages[[2]int64{*page, *usage}]
	name := entry.at("Product").text()
	if kind == "mouse" && strings.Contains(strings.ToLower(name), "trackpad") {
		kind = "touchpad"
	}
	if kind == "" {
		return nil
	}
	vendor, product := entry.at("VendorID").within(0, 0xffff), entry.at("ProductID").within(0, 0xffff)
	p := &constatv1.Peripheral{Kind: &kind, Connection: &connection, Model: filled(name), Serial: meaningful(entry.at("SerialNumber").text())}
	if vendor != nil && product != nil && *vendor != 0 {
		p.Id = set(fmt.Sprintf("%04x:%04x", *vendor, *product))
		p.Brand = usbBrand(fmt.Sprintf("%04x", *vendor), entry.at("Manufacturer").text()+" "+name)
	} else {
		p.Id = set(connection + "-" + kind)
		p.Brand = brandOf(entry.at("Manufacturer").text())
	}
	if connection == "internal" && p.Brand == nil {
		p.Brand = set("Apple")
	}
	if location := entry.at("LocationID").number(); connection == "usb" && location != nil {
		p.UsbPath = set(macUSBPath(uint32(*location)))
	}
	if p.Serial != nil {
		p.Id = set(p.GetId() + "/" + p.GetSerial())
	}
	if percent := entry.at("BatteryPercent").small(0, 100); percent != nil {
		p.BatteryPercent = percent
	}
	return p
}

// macBluetoothKinds fold the kinds of SPBluetooth.
var macBluetoothKinds = map[string]string{
	"keyboard": "keyboard", "mouse": "mouse", "trackpad": "mouse", "magictrackpad": "mouse", "gamepad": "gamepad", "joystick": "gamepad",
	"headphones": "headset", "headset": "headset", "handsfree": "headset", "speaker": "speakers", "loudspeaker": "speakers",
	"phone": "phone", "mobilephone": "phone", "smartphone": "phone", "computer": "computer", "laptop": "computer", "desktop": "computer",
	"printer": "printer", "camera": "webcam",
}

// appleThings are names of Apple's own; people give them theirs ("Ann's AirPods
// Pro"), of which only this is kept. Longer names first.
var appleThings = []string{"Magic Keyboard", "Magic Mouse", "Magic Trackpad", "AirPods Max", "AirPods Pro", "AirPods", "Apple Pencil"}

// macBluetooth are the local radio and the devices it knows, by the report
// SPBluetooth: since macOS 12 by whether they are connected, before in one list.
func macBluetooth(reports node) (adapters []*constatv1.BluetoothAdapter, devices []*constatv1.BluetoothDevice) {
	add := func(entries []node, connected *bool) {
		for _, entry := range entries {
			for _, name := range entry.keys() {
				if d := macBluetoothDevice(name, entry.at(name), connected); d != nil && len(devices) < 256 {
					devices = append(devices, d)
				}
			}
		}
	}
	for _, report := range profiled(reports, "SPBluetoothDataType") {
		controller := firstOfKeys(report, "controller_properties", "local_device_title")
		if controller.there() && len(adapters) < 8 {
			adapters = append(adapters, &constatv1.BluetoothAdapter{
				Name: set("bluetooth"), Powered: firstOfKeys(controller, "controller_state", "general_power").flag(), ServiceState: set("running"),
			})
		}
		add(report.at("device_connected").list(), set(true))
		add(report.at("device_not_connected").list(), set(false))
		add(report.at("device_title").list(), nil)
	}
	slices.SortStableFunc(devices, func(a, b *constatv1.BluetoothDevice) int {
		return cmp.Or(strings.Compare(a.GetName(), b.GetName()), strings.Compare(a.GetKind(), b.GetKind()))
	})
	return adapters, devices
}

func macBluetoothDevice(name string, entry node, connected *bool) *constatv1.BluetoothDevice {
	if _, ok := entry.v.(map[string]any); !ok {
		return nil
	}
	d := &constatv1.BluetoothDevice{Kind: set("other"), Paired: set(true), Connected: connected}
	if connected == nil {
		d.Connected, d.Paired = entry.at("device_isconnected").flag(), entry.at("device_ispaired").flag()
	}
	kind := strings.ToLower(firstOfKeys(entry, "device_minorType", "device_minorClassOfDevice_string").text())
	if word := macBluetoothKinds[strings.NewReplacer(" ", "", "-", "").Replace(kind)]; word != "" {
		d.Kind = &word
	}
	d.BatteryPercent = firstOfKeys(entry, "device_batteryLevelMain", "device_batteryPercent", "device_batteryLevel").small(0, 100)
	if d.BatteryPercent == nil { // of a pair, the one that ends first
		left, right := entry.at("device_batteryLevelLeft").small(0, 100), entry.at("device_batteryLevelRight").small(0, 100)
		if d.BatteryPercent = cmp.Or(left, right); left != nil && right != nil {
			d.BatteryPercent = set(min(*left, *right))
		}
	}
	if i := slices.IndexFunc(appleThings, func(thing string) bool { return strings.Contains(name, thing) }); i >= 0 {
		d.Name = &appleThings[i]
	} else if hexNumber(entry.at("device_vendorID").text()) == nil || *hexNumber(entry.at("device_vendorID").text()) != 0x004c {
		if !slices.Contains([]string{"phone", "computer", "other"}, d.GetKind()) {
			d.Name = filled(name)
		}
	}
	return d
}

// macAudio are the places for sound by the report SPAudio. One that is both has
// two entries.
func macAudio(reports node) (endpoints []*constatv1.AudioEndpoint) {
	for _, group := range profiled(reports, "SPAudioDataType") {
		for _, one := range group.at("_items").list() {
			for _, way := range []string{"output", "input"} {
				if channels := one.at("coreaudio_device_"+way).within(1, 1024); channels == nil || len(endpoints) == 64 {
					continue
				}
				name := one.at("_name").text()
				transport := strings.TrimPrefix(one.at("coreaudio_device_transport").text(), "coreaudio_device_type_")
				endpoints = append(endpoints, &constatv1.AudioEndpoint{
					Name: filled(name), Direction: set(way), Form: set(macAudioForm(name, transport, way)),
					DefaultEndpoint: set(one.at("coreaudio_default_audio_" + way + "_device").is()),
				})
			}
		}
	}
	slices.SortStableFunc(endpoints, func(a, b *constatv1.AudioEndpoint) int {
		return cmp.Or(strings.Compare(a.GetName(), b.GetName()), strings.Compare(a.GetDirection(), b.GetDirection()))
	})
	return endpoints
}

// macAudioForm is what a place for sound is, by how it is joined and its name.
func macAudioForm(name, transport, way string) string {
	lower := strings.ToLower(name)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(lower, word) })
	}
	switch {
	case transport == "hdmi", transport == "displayport":
		return "hdmi"
	case has("headset", "headphone", "airpods", "casque", "écouteurs"):
		return "headset"
	case way == "input" && (transport == "builtin" || has("microphone", "mic")):
		return "microphone"
	case way == "output" && (transport == "builtin" || has("speaker", "haut-parleur")):
		return "speakers"
	}
	return "other"
}

// macVolume reads what “get volume settings” of AppleScript answers: “output
// volume:50, input volume:75, alert volume:100, output muted:false”. What a device
// has no volume for is “missing value”.
func macVolume(content []byte) (output, input *int32, muted *bool) {
	for part := range strings.SplitSeq(string(content[:min(len(content), 500)]), ",") {
		key, value := labelled(part)
		switch n := (node{value}); key {
		case "output volume":
			output = n.small(0, 100)
		case "input volume":
			input = n.small(0, 100)
		case "output muted":
			muted = n.flag()
		}
	}
	return output, input, muted
}

// withVolume notes the volume of the places that sound goes to and comes from by
// default: of others the system does not tell.
func withVolume(endpoints []*constatv1.AudioEndpoint, output, input *int32, muted *bool) {
	for _, e := range endpoints {
		switch {
		case !e.GetDefaultEndpoint():
		case e.GetDirection() == "output":
			e.VolumePercent, e.Muted = output, muted
		default:
			e.VolumePercent = input
			if input != nil {
				e.Muted = set(*input == 0)
			}
		}
	}
}

// macCameras are the sources of pictures by the report SPCamera.
func macCameras(reports node) (cameras []*constatv1.Camera) {
	for _, one := range profiled(reports, "SPCameraDataType") {
		name := one.at("_name").text()
		if strings.Contains(name, "iPhone") || strings.Contains(name, "iPad") {
			name = "iPhone" // it has its owner's name
		}
		if len(cameras) < 32 {
			cameras = append(cameras, &constatv1.Camera{Name: filled(name)})
		}
	}
	return cameras
}
