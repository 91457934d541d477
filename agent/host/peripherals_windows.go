package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

var (
	bthprops                = windows.NewLazySystemDLL("bthprops.cpl")
	bluetoothFindFirstRadio = bthprops.NewProc("BluetoothFindFirstRadio")
	bluetoothFindRadioClose = bthprops.NewProc("BluetoothFindRadioClose")
	bluetoothFindFirst      = bthprops.NewProc("BluetoothFindFirstDevice")
	bluetoothFindNext       = bthprops.NewProc("BluetoothFindNextDevice")
	bluetoothFindClose      = bthprops.NewProc("BluetoothFindDeviceClose")
)

func readPeripherals(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	const source = "SetupAPI, Bluetooth API, registry"
	tree, err := r.plugTree()
	if err != nil {
		return nil, failed(source, err)
	}
	o := observed(source)
	p := &constatv1.Peripherals{Devices: tree.peripherals()}
	if slices.ContainsFunc(p.Devices, func(d *constatv1.Peripheral) bool { return d.GetConnection() == "bluetooth" && d.BatteryPercent == nil }) {
		gap(o, "devices.battery_percent", fmt.Errorf("Windows does not tell of all of them: %w", errors.ErrUnsupported))
	}
	if slices.ContainsFunc(p.Devices, func(d *constatv1.Peripheral) bool { return d.GetKind() == "receiver" }) {
		gap(o, "devices.linked", fmt.Errorf("receivers are not asked on Windows: %w", errors.ErrUnsupported))
	}
	r.readBluetooth(tree, p, o)
	states, statesErr := askEndpoints(ctx)
	for _, state := range states {
		if statesErr == nil && state.silent != nil {
			gap(o, "audio.volume_percent", state.silent)
			break
		}
	}
	if p.Audio, err = audioEndpoints(states); err != nil {
		gap(o, "audio", err)
	}
	if len(p.Audio) > 0 {
		if statesErr != nil {
			for _, fact := range []string{"audio.default_endpoint", "audio.muted", "audio.volume_percent"} {
				gap(o, fact, statesErr)
			}
		}
	}
	readCameras(tree, p)
	gap(o, "absent", fmt.Errorf("what was here before is remembered by the agent's service, which has not run here: %w", errors.ErrUnsupported))
	return p, o
}

// readBluetooth lists radios and the devices that were paired with them.
func (r *reader) readBluetooth(tree *plugTree, p *constatv1.Peripherals, o *constatv1.Observation) {
	state, err := r.serviceWord("bthserv")
	if err != nil {
		gap(o, "bluetooth_adapters.service_state", err)
	}
	for i := range tree.devices {
		d := &tree.devices[i]
		if strings.EqualFold(d.class, "Bluetooth") && !strings.HasPrefix(strings.ToUpper(d.instance), "BTH") && !strings.HasPrefix(strings.ToUpper(d.instance), "SWD") {
			p.BluetoothAdapters = append(p.BluetoothAdapters, &constatv1.BluetoothAdapter{Name: filled(d.name()), ServiceState: filled(state)})
		}
	}
	if len(p.BluetoothAdapters) == 0 {
		return
	}
	if err := bluetoothFindFirst.Find(); err != nil {
		gap(o, "bluetooth_devices", fmt.Errorf("this Windows has no Bluetooth API: %w", errors.ErrUnsupported))
		return
	}
	// Windows finds a radio where one is switched on.
	radioQuestion := uint32(4)
	var radio uintptr
	found, _, err := bluetoothFindFirstRadio.Call(uintptr(unsafe.Pointer(&radioQuestion)), uintptr(unsafe.Pointer(&radio)))
	if found != 0 {
		bluetoothFindRadioClose.Call(found)
		windows.CloseHandle(windows.Handle(radio))
	}
	if len(p.BluetoothAdapters) == 1 && (found != 0 || errors.Is(err, windows.ERROR_NO_MORE_ITEMS)) {
		p.BluetoothAdapters[0].Powered = set(found != 0)
	}
	p.BluetoothDevices = append(bluetoothDevices(tree), tree.lowEnergy()...)
	slices.SortFunc(p.BluetoothDevices, func(a, b *constatv1.BluetoothDevice) int {
		return cmp.Or(strings.Compare(a.GetName(), b.GetName()), strings.Compare(a.GetKind(), b.GetKind()))
	})
}

// bluetoothDevices are those of the classic radio; of Bluetooth LE the tree tells.
func bluetoothDevices(tree *plugTree) (list []*constatv1.BluetoothDevice) {
	question := struct {
		size                                               uint32
		authenticated, remembered, unknown, connected, ask int32
		multiplier                                         byte
		radio                                              uintptr
	}{authenticated: 1, remembered: 1, connected: 1} // none that is only near; nothing is sent
	question.size = uint32(unsafe.Sizeof(question))
	info := bluetoothInfo{}
	info.size = uint32(unsafe.Sizeof(info))
	search, _, _ := bluetoothFindFirst.Call(uintptr(unsafe.Pointer(&question)), uintptr(unsafe.Pointer(&info)))
	if search == 0 {
		return nil
	}
	defer bluetoothFindClose.Call(search)
	const maxBluetooth = 512
	for range maxBluetooth {
		if d := info.device(); d != nil {
			d.BatteryPercent = tree.radioBattery(info.address)
			list = append(list, d)
		}
		if more, _, _ := bluetoothFindNext.Call(search, uintptr(unsafe.Pointer(&info))); more == 0 {
			break
		}
	}
	return list
}

// Values of an audio endpoint's properties (mmdeviceapi.h, functiondiscoverykeys_devpkey.h).
const (
	audioKey        = `SOFTWARE\Microsoft\Windows\CurrentVersion\MMDevices\Audio\`
	audioName       = `{a45c254e-df1c-4efd-8020-67d146a850e0},2`
	audioDevice     = `{b3f8fa53-0004-438e-9003-51a46e139bfc},6`
	audioForm       = `{1da5d803-d492-4edd-8c23-e0c0ffee7f0e},0`
	audioActive     = 1
	maxAudioDevices = 256
)

// audioEndpoints are the places for sound that are there and not switched off.
func audioEndpoints(states map[string]endpointState) (list []*constatv1.AudioEndpoint, err error) {
	listening := readConsent("microphone").permission()
	for _, way := range []struct{ key, direction string }{{"Render", "output"}, {"Capture", "input"}} {
		all, err := openKey(registry.LOCAL_MACHINE, audioKey+way.key)
		if err != nil {
			return list, err
		}
		for _, name := range all.keys(maxAudioDevices) {
			endpoint := all.sub(name)
			if state := endpoint.number("DeviceState"); state != nil && *state == audioActive {
				properties := endpoint.sub("Properties")
				e := &constatv1.AudioEndpoint{Direction: set(way.direction), Form: set("other")}
				e.Name = filled(strings.TrimSpace(properties.text(audioName) + " " + bracketed(properties.text(audioDevice))))
				if form := properties.number(audioForm); form != nil && audioForms[*form] != "" {
					e.Form = set(audioForms[*form])
				}
				if way.direction == "input" {
					e.Permission = listening
				}
				if told, known := states[strings.ToLower(name)]; known {
					told.addTo(e)
				}
				list = append(list, e)
				properties.close()
			}
			endpoint.close()
		}
		all.close()
	}
	return list, nil
}

func bracketed(text string) string {
	if text == "" {
		return ""
	}
	return "(" + text + ")"
}

const consentKey = `SOFTWARE\Microsoft\Windows\CurrentVersion\CapabilityAccessManager\ConsentStore\`

// readConsent reads what the privacy settings say of a capability: of the
// machine, and of who is signed in.
func readConsent(capability string) (c consent) {
	machine := machineKey(consentKey + capability)
	c.machine = machine.text("Value")
	machine.close()
	for _, user := range people() {
		own, err := openKey(registry.USERS, user+`\`+consentKey+capability)
		if err != nil {
			continue
		}
		desktop := own.sub("NonPackaged")
		// Of several users, the one who may not is the one who asks for help.
		if word := own.text("Value"); c.user == "" || strings.EqualFold(word, "Deny") {
			c.user = word
		}
		if word := desktop.text("Value"); c.desktop == "" || strings.EqualFold(word, "Deny") {
			c.desktop = word
		}
		desktop.close()
		own.close()
	}
	return c
}

// capabilityUser is the program that uses a capability now: it has begun and not
// ended. "": none does, by anybody's settings.
func capabilityUser(capability string) (name string, known bool) {
	for _, user := range people() {
		own, err := openKey(registry.USERS, user+`\`+consentKey+capability)
		if err != nil {
			continue
		}
		known = true
		for _, group := range []openedKey{own, own.sub("NonPackaged")} {
			for _, program := range group.keys(maxStack) {
				key := group.sub(program)
				begun, ended := key.number("LastUsedTimeStart"), key.number("LastUsedTimeStop")
				key.close()
				if begun != nil && *begun > 0 && ended != nil && *ended == 0 {
					name = consentProgram(program)
				}
			}
			group.close()
		}
	}
	return name, known
}

// readCameras lists video sources. Windows notes who uses a camera, not which
// one: it is told of the only one.
func readCameras(tree *plugTree, p *constatv1.Peripherals) {
	permission := readConsent("webcam").permission()
	for i := range tree.devices {
		if d := &tree.devices[i]; inputKind(d) == "webcam" {
			p.Cameras = append(p.Cameras, &constatv1.Camera{Name: filled(d.name()), Permission: permission})
		}
	}
	if user, known := capabilityUser("webcam"); known && len(p.Cameras) == 1 {
		p.Cameras[0].UsedBy = &user
	}
}
