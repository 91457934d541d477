//go:build !linux && !windows

package privileged

import (
	"context"
	"errors"
)

// Split changes nothing here: macOS has no cut yet, so the process keeps the
// rights it was started with. Remedies are done in it; what
// else needs another process's rights says denied.
func Split(_ context.Context, dir string, _ Need) (*Client, string, error) {
	return &Client{whole: true}, dir, nil
}

// Main says that there is no privileged half on this system.
func Main(context.Context) error {
	return errors.New("there is no privileged half on this system yet")
}
