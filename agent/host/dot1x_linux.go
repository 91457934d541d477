package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// supplicantListens tells whether wpa_supplicant has control sockets that we can
// have asked.
func (r *reader) supplicantListens() bool {
	_, err := r.stat("/run/wpa_supplicant")
	return err == nil && r.Privileged != nil && r.Root == ""
}

// readSignIns asks wpa_supplicant about its wired links, where it has control
// sockets.
func readSignIns(ctx context.Context, r *reader, n *constatv1.Network, o *constatv1.Observation) {
	if !r.supplicantListens() {
		return
	}
	for _, l := range n.Links {
		if !slices.Contains([]string{"ethernet", "veth"}, l.GetKind()) || l.GetAdminStatus() != "up" {
			continue
		}
		content, err := r.Privileged(ctx, "supplicant", l.GetName())
		switch {
		case errors.Is(err, fs.ErrNotExist): // it leaves this link alone
		case err != nil:
			gap(o, "links.dot1x", fmt.Errorf("%s: %w", l.GetName(), err))
		default:
			if d := parseSupplicant(content, time.Now()); d != nil {
				l.Dot1X = d
			}
		}
	}
}
