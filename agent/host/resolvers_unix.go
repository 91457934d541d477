//go:build unix

package host

import (
	"context"
	"errors"
	"os"

	constatv1 "constat/proto/constat/v1"
)

// resolvedConf is systemd-resolved's own view: the servers behind its stub.
const resolvedConf = "/run/systemd/resolve/resolv.conf"

// readResolvers lists the servers in the order they are asked. A stub on this
// machine is listed with the servers behind it, where they are known.
func readResolvers(ctx context.Context, r *reader, n *constatv1.Network, o *constatv1.Observation) {
	content, err := r.file("/etc/resolv.conf")
	if errors.Is(err, os.ErrNotExist) {
		return // the C library then knows no server but this machine
	}
	if err != nil {
		gap(o, "resolvers", err)
		gap(o, "search_domains", err)
		return
	}
	conf := parseResolvConf(content)
	n.SearchDomains = conf.search
	stub := false
	for _, a := range conf.servers {
		n.Resolvers = append(n.Resolvers, resolver(a, "resolv.conf"))
		stub = stub || a.IsLoopback()
	}
	if !stub {
		return
	}
	if behind := askResolved(ctx, r, n); behind != nil {
		n.Resolvers = append(n.Resolvers, behind...)
		return
	}
	if content, err = r.file(resolvedConf); err != nil {
		return // another stub: whom it asks is its own secret
	}
	for _, a := range parseResolvConf(content).servers {
		if !a.IsLoopback() {
			n.Resolvers = append(n.Resolvers, resolver(a, "resolved"))
		}
	}
}
