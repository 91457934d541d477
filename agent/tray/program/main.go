//go:build !windows

// Program constat-tray is the agent's icon in the user's session.
package main

import (
	"fmt"
	"os"

	"constat/agent/tray"
)

func main() {
	if err := tray.Main(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "constat-tray:", err)
		os.Exit(2)
	}
}
