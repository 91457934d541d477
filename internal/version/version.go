// Package version says which build this is.
package version

import "runtime"

// Version and Commit are set by the linker (see the Makefile).
var (
	Version = "0.1.0-dev"
	Commit  = "unknown"
)

// String is one line for people and logs.
func String() string {
	return Version + " (" + Commit + ", " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ")"
}
