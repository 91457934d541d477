package host

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	constatv1 "constat/proto/constat/v1"
)

// maxResolved is how many servers and domains of systemd-resolved are kept.
const maxResolved = 64

// askResolved lists the servers behind systemd-resolved's stub, with the links
// they belong to and, of links that are not asked for everything, the domains;
// nil when it does not answer.
func askResolved(ctx context.Context, r *reader, n *constatv1.Network) []*constatv1.Resolver {
	conn, err := systemBus(ctx, r)
	if err != nil {
		return nil
	}
	defer conn.Close()
	const resolve = "org.freedesktop.resolve1"
	manager := conn.Object(resolve, "/org/freedesktop/resolve1")
	values, err := properties(ctx, manager, resolve+".Manager")
	servers := property[[][]any](values, "DNS")
	if err != nil || servers == nil {
		return nil
	}
	var list []*constatv1.Resolver
	for _, s := range (*servers)[:min(len(*servers), maxResolved)] {
		if len(s) != 3 { // link, family, address
			continue
		}
		index, _ := s[0].(int32)
		raw, _ := s[2].([]byte)
		address, ok := netip.AddrFromSlice(raw)
		if !ok || address.IsLoopback() {
			continue
		}
		one := resolver(address.Unmap(), "resolved")
		i := slices.IndexFunc(n.Links, func(l *constatv1.Link) bool { return index != 0 && l.GetIndex() == index })
		if i >= 0 {
			one.Link = n.Links[i].Name
			one.Domains = linkDomains(ctx, conn, index)
		}
		list = append(list, one)
	}
	return list
}

// linkDomains are the domains that a link's servers are asked for, when they
// are not asked for everything.
func linkDomains(ctx context.Context, conn *dbus.Conn, index int32) []string {
	const resolve = "org.freedesktop.resolve1"
	var at dbus.ObjectPath
	if err := conn.Object(resolve, "/org/freedesktop/resolve1").
		CallWithContext(ctx, resolve+".Manager.GetLink", dbus.FlagNoAutoStart, index).Store(&at); err != nil {
		return nil
	}
	values, err := properties(ctx, conn.Object(resolve, at), resolve+".Link")
	whole, domains := property[bool](values, "DefaultRoute"), property[[][]any](values, "Domains")
	if err != nil || whole == nil || *whole || domains == nil {
		return nil
	}
	var list []string
	for _, d := range (*domains)[:min(len(*domains), maxResolved)] {
		if name, ok := d[0].(string); ok && strings.Trim(name, ".") != "" {
			list = append(list, strings.ToLower(strings.Trim(name, ".")))
		}
	}
	return list
}
