//go:build !windows

package host

import (
	"net"
	"net/netip"

	"golang.org/x/net/icmp"
)

// listen opens an ICMP socket, without rights where the system allows it, and
// says how an address is written to it.
func (e echo) listen() (conn net.PacketConn, to func(netip.Addr) net.Addr, err error) {
	conn, err = icmp.ListenPacket(e.networks[0], e.any)
	if err == nil {
		return conn, func(a netip.Addr) net.Addr { return &net.UDPAddr{IP: a.AsSlice(), Zone: a.Zone()} }, nil
	}
	conn, err = icmp.ListenPacket(e.networks[1], e.any)
	return conn, func(a netip.Addr) net.Addr { return &net.IPAddr{IP: a.AsSlice(), Zone: a.Zone()} }, err
}
