// Program constat-tray puts the agent into the user's session: an icon that shows
// how things stand, with a menu that opens the page on which one says what is not
// working.
package main

import (
	"fmt"
	"os"
	"strings"

	"constat/agent/local"
	"constat/internal/version"
)

const usage = "usage: constat-tray [--data DIR] [open [VIEW]] | version"

func main() {
	data, view, opens := local.SystemData, "", false
	args := os.Args[1:]
	if len(args) >= 2 && args[0] == "--data" {
		data, args = args[1], args[2:]
	}
	switch {
	case len(args) == 1 && args[0] == "version":
		fmt.Println("constat-tray", version.String())
		return
	case len(args) >= 1 && len(args) <= 2 && args[0] == "open":
		opens = true
		if len(args) == 2 {
			view = args[1]
		}
	case len(args) > 0:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	s := &session{socket: local.Socket(data), language: language()}
	if err := s.start(view, opens); err != nil {
		fmt.Fprintln(os.Stderr, "constat-tray:", err)
		os.Exit(2)
	}
}

// language is the session's, of those that there are words in.
func language() string {
	wanted := ""
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if wanted == "" {
			wanted = os.Getenv(name)
		}
	}
	if wanted == "" {
		wanted = preferred() // not every system tells programs by their environment
	}
	if strings.HasPrefix(wanted, "fr") {
		return "fr"
	}
	return "en"
}
