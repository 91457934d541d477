package host

import (
	"context"
	"errors"

	constatv1 "constat/proto/constat/v1"
)

// ProgramCrashes are not read on this system.
func ProgramCrashes(context.Context, Config) ([]*constatv1.Crash, error) {
	return nil, errors.ErrUnsupported
}
