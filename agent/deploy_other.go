//go:build !windows

package main

import "github.com/spf13/cobra"

// installerCommands are what the system's installer calls; elsewhere it does
// itself what is to be done.
func installerCommands(_ *options) []*cobra.Command { return nil }
