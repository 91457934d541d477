package privileged

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/godbus/dbus/v5"
)

// Names on the system bus.
const (
	systemdBus        = "org.freedesktop.systemd1"
	systemdManager    = systemdBus + ".Manager"
	systemdPath       = "/org/freedesktop/systemd1"
	networkManager    = "org.freedesktop.NetworkManager"
	networkManagerAt  = "/org/freedesktop/NetworkManager"
	networkd          = "org.freedesktop.network1"
	resolved          = "org.freedesktop.resolve1"
	localDnsmasq      = "uk.org.thekelleys.dnsmasq"
	networkDnsmasq    = networkManager + ".dnsmasq"
	usbGuard          = "org.usbguard1"
	supplicant        = "fi.w1.wpa_supplicant1"
	supplicantAt      = "/fi/w1/wpa_supplicant1"
	propertyInterface = "org.freedesktop.DBus.Properties"
)

// linkForm is a network interface's name, unitForm a service's.
var linkForm = form(`^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,14}$`)

// bus is the system bus for one remedy; it ends with ctx.
func bus(ctx context.Context) (*dbus.Conn, error) {
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("the system bus does not answer: %w", err)
	}
	return conn, nil
}

// runs tells whether a service is on the bus now.
func runs(ctx context.Context, conn *dbus.Conn, name string) bool {
	var owned bool
	err := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, name).Store(&owned)
	return err == nil && owned
}

// call asks a service that runs; none is started for it.
func call(ctx context.Context, conn *dbus.Conn, name, path, method string, arguments ...any) *dbus.Call {
	return conn.Object(name, dbus.ObjectPath(path)).CallWithContext(ctx, method, dbus.FlagNoAutoStart, arguments...)
}

// property reads one property of an object.
func property[T any](ctx context.Context, conn *dbus.Conn, name string, path dbus.ObjectPath, of, property string) (value T, err error) {
	var v dbus.Variant
	if err := call(ctx, conn, name, string(path), propertyInterface+".Get", of, property).Store(&v); err != nil {
		return value, err
	}
	value, ok := v.Value().(T)
	if !ok {
		return value, fmt.Errorf("%s.%s has the type %s", of, property, v.Signature())
	}
	return value, nil
}

// job has systemd do something to a unit and waits until it is done.
func job(ctx context.Context, conn *dbus.Conn, method string, arguments ...any) error {
	if err := call(ctx, conn, systemdBus, systemdPath, systemdManager+".Subscribe").Err; err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	if err := conn.AddMatchSignalContext(ctx, dbus.WithMatchInterface(systemdManager), dbus.WithMatchMember("JobRemoved")); err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	defer conn.RemoveSignal(signals)
	var job dbus.ObjectPath
	if err := call(ctx, conn, systemdBus, systemdPath, systemdManager+"."+method, arguments...).Store(&job); err != nil {
		return fmt.Errorf("systemd, %s %v: %w", method, arguments[0], err)
	}
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("systemd did not end %s %v in time: %w", method, arguments[0], ctx.Err())
		case s, open := <-signals:
			if !open {
				return errors.New("systemd: the bus went away")
			}
			if len(s.Body) != 4 || s.Body[1] != any(job) {
				continue
			}
			if result, _ := s.Body[3].(string); result != "done" {
				return fmt.Errorf("systemd, %s %v: %s", method, arguments[0], result)
			}
			return nil
		}
	}
}

// unitAt is where systemd keeps a unit, loaded if need be.
func unitAt(ctx context.Context, conn *dbus.Conn, unit string) (path dbus.ObjectPath, err error) {
	err = call(ctx, conn, systemdBus, systemdPath, systemdManager+".LoadUnit", unit).Store(&path)
	return path, err
}

// booted tells whether systemd runs this system (sd_booted(3)).
func booted() bool {
	info, err := os.Stat("/run/systemd/system")
	return err == nil && info.IsDir()
}

// outside runs one of the fixed programs of the table of remedies, by its
// absolute path and with nothing of this process's environment, and waits for
// its end. Under systemd it is a unit of its own: what a package or a network
// needs is more than the helper's own unit may do, and it goes on where the
// helper ends. Its words are in the journal then.
func outside(ctx context.Context, limit time.Duration, service string, command ...string) error {
	if _, err := os.Stat(command[0]); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if !booted() {
		return execute(ctx, command...)
	}
	conn, err := bus(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	type execStart struct {
		Path   string
		Args   []string
		Ignore bool
	}
	type property struct {
		Name  string
		Value dbus.Variant
	}
	type auxiliary struct {
		Name       string
		Properties []property
	}
	unit := "constat-remedy-" + service + ".service"
	kind := "oneshot"
	if service == dhcpClient {
		kind = "forking" // it stays, and goes on renewing
	}
	err = job(ctx, conn, "StartTransientUnit", unit, "replace", []property{
		{"Description", dbus.MakeVariant("Constat: a remedy that somebody consented to")},
		{"Type", dbus.MakeVariant(kind)},
		{"ExecStart", dbus.MakeVariant([]execStart{{command[0], command, false}})},
		{"Environment", dbus.MakeVariant(environment)},
		{"TimeoutStartUSec", dbus.MakeVariant(uint64(limit.Microseconds()))},
		{"CollectMode", dbus.MakeVariant("inactive-or-failed")},
	}, []auxiliary{})
	if err != nil {
		return fmt.Errorf("%s: %w; its words: journalctl -u %s", command[0], err, unit)
	}
	return nil
}

// until looks every 100 ms whether something came true, until ctx ends.
func until(ctx context.Context, holds func() bool) bool {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if holds() {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}
