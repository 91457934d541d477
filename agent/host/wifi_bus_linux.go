package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/godbus/dbus/v5"

	constatv1 "constat/proto/constat/v1"
)

// Names on the system bus of the services that run Wi-Fi.
const (
	networkManager = "org.freedesktop.NetworkManager"
	supplicant     = "fi.w1.wpa_supplicant1"
	wirelessDaemon = "net.connman.iwd"
)

// wifiBus asks the services that run Wi-Fi.
type wifiBus struct {
	conn    *dbus.Conn
	answers map[string]bool // names that are held
}

// askWifiServices says whether Wi-Fi is run by a service, and returns the way
// to ask it further; nil when there is none.
func askWifiServices(ctx context.Context, r *reader, w *constatv1.Wifi) (*wifiBus, error) {
	conn, err := systemBus(ctx, r)
	if err != nil {
		return nil, err
	}
	bus := &wifiBus{conn, map[string]bool{}}
	for _, name := range []string{networkManager, supplicant, wirelessDaemon} {
		var held bool
		if err := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, name).Store(&held); err != nil {
			conn.Close()
			return nil, fmt.Errorf("the system bus: %w", err)
		}
		if held {
			bus.answers[name] = true
		}
	}
	var listed []systemdUnit
	err = conn.Object(systemd, "/org/freedesktop/systemd1").
		CallWithContext(ctx, systemd+".Manager.ListUnitsByNames", dbus.FlagNoAutoStart, wifiServices).Store(&listed)
	if err != nil && len(bus.answers) == 0 {
		return bus, fmt.Errorf("no service of Wi-Fi answers, and systemd does not say why: %w", err)
	}
	units := make([]unit, 0, len(listed))
	for _, l := range listed {
		units = append(units, unit{l.Name, l.Description, l.Load, l.Active, l.Sub})
	}
	w.ServiceState = set(wifiServiceState(units, len(bus.answers)))
	return bus, nil
}

// profile is a connection of NetworkManager's settings, whose answer never
// holds keys.
type profile map[string]map[string]dbus.Variant

func (b *wifiBus) profile(ctx context.Context, at dbus.ObjectPath) profile {
	var p profile
	if err := b.conn.Object(networkManager, at).CallWithContext(ctx, networkManager+".Settings.Connection.GetSettings", dbus.FlagNoAutoStart).Store(&p); err != nil {
		return nil // it was removed meanwhile, or belongs to somebody
	}
	return p
}

func (p profile) ssid() string {
	name := property[[]byte](p["802-11-wireless"], "ssid")
	if name == nil {
		return ""
	}
	return networkName(*name)
}

// enterprise tells whether people sign in with an account of theirs.
func (p profile) enterprise() bool {
	method := property[string](p["802-11-wireless-security"], "key-mgmt")
	return method != nil && strings.Contains(*method, "eap")
}

// byItself tells whether it is joined without being asked.
func (p profile) byItself() bool {
	on := property[bool](p["connection"], "autoconnect")
	return on == nil || *on
}

// wanted returns the names of the networks that this machine joins by itself;
// nil where that is not known. It may be called on nil.
func (b *wifiBus) wanted(ctx context.Context) []string {
	if b == nil || !b.answers[networkManager] {
		return nil
	}
	var paths []dbus.ObjectPath
	if err := b.conn.Object(networkManager, "/org/freedesktop/NetworkManager/Settings").
		CallWithContext(ctx, networkManager+".Settings.ListConnections", dbus.FlagNoAutoStart).Store(&paths); err != nil {
		return nil
	}
	var names []string
	for _, at := range paths[:min(len(paths), maxProfiles)] {
		if p := b.profile(ctx, at); p.ssid() != "" && p.byItself() {
			names = append(names, p.ssid())
		}
	}
	return names
}

// addFailures adds why a radio is not connected, or was not, as far as the
// services tell.
func (b *wifiBus) addFailures(ctx context.Context, one *radio, o *constatv1.Observation) {
	if one.Link == nil {
		return
	}
	if b.answers[networkManager] {
		b.askNetworkManager(ctx, one)
	}
	if b.answers[supplicant] && (one.supplicant == nil || one.supplicant.codes == nil) {
		if err := b.askSupplicant(ctx, one); err != nil {
			gap(o, "radios.last_reason", fmt.Errorf("wpa_supplicant: %w", err))
		}
	}
}

// askNetworkManager adds the network that is tried and why that fails. A link
// that NetworkManager leaves alone has neither.
func (b *wifiBus) askNetworkManager(ctx context.Context, one *radio) {
	var at dbus.ObjectPath
	manager := b.conn.Object(networkManager, "/org/freedesktop/NetworkManager")
	if err := manager.CallWithContext(ctx, networkManager+".GetDeviceByIpIface", dbus.FlagNoAutoStart, one.GetLink()).Store(&at); err != nil {
		return
	}
	device, err := properties(ctx, b.conn.Object(networkManager, at), networkManager+".Device")
	if err != nil {
		return
	}
	var enterprise bool
	if active := property[dbus.ObjectPath](device, "ActiveConnection"); active != nil && *active != "/" {
		connection, err := properties(ctx, b.conn.Object(networkManager, *active), networkManager+".Connection.Active")
		if settings := property[dbus.ObjectPath](connection, "Connection"); err == nil && settings != nil {
			p := b.profile(ctx, *settings)
			enterprise = p.enterprise()
			if one.Ssid == nil {
				one.Ssid = filled(p.ssid())
			}
		}
	}
	reason := property[[]any](device, "StateReason") // state, reason
	if reason == nil || len(*reason) != 2 || one.GetState() == "connected" {
		return
	}
	state, known1 := (*reason)[0].(uint32)
	why, known2 := (*reason)[1].(uint32)
	if known1 && known2 {
		one.LastFailure = managerFailure(state, why, enterprise)
	}
}

// askSupplicant adds the codes of the last disconnect. Its rules on the bus let
// few accounts ask.
func (b *wifiBus) askSupplicant(ctx context.Context, one *radio) error {
	var at dbus.ObjectPath
	err := b.conn.Object(supplicant, "/fi/w1/wpa_supplicant1").
		CallWithContext(ctx, supplicant+".GetInterface", dbus.FlagNoAutoStart, one.GetLink()).Store(&at)
	if busError(err) == supplicant+".InterfaceUnknown" {
		return nil // it leaves this link alone
	}
	var values map[string]dbus.Variant
	if err == nil {
		values, err = properties(ctx, b.conn.Object(supplicant, at), supplicant+".Interface")
	}
	switch {
	case busError(err) == "org.freedesktop.DBus.Error.AccessDenied":
		return fmt.Errorf("%w: %w", err, fs.ErrPermission)
	case err != nil:
		return err
	}
	code := func(name string) int32 {
		if n := property[int32](values, name); n != nil {
			return *n
		}
		return 0
	}
	supplicantFailure(one.Radio, code("DisconnectReason"), code("AuthStatusCode"), code("AssocStatusCode"))
	return nil
}

// busError is the name of an error that the other side answered with.
func busError(err error) string {
	var answered dbus.Error
	if errors.As(err, &answered) {
		return answered.Name
	}
	return ""
}
