package lab

import (
	"net/netip"
	"os"
	"slices"
	"testing"
)

// Whatever is drawn, no two things of a world have the same number: else the
// world can't be made, or has a fault that nobody put into it.
func TestNoNumberIsDrawnTwice(t *testing.T) {
	// What recipes and oddities number, beside each other as no world has them.
	wanted := []string{"172.31.0.0/16", "172.30.254.0/24", "172.30.254.0/24", "192.168.122.0/24", "172.20.10.0/28", "10.66.0.2/32", "10.8.0.0/24", "10.99.0.0/24", "192.168.213.0/24"}
	for n := range 20000 {
		r := drawing("numbers", n)
		a := drawSurroundings(r, anywhere)
		networks := []netip.Prefix{netip.MustParsePrefix(wanAddress + "/30"), netip.MustParsePrefix(wanAddress6 + "/64")}
		for _, p := range []netip.Prefix{a.plan.Local, a.plan.Local6} {
			if p.IsValid() {
				networks = append(networks, p.Masked())
			}
		}
		for _, p := range [][2]netip.Prefix{{a.plan.Local, a.plan.Router}, {a.plan.Local6, a.plan.Router6}} {
			if p[0].IsValid() && (p[0].Addr() == p[1].Addr() || p[0].Masked() != p[1].Masked()) {
				t.Fatalf("%d: pc %s, router %s", n, p[0], p[1])
			}
		}
		for _, one := range slices.Concat(a.plan.Services, a.plan.Services6, []string{a.proxyAddress.String()}) {
			p := netip.MustParseAddr(one)
			networks = append(networks, netip.PrefixFrom(p, p.BitLen()))
		}
		if a.dnsHost == Internet {
			for _, d := range a.dnsAddresses {
				networks = append(networks, netip.PrefixFrom(d, d.BitLen()))
			}
		}
		for i := range wanted {
			networks = append(networks, a.apart(wanted[(i+n)%len(wanted)]))
		}
		for i, p := range networks {
			if j := slices.IndexFunc(networks[i+1:], p.Overlaps); j >= 0 {
				t.Fatalf("%d: %s and %s are numbered alike, in %s", n, p, networks[i+1+j], a)
			}
		}
	}
}

// Every oddity in one world, twice the same tunnel among them: none takes what
// another has.
func TestOdditiesTogether(t *testing.T) {
	Need(t, "root, to make network namespaces", os.Geteuid() == 0)
	for n := range 3 {
		r := drawing("together", n)
		a := drawSurroundings(r, direct|office|with4|lossless)
		a.oddities = oddities
		s := newScene(t, a, r)
		i := slices.IndexFunc(recipes(), func(rec recipe) bool { return rec.fault == "net-vpn-subnet-overlap" })
		recipes()[i].inject(s)
	}
}
