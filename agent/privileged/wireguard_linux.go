package privileged

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"

	"constat/agent/wireguard"
)

var linkName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,15}$`)

// tunnelPeers returns the far ends of a WireGuard tunnel, by the name of its
// link, as JSON. The kernel's answer holds the tunnel's keys too: that is why it
// is read on this side, and only what is no secret handed over.
func tunnelPeers(_ context.Context, link string) ([]byte, error) {
	if !linkName.MatchString(link) {
		return nil, errors.New("the argument must be the name of a link")
	}
	peers, err := wireguard.Read(link)
	if err != nil {
		return nil, err
	}
	return json.Marshal(peers)
}
