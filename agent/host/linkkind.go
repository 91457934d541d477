package host

import (
	"cmp"
	"strings"
)

// Hardware types of Linux links (if_arp.h).
const (
	arpEther    = 1
	arpPPP      = 512
	arpTunnel   = 768
	arpTunnel6  = 769
	arpLoopback = 772
	arpSIT      = 776
	arpGRE      = 778
	arpRawIP    = 519
	arpNone     = 65534
)

// kindsByDriver are our words for the kernel's kinds of virtual links
// (IFLA_INFO_KIND).
var kindsByDriver = map[string]string{
	"veth": "veth", "bridge": "bridge", "openvswitch": "bridge", "bond": "bond", "team": "bond", "vlan": "vlan",
	"tun": "tunnel", "wireguard": "tunnel", "gre": "tunnel", "gretap": "tunnel", "sit": "tunnel", "ipip": "tunnel",
	"ip6tnl": "tunnel", "vti": "tunnel", "vti6": "tunnel", "xfrm": "tunnel", "vxlan": "tunnel", "geneve": "tunnel",
	"ppp": "tunnel", "ipvlan": "vlan", "macvlan": "vlan", "wwan": "cellular", "rmnet": "cellular",
	"dummy": "other", "ifb": "other", "nlmon": "other",
}

// kindsByDevice are our words for sysfs's DEVTYPE.
var kindsByDevice = map[string]string{
	"wlan": "wifi", "wwan": "cellular", "bluetooth": "bluetooth", "bridge": "bridge", "bond": "bond", "vlan": "vlan", "wireguard": "tunnel",
}

// kindsByHardware are our words for the kernel's hardware types.
var kindsByHardware = map[uint16]string{
	arpEther: "ethernet", arpLoopback: "loopback", arpPPP: "tunnel", arpNone: "tunnel", arpTunnel: "tunnel",
	arpTunnel6: "tunnel", arpSIT: "tunnel", arpGRE: "tunnel", arpRawIP: "cellular",
}

// linkKind says what a link is: by its virtual kind, else by its device, else
// by its hardware type.
func linkKind(hardware uint16, virtual, device string) string {
	return cmp.Or(kindsByDriver[virtual], kindsByDevice[device], kindsByHardware[hardware], "other")
}

// deviceType finds DEVTYPE in a link's uevent file; "" when there is none.
func deviceType(uevent []byte) string {
	for line := range strings.Lines(string(uevent)) {
		if t, ok := strings.CutPrefix(strings.TrimSpace(line), "DEVTYPE="); ok {
			return t
		}
	}
	return ""
}
