//go:build !linux

package host

import "context"

const readsVPNs = false

// onceFilter: no packet filter is read here yet.
func onceFilter(*reader) func(context.Context) (*ruleset, error) {
	return func(context.Context) (*ruleset, error) { return nil, errNotRead }
}

func (r *reader) filterManager() string { return "" }
