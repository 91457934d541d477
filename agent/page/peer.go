package page

import (
	"context"
	"net"
	"net/netip"
	"sync"
)

type peerKey struct{}

// withPeer finds out whose connection it is when it is first asked for.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, sync.OnceValue(func() bool { return sameUser(c) }))
}

// ownPeer tells whether a request is the user's whose page it is.
func ownPeer(ctx context.Context) bool {
	own, ok := ctx.Value(peerKey{}).(func() bool)
	return ok && own()
}

// unmapped is an address of IPv4 as itself.
func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
