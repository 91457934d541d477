//go:build !linux && !darwin

package host

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	constatv1 "constat/proto/constat/v1"
)

const counterSource = ""

func linkCounters(context.Context) (*constatv1.Counters, error) {
	return nil, fmt.Errorf("link counters are not read on %s yet: %w", runtime.GOOS, errors.ErrUnsupported)
}

// gatewayStates are not read here: probes ask the gateways.
func gatewayStates(context.Context) ([]*constatv1.GatewayState, error) { return nil, errNotRead }
