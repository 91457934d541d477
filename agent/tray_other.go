//go:build !windows && !darwin

package main

import "github.com/spf13/cobra"

// trayCommands are none where constat-tray is the whole of it: one icon's worth of
// memory in each session, and not the agent's.
func trayCommands() []*cobra.Command { return nil }
