// Package tray puts the agent into the user's session: an icon that shows how
// things stand, with a menu that opens the page on which one says what is not
// working. On Linux it is a program of its own, constat-tray; elsewhere it is a
// command of the agent's, so that a package carries what both link once.
package tray

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"constat/agent/local"
	"constat/internal/version"
)

var errUsage = errors.New("usage: constat-tray [--data DIR] [open [VIEW]] | version")

// Main is the program with its arguments: the tray of this session until it is
// closed, or the word to the one that runs already.
func Main(args []string) error {
	data, view, opens := local.SystemData, "", false
	if len(args) >= 2 && args[0] == "--data" {
		data, args = args[1], args[2:]
	}
	switch {
	case len(args) == 1 && args[0] == "version":
		fmt.Println("constat-tray", version.String())
		return nil
	case len(args) >= 1 && len(args) <= 2 && args[0] == "open":
		opens = true
		if len(args) == 2 {
			view = args[1]
		}
	case len(args) > 0:
		return errUsage
	}
	s := &session{socket: local.Socket(data), language: language(), program: ownProgram(len(args))}
	return s.start(view, opens)
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
