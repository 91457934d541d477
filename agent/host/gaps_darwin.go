package host

import (
	"errors"
	"fmt"
)

// errMacSilent is the gap of facts that macOS has no way for programs to ask for.
var errMacSilent = fmt.Errorf("macOS does not tell it to programs: %w", errors.ErrUnsupported)

// notYet says of a fact that this system could tell it.
func notYet() error { return fmt.Errorf("not read on macOS yet: %w", errors.ErrUnsupported) }
