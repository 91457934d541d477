package lab

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// surroundings are everything about a scene that is no fault.
type surroundings struct {
	plan Plan
	// host is the pc's name, owner who runs the network.
	host, owner string
	// names are those of the sites, in their order.
	names                       []string
	pageName, pagePath          string
	pageBody, serviceName       string
	resolvHeader                string
	expecting                   bool   // policy tells the sites' prefixes
	sixToo                      bool   // names have IPv6 addresses beside IPv4's
	otherPort                   string // policy names it beside 443; "": none
	remoteWork                  bool   // policy names the organisation's VPN
	dnsHost, dnsMake            string
	leaseMake                   string // of the DHCP server, where there is one
	dnsAddresses                []netip.Addr
	dnsDelay, thinking          time.Duration
	proxyMode                   proxyMode
	proxyName, proxyPort        string
	proxyAddress                netip.Addr
	proxyByName, proxyUpperCase bool
	asUser                      bool // the agent has no rights
	warm                        bool // the router was spoken to a moment ago
	loss, lossPhase             int  // one of so many frames is lost, and which; 0: none
	oddities                    []oddity
	beside                      []netip.Prefix // networks that are numbered beside the plan's
}

// proxyMode says what a proxy is to a network.
type proxyMode int

const (
	noProxy     proxyMode = iota
	proxyBeside           // one is set, and direct connections work too
	proxyOnly             // nothing else leads out
)

// need says in what surroundings a fault shows as itself.
type need int

const (
	anywhere   need = 0
	direct     need = 1 << iota // no proxy is set
	openWay                     // direct connections lead out; a proxy may be set
	proxied                     // a proxy is set
	remote                      // policy names a VPN
	office                      // policy names none
	otherPorts                  // policy names another port than the web's
	webPorts                    // policy names none
	with4                       // there is IPv4
	with6                       // there is IPv6
	lossless                    // no frame is lost
	quickDNS                    // names are answered at once
	rights                      // the agent has its rights
)

// meets tells whether surroundings have all that is needed.
func (a surroundings) meets(n need) bool {
	for _, c := range []struct {
		need
		met bool
	}{
		{direct, a.proxyMode == noProxy},
		{openWay, a.proxyMode != proxyOnly},
		{proxied, a.proxyMode != noProxy},
		{remote, a.remoteWork && a.proxyMode == noProxy},
		{office, !a.remoteWork},
		{otherPorts, a.otherPort != ""},
		{webPorts, a.otherPort == ""},
		{with4, a.plan.Local.IsValid()},
		{with6, a.plan.Local6.IsValid()},
		{lossless, a.loss == 0},
		{quickDNS, a.dnsDelay == 0},
		{rights, !a.asUser},
	} {
		if n&c.need != 0 && !c.met {
			return false
		}
	}
	return true
}

// plain are the surroundings in which nothing is unusual.
func plain() surroundings {
	return surroundings{
		plan: Plain, host: "pc", owner: "Lab",
		names:    []string{"www.alpha.example", "www.beta.example", "www.gamma.example", "intranet.example", "vpn.example"},
		pageName: "page.example", pagePath: "success.txt", pageBody: "success", serviceName: "intranet",
		expecting: true, dnsHost: Gateway, dnsAddresses: []netip.Addr{Plain.Router.Addr()},
		proxyName: "proxy.example", proxyPort: "3128", proxyAddress: netip.MustParseAddr("198.51.100.30"), warm: true,
	}
}

// drawSurroundings draws until a need is met.
func drawSurroundings(r *rand.Rand, n need) surroundings {
	for {
		if a := drawAround(r, drawPlan(r)); a.meets(n) {
			return a
		}
	}
}

func drawAround(r *rand.Rand, plan Plan) surroundings {
	a := surroundings{plan: plan, warm: oneIn(r, 2), asUser: oneIn(r, 3), expecting: !oneIn(r, 3), sixToo: oneIn(r, 2), remoteWork: oneIn(r, 2),
		otherPort: pick(r, "", "", "22", "25", "465", "587", "993")}
	a.drawNames(r)
	a.drawDNS(r)
	a.drawProxy(r)
	switch r.IntN(6) {
	case 0:
		a.loss = 40 + r.IntN(60)
		a.lossPhase = r.IntN(a.loss)
	case 1:
		a.thinking = time.Duration(20+r.IntN(180)) * time.Millisecond
	case 2:
		a.dnsDelay = time.Duration(30+r.IntN(400)) * time.Millisecond
	}
	possible := slices.DeleteFunc(slices.Clone(oddities), func(o oddity) bool { return !a.meets(o.needs) })
	for range pick(r, 0, 1, 1, 2) {
		if o := pick(r, possible...); !slices.ContainsFunc(a.oddities, func(p oddity) bool { return p.what == o.what }) {
			a.oddities = append(a.oddities, o)
		}
	}
	return a
}

// drawPlan numbers a world: private and shared address space for the office
// (RFC 1918, RFC 6598, RFC 4193), documentation prefixes for the Internet.
func drawPlan(r *rand.Rand) Plan {
	p := Plan{Adapter: pick(r, "eth0", "enp3s0", "eno1", "ens192", "enx00e04c680001", "lan"), Leased: !oneIn(r, 3)}
	stacks := r.IntN(20)
	if stacks != 0 { // one in twenty has IPv6 alone
		p.Local, p.Router = drawPair4(r, netip.MustParsePrefix(pick(r, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
	}
	if stacks < 12 {
		p.Local6, p.Router6 = drawPair6(r)
	}
	tails := r.Perm(200)
	for i := range siteCount {
		p.Services = append(p.Services, fmt.Sprintf("%s.%d", []string{"198.51.100", "192.0.2", "203.0.113", "198.51.100", "203.0.113"}[i], 20+tails[i]))
		p.Services6 = append(p.Services6, fmt.Sprintf("2001:db8:%x:%x::%x", 1+i%3, r.IntN(0xffff), 1+tails[i]))
	}
	return p
}

// drawPair4 draws a network of 4 to 12 bits of hosts, its router (the first or
// the last address) and a host.
func drawPair4(r *rand.Rand, block netip.Prefix) (own, router netip.Prefix) {
	bits := 20 + r.IntN(9)
	base := block.Addr().As4()
	network := uint32(base[0])<<24 | uint32(base[1])<<16 | uint32(base[2])<<8
	network |= r.Uint32N(1<<(32-block.Bits())) &^ (1<<(32-bits) - 1)
	hosts := uint32(1)<<(32-bits) - 2 // usable: 1 to hosts
	gateway := pick(r, 1, hosts)
	host := gateway
	for host == gateway {
		host = 1 + r.Uint32N(hosts)
	}
	at := func(n uint32) netip.Prefix {
		a := network + n
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}), bits)
	}
	return at(host), at(gateway)
}

// drawPair6 draws a network of 64 bits, unique-local or global, its router and
// a host.
func drawPair6(r *rand.Rand) (own, router netip.Prefix) {
	network := pick(r,
		fmt.Sprintf("fd%02x:%x:%x:%x", r.IntN(256), r.IntN(0xffff), r.IntN(0xffff), r.IntN(0xffff)),
		fmt.Sprintf("2001:db8:%x:%x", 0x4000+r.IntN(0x4000), r.IntN(0xffff)))
	host := fmt.Sprintf("%x:%x:%x:%x", 1+r.IntN(0xfffe), r.IntN(0xffff), r.IntN(0xffff), r.IntN(0xffff))
	return netip.MustParsePrefix(network + ":" + host + "/64"), netip.MustParsePrefix(network + "::" + pick(r, "1", "fe") + "/64")
}

// apart numbers a network beside the plan's: this one, or where something of the
// world lies there, the next of its size in the same private block (RFC 1918).
func (a *surroundings) apart(wanted string) netip.Prefix {
	p := netip.MustParsePrefix(wanted).Masked()
	block := p
	for _, b := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} {
		if b := netip.MustParsePrefix(b); b.Contains(p.Addr()) {
			block = b
		}
	}
	taken := func(q netip.Prefix) bool {
		return q.Overlaps(a.plan.Local) || slices.ContainsFunc(a.beside, q.Overlaps)
	}
	for taken(p) {
		four := p.Addr().As4()
		next := binary.BigEndian.Uint32(four[:]) + 1<<(32-p.Bits())
		binary.BigEndian.PutUint32(four[:], next)
		if p = netip.PrefixFrom(netip.AddrFrom4(four), p.Bits()); !block.Contains(p.Addr()) {
			p = netip.PrefixFrom(block.Addr(), p.Bits())
		}
	}
	a.beside = append(a.beside, p)
	return p
}

// nth is an address of a network, counted from its own of a network, with its length.
func nth(network netip.Prefix, n int) netip.Prefix {
	a := network.Addr()
	for range n {
		a = a.Next()
	}
	return netip.PrefixFrom(a, network.Bits())
}

var nameWords = []string{"alpine", "birch", "cobalt", "delta", "ember", "fjord", "garnet", "harbour", "indigo", "juniper", "kestrel", "lagoon"}

func (a *surroundings) drawNames(r *rand.Rand) {
	words := r.Perm(len(nameWords))
	top := func() string { return pick(r, "example", "test", "example.org", "example.net") }
	for i := range 3 {
		a.names = append(a.names, pick(r, "www.", "", "portal.", "mail.")+nameWords[words[i]]+"."+top())
	}
	inside := nameWords[words[3]] + "." + pick(r, "test", "internal", "lan", "example")
	a.serviceName = pick(r, "intranet", "wiki", "erp", "time sheets", "files")
	a.names = append(a.names, pick(r, "intranet.", "wiki.", "erp.", "sso.")+inside, pick(r, "vpn.", "remote.", "access.")+inside)
	a.pageName = pick(r, "connect.", "check.", "detect.") + nameWords[words[4]] + "." + top()
	a.pagePath, a.pageBody = pick(r, "success.txt", "hotspot", "canonical.html", "generate"), pick(r, "success", "OK", "online", "Connect Test")
	a.proxyName = pick(r, "proxy.", "webproxy.", "gw-") + inside
	a.owner = strings.ToUpper(nameWords[words[5]][:1]) + nameWords[words[5]][1:]
	a.host = pick(r, "pc-", "nb", "ws", "DESKTOP-") + fmt.Sprint(r.IntN(9999))
	a.resolvHeader = pick(r, "", "search "+inside+"\n", "# written by a network manager\noptions edns0 trust-ad\n", "domain "+inside+"\noptions timeout:2\n")
}

// drawDNS places the name server on the router or somewhere in the Internet.
func (a *surroundings) drawDNS(r *rand.Rand) {
	a.dnsHost = pick(r, Gateway, Gateway, Internet)
	a.dnsMake, a.leaseMake = pick(r, dnsmasq, dnsmasq, unbound, bind), pick(r, dnsmasq, kea)
	four, six := a.plan.Router.Addr(), a.plan.Router6.Addr()
	if a.dnsHost == Internet {
		four, six = netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", 1+r.IntN(9))), netip.MustParseAddr(fmt.Sprintf("2001:db8:53::%x", 1+r.IntN(0xff)))
	}
	if a.plan.Local.IsValid() {
		a.dnsAddresses = append(a.dnsAddresses, four)
	}
	if a.plan.Local6.IsValid() && (oneIn(r, 3) || !a.plan.Local.IsValid()) {
		a.dnsAddresses = append(a.dnsAddresses, six)
	}
}

func (a *surroundings) drawProxy(r *rand.Rand) {
	a.proxyMode = pick(r, noProxy, noProxy, noProxy, noProxy, proxyBeside, proxyOnly)
	a.proxyPort = pick(r, "3128", "8080", "8888", "80")
	a.proxyAddress = netip.MustParseAddr(fmt.Sprintf("203.0.113.%d", 4+r.IntN(12)))
	if !a.plan.Local.IsValid() {
		a.proxyAddress = netip.MustParseAddr(fmt.Sprintf("2001:db8:77::%x", 1+r.IntN(0xffff)))
	}
	a.proxyByName, a.proxyUpperCase = oneIn(r, 2), oneIn(r, 2)
	// Where only the proxy leads out, nobody gets to a VPN.
	a.remoteWork = a.remoteWork && a.proxyMode != proxyOnly
}

// String tells in a few words what is special.
func (a surroundings) String() string {
	var words []string
	for _, p := range []netip.Prefix{a.plan.Local, a.plan.Local6} {
		if p.IsValid() {
			words = append(words, p.String())
		}
	}
	for _, c := range []struct {
		is   bool
		what string
	}{
		{a.proxyMode == proxyBeside, "a proxy is set"},
		{a.proxyMode == proxyOnly, "only the proxy leads out"},
		{a.loss > 0, fmt.Sprintf("one of %d frames is lost", a.loss)},
		{a.dnsDelay > 0, fmt.Sprintf("names take %d ms", a.dnsDelay.Milliseconds())},
		{a.thinking > 0, fmt.Sprintf("pages take %d ms", a.thinking.Milliseconds())},
		{a.dnsMake != "" && a.dnsMake != dnsmasq && a.dnsDelay == 0, "names by " + a.dnsMake},
		{a.asUser, "the agent has no rights"},
	} {
		if c.is {
			words = append(words, c.what)
		}
	}
	for _, o := range a.oddities {
		words = append(words, o.what)
	}
	return strings.Join(words, ", ")
}
