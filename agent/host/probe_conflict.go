package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// maxConflicts is how many addresses of this machine are asked for.
const maxConflicts = 8

// conflictLimit is how long other owners of an address are listened for.
const conflictLimit = 800 * time.Millisecond

// claim is an address that this machine uses on a link.
type claim struct {
	link    *constatv1.Link
	address netip.Addr
}

// claims are the IPv4 addresses of links with neighbours. IPv6 needs no probe:
// the kernel itself looks for duplicates.
func (p *prober) claims() []claim {
	var list []claim
	for _, l := range p.network.GetLinks() {
		if !slices.Contains([]string{"ethernet", "wifi", "veth", "bond", "vlan", "bridge"}, l.GetKind()) || !l.GetCarrier() || l.Mac == nil {
			continue
		}
		for _, a := range l.GetAddresses() {
			prefix, err := netip.ParsePrefix(a.GetCidr())
			if err == nil && prefix.Addr().Is4() && !prefix.Addr().IsLoopback() && prefix.Bits() < 31 && len(list) < maxConflicts {
				list = append(list, claim{l, prefix.Addr()})
			}
		}
	}
	return list
}

// askOwners asks whether anybody else has an address of ours.
func (p *prober) askOwners(c claim) *constatv1.ConflictProbe {
	probe := &constatv1.ConflictProbe{Address: set(c.address.String()), Link: c.link.Name}
	content, err := p.listen(conflictLimit, func(ctx context.Context, part time.Duration) ([]byte, error) {
		return p.privileged(ctx, "owners", fmt.Sprintf("%s %s %d", c.link.GetName(), c.address, part.Milliseconds()))
	})
	switch {
	case errors.Is(err, fs.ErrPermission):
		probe.Result = set("denied")
		return probe
	case err != nil:
		probe.Result = set("error")
		return probe
	}
	probe.Result = set("free")
	for mac := range slices.Chunk(content, 6) {
		other := net.HardwareAddr(mac).String()
		// Two links of this machine on one segment answer each other's probes.
		own := func(l *constatv1.Link) bool { return l.GetMac() == other }
		if len(mac) == 6 && !slices.ContainsFunc(p.network.GetLinks(), own) {
			probe.Result, probe.OtherMac = set("taken"), &other
			break
		}
	}
	return probe
}
