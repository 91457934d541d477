package host

import (
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

type resolveManager struct{}

func (resolveManager) GetLink(index int32) (dbus.ObjectPath, *dbus.Error) {
	return map[int32]dbus.ObjectPath{2: "/link/eth0", 3: "/link/tun0"}[index], nil
}

func TestResolversPerLink(t *testing.T) {
	root := tree(t, map[string]string{"etc/resolv.conf": "nameserver 127.0.0.53\n", "run/systemd/resolve/resolv.conf": "nameserver 192.0.2.99\n"})
	conn := startBus(t, root)
	type server struct {
		Link, Family int32
		Address      []byte
	}
	type domain struct {
		Name  string
		Route bool
	}
	const resolve = "org.freedesktop.resolve1"
	export(t, conn, "/org/freedesktop/resolve1", resolveManager{}, map[string]map[string]any{resolve + ".Manager": {"DNS": []server{
		{2, 2, []byte{192, 0, 2, 53}}, {3, 2, []byte{10, 8, 0, 1}}, {0, 2, []byte{198, 51, 100, 53}}, {2, 2, []byte{1}},
	}}})
	export(t, conn, "/link/eth0", nil, map[string]map[string]any{resolve + ".Link": {"DefaultRoute": true, "Domains": []domain{{"home.example", false}}}})
	export(t, conn, "/link/tun0", nil, map[string]map[string]any{resolve + ".Link": {"DefaultRoute": false, "Domains": []domain{{"Corp.example", true}, {".", true}}}})
	if _, err := conn.RequestName(resolve, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	n, o := &constatv1.Network{Links: []*constatv1.Link{{Index: set(int32(2)), Name: set("eth0")}, {Index: set(int32(3)), Name: set("tun0")}}}, observed("")
	readResolvers(t.Context(), &reader{Config: Config{Root: root}}, n, o)
	told(t, &constatv1.Snapshot{Network: n})
	want := []*constatv1.Resolver{
		{Address: set("127.0.0.53"), Stub: set(true), Origin: set("resolv.conf")},
		{Address: set("192.0.2.53"), Stub: set(false), Origin: set("resolved"), Link: set("eth0")},
		{Address: set("10.8.0.1"), Stub: set(false), Origin: set("resolved"), Link: set("tun0"), Domains: []string{"corp.example"}},
		{Address: set("198.51.100.53"), Stub: set(false), Origin: set("resolved")},
	}
	if diff := cmp.Diff(want, n.Resolvers, protocmp.Transform()); diff != "" {
		t.Errorf("gaps %v (-want +got):\n%s", o.Gaps, diff)
	}
}

type vpnSettings struct{}

func (vpnSettings) ListConnections() ([]dbus.ObjectPath, *dbus.Error) {
	return []dbus.ObjectPath{"/office", "/home", "/cable"}, nil
}

type vpnConnection map[string]map[string]dbus.Variant

func (c vpnConnection) GetSettings() (map[string]map[string]dbus.Variant, *dbus.Error) { return c, nil }

func TestManagersVPNs(t *testing.T) {
	root := t.TempDir()
	conn := startBus(t, root)
	of := dbus.MakeVariant
	const settings = networkManager + ".Settings.Connection"
	export(t, conn, "/org/freedesktop/NetworkManager/Settings", vpnSettings{}, map[string]map[string]any{networkManager + ".Settings": {}})
	export(t, conn, "/office", vpnConnection{
		"connection": {"id": of("Office"), "type": of("vpn")},
		"vpn": {
			"service-type": of("org.freedesktop.NetworkManager.openvpn"), "user-name": of("CANARY"),
			"data": of(map[string]string{"remote": "vpn.example:1194, vpn2.example", "username": "CANARY", "cert": "/home/CANARY/a.pem"}),
		},
	}, map[string]map[string]any{settings: {}})
	export(t, conn, "/home", vpnConnection{"connection": {"id": of("Home"), "type": of("wireguard"), "interface-name": of("wg7")}}, map[string]map[string]any{settings: {}})
	export(t, conn, "/cable", vpnConnection{"connection": {"id": of("CANARY"), "type": of("802-3-ethernet")}}, map[string]map[string]any{settings: {}})
	export(t, conn, "/org/freedesktop/NetworkManager", nil, map[string]map[string]any{networkManager: {"ActiveConnections": []dbus.ObjectPath{"/active/1", "/gone"}}})
	export(t, conn, "/active/1", nil, map[string]map[string]any{
		networkManager + ".Connection.Active": {"Connection": dbus.ObjectPath("/office"), "State": uint32(1)},
		networkManager + ".VPN.Connection":    {"VpnState": uint32(3)},
	})
	if _, err := conn.RequestName(networkManager, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	asked, err := systemBus(t.Context(), &reader{Config: Config{Root: root}})
	if err != nil {
		t.Fatal(err)
	}
	defer asked.Close()
	got := withProfiles(nil, managerVPNs(t.Context(), asked))
	want := []*constatv1.Vpn{
		{Name: set("Home"), Kind: set("wireguard"), Link: set("wg7"), State: set("disconnected")},
		{Name: set("Office"), Kind: set("openvpn"), Gateway: set("vpn.example:1194"), State: set("connecting")},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
