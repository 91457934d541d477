package lab

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// scene is a world with what an office has: a name server, a connectivity
// page, sites with certificates, perhaps a proxy, and the agent's policy that
// names them.
type scene struct {
	*World
	surroundings
	// draw decides what a fault leaves open; seeded, as the surroundings are.
	draw      *rand.Rand
	authority *Authority
	// env is added to the agent's environment.
	env []string
	// sites and page are the listeners of each site, and of the connectivity
	// page.
	sites [siteCount][]net.Listener
	page  []net.Listener
	// proxy is the one that the surroundings have.
	proxy net.Listener
	// nameConns are the sockets of a name server of our own.
	nameConns []net.PacketConn
	// tunnels are how many the pc has.
	tunnels int
	// ready: the scene stands. harmed are the sites that were changed since.
	ready  bool
	harmed [siteCount]bool
}

// The sites of a scene: three of different owners, and the organisation's own.
const (
	intranet  = 3
	vpn       = 4
	siteCount = 5
)

// addressesOf are a site's, by family; the connectivity page is served where
// site 0 is.
func (s *scene) addressesOf(site int) (list []string) {
	if s.Local.IsValid() {
		list = append(list, s.Services[site])
	}
	if s.Local6.IsValid() {
		list = append(list, s.Services6[site])
	}
	return list
}

// records are what the name server knows.
func (s *scene) records() map[string][]netip.Addr {
	known := map[string][]netip.Addr{}
	add := func(name string, site int) {
		if s.Local.IsValid() {
			known[name] = append(known[name], netip.MustParseAddr(s.Services[site]))
		}
		if s.Local6.IsValid() && (s.sixToo || !s.Local.IsValid()) {
			known[name] = append(known[name], netip.MustParseAddr(s.Services6[site]))
		}
	}
	for i, name := range s.names {
		add(name, i)
	}
	add(s.pageName, 0)
	if s.proxyMode != noProxy {
		known[s.proxyName] = []netip.Addr{s.proxyAddress}
	}
	return known
}

// hiddenByProxy tells whether a name is known only to the proxy.
func (s *scene) hiddenByProxy(name string) bool {
	return s.proxyMode == proxyOnly && name != s.names[intranet] && name != s.proxyName
}

// hostRecords are the records as dnsmasq takes them.
func (s *scene) hostRecords() []string {
	options := []string{"--local=/#/"}
	for name, addresses := range s.records() {
		if s.hiddenByProxy(name) {
			continue
		}
		for _, a := range addresses {
			options = append(options, "--host-record="+name+","+a.String())
		}
	}
	slices.Sort(options)
	return options
}

// newScene builds the surroundings without any fault, and waits until all of it
// works.
func newScene(t *testing.T, around surroundings, draw *rand.Rand) *scene {
	s := &scene{World: NewWorldAfter(t, around.plan), surroundings: around, draw: draw, authority: NewAuthority(t, around.owner+" Root")}
	if s.dnsHost == Internet {
		for _, a := range s.dnsAddresses {
			s.place(a)
		}
	}
	s.nameServers(s.dnsAddresses...)
	if s.dnsDelay > 0 {
		s.answerNames(s.dnsDelay, answerTruly)
	} else {
		s.serveNames()
	}
	s.servePage(func(http.ResponseWriter) {})
	good := s.goodCertificate()
	for i := range s.sites {
		s.replace(i, good)
		for _, a := range s.addressesOf(i) {
			s.Await(a+" to answer the pc", func() error {
				conn, err := s.Dial(PC, "tcp", net.JoinHostPort(a, "443"))
				if err != nil {
					return err
				}
				return conn.Close()
			})
		}
	}
	if s.otherPort != "" && s.Local.IsValid() {
		for i := range 2 {
			Serve(s.t, s.Listen(Internet, net.JoinHostPort(s.Services[i], s.otherPort)), Page(http.StatusOK, ""))
		}
	}
	if s.proxyMode != noProxy {
		s.startProxy()
	}
	for _, o := range s.oddities {
		o.make(s)
	}
	if s.loss > 0 {
		s.Filter(Switch, "bridge", "filter", "forward", fmt.Sprintf("numgen inc mod %d == %d drop", s.loss, s.lossPhase))
	}
	if !s.warm {
		s.IP(PC, "neigh flush all")
	}
	s.ready = true
	return s
}

// wellSite is one of the public sites that nothing is wrong with so far: two
// faults at one site would be one.
func (s *scene) wellSite() int {
	site := s.draw.IntN(3)
	for range 2 {
		if s.harmed[site] {
			site = (site + 1) % 3
		}
	}
	return site
}

func texts(addresses []netip.Addr) (list []string) {
	for _, a := range addresses {
		list = append(list, a.String())
	}
	return list
}

// goodCertificate is one that nothing is wrong with, for all sites.
func (s *scene) goodCertificate() tls.Certificate { return s.issueNow(s.authority, s.names...) }

// issueNow signs a certificate that is valid now.
func (s *scene) issueNow(a *Authority, names ...string) tls.Certificate {
	return a.Issue(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), names...)
}

// nameServers writes resolv.conf.
func (s *scene) nameServers(addresses ...netip.Addr) {
	var b strings.Builder
	b.WriteString(s.resolvHeader)
	for _, a := range addresses {
		b.WriteString("nameserver " + a.String() + "\n")
	}
	s.WriteFile(PC, "resolv.conf", b.String())
}

// hosts writes the hosts file, with these lines beyond the system's own.
func (s *scene) hosts(lines ...string) {
	own := []string{"127.0.0.1 localhost", "127.0.1.1 " + s.host, "::1 localhost ip6-localhost ip6-loopback"}
	s.WriteFile(PC, "hosts", strings.Join(append(own, lines...), "\n")+"\n")
}

// servePage serves the connectivity page; adorn may change the answer's
// headers.
func (s *scene) servePage(adorn func(http.ResponseWriter)) {
	for _, l := range s.page {
		l.Close()
	}
	s.page = nil
	for _, a := range s.addressesOf(0) {
		l := s.Listen(Internet, net.JoinHostPort(a, "80"))
		s.page = append(s.page, l)
		Serve(s.t, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(s.thinking) // a server's own time, not a wait
			adorn(w)
			Page(http.StatusOK, s.pageBody+"\n").ServeHTTP(w, r)
		}))
	}
}

// replace serves a site with another certificate, or another page.
func (s *scene) replace(site int, certificate tls.Certificate, page ...http.Handler) {
	s.closeSite(site)
	s.harmed[site] = s.ready
	if page == nil {
		page = []http.Handler{Page(http.StatusOK, "hello")}
	}
	for _, a := range s.addressesOf(site) {
		l := s.Listen(Internet, net.JoinHostPort(a, "443"))
		s.sites[site] = append(s.sites[site], l)
		Serve(s.t, l, page[0], certificate)
	}
}

// closeSite refuses connections to a site.
func (s *scene) closeSite(site int) {
	for _, l := range s.sites[site] {
		l.Close()
	}
	s.sites[site] = nil
}

// policy is the agent's configuration file.
func (s *scene) policy(data string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("data: %s\nprobes:\n  names:", data)
	for i := range 2 {
		if !s.expecting || s.hiddenByProxy(s.names[i]) {
			line("    - %s", s.names[i])
			continue
		}
		var expect []string
		for _, a := range s.records()[s.names[i]] {
			p, _ := a.Prefix(map[bool]int{true: 24, false: 48}[a.Is4()])
			expect = append(expect, fmt.Sprintf("%q", p))
		}
		line("    - {host: %s, expect: [%s]}", s.names[i], strings.Join(expect, ", "))
	}
	line("  tcp:")
	for i := range 3 {
		line("    - %q", net.JoinHostPort(s.Services[i], "443"))
	}
	for i := range 2 {
		line("    - %q", net.JoinHostPort(s.Services6[i], "443"))
		if s.otherPort != "" && s.Local.IsValid() {
			line("    - %q", net.JoinHostPort(s.Services[i], s.otherPort))
		}
	}
	line("  http: {url: \"http://%s/%s\", status: 200, body: %s}\n  tls:", s.pageName, s.pagePath, s.pageBody)
	for _, n := range s.names[:3] {
		line("    - %s:443", n)
	}
	line("  services:\n    - {name: %s, url: \"https://%s/\"}", s.serviceName, s.names[intranet])
	if s.remoteWork {
		line("    - {name: VPN, vpn: %q}", s.names[vpn])
	}
	return b.String()
}

// diagnose runs the real agent on the pc, for the complaint that the Internet
// does not work.
func (s *scene) diagnose(t *testing.T, agent string) Run {
	dir := t.TempDir()
	authority := filepath.Dir(s.authority.File)
	for _, d := range []string{dir, filepath.Dir(dir), authority, filepath.Dir(authority)} {
		if err := os.Chmod(d, 0o755); err != nil { // the agent may run as an ordinary user
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "agent.yaml")
	if err := os.WriteFile(config, []byte(s.policy(filepath.Join(dir, "data"))), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := []string{"--uts", "sh", "-c", `hostname "$0" && exec "$@"`, s.host}
	if s.asUser {
		args = append(args, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
	}
	cmd := s.Command(ctx, PC, "unshare", append(args, agent, "diagnose", "internet", "--config", config)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "SSL_CERT_FILE=" + s.authority.File}, s.env...)
	return Diagnose(t, cmd)
}
