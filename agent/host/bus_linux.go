package host

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/godbus/dbus/v5"

	constatv1 "constat/proto/constat/v1"
)

// maxSessions and the like bound what is asked one by one over the bus.
const maxSessions = 64

// busTime is how long a group may talk over the bus: less than any group has,
// so that a bus that hangs costs what only it knows.
const busTime = 1500 * time.Millisecond

// systemBus connects to the system bus, or to the one below the root. The
// connection ends with ctx, or after busTime.
func systemBus(ctx context.Context, r *reader) (*dbus.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, busTime)
	context.AfterFunc(ctx, cancel)
	address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS")
	if r.Root != "" || address == "" {
		socket := r.path("/run/dbus/system_bus_socket")
		if _, err := os.Stat(socket); err != nil {
			return nil, fmt.Errorf("there is no system bus: %w", err)
		}
		address = "unix:path=" + dbus.EscapeBusAddressValue(socket)
	}
	conn, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("the system bus does not answer: %w", err)
	}
	return conn, nil
}

// property reads one property of an object; nil when it is not there or of
// another type.
func property[T any](values map[string]dbus.Variant, name string) *T {
	if v, ok := values[name].Value().(T); ok {
		return &v
	}
	return nil
}

// properties reads all properties of an object's interface.
func properties(ctx context.Context, object dbus.BusObject, of string) (map[string]dbus.Variant, error) {
	var values map[string]dbus.Variant
	err := object.CallWithContext(ctx, "org.freedesktop.DBus.Properties.GetAll", dbus.FlagNoAutoStart, of).Store(&values)
	return values, err
}

// logindSessions asks logind who is signed in; greeters and background
// sessions are left out.
func logindSessions(ctx context.Context, r *reader) ([]*constatv1.Session, error) {
	conn, err := systemBus(ctx, r)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	const login = "org.freedesktop.login1"
	var listed []struct {
		ID   string
		UID  uint32
		User string
		Seat string
		Path dbus.ObjectPath
	}
	manager := conn.Object(login, "/org/freedesktop/login1")
	if err := manager.CallWithContext(ctx, login+".Manager.ListSessions", dbus.FlagNoAutoStart).Store(&listed); err != nil {
		return nil, fmt.Errorf("logind: %w", err)
	}
	sessions := []*constatv1.Session{}
	for _, l := range listed[:min(len(listed), maxSessions)] {
		values, err := properties(ctx, conn.Object(login, l.Path), login+".Session")
		if err != nil {
			continue // it ended meanwhile
		}
		if class := property[string](values, "Class"); class != nil && *class != "user" {
			continue
		}
		s := &constatv1.Session{User: &l.User, Active: property[bool](values, "Active")}
		if remote := property[bool](values, "Remote"); remote != nil {
			s.Kind = set(map[bool]string{false: "local", true: "remote"}[*remote])
		}
		sessions = append(sessions, s)
	}
	sortSessions(sessions)
	return sessions, nil
}
