package host

import (
	"context"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// readCounters fills the counters group: the links' numbers since boot.
func readCounters(ctx context.Context, _ *reader) (proto.Message, *constatv1.Observation) {
	c, err := linkCounters(ctx)
	if err != nil {
		return nil, failed(counterSource, err)
	}
	o := observed(counterSource)
	if c.Gateways, err = gatewayStates(ctx); err != nil {
		gap(o, "gateways", err)
	}
	return c, o
}
