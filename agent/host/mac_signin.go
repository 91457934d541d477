package host

import (
	"strings"
	"time"
)

// macTicket is until when the ticket is good that other tickets are got with, by
// what klist(1) wrote with --json (Heimdal, kuser/klist.c: local times, and names of
// columns with spaces before them); the zero time where there is none.
func macTicket(tree node, zone *time.Location) (until time.Time) {
	for _, ticket := range tree.at("tickets").list() {
		values := map[string]string{}
		for _, key := range ticket.keys() {
			values[strings.TrimSpace(key)] = strings.TrimSpace(ticket.at(key).text())
		}
		at, err := time.ParseInLocation("20060102150405", values["Expires"], zone)
		if err == nil && strings.HasPrefix(values["Principal"], "krbtgt/") && at.Year() > 2000 && at.Year() < 2200 && at.After(until) {
			until = at
		}
	}
	return until
}

// macDirectoryState tells whether Open Directory reaches an Active Directory, by the
// lines of odutil(1) with “show nodenames”: a node and Online or Offline. nil where it
// has none.
func macDirectoryState(content []byte) *string {
	var state *string
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(strings.TrimSpace(line), "/Active Directory/") {
			continue
		}
		switch fields[len(fields)-1] {
		case "Online":
			return set("online")
		case "Offline":
			state = set("offline")
		}
	}
	return state
}
