// Program constat-tray puts the agent into the user's session: an icon with a
// menu that diagnoses this computer and sends the result to support.
package main

import (
	"fmt"
	"os"
	"strings"

	"constat/agent/local"
	"constat/internal/version"
)

func main() {
	data := local.SystemData
	switch {
	case len(os.Args) == 2 && os.Args[1] == "version":
		fmt.Println("constat-tray", version.String())
		return
	case len(os.Args) == 3 && os.Args[1] == "--data":
		data = os.Args[2]
	case len(os.Args) > 1:
		fmt.Fprintln(os.Stderr, "usage: constat-tray [--data DIR] | version")
		os.Exit(2)
	}
	language := "en"
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			if strings.HasPrefix(v, "fr") {
				language = "fr"
			}
			break
		}
	}
	if err := show(&session{socket: local.Socket(data), language: language}); err != nil {
		fmt.Fprintln(os.Stderr, "constat-tray:", err)
		os.Exit(2)
	}
}
