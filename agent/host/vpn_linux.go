package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"

	"constat/agent/wireguard"
	constatv1 "constat/proto/constat/v1"
)

// maxPaths is how many routes are compared with the links' own prefixes.
const maxPaths = 4096

// pathsOf are the routes of the main table, and of the one that strongSwan has.
func pathsOf(routes []rtnetlink.RouteMessage, names map[uint32]string) []linkPath {
	const strongSwan = 220
	var paths []linkPath
	for _, m := range routes {
		table := max(uint32(m.Table), m.Attributes.Table)
		if m.Type != unix.RTN_UNICAST || table != unix.RT_TABLE_MAIN && table != strongSwan || len(paths) >= maxPaths {
			continue
		}
		address := netip.IPv6Unspecified()
		if m.Family == unix.AF_INET {
			address = netip.IPv4Unspecified()
		}
		if to, ok := netip.AddrFromSlice(m.Attributes.Dst); ok {
			address = to.Unmap()
		}
		links := []uint32{m.Attributes.OutIface}
		for _, hop := range m.Attributes.Multipath {
			links = append(links, hop.Hop.IfIndex)
		}
		for _, link := range links {
			if link != 0 {
				paths = append(paths, linkPath{netip.PrefixFrom(address, int(m.DstLength)), names[link]})
			}
		}
	}
	return paths
}

// readVPNs lists tunnels by their links, and what NetworkManager tells of them
// and of those that are not connected.
func readVPNs(ctx context.Context, r *reader, n *constatv1.Network, devices map[string]string, paths []linkPath, o *constatv1.Observation) {
	programs, err := r.processNames()
	if err != nil {
		programs = nil
		gap(o, "vpns.kind", err)
	}
	n.Vpns = tunnels(n, devices, paths, programs)
	for _, v := range n.Vpns {
		if devices[v.GetLink()] != "wireguard" {
			continue
		}
		peers, err := tunnelPeers(ctx, r, v.GetLink())
		if err != nil {
			gap(o, "vpns.last_handshake_at", fmt.Errorf("%s: %w", v.GetName(), err))
			continue
		}
		meetPeers(v, peers, time.Now())
	}
	if conn, err := systemBus(ctx, r); err == nil {
		defer conn.Close()
		n.Vpns = withProfiles(n.Vpns, managerVPNs(ctx, conn))
	}
}

// tunnelPeers asks for the far ends of a WireGuard tunnel, by the process that
// holds the rights where this one may not.
func tunnelPeers(ctx context.Context, r *reader, link string) ([]wireguard.Peer, error) {
	peers, err := wireguard.Read(link)
	if errors.Is(err, fs.ErrPermission) && r.Privileged != nil {
		var content []byte
		if content, err = r.Privileged(ctx, "wireguard", link); err == nil {
			err = json.Unmarshal(content, &peers)
		}
	}
	return peers, err
}

// managerVPNs are the VPNs that NetworkManager is set up for, with the state of
// those under way. Of their settings only what is named here is looked at.
func managerVPNs(ctx context.Context, conn *dbus.Conn) []vpnProfile {
	b := &wifiBus{conn, map[string]bool{networkManager: true}}
	var paths []dbus.ObjectPath
	if err := conn.Object(networkManager, "/org/freedesktop/NetworkManager/Settings").
		CallWithContext(ctx, networkManager+".Settings.ListConnections", dbus.FlagNoAutoStart).Store(&paths); err != nil {
		return nil // NetworkManager does not run here
	}
	found := map[dbus.ObjectPath]*vpnProfile{}
	var list []*vpnProfile
	for _, at := range paths[:min(len(paths), maxProfiles)] {
		if p := b.profile(ctx, at).vpn(); p != nil {
			found[at] = p
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil
	}
	values, _ := properties(ctx, conn.Object(networkManager, "/org/freedesktop/NetworkManager"), networkManager)
	if active := property[[]dbus.ObjectPath](values, "ActiveConnections"); active != nil {
		for _, at := range (*active)[:min(len(*active), maxProfiles)] {
			object := conn.Object(networkManager, at)
			connection, err := properties(ctx, object, networkManager+".Connection.Active")
			settings := property[dbus.ObjectPath](connection, "Connection")
			if err != nil || settings == nil || found[*settings] == nil {
				continue
			}
			p := found[*settings]
			if state := property[uint32](connection, "State"); state != nil && !p.plugin {
				p.state = *state
			}
			if p.plugin {
				v, _ := properties(ctx, object, networkManager+".VPN.Connection")
				if state := property[uint32](v, "VpnState"); state != nil {
					p.state = *state
				}
			}
		}
	}
	out := make([]vpnProfile, len(list))
	for i, p := range list {
		out[i] = *p
	}
	return out
}

// vpn is what a profile says of a VPN; nil when it is of something else.
func (p profile) vpn() *vpnProfile {
	kind, name := property[string](p["connection"], "type"), property[string](p["connection"], "id")
	if kind == nil || name == nil || *kind != "vpn" && *kind != "wireguard" {
		return nil
	}
	v := &vpnProfile{name: *name, kind: "wireguard", plugin: *kind == "vpn"}
	if link := property[string](p["connection"], "interface-name"); link != nil {
		v.link = *link
	}
	if !v.plugin {
		return v
	}
	v.kind = "other"
	if service := property[string](p["vpn"], "service-type"); service != nil {
		if known := vpnServices[(*service)[strings.LastIndexByte(*service, '.')+1:]]; known != "" {
			v.kind = known
		}
	}
	if data := property[map[string]string](p["vpn"], "data"); data != nil {
		for _, key := range []string{"remote", "gateway", "address", "IPSec gateway"} {
			// Several servers may stand there, each with its port.
			words := strings.FieldsFunc((*data)[key], func(c rune) bool { return c == ',' || c == ' ' })
			if len(words) > 0 && v.gateway == "" {
				v.gateway = words[0]
			}
		}
	}
	return v
}
