package host

import (
	"errors"
	"fmt"
	"os"
)

// systemVolumes are where the system starts from and keeps users' files.
var systemVolumes = map[string]bool{os.Getenv("SystemDrive"): true}

// notYet says of a fact that this system could tell it.
func notYet() error { return fmt.Errorf("not read on Windows yet: %w", errors.ErrUnsupported) }
