//go:build !linux && !darwin

package host

import (
	"context"

	constatv1 "constat/proto/constat/v1"
)

const readsVPNs = false

// onceFilter: no packet filter is read here yet.
func onceFilter(*reader) func(context.Context) (*ruleset, error) {
	return func(context.Context) (*ruleset, error) { return nil, errNotRead }
}

func (r *reader) filterManager() string { return "" }

func askResolved(context.Context, *reader, *constatv1.Network) []*constatv1.Resolver { return nil }
