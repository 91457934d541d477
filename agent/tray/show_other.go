//go:build !linux && !windows && !darwin

package tray

import (
	"context"
	"errors"
)

// show refuses: there is no menu bar item on this system yet.
func show(context.Context, *session) error {
	return errors.New("there is no menu on this system yet: use \"constat-agent diagnose\" and \"constat-agent ticket new\" in a terminal")
}

// preferred is nothing more than the environment says.
func preferred() string { return "" }
