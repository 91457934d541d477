package lab

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	constatv1 "constat/proto/constat/v1"
)

// scene is a world with what an office has: a name server, a connectivity
// page, three sites with certificates, and the agent's policy that names them.
type scene struct {
	*World
	authority *Authority
	// env is added to the agent's environment.
	env []string
	// sites are the servers by their place in siteAddresses, for faults that
	// put another in its place.
	sites []net.Listener
	// page is the server of the connectivity page.
	page net.Listener
}

// faultRow is one fault: how it is put into a healthy scene, and what must be
// named. An empty fault is a healthy variation: no finding at all; abstain,
// one that cannot be proved.
type faultRow struct {
	fault  string
	how    string
	inject func(*scene)
}

// id is what FAULT selects the row by.
func (r faultRow) id() string { return cmp.Or(r.fault, "healthy") }

// rowIDs are all of them, sorted.
func rowIDs() []string {
	var ids []string
	for _, r := range slices.Concat(faultRows, otherWorlds, netfactRows) {
		ids = append(ids, r.id())
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

var faultRows = []faultRow{
	{"", "nothing is wrong", func(*scene) {}},
	{"", "the gateway and the Internet drop ICMP echo", func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "input", "icmp type echo-request drop", "icmpv6 type echo-request drop")
		s.Filter(Internet, "inet", "filter", "input", "icmp type echo-request drop", "icmpv6 type echo-request drop")
	}},
	{"", "no IPv6 at all", func(s *scene) {
		s.Run(PC, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
	}},
	{"", "a second adapter without a gateway", func(s *scene) {
		s.IP(PC, "link add eth1 type veth peer name far1 netns "+s.Namespace(Switch), "link set eth1 up", "addr add 192.168.50.2/24 dev eth1")
		s.IP(Switch, "link set far1 up")
		s.AwaitLink(PC, "eth1", "state UP")
	}},
	{"", "an unused second adapter without a cable", func(s *scene) {
		s.IP(PC, "link add eth1 type veth peer name far1 netns "+s.Namespace(Switch), "link set eth1 up")
		s.AwaitLink(PC, "eth1", "NO-CARRIER")
	}},
	{"", "the switch loses every twentieth frame", func(s *scene) {
		s.Filter(Switch, "bridge", "filter", "forward", "numgen inc mod 20 == 0 drop")
	}},
	{"net-link-no-carrier", "the switch's port is down", func(s *scene) {
		s.IP(Switch, "link set pc0 down")
		s.AwaitLink(PC, "eth0", "NO-CARRIER")
	}},
	{"net-adapter-disabled", "ip link set eth0 down", func(s *scene) {
		s.IP(PC, "link set eth0 down")
	}},
	{"net-no-default-route", "both default routes deleted", func(s *scene) {
		s.IP(PC, "route del default", "-6 route del default")
	}},
	{"net-gateway-arp-unresolved", "the gateway's port is down, the switch stays up", func(s *scene) {
		s.IP(Gateway, "link set lan0 down")
	}},
	{"net-gateway-arp-unresolved", "the switch drops ARP and neighbour discovery, the entry is forgotten", func(s *scene) {
		s.Filter(Switch, "bridge", "filter", "forward", "ether type arp drop", "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } drop")
		s.IP(PC, "neigh flush all")
	}},
	{"net-dns-no-server", "resolv.conf is empty", func(s *scene) {
		s.WriteFile(PC, "resolv.conf", "# nothing\n")
	}},
	{"net-dns-unreachable", "the gateway drops port 53", func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "input", "udp dport 53 drop", "tcp dport 53 drop")
	}},
	{"net-dns-unreachable", "the name server is not running", func(s *scene) { s.stopDNS() }},
	{"net-dns-unreachable", "resolv.conf names an address that nobody has", func(s *scene) {
		s.WriteFile(PC, "resolv.conf", "nameserver 10.77.0.99\n")
	}},
	{"net-dns-wrong-answers", "the name server answers everything with its own address", func(s *scene) {
		s.ServeDNS("--address=/#/" + GatewayAddress)
	}},
	{"net-hosts-override", "the hosts file sends a site elsewhere", func(s *scene) {
		s.WriteFile(PC, "hosts", "127.0.0.1 localhost\n198.51.100.99 www.beta.example\n")
	}},
	{"net-upstream-outage", "the gateway drops what it should forward", func(s *scene) {
		s.Filter(Gateway, "inet", "filter", "forward", "drop")
	}},
	{"net-upstream-outage", "the gateway's line is down", func(s *scene) {
		s.IP(Gateway, "link set wan0 down")
	}},
	{"net-captive-portal", "HTTP is redirected to a sign-in page, HTTPS is dropped", func(s *scene) {
		Serve(s.t, s.Listen(Gateway, ":8080"), http.RedirectHandler("http://portal.example/login", http.StatusFound))
		s.Filter(Gateway, "ip", "nat", "prerouting", `iifname "lan0" tcp dport 80 redirect to :8080`)
		s.Filter(Gateway, "inet", "filter", "forward", "tcp dport 443 drop")
	}},
	{"net-ncsi-probe-blocked", "the connectivity page alone is replaced", func(s *scene) {
		Serve(s.t, s.Listen(Gateway, ":8080"), Page(http.StatusForbidden, "blocked by the filter"))
		s.Filter(Gateway, "ip", "nat", "prerouting", `iifname "lan0" tcp dport 80 redirect to :8080`)
	}},
	{"net-ipv6-broken", "the gateway forwards no IPv6", func(s *scene) {
		s.Filter(Gateway, "ip6", "filter", "forward", "drop")
	}},
	{"net-proxy-unreachable", "the environment names a proxy with a closed port", func(s *scene) {
		s.env = append(s.env, "https_proxy=http://198.51.100.10:3128", "http_proxy=http://198.51.100.10:3128")
	}},
	{"net-proxy-auth-required", "the proxy answers 407", func(s *scene) {
		Serve(s.t, s.Listen(Internet, "198.51.100.10:3128"), Page(http.StatusProxyAuthRequired, ""))
		s.env = append(s.env, "https_proxy=http://198.51.100.10:3128", "http_proxy=http://198.51.100.10:3128")
	}},
	{"net-service-down", "the intranet's port is closed", func(s *scene) { s.sites[intranet].Close() }},
	{"net-service-cert-invalid", "the intranet's certificate has run out", func(s *scene) {
		s.replace(intranet, s.authority.Issue(time.Now().AddDate(0, -2, 0), time.Now().AddDate(0, 0, -3), "intranet.example"))
	}},
	{"net-clock-skew-tls", "the pc is thirteen months behind everybody else", func(s *scene) {
		// The agent reads the kernel's clock, so the world moves instead.
		later := time.Now().AddDate(0, 13, 0)
		s.page.Close()
		s.servePage(func(w http.ResponseWriter) { w.Header().Set("Date", later.UTC().Format(http.TimeFormat)) })
		for i := range s.sites {
			s.replace(i, s.authority.Issue(later.Add(-time.Hour), later.Add(time.Hour), siteNames...))
		}
	}},
	{"net-tls-interception-untrusted", "every site shows a certificate of one unknown authority", func(s *scene) {
		stranger := NewAuthority(s.t, "Lab Web Filter")
		for i := range s.sites {
			s.replace(i, stranger.Issue(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), siteNames...))
		}
	}},
}

// The sites of a scene, by their index in scene.sites: one on each address of
// Services, then Services6, then the intranet.
var (
	siteNames    = []string{"www.alpha.example", "www.beta.example", "www.gamma.example", "intranet.example", "www.delta.example", "www.epsilon.example"}
	intranet     = len(Services) + len(Services6)
	siteAddress  = func(i int) string { return siteAddresses[i] }
	intranetHost = "198.51.100.20"
)

var siteAddresses = func() []string {
	var list []string
	for _, a := range slices.Concat(Services, Services6) {
		list = append(list, net.JoinHostPort(a, "443"))
	}
	return append(list, net.JoinHostPort(intranetHost, "443"))
}()

const policy = `
data: %s
probes:
  names:
    - {host: www.alpha.example, expect: [198.51.100.0/24]}
    - {host: www.beta.example, expect: [192.0.2.0/24]}
  tcp: ["198.51.100.10:443", "192.0.2.10:443", "203.0.113.130:443", "[2001:db8:1::10]:443", "[2001:db8:2::10]:443"]
  http: {url: "http://page.example/success.txt", status: 200, body: success}
  tls: ["www.alpha.example:443", "www.beta.example:443", "www.gamma.example:443"]
  services:
    - {name: intranet, url: "https://intranet.example/"}
`

// newScene builds the healthy scene and waits until it works end to end.
func newScene(t *testing.T) *scene {
	s := &scene{World: NewWorld(t), authority: NewAuthority(t, "Lab Root")}
	s.IP(Internet, "addr add "+intranetHost+"/32 dev lo")
	s.ServeDNS(
		"--host-record=page.example,"+Services[0],
		"--host-record=www.alpha.example,"+Services[0],
		"--host-record=www.beta.example,"+Services[1],
		"--host-record=www.gamma.example,"+Services[2],
		"--host-record=intranet.example,"+intranetHost,
		"--local=/#/")
	s.servePage(func(http.ResponseWriter) {})
	good := s.authority.Issue(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), siteNames...)
	s.sites = make([]net.Listener, len(siteAddresses))
	for i := range s.sites {
		s.replace(i, good)
	}
	for _, address := range siteAddresses {
		s.Await(address+" to answer the pc", func() error {
			conn, err := s.Dial(PC, "tcp", address)
			if err != nil {
				return err
			}
			return conn.Close()
		})
	}
	return s
}

// servePage serves the connectivity page; adorn may change the answer's
// headers.
func (s *scene) servePage(adorn func(http.ResponseWriter)) {
	s.page = s.Listen(Internet, net.JoinHostPort(Services[0], "80"))
	Serve(s.t, s.page, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		adorn(w)
		Page(http.StatusOK, "success\n").ServeHTTP(w, r)
	}))
}

// replace serves a site with another certificate.
func (s *scene) replace(site int, certificate tls.Certificate) {
	if old := s.sites[site]; old != nil {
		old.Close()
	}
	s.sites[site] = s.Listen(Internet, siteAddress(site))
	Serve(s.t, s.sites[site], Page(http.StatusOK, "hello"), certificate)
}

// buildAgent builds the program that users run.
func buildAgent(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "constat-agent")
	out, err := exec.Command("go", "build", "-tags", "grpcnotrace", "-o", file, "constat/agent").CombinedOutput()
	if err != nil {
		t.Fatalf("building the agent: %v\n%s", err, out)
	}
	return file
}

// diagnose runs the real agent on the pc.
func (s *scene) diagnose(t *testing.T, agent string) Run {
	dir := t.TempDir()
	config := filepath.Join(dir, "agent.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, policy, filepath.Join(dir, "data")), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := s.Command(ctx, PC, agent, "diagnose", "internet", "--config", config)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "SSL_CERT_FILE=" + s.authority.File}, s.env...)
	return Diagnose(t, cmd)
}

// result is a row of the lab's report.
type result struct {
	faultRow
	*constatv1.Diagnosis
}

func (r result) named() []string {
	var ids []string
	for _, c := range r.RootCauses {
		ids = append(ids, c.Fault)
	}
	return ids
}

// TestLab puts real faults into real networks, one at a time, and wants each
// named as the first root cause by the real agent, and nothing in healthy ones.
// FAULT=id runs the rows of one fault, FAULT=healthy those without any.
// CONSTAT_LAB_REPORT names a file for the table.
func TestLab(t *testing.T) {
	Need(t, "root, to make network namespaces", os.Geteuid() == 0)
	agent := buildAgent(t)
	only := os.Getenv("FAULT")
	var results []result
	for _, row := range slices.Concat(faultRows, otherWorlds, netfactRows) {
		id := row.id()
		if only != "" && only != id {
			continue
		}
		t.Run(id+"/"+row.how, func(t *testing.T) {
			s := newScene(t)
			row.inject(s)
			run := s.diagnose(t, agent)
			run.Fault, run.How = row.fault, row.how
			Record(t, "network", run)
			r := result{row, run.Diagnosis}
			t.Logf("%s", protojson.Format(r.Diagnosis))
			results = append(results, r)
			switch {
			case row.fault == "" && (r.Verdict != "healthy" || len(r.named()) > 0):
				t.Errorf("verdict %s, root causes %v in a healthy world", r.Verdict, r.named())
			case row.fault == abstain:
				if r.Verdict != abstain {
					t.Errorf("verdict %s, root causes %v where none can be proved", r.Verdict, r.named())
				}
			case row.fault != "" && (len(r.RootCauses) == 0 || r.RootCauses[0].Fault != row.fault):
				t.Errorf("root causes %v, want %s first", r.named(), row.fault)
			}
		})
	}
	if len(results) == 0 {
		t.Errorf("no row ran: FAULT=%s must be one of %v", only, rowIDs())
	}
	table := report(results)
	t.Logf("\n%s", table)
	if file := os.Getenv("CONSTAT_LAB_REPORT"); file != "" {
		if err := os.WriteFile(file, []byte(table), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// report writes the results as Markdown.
func report(results []result) string {
	var b strings.Builder
	var faults, first, three, missed, healthy, alarms, unprovable, abstained int
	b.WriteString("# What the lab injects, and what the agent says\n\n" +
		"Written by `make lab-report`; each row is a fault put into a real network of namespaces, and the real agent's answer.\n\n" +
		"| fault | injected by | named first | certainty | also named | time |\n|---|---|---|---|---|---|\n")
	for _, r := range results {
		named := r.named()
		top, certainty, also := "nothing", "", ""
		if len(named) > 0 {
			top, certainty, also = named[0], r.RootCauses[0].Certainty, strings.Join(named[1:], ", ")
		}
		want := r.fault
		switch want {
		case "":
			want = "none (healthy)"
			healthy++
			if len(named) > 0 || r.Verdict != "healthy" {
				alarms++
			}
		case abstain:
			want = "none that can be proved"
			unprovable++
			if r.Verdict == abstain {
				abstained++
			}
		default:
			faults++
			switch i := slices.Index(named, want); {
			case i == 0:
				first, three = first+1, three+1
			case i > 0 && i < 3:
				three++
			case i < 0:
				missed++
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %d ms |\n", want, r.how, top, certainty, also, r.ElapsedMs)
	}
	fmt.Fprintf(&b, "\nFaults injected live: %d. Named first: %d. Among the first three: %d. Missed: %d. "+
		"Healthy worlds: %d, false alarms: %d. Worlds whose cause cannot be proved from the pc: %d, left undetermined: %d.\n",
		faults, first, three, missed, healthy, alarms, unprovable, abstained)
	return b.String()
}
