package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	constatv1 "constat/proto/constat/v1"
)

const (
	bluez        = "org.bluez"
	bluetoothDir = "/sys/class/bluetooth"
	rfkillDir    = "/sys/class/rfkill"
)

// maxBluetooth is how many objects of the Bluetooth service are looked at; it
// also holds what passed by.
const maxBluetooth = 512

// bluetoothKinds name what the service calls a device's icon (freedesktop.org's
// icon names, chosen by the class of device).
var bluetoothKinds = map[string]string{
	"input-keyboard": "keyboard", "input-mouse": "mouse", "input-tablet": "other", "input-gaming": "gamepad",
	"audio-headset": "headset", "audio-headphones": "headset", "audio-card": "speakers", "audio-speakers": "speakers",
	"phone": "phone", "computer": "computer", "printer": "printer", "camera-video": "webcam",
}

// readBluetooth lists radios and the devices that were paired with them.
func readBluetooth(ctx context.Context, r *reader, p *constatv1.Peripherals, o *constatv1.Observation) {
	names, err := r.names(bluetoothDir)
	if err != nil {
		return // this kernel runs no Bluetooth, so there is no adapter
	}
	for _, name := range names {
		if strings.Contains(name, ":") {
			continue // a connection
		}
		p.BluetoothAdapters = append(p.BluetoothAdapters, &constatv1.BluetoothAdapter{Name: &name, Blocked: radioBlocked(r, name)})
	}
	if len(p.BluetoothAdapters) == 0 {
		return
	}
	objects, err := bluezObjects(ctx, r)
	state := bluezState(r, err)
	for _, a := range p.BluetoothAdapters {
		a.ServiceState = state
	}
	if err != nil {
		gap(o, "bluetooth_devices", fmt.Errorf("the Bluetooth service: %w", err))
		return
	}
	for path, interfaces := range objects {
		if values, ok := interfaces[bluez+".Adapter1"]; ok {
			name := string(path[strings.LastIndex(string(path), "/")+1:])
			for _, a := range p.BluetoothAdapters {
				if a.GetName() == name {
					a.Powered = property[bool](values, "Powered")
				}
			}
		}
		if values, ok := interfaces[bluez+".Device1"]; ok && len(p.BluetoothDevices) < maxBluetooth {
			d := bluetoothDevice(values, interfaces[bluez+".Battery1"])
			if d.GetPaired() || d.GetConnected() { // others are not ours
				p.BluetoothDevices = append(p.BluetoothDevices, d)
			}
		}
	}
	slices.SortFunc(p.BluetoothDevices, func(a, b *constatv1.BluetoothDevice) int {
		return cmp.Or(strings.Compare(a.GetName(), b.GetName()), strings.Compare(a.GetKind(), b.GetKind()))
	})
	gap(o, "bluetooth_devices.last_failure", errNotRead)
}

// bluezObjects asks the Bluetooth service for all it has, without starting it.
func bluezObjects(ctx context.Context, r *reader) (map[dbus.ObjectPath]map[string]map[string]dbus.Variant, error) {
	conn, err := systemBus(ctx, r)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var objects map[dbus.ObjectPath]map[string]map[string]dbus.Variant
	call := conn.Object(bluez, "/").CallWithContext(ctx, "org.freedesktop.DBus.ObjectManager.GetManagedObjects", dbus.FlagNoAutoStart)
	return objects, call.Store(&objects)
}

// bluezState tells how the service stands, by its answer and its files: running,
// stopped or absent; nil when it is running for all we know and does not answer.
func bluezState(r *reader, err error) *string {
	var refused dbus.Error
	switch {
	case err == nil:
		return set("running")
	case errors.As(err, &refused) && (refused.Name == "org.freedesktop.DBus.Error.NameHasNoOwner" || refused.Name == "org.freedesktop.DBus.Error.ServiceUnknown"),
		errors.Is(err, fs.ErrNotExist):
		for _, program := range []string{"/usr/libexec/bluetooth/bluetoothd", "/usr/lib/bluetooth/bluetoothd", "/usr/sbin/bluetoothd"} {
			if _, err := r.stat(program); err == nil {
				return set("stopped")
			}
		}
		return set("absent")
	}
	return nil
}

// bluetoothDevice is one device as the service knows it.
func bluetoothDevice(values, battery map[string]dbus.Variant) *constatv1.BluetoothDevice {
	d := &constatv1.BluetoothDevice{Kind: set("other"), Paired: property[bool](values, "Paired"), Connected: property[bool](values, "Connected")}
	if icon := property[string](values, "Icon"); icon != nil {
		d.Kind = set(cmp.Or(bluetoothKinds[*icon], "other"))
	}
	if !slices.Contains(namedByPeople, d.GetKind()) {
		d.Name = property[string](values, "Name")
	}
	if percent := property[byte](battery, "Percentage"); percent != nil && *percent <= 100 {
		d.BatteryPercent = set(int32(*percent))
	}
	return d
}

// radioBlocked tells whether a radio is switched off, by key or by setting; nil
// when the kernel does not say.
func radioBlocked(r *reader, name string) *bool {
	switches, err := r.names(rfkillDir)
	if err != nil {
		return nil
	}
	for _, s := range switches {
		dir := rfkillDir + "/" + s
		soft, hard := r.flag(dir+"/soft"), r.flag(dir+"/hard")
		if r.value(dir+"/name") == name && soft != nil && hard != nil {
			return set(*soft || *hard)
		}
	}
	return nil
}
