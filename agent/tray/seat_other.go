//go:build !windows

package tray

import (
	"cmp"
	"os"
)

// seat tells this session from others of the same user: by its screen. A Mac has one
// session for each user.
func seat() string { return cmp.Or(os.Getenv("WAYLAND_DISPLAY"), os.Getenv("DISPLAY")) }
