package lab

import "net/netip"

// Plan is how a world is numbered, and how its pc came by its numbers.
type Plan struct {
	// Adapter is the name of the pc's link.
	Adapter string
	// Local and Router are the pc's and the gateway's address in one network;
	// both invalid: there is no IPv4.
	Local, Router netip.Prefix
	// Local6 and Router6 are the same for IPv6.
	Local6, Router6 netip.Prefix
	// Leased: addresses have a lifetime and routes the origin that DHCP and
	// router advertisements give them; else somebody typed them in.
	Leased bool
	// Services and Services6 are addresses on the Internet's host, in different
	// prefixes.
	Services, Services6 []string
}

// Plain is a plan without surprises. The Internet's addresses are taken from
// the documentation prefixes (RFC 5737, RFC 3849).
var Plain = Plan{
	Adapter: "eth0",
	Local:   netip.MustParsePrefix(PCAddress + "/24"), Router: netip.MustParsePrefix(GatewayAddress + "/24"),
	Local6: netip.MustParsePrefix("fd77::10/64"), Router6: netip.MustParsePrefix("fd77::1/64"),
	Services:  []string{"198.51.100.10", "192.0.2.10", "203.0.113.130", "198.51.100.20", "192.0.2.40"},
	Services6: []string{"2001:db8:1::10", "2001:db8:2::10", "2001:db8:3::10", "2001:db8:1::20", "2001:db8:4::40"},
}
