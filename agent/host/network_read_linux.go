package host

import (
	"context"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// readNetwork fills the network group without sending a packet: links,
// addresses and routes from the kernel, resolvers,
// hosts file and proxy from files and environment.
func readNetwork(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed(stackSource)
	n := &constatv1.Network{}
	if err := readStack(ctx, r, n, o); err != nil {
		return nil, failed(stackSource, err)
	}
	readResolvers(ctx, r, n, o)
	readHosts(r, n, o)
	n.Proxy = readProxy(r)
	readNeighbours(r, n, o)
	readFirewall(ctx, r, n, o)
	return n, o
}
