package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// D-Bus names of the Bluetooth service (BlueZ's doc/*-api.txt).
const (
	bluez       = "org.bluez"
	keyboardApp = dbus.ObjectPath("/keyboard")
	agentPath   = dbus.ObjectPath("/agent")
	calling     = dbus.ObjectPath("/calling")
)

// keyboard is what a wireless keyboard tells besides keys: its battery service,
// with the percentage of a file.
type keyboard struct{ charge string }

type objects = map[dbus.ObjectPath]map[string]map[string]dbus.Variant

const batteryService, batteryLevel = "0000180f-0000-1000-8000-00805f9b34fb", "00002a19-0000-1000-8000-00805f9b34fb"

// GetManagedObjects lists its services.
func (keyboard) GetManagedObjects() (objects, *dbus.Error) {
	return objects{
		keyboardApp + "/battery": {bluez + ".GattService1": {"UUID": dbus.MakeVariant(batteryService), "Primary": dbus.MakeVariant(true)}},
		keyboardApp + "/battery/level": {bluez + ".GattCharacteristic1": {
			"UUID": dbus.MakeVariant(batteryLevel), "Service": dbus.MakeVariant(keyboardApp + "/battery"), "Flags": dbus.MakeVariant([]string{"read", "notify"}),
		}},
	}, nil
}

// ReadValue tells how full the battery is.
func (k keyboard) ReadValue(map[string]dbus.Variant) ([]byte, *dbus.Error) {
	text, err := os.ReadFile(k.charge)
	percent, wrong := strconv.Atoi(strings.TrimSpace(string(text)))
	if err := errors.Join(err, wrong); err != nil {
		return nil, dbus.MakeFailedError(err)
	}
	return []byte{byte(percent)}, nil
}

// StartNotify is asked for by who wants to hear of changes.
func (keyboard) StartNotify() *dbus.Error { return nil }

// StopNotify ends it.
func (keyboard) StopNotify() *dbus.Error { return nil }

// advertisement is what the keyboard calls out: who and what it is
// (Bluetooth's assigned numbers, appearance values).
type advertisement struct{}

// GetAll tells its content.
func (advertisement) GetAll(string) (map[string]dbus.Variant, *dbus.Error) {
	const keyboardAppearance = 0x03c1
	return map[string]dbus.Variant{
		"Type": dbus.MakeVariant("peripheral"), "LocalName": dbus.MakeVariant("Wireless Keyboard"),
		"Appearance": dbus.MakeVariant(uint16(keyboardAppearance)), "Discoverable": dbus.MakeVariant(true),
	}, nil
}

// Release ends it.
func (advertisement) Release() *dbus.Error { return nil }

// anybody lets both sides pair as they like: neither has a display or keys.
type anybody struct{}

// RequestAuthorization lets a device pair.
func (anybody) RequestAuthorization(dbus.ObjectPath) *dbus.Error { return nil }

// AuthorizeService lets a device use a service.
func (anybody) AuthorizeService(dbus.ObjectPath, string) *dbus.Error { return nil }

// Release ends it.
func (anybody) Release() *dbus.Error { return nil }

// pairKeyboard has the machine's first adapter find, pair and keep a keyboard,
// which the second adapter plays, until it is ended. One that it knows it only
// takes back.
func pairKeyboard(charge string) error {
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		return err
	}
	defer conn.Close()
	k := keyboard{charge}
	for _, export := range []error{
		conn.Export(k, keyboardApp, "org.freedesktop.DBus.ObjectManager"),
		conn.Export(k, keyboardApp+"/battery/level", bluez+".GattCharacteristic1"),
		conn.Export(advertisement{}, calling, "org.freedesktop.DBus.Properties"),
		conn.Export(advertisement{}, calling, bluez+".LEAdvertisement1"),
		conn.Export(anybody{}, agentPath, bluez+".Agent1"),
	} {
		if export != nil {
			return export
		}
	}
	computer, far := conn.Object(bluez, "/org/bluez/hci0"), conn.Object(bluez, "/org/bluez/hci1")
	manager := conn.Object(bluez, "/org/bluez")
	for name, value := range map[string]any{"Alias": "Wireless Keyboard", "Pairable": true} {
		if err := far.SetProperty(bluez+".Adapter1."+name, dbus.MakeVariant(value)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := computer.SetProperty(bluez+".Adapter1.Pairable", dbus.MakeVariant(true)); err != nil {
		return err
	}
	steps := []struct {
		object dbus.BusObject
		method string
		args   []any
	}{
		{manager, "AgentManager1.RegisterAgent", []any{agentPath, "NoInputNoOutput"}},
		{manager, "AgentManager1.RequestDefaultAgent", []any{agentPath}},
		{far, "GattManager1.RegisterApplication", []any{keyboardApp, map[string]dbus.Variant{}}},
		{computer, "Adapter1.StartDiscovery", nil},
	}
	for _, s := range steps {
		if err := s.object.Call(bluez+"."+s.method, 0, s.args...).Err; err != nil {
			return fmt.Errorf("%s: %w", s.method, err)
		}
	}
	address, err := far.GetProperty(bluez + ".Adapter1.Address")
	if err != nil {
		return err
	}
	found := dbus.ObjectPath("/org/bluez/hci0/dev_" + strings.ReplaceAll(address.Value().(string), ":", "_"))
	device := conn.Object(bluez, found)
	// The emulator tells who listens of a call, and nobody who comes later: so it
	// calls again and again.
	callUntil := func(seen string) error {
		for begun := time.Now(); ; {
			err := far.Call(bluez+".LEAdvertisingManager1.RegisterAdvertisement", 0, calling, map[string]dbus.Variant{}).Err
			if err != nil {
				return fmt.Errorf("calling out: %w", err)
			}
			time.Sleep(time.Second)
			value, err := device.GetProperty(bluez + ".Device1." + seen)
			if err == nil && value.Value() != false {
				return nil
			}
			if time.Since(begun) > 40*time.Second {
				return fmt.Errorf("nobody heard the keyboard (%s): %w", seen, err)
			}
			_ = far.Call(bluez+".LEAdvertisingManager1.UnregisterAdvertisement", 0, calling).Err
		}
	}
	if paired, err := device.GetProperty(bluez + ".Device1.Paired"); err == nil && paired.Value() == true {
		device.Go(bluez+".Device1.Connect", 0, nil)
		if err := callUntil("Connected"); err != nil {
			return err
		}
	} else {
		if err := callUntil("Alias"); err != nil {
			return err
		}
		if err := device.Call(bluez+".Device1.Pair", 0).Err; err != nil {
			return fmt.Errorf("pairing: %w", err)
		}
		if err := device.Call(bluez+".Device1.Connect", 0).Err; err != nil {
			return fmt.Errorf("connecting: %w", err)
		}
	}
	fmt.Println("connected")
	// Whoever asked to hear of it is told when the charge changes.
	for last := byte(0); ; time.Sleep(100 * time.Millisecond) {
		now, failed := k.ReadValue(nil)
		if failed != nil {
			return failed
		}
		if now[0] != last {
			last = now[0]
			const level = keyboardApp + "/battery/level"
			if err := conn.Emit(level, "org.freedesktop.DBus.Properties.PropertiesChanged", bluez+".GattCharacteristic1", map[string]dbus.Variant{"Value": dbus.MakeVariant(now)}, []string{}); err != nil {
				return err
			}
		}
	}
}
