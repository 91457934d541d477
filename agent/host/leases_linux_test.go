package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

// leased is a network of one link that got its address by DHCP.
func leased() *constatv1.Network {
	return &constatv1.Network{Links: []*constatv1.Link{{
		Index: set(int32(2)), Name: set("eth0"),
		Addresses: []*constatv1.Address{{Cidr: set("192.0.2.5/24"), Family: set(int32(4)), Origin: set("dhcp")}},
	}}}
}

func TestLeaseFiles(t *testing.T) {
	ends := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	root := tree(t, map[string]string{"var/lib/dhcp/dhclient.eth0.leases": dhclientLeases, "var/lib/dhcp/dhclient6.eth0.leases": dhclientLeases})
	n, o := leased(), observed("")
	readManagers(t.Context(), &reader{Config: Config{Root: root}}, n, o)
	if diff := cmp.Diff(officeLease(ends), n.Links[0].Lease, protocmp.Transform()); diff != "" {
		t.Errorf("dhclient, %v (-want +got):\n%s", o.Gaps, diff)
	}
	n = leased()
	n.Links[0].Addresses[0].Cidr = set("192.0.2.50/24")
	o = observed("")
	readManagers(t.Context(), &reader{Config: Config{Root: root}}, n, o)
	if n.Links[0].Lease != nil || o.Gaps[len(o.Gaps)-1].Fact != "links.lease" {
		t.Errorf("a lease of long ago counts: %v, %v", n.Links[0].Lease, o.Gaps)
	}

	root = tree(t, map[string]string{"run/systemd/netif/leases/2": networkdLease, "run/systemd/netif/links/2": "ADMIN_STATE=configured\n"})
	if err := os.Chtimes(filepath.Join(root, "run/systemd/netif/leases/2"), ends, ends.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	n = leased()
	readManagers(t.Context(), &reader{Config: Config{Root: root}}, n, observed(""))
	if diff := cmp.Diff(officeLease(ends), n.Links[0].Lease, protocmp.Transform()); diff != "" || n.Links[0].Unmanaged == nil || *n.Links[0].Unmanaged {
		t.Errorf("systemd-networkd, unmanaged %v (-want +got):\n%s", n.Links[0].Unmanaged, diff)
	}
}

func TestNetworkManager(t *testing.T) {
	root := t.TempDir()
	conn := startBus(t, root)
	const manager = "/org/freedesktop/NetworkManager"
	device := func(name string, managed bool, state uint32, lease dbus.ObjectPath) map[string]map[string]any {
		return map[string]map[string]any{networkManager + ".Device": {"Interface": name, "Managed": managed, "State": state, "Dhcp4Config": lease}}
	}
	export(t, conn, manager, nil, map[string]map[string]any{networkManager: {
		"NetworkingEnabled": true, "Connectivity": uint32(2), "Devices": []dbus.ObjectPath{manager + "/Devices/1", manager + "/Devices/2", manager + "/Devices/3", manager + "/Gone"},
	}})
	export(t, conn, manager+"/Devices/1", nil, device("eth0", true, 100, manager+"/DHCP4Config/1"))
	export(t, conn, manager+"/Devices/2", nil, device("wlan0", true, stateIPConfig, "/"))
	export(t, conn, manager+"/Devices/3", nil, device("docker0", false, 10, "/"))
	export(t, conn, manager+"/DHCP4Config/1", nil, map[string]map[string]any{networkManager + ".DHCP4Config": {"Options": map[string]dbus.Variant{
		"dhcp_server_identifier": dbus.MakeVariant("192.0.2.2"), "routers": dbus.MakeVariant("192.0.2.1"), "expiry": dbus.MakeVariant("1714979289"),
		"domain_name_servers": dbus.MakeVariant("192.0.2.53 198.51.100.53"), "host_name": dbus.MakeVariant("canary"),
	}}})
	if _, err := conn.RequestName(networkManager, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	n, o := leased(), observed("")
	n.Links = append(n.Links, &constatv1.Link{Name: set("wlan0")}, &constatv1.Link{Name: set("docker0")})
	readManagers(t.Context(), &reader{Config: Config{Root: root}}, n, o)
	told(t, &constatv1.Snapshot{Network: n})
	want := leased()
	want.NetworkingEnabled, want.OsConnectivity = set(true), set("portal")
	want.Links[0].Lease, want.Links[0].Unmanaged = officeLease(time.Unix(1714979289, 0)), set(false)
	want.Links = append(want.Links,
		&constatv1.Link{Name: set("wlan0"), Unmanaged: set(false), Lease: &constatv1.Lease{Pending: set(true)}},
		&constatv1.Link{Name: set("docker0"), Unmanaged: set(true)})
	if diff := cmp.Diff(want, n, protocmp.Transform()); diff != "" || len(o.Gaps) != 0 {
		t.Errorf("gaps %v (-want +got):\n%s", o.Gaps, diff)
	}
}
