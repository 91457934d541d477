package host

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// errBlocked is a packet that this machine's own filter stops, though the
// socket was told nothing of it.
var errBlocked = errors.New("this machine's own packet filter stops it")

// firewallOf describes a filter. Its numbers are about what this machine sends:
// that is what stops people's work.
func firewallOf(r *ruleset, manager string) *constatv1.LocalFirewall {
	f := &constatv1.LocalFirewall{Enabled: set(false), Manager: filled(manager)}
	policies := map[uint32]string{nftHookOut: "accept", nftHookIn: "accept"}
	blocks := 0
	for _, c := range r.hooks {
		if c.kind == "nat" {
			continue
		}
		if c.hook != nftHookOut && c.hook != nftHookIn {
			continue
		}
		f.Kind = set("nftables")
		if c.key.name == strings.ToUpper(c.key.name) && slices.Contains([]string{"filter", "mangle", "raw", "security"}, c.key.table) {
			f.Kind = set("iptables") // whose tables and chains have these names
		}
		f.Enabled = set(f.GetEnabled() || c.drops || r.stops(c, 0, map[*chain]bool{}) > 0)
		if c.drops {
			policies[c.hook] = "drop"
		}
		if c.hook == nftHookOut {
			blocks += r.stops(c, 0, map[*chain]bool{})
		}
	}
	f.OutgoingPolicy, f.IncomingPolicy = set(policies[nftHookOut]), set(policies[nftHookIn])
	f.OutgoingBlocks = set(int32(blocks))
	return f
}

// stops counts the rules that drop or reject, in a chain and those it leads to.
func (r *ruleset) stops(c *chain, depth int, seen map[*chain]bool) int {
	if c == nil || seen[c] || depth > maxFilterDepth {
		return 0
	}
	seen[c] = true
	n := 0
	for _, one := range c.rules {
		for _, e := range one {
			switch {
			case e.name == "reject", e.name == "target" && e.text == "REJECT":
				n++
			case e.name == "immediate":
				v := e.verdict
				switch {
				case v == nil:
				case v.code == verdictDrop:
					n++
				case v.code == verdictJump, v.code == verdictGoto:
					n += r.stops(r.chains[chainKey{c.key.family, c.key.table, v.chain}], depth+1, seen)
				}
			}
		}
	}
	return n
}

// traffic is what most of a desk's work goes by: what is asked of the filter.
var traffic = []struct {
	name     string
	protocol uint8
	port     uint16
}{
	{"icmp", protocolICMP, 0}, {"tcp", protocolTCP, 53}, {"tcp", protocolTCP, 80}, {"tcp", protocolTCP, 443},
	{"udp", protocolUDP, 53}, {"udp", protocolUDP, 123}, {"udp", protocolUDP, 443},
}

// addTraffic says what the filter does with the usual traffic that leaves by
// the best default route of each family, to anybody, and with what programs
// here say to each other.
func addTraffic(f *constatv1.LocalFirewall, r *ruleset, n *constatv1.Network) {
	add := func(name string, p packet) {
		p.index = linkNamed(n, p.link).GetIndex()
		v := &constatv1.FirewallVerdict{Protocol: &name, Family: set(p.family)}
		if p.toPort != 0 {
			v.Port = set(int32(p.toPort))
		}
		v.Link = filled(p.link)
		judged, direction := r.exchange(p)
		if v.Verdict = filled(judged.word()); judged&accepted == 0 {
			v.Direction = &direction
		}
		f.Verdicts = append(f.Verdicts, v)
	}
	for _, family := range []int32{4, 6} {
		i := slices.IndexFunc(n.Routes, func(route *constatv1.Route) bool { return route.GetFamily() == family })
		if i < 0 {
			continue
		}
		for _, t := range traffic {
			protocol := t.protocol
			if protocol == protocolICMP && family == 6 {
				protocol = protocolICMP6
			}
			add(t.name, packet{family: family, protocol: protocol, toPort: t.port, link: n.Routes[i].GetLink()})
		}
	}
	here := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	add("tcp", packet{family: 4, protocol: protocolTCP, from: here, to: here, link: "lo"})
}

// exchange judges a packet that leaves this machine, and then the answer to it:
// what becomes of the two, and in which direction it is stopped.
func (r *ruleset) exchange(p packet) (judged fate, direction string) {
	p.hook = nftHookOut
	out := r.judge(p)
	if out&accepted == 0 {
		return out, "out"
	}
	p.hook, p.established, p.uid = nftHookIn, true, nil
	p.from, p.to, p.fromPort, p.toPort = p.to, p.from, p.toPort, p.fromPort
	in := r.judge(p)
	if in&accepted == 0 {
		return in | out&^accepted, "in"
	}
	return out | in, ""
}

// blocks tells whether this machine's filter surely stops what a probe sends
// to an address, or the answer. A nil filter, one that was not read, is not
// known to.
func (r *ruleset) blocks(protocol uint8, to netip.AddrPort, n *constatv1.Network) bool {
	if r == nil {
		return false
	}
	p := packet{family: familyOf(to.Addr()), protocol: protocol, to: to.Addr().Unmap().WithZone(""), toPort: to.Port(), uid: ownUser()}
	// The kernel says where it would leave; nothing is sent by that.
	if conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to)); err == nil {
		if local, ok := conn.LocalAddr().(*net.UDPAddr); ok {
			p.from = local.AddrPort().Addr().Unmap().WithZone("")
			p.link, p.index = linkOf(n, p.from)
		}
		conn.Close()
	}
	judged, _ := r.exchange(p)
	return judged&accepted == 0
}

// linkOf names the link that holds an address, and its number.
func linkOf(n *constatv1.Network, address netip.Addr) (name string, index int32) {
	for _, l := range n.GetLinks() {
		for _, own := range l.GetAddresses() {
			if prefix, err := netip.ParsePrefix(own.GetCidr()); err == nil && prefix.Addr() == address {
				return l.GetName(), l.GetIndex()
			}
		}
	}
	return "", 0
}

// linkNamed finds a link; nil when there is none of this name.
func linkNamed(n *constatv1.Network, name string) *constatv1.Link {
	for _, l := range n.GetLinks() {
		if l.GetName() == name {
			return l
		}
	}
	return nil
}

// ownUser is whom this process's packets belong to; nil where users have no
// numbers.
func ownUser() *uint32 {
	if id := os.Geteuid(); id >= 0 {
		return set(uint32(id))
	}
	return nil
}
