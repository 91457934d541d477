//go:build !windows

package main

import "os"

// prescribed is what the environment says of a setting.
func prescribed(variable string) (string, bool) { return os.LookupEnv(variable) }
