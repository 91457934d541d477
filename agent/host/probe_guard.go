package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// maxTargets bounds how many targets of one kind are probed: who writes the
// policy of many machines could flood a victim with them.
const maxTargets = 32

// errForbidden is a target that somebody else's policy must not make this
// machine touch.
var errForbidden = errors.New("it leads to this machine, its own link or a cloud's metadata service, which a policy can't have probed; name it in this machine's configuration if it is meant")

// forbidden are the prefixes that policy must not name, beside this machine's
// own addresses: what is behind them trusts who is near.
var forbidden = prefixes(
	"127.0.0.0/8", "::1/128", "0.0.0.0/8", "::/128", // this host (RFC 6890)
	"169.254.0.0/16", "fe80::/10", // link-local, and most clouds' metadata
	"224.0.0.0/4", "240.0.0.0/4", "ff00::/8", // many at once
	"100.100.100.200/32", // metadata of Alibaba Cloud
	"168.63.129.16/32",   // of Azure
	"192.0.0.192/32",     // of Oracle Cloud
	"fd00:ec2::/32",      // of Amazon
	"fd20:ce::254/128",   // of Google Cloud
)

// embedding are the prefixes whose addresses carry an IPv4 address, and at
// which byte (RFC 4291, RFC 6052, RFC 3056).
var embedding = map[netip.Prefix]int{
	netip.MustParsePrefix("::/96"):        12,
	netip.MustParsePrefix("64:ff9b::/96"): 12,
	netip.MustParsePrefix("2002::/16"):    2,
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// isForbidden tells whether an address is one of those.
func (p *prober) isForbidden(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if slices.ContainsFunc(forbidden, func(f netip.Prefix) bool { return f.Contains(a) }) {
		return true
	}
	for prefix, at := range embedding {
		if bytes := a.AsSlice(); prefix.Contains(a) && p.isForbidden(netip.AddrFrom4([4]byte(bytes[at:at+4]))) {
			return true
		}
	}
	for _, l := range p.network.GetLinks() {
		for _, own := range l.GetAddresses() {
			if prefix, err := netip.ParsePrefix(own.GetCidr()); err == nil && prefix.Addr() == a {
				return true
			}
		}
	}
	return false
}

// permit returns errForbidden for a host that policy must not have probed: an
// address, or a name that leads to one. Names that the system's resolver does
// not know pass: only a proxy could reach anybody by them.
func (p *prober) permit(ctx context.Context, host string) error {
	if !p.guarded || !p.forbidsAtSight(host) {
		if _, err := netip.ParseAddr(host); err == nil || !p.guarded {
			return nil
		}
		addresses, err := p.lookup(ctx, host)
		if err != nil || !slices.ContainsFunc(addresses, p.isForbidden) {
			return nil
		}
	}
	return errForbidden
}

// forbidsAtSight tells whether a host is forbidden without asking for its
// address.
func (p *prober) forbidsAtSight(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return p.isForbidden(a)
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost") // RFC 6761
}

// reach is dial for a target that may come from policy.
func (p *prober) reach(ctx context.Context, target string) (net.Conn, int, error) {
	if err := p.permit(ctx, hostOf(target)); err != nil {
		return nil, 0, err
	}
	return p.dial(ctx, target)
}

// withhold notes a target that is not probed, as a gap of the group; it is none
// of the results, because it says nothing of the network.
func (p *prober) withhold(kind, host string, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gaps = append(p.gaps, &constatv1.Gap{Fact: kind, Status: "denied", Reason: fmt.Sprintf("%s is not probed: %v", host, why)})
}

// admit is a policy without the targets that can be refused at sight, and those
// beyond maxTargets.
func (p *prober) admit(policy *constatv1.ProbePolicy) *constatv1.ProbePolicy {
	if !p.guarded {
		return policy
	}
	admitted := &constatv1.ProbePolicy{
		Names:    policy.GetNames()[:min(len(policy.GetNames()), maxTargets)],
		Tcp:      admitted(p, "tcp", policy.GetTcp(), hostOf),
		Tls:      admitted(p, "tls", policy.GetTls(), func(t *constatv1.ProbeTls) string { return hostOf(t.GetAddress()) }),
		Services: admitted(p, "services", policy.GetServices(), hostOfService),
	}
	if page := policy.GetHttp(); p.forbidsAtSight(hostOf(page.GetUrl())) {
		p.withhold("http", hostOf(page.GetUrl()), errForbidden)
	} else {
		admitted.Http = page
	}
	return admitted
}

func admitted[T any](p *prober, kind string, targets []T, host func(T) string) []T {
	var kept []T
	for _, t := range targets {
		switch {
		case p.forbidsAtSight(host(t)):
			p.withhold(kind, host(t), errForbidden)
		case len(kept) == maxTargets:
			p.withhold(kind, host(t), fmt.Errorf("only %d targets of a kind are", maxTargets))
		default:
			kept = append(kept, t)
		}
	}
	return kept
}

func hostOfService(s *constatv1.ProbeService) string {
	return hostOf(s.GetUrl() + s.GetTcp() + s.GetVpn() + s.GetMail())
}
