package host

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/wireguard"
	constatv1 "constat/proto/constat/v1"
)

func TestTunnels(t *testing.T) {
	link := func(name, kind, status string, cidrs ...string) *constatv1.Link {
		l := &constatv1.Link{Name: &name, Kind: &kind, AdminStatus: set("up"), OperStatus: &status, Carrier: set(status != "down")}
		for _, c := range cidrs {
			l.Addresses = append(l.Addresses, &constatv1.Address{Cidr: set(c)})
		}
		return l
	}
	n := &constatv1.Network{Links: []*constatv1.Link{
		link("eth0", "ethernet", "up", "192.168.1.7/24"), link("tun0", "tunnel", "unknown", "10.8.0.2/24"), link("tun1", "tunnel", "down"),
		link("wg0", "tunnel", "unknown", "10.9.0.2/32"), link("vnet0", "tunnel", "unknown"), link("sit0", "tunnel", "down"),
	}}
	devices := map[string]string{"tun0": "tun", "tun1": "tun", "wg0": "wireguard", "vnet0": "tun", "sit0": "sit"}
	var paths []linkPath
	for prefix, name := range map[string]string{"0.0.0.0/0": "eth0", "192.168.0.0/16": "tun0", "10.8.0.0/24": "tun0", "0.0.0.0/1": "tun1", "128.0.0.0/1": "tun1", "10.9.0.0/16": "wg0"} {
		paths = append(paths, linkPath{netip.MustParsePrefix(prefix), name})
	}
	got := tunnels(n, devices, paths, map[string]bool{"openvpn": true, "bash": true})
	want := []*constatv1.Vpn{
		{Name: set("tun0"), Link: set("tun0"), Kind: set("openvpn"), State: set("connected"), Leftovers: set(false), CarriesDefault: set(false), Overlaps: []string{"192.168.0.0/16"}},
		{Name: set("tun1"), Link: set("tun1"), Kind: set("openvpn"), State: set("disconnected"), Leftovers: set(true), CarriesDefault: set(true)},
		{Name: set("wg0"), Link: set("wg0"), Kind: set("wireguard"), CarriesDefault: set(false)},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("by links (-want +got):\n%s", diff)
	}
	got = withProfiles(got[2:], []vpnProfile{
		{name: "Office", kind: "wireguard", link: "wg0", state: 1}, {name: "Branch", kind: "openvpn", gateway: "vpn.example:1194", plugin: true},
		{name: "Lab", kind: "ipsec", plugin: true, state: 6},
	})
	want = []*constatv1.Vpn{
		{Name: set("Branch"), Kind: set("openvpn"), State: set("disconnected"), Gateway: set("vpn.example:1194")},
		{Name: set("Lab"), Kind: set("ipsec"), State: set("failed")},
		{Name: set("Office"), Link: set("wg0"), Kind: set("wireguard"), State: set("connecting"), CarriesDefault: set(false)},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("with NetworkManager's (-want +got):\n%s", diff)
	}
	for name, programs := range map[string]map[string]bool{"other": {"openvpn": true, "openconnect": true}, "anyconnect": {"openconnect": true, "vpnagentd": true}} {
		if kind := tunnelKind("tun0", programs); kind != name {
			t.Errorf("%v keep a tun of %s, want %s", programs, kind, name)
		}
	}
}

// TestPeersTell: what the far ends of a WireGuard tunnel say about it.
func TestPeersTell(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 41, 0, 0, time.UTC)
	met := func(ago time.Duration) wireguard.Peer {
		return wireguard.Peer{Endpoint: "192.0.2.7:51820", LastHandshake: now.Add(-ago), Received: 92, Sent: 148}
	}
	hour := timestamppb.New(now.Truncate(time.Hour))
	for name, c := range map[string]struct {
		peers []wireguard.Peer
		want  *constatv1.Vpn
	}{
		"just now":            {[]wireguard.Peer{met(time.Minute)}, &constatv1.Vpn{State: set("connected"), Leftovers: set(false), Gateway: set("192.0.2.7:51820"), LastHandshakeAt: hour}},
		"one of two":          {[]wireguard.Peer{met(time.Minute), {Sent: 148}}, &constatv1.Vpn{State: set("connected"), Leftovers: set(false), LastHandshakeAt: hour}},
		"long ago, or idle":   {[]wireguard.Peer{met(20 * time.Minute)}, &constatv1.Vpn{Gateway: set("192.0.2.7:51820"), LastHandshakeAt: hour}},
		"nobody ever opened":  {[]wireguard.Peer{{Endpoint: "192.0.2.7:51820", Sent: 148}}, &constatv1.Vpn{State: set("connecting"), Failure: set("gatewaySilent"), Gateway: set("192.0.2.7:51820")}},
		"nothing asked of it": {[]wireguard.Peer{{}}, &constatv1.Vpn{}},
		"no far end":          {nil, &constatv1.Vpn{}},
	} {
		v := &constatv1.Vpn{}
		meetPeers(v, c.peers, now)
		if diff := cmp.Diff(c.want, v, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
