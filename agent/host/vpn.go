package host

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/wireguard"
	constatv1 "constat/proto/constat/v1"
)

// vpnClients are programs that keep tunnels, by the kernel's name of their
// process (cut at 15 bytes), and the kind of VPN they are.
var vpnClients = map[string]string{
	"openvpn": "openvpn", "openvpn3-servic": "openvpn", "openconnect": "anyconnect", "vpnagentd": "anyconnect",
	"PanGPS": "globalprotect", "charon": "ipsec", "charon-systemd": "ipsec", "pluto": "ipsec",
	"wireguard-go": "wireguard", "boringtun-cli": "wireguard", "tailscaled": "other", "forticlient": "other", "zerotier-one": "other",
}

// vpnLinks are names that clients give their tunnels, as prefixes.
var vpnLinks = []struct{ prefix, kind string }{
	{"wg", "wireguard"}, {"nordlynx", "wireguard"}, {"cscotun", "anyconnect"}, {"gpd", "globalprotect"}, {"ipsec", "ipsec"}, {"xfrm", "ipsec"}, {"vti", "ipsec"},
	{"tailscale", "other"}, {"zt", "other"}, {"ppp", "other"},
}

// vpnDevices are our words for the kernel's kinds of tunnels. What a tun
// carries depends on the program that keeps it.
var vpnDevices = map[string]string{"wireguard": "wireguard", "xfrm": "ipsec", "vti": "ipsec", "vti6": "ipsec", "ppp": "other", "tun": ""}

// linkPath is a route to some prefix over a link.
type linkPath struct {
	prefix netip.Prefix
	link   string
}

// tunnels are the private networks that links lead into. Devices are the
// kernel's kinds of virtual links by name, programs the processes that run (nil:
// not known).
func tunnels(n *constatv1.Network, devices map[string]string, paths []linkPath, programs map[string]bool) []*constatv1.Vpn {
	var list []*constatv1.Vpn
	for _, l := range n.Links {
		device := devices[l.GetName()]
		kind, ok := vpnDevices[device]
		if !ok && (device != "" || l.GetKind() != "tunnel") || l.GetPhysical() {
			continue
		}
		routed := slices.ContainsFunc(paths, func(p linkPath) bool { return p.link == l.GetName() })
		if l.Master != nil || device == "tun" && !routed && len(l.Addresses) == 0 {
			continue // the cable of a virtual machine
		}
		v := &constatv1.Vpn{Name: l.Name, Link: l.Name, Kind: set(kind), CarriesDefault: set(carriesDefault(paths, l.GetName()))}
		if kind == "" {
			if v.Kind = set(tunnelKind(l.GetName(), programs)); v.GetKind() == "other" && programs == nil {
				v.Kind = nil
			}
		}
		up := l.GetAdminStatus() == "up" && l.GetOperStatus() != "down" && (l.Carrier == nil || l.GetCarrier())
		switch {
		case !up:
			v.State, v.Leftovers = set("disconnected"), set(routed)
		case v.GetKind() == "wireguard": // it is up whether or not the far end ever answered
		default:
			v.State, v.Leftovers = set("connected"), set(false)
		}
		v.Overlaps = overlaps(n, paths, l.GetName())
		list = append(list, v)
	}
	return list
}

// tunnelKind is what a tun carries: by the name that its client gave it, or by
// the only client that runs.
func tunnelKind(link string, programs map[string]bool) string {
	for _, known := range vpnLinks {
		if strings.HasPrefix(link, known.prefix) {
			return known.kind
		}
	}
	kind := ""
	for name := range programs {
		if k := vpnClients[name]; k != "" && k != kind {
			if kind != "" {
				return "other"
			}
			kind = k
		}
	}
	if kind == "" {
		return "other"
	}
	return kind
}

// carriesDefault tells whether everything of a family goes over a link: by a
// default route, or by two halves of one, as OpenVPN and WireGuard lay it.
func carriesDefault(paths []linkPath, link string) bool {
	for _, any := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		halves := 0
		for _, p := range paths {
			if p.link != link || p.prefix.Addr().Is4() != any.Is4() {
				continue
			}
			switch p.prefix.Bits() {
			case 0:
				return true
			case 1:
				halves++
			}
		}
		if halves == 2 {
			return true
		}
	}
	return false
}

// overlaps are the prefixes behind a tunnel that also are, or hold, or lie in,
// the prefix of another link of this machine.
func overlaps(n *constatv1.Network, paths []linkPath, tunnel string) []string {
	const wide = 8 // a wider route is meant for everything
	var list []string
	for _, p := range paths {
		if p.link != tunnel || p.prefix.Bits() < wide || p.prefix.Addr().IsLinkLocalUnicast() || p.prefix.Addr().IsMulticast() || p.prefix.IsSingleIP() {
			continue
		}
		for _, l := range n.Links {
			if l.GetName() == tunnel || l.GetKind() == "loopback" || l.GetKind() == "tunnel" {
				continue
			}
			for _, a := range l.Addresses {
				own, err := netip.ParsePrefix(a.GetCidr())
				if text := p.prefix.String(); err == nil && own.Masked().Overlaps(p.prefix) && !own.Addr().IsLinkLocalUnicast() && !slices.Contains(list, text) {
					list = append(list, text)
				}
			}
		}
	}
	slices.Sort(list)
	return list
}

// aliveTime is how long a handshake of WireGuard holds (its whitepaper, 6.1):
// whoever talks makes another before that.
const aliveTime = 180 * time.Second

// meetPeers adds what the far ends of a WireGuard tunnel tell. A tunnel that is
// up and where nothing goes makes no handshakes: that it can't be told from one
// whose far end is gone leaves its state open.
func meetPeers(v *constatv1.Vpn, peers []wireguard.Peer, now time.Time) {
	var last time.Time
	var received, sent uint64
	for _, p := range peers {
		if p.LastHandshake.After(last) {
			last = p.LastHandshake
		}
		received, sent = received+p.Received, sent+p.Sent
	}
	if len(peers) == 1 {
		v.Gateway = filled(peers[0].Endpoint)
	}
	switch {
	case !last.IsZero():
		v.LastHandshakeAt = timestamppb.New(last.Truncate(time.Hour))
	case sent > 0 && received == 0 && v.State == nil: // it knocks, and nobody ever opened
		v.State, v.Failure = set("connecting"), set("gatewaySilent")
	}
	if v.State == nil && now.Sub(last) < aliveTime {
		v.State, v.Leftovers = set("connected"), set(false)
	}
}

// vpnServices are kinds of VPN by the last word of NetworkManager's plug-in.
var vpnServices = map[string]string{
	"openvpn": "openvpn", "strongswan": "ipsec", "libreswan": "ipsec", "vpnc": "ipsec", "l2tp": "ipsec", "openconnect": "anyconnect", "wireguard": "wireguard",
}

// vpnProfile is a VPN that NetworkManager is set up for.
type vpnProfile struct {
	name, kind, gateway, link string
	state                     uint32 // NMVpnConnectionState, or NMActiveConnectionState for WireGuard; 0 is off
	plugin                    bool
}

// vpn is the fact of a profile.
func (p vpnProfile) vpn() *constatv1.Vpn {
	v := &constatv1.Vpn{Name: filled(p.name), Kind: set(p.kind), Gateway: filled(p.gateway), Link: filled(p.link), State: set("disconnected")}
	switch {
	case p.plugin && p.state >= 1 && p.state <= 4, !p.plugin && p.state == 1:
		v.State = set("connecting")
	case p.plugin && p.state == 5, !p.plugin && p.state == 2:
		v.State = set("connected")
	case p.plugin && p.state == 6:
		v.State = set("failed")
	}
	return v
}

// withProfiles adds what NetworkManager tells of VPNs to what the kernel tells of
// their links.
func withProfiles(links []*constatv1.Vpn, profiles []vpnProfile) []*constatv1.Vpn {
	for _, p := range profiles {
		told := p.vpn()
		i := slices.IndexFunc(links, func(v *constatv1.Vpn) bool {
			return p.link != "" && v.GetLink() == p.link || p.link == "" && v.GetLink() == p.name
		})
		if i < 0 {
			links = append(links, told)
			continue
		}
		links[i].Name, links[i].Kind, links[i].Gateway = told.Name, told.Kind, or(told.Gateway, links[i].Gateway)
		if p.plugin || links[i].State == nil && told.GetState() != "connected" {
			links[i].State = told.State
		}
	}
	slices.SortStableFunc(links, func(a, b *constatv1.Vpn) int { return strings.Compare(a.GetName(), b.GetName()) })
	return links
}
