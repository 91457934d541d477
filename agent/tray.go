//go:build windows || darwin

package main

import (
	"github.com/spf13/cobra"

	"constat/agent/tray"
)

// trayCommands are the icon in the user's session, which is a program of its own on
// Linux.
func trayCommands() []*cobra.Command {
	return []*cobra.Command{{
		Use:                "tray [open [VIEW]]",
		Short:              "Show the icon in this session; constat-tray starts it",
		Hidden:             true,
		DisableFlagParsing: true, // they are the tray's
		RunE:               func(_ *cobra.Command, args []string) error { return tray.Main(args) },
	}}
}
