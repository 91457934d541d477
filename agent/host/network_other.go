//go:build !linux && !darwin

package host

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"

	constatv1 "constat/proto/constat/v1"
)

// stackSource is Go's net package: GetAdaptersAddresses on Windows, the routing
// socket on macOS.
const stackSource = "net.Interfaces"

// readStack lists links and addresses as the portable interface tells them.
// Routes are not among it.
func readStack(_ context.Context, _ *reader, n *constatv1.Network, o *constatv1.Observation) error {
	links, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range links {
		l := &constatv1.Link{
			Index: set(int32(i.Index)), Name: set(i.Name), Mtu: set(int32(i.MTU)),
			Mac: filled(i.HardwareAddr.String()), AdminStatus: set("down"),
		}
		if i.Flags&net.FlagLoopback != 0 {
			l.Kind = set("loopback")
		}
		if i.Flags&net.FlagUp != 0 {
			l.AdminStatus = set("up")
			l.Carrier = set(i.Flags&net.FlagRunning != 0)
		}
		addresses, err := i.Addrs()
		if err != nil {
			gap(o, "links.addresses", err)
		}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				l.Addresses = append(l.Addresses, portableAddress(p))
			}
		}
		n.Links = append(n.Links, l)
	}
	slices.SortFunc(n.Links, func(a, b *constatv1.Link) int { return cmp.Compare(a.GetIndex(), b.GetIndex()) })
	for _, fact := range []string{"routes", "links.oper_status", "links.physical", "links.speed_mbps", "links.duplex", "os_connectivity", "networking_enabled"} {
		gap(o, fact, errNotRead)
	}
	return nil
}

func portableAddress(p netip.Prefix) *constatv1.Address {
	a := &constatv1.Address{Cidr: set(p.String()), Family: set(int32(6))}
	if p.Addr().Is4() {
		a.Family = set(int32(4))
	}
	if p.Addr().IsLinkLocalUnicast() {
		a.Origin = set("linkLocal")
	}
	return a
}
