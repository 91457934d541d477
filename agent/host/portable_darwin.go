package host

import (
	"errors"
	"fmt"
)

// systemVolumes are where the system starts from and keeps users' files.
var systemVolumes = map[string]bool{"/": true, "/System/Volumes/Data": true}

// notYet says of a fact that this system could tell it.
func notYet() error { return fmt.Errorf("not read on macOS yet: %w", errors.ErrUnsupported) }
