package host

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	constatv1 "constat/proto/constat/v1"
)

// managerLimit is how long NetworkManager may take: links and routes must not
// wait for it.
const managerLimit = time.Second

// readManagers fills in what those know who configure the links: leases, which
// links they leave alone, and how NetworkManager judges the connection.
func readManagers(ctx context.Context, r *reader, n *constatv1.Network, o *constatv1.Observation) {
	readDhclient(r, n)
	readNetworkd(r, n)
	ctx, cancel := context.WithTimeout(ctx, managerLimit)
	defer cancel()
	if err := readNetworkManager(ctx, r, n); err != nil {
		err = fmt.Errorf("NetworkManager: %w", err)
		gap(o, "os_connectivity", err)
		gap(o, "networking_enabled", err)
	}
	readSignIns(ctx, r, n, o)
	readClients(r, n)
	for _, l := range n.Links {
		leased := slices.ContainsFunc(l.Addresses, func(a *constatv1.Address) bool { return a.GetOrigin() == "dhcp" && a.GetFamily() == 4 })
		if leased && l.Lease == nil {
			gap(o, "links.lease", fmt.Errorf("%s: none of dhclient, systemd-networkd and NetworkManager shows its lease: %w", l.GetName(), errors.ErrUnsupported))
		}
	}
}

// readDhclient reads the files of ISC dhclient. They stay when it is not used
// any more, so a lease counts where the link has its address.
func readDhclient(r *reader, n *constatv1.Network) {
	for _, dir := range []string{"/var/lib/dhcp", "/var/lib/dhclient"} {
		names, _ := r.names(dir)
		for _, name := range names {
			if !strings.HasPrefix(name, "dhclient") || path.Ext(name) != ".leases" || strings.HasPrefix(name, "dhclient6") {
				continue
			}
			content, err := r.file(dir + "/" + name)
			if err != nil {
				continue
			}
			for link, lease := range parseDhclientLeases(content) {
				l := linkNamed(n, link)
				if l != nil && slices.ContainsFunc(l.Addresses, func(a *constatv1.Address) bool { return strings.HasPrefix(a.GetCidr(), lease.address+"/") }) {
					l.Lease = lease.Lease
				}
			}
		}
	}
}

// readNetworkd reads the files of systemd-networkd, named by the link's index.
func readNetworkd(r *reader, n *constatv1.Network) {
	const dir = "/run/systemd/netif/"
	for _, l := range n.Links {
		index := strconv.Itoa(int(l.GetIndex()))
		if state, err := r.file(dir + "links/" + index); err == nil {
			l.Unmanaged = set(parseAssignments(state)["ADMIN_STATE"] == "unmanaged")
		}
		name := dir + "leases/" + index
		content, err := r.file(name)
		if err != nil {
			continue
		}
		if info, err := r.stat(name); err == nil {
			l.Lease = parseNetworkdLease(content, info.ModTime())
		}
	}
}

// dhcpClients are programs that ask for addresses, by the kernel's name of
// their process.
var dhcpClients = []string{"dhclient", "udhcpc", "dhcpcd"}

// readClients marks links as waiting for a lease that have no address yet and
// on which a client runs. Of its arguments only the link's name is looked for.
func readClients(r *reader, n *constatv1.Network) {
	var waiting []*constatv1.Link
	for _, l := range n.Links {
		addressed := slices.ContainsFunc(l.Addresses, func(a *constatv1.Address) bool { return a.GetFamily() == 4 })
		if !addressed && l.Lease == nil && l.GetAdminStatus() == "up" && l.GetKind() != "loopback" {
			waiting = append(waiting, l)
		}
	}
	if len(waiting) == 0 {
		return
	}
	entries, _ := r.names("/proc")
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry); err != nil || !slices.Contains(dhcpClients, r.value("/proc/"+entry+"/comm")) {
			continue
		}
		content, err := r.file("/proc/" + entry + "/cmdline")
		if err != nil {
			continue
		}
		arguments := strings.Split(string(content), "\x00")
		for _, l := range waiting {
			if slices.Contains(arguments, l.GetName()) {
				l.Lease = &constatv1.Lease{Pending: set(true)}
			}
		}
	}
}

// connectivityWords are NMConnectivityState of NetworkManager's D-Bus interface.
var connectivityWords = []string{"unknown", "none", "portal", "limited", "full"}

// stateIPConfig is the NMDeviceState in which a device waits for its address.
const stateIPConfig = 70

// maxManaged is how many devices of NetworkManager are looked at.
const maxManaged = 64

// readNetworkManager asks NetworkManager, where it runs.
func readNetworkManager(ctx context.Context, r *reader, n *constatv1.Network) error {
	conn, err := systemBus(ctx, r)
	if err != nil {
		return err
	}
	defer conn.Close()
	values, err := properties(ctx, conn.Object(networkManager, "/org/freedesktop/NetworkManager"), networkManager)
	var refused dbus.Error
	if errors.As(err, &refused) && (refused.Name == "org.freedesktop.DBus.Error.NameHasNoOwner" || refused.Name == "org.freedesktop.DBus.Error.ServiceUnknown") {
		return fmt.Errorf("it does not run here: %w", errors.ErrUnsupported)
	}
	if err != nil {
		return err
	}
	n.NetworkingEnabled = property[bool](values, "NetworkingEnabled")
	if state := property[uint32](values, "Connectivity"); state != nil && int(*state) < len(connectivityWords) {
		n.OsConnectivity = &connectivityWords[*state]
	}
	devices := property[[]dbus.ObjectPath](values, "Devices")
	if devices == nil {
		return nil
	}
	for _, at := range (*devices)[:min(len(*devices), maxManaged)] {
		device, err := properties(ctx, conn.Object(networkManager, at), networkManager+".Device")
		if err != nil {
			continue // it went away meanwhile
		}
		name := property[string](device, "Interface")
		if name == nil {
			continue
		}
		l := linkNamed(n, *name)
		if l == nil {
			continue
		}
		if managed := property[bool](device, "Managed"); managed != nil {
			l.Unmanaged = set(!*managed && (l.Unmanaged == nil || *l.Unmanaged))
		}
		if lease := managerLease(ctx, conn, device); lease != nil {
			l.Lease = lease
		}
		const wired = 1 // NM_DEVICE_TYPE_ETHERNET
		if kind := property[uint32](device, "DeviceType"); kind != nil && *kind == wired {
			if reason := property[[]any](device, "StateReason"); reason != nil && len(*reason) == 2 {
				state, _ := (*reason)[0].(uint32)
				why, _ := (*reason)[1].(uint32)
				l.Dot1X = managerSignIn(state, why)
			}
		}
	}
	return nil
}

// managerLease is the lease of a device of NetworkManager's: nil when it has
// none and waits for none.
func managerLease(ctx context.Context, conn *dbus.Conn, device map[string]dbus.Variant) *constatv1.Lease {
	if at := property[dbus.ObjectPath](device, "Dhcp4Config"); at != nil && *at != "/" {
		values, err := properties(ctx, conn.Object(networkManager, *at), networkManager+".DHCP4Config")
		options := property[map[string]dbus.Variant](values, "Options")
		if err == nil && options != nil && len(*options) > 0 {
			texts := map[string]string{}
			for name := range *options {
				if text := property[string](*options, name); text != nil {
					texts[name] = *text
				}
			}
			return leaseOf(texts)
		}
	}
	if state := property[uint32](device, "State"); state != nil && *state == stateIPConfig {
		return &constatv1.Lease{Pending: set(true)}
	}
	return nil
}
