package lab

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// The makes of name servers and of DHCP servers: what is true of one, and of no
// standard, must not be taken for what the network is like.
const (
	dnsmasq = "dnsmasq"
	unbound = "unbound"
	bind    = "bind"
	kea     = "kea"
)

// serveNames starts the scene's name server, of its make.
func (s *scene) serveNames() {
	addresses := texts(s.dnsAddresses)
	switch s.dnsMake {
	case unbound:
		s.serveDNSBy(s.dnsHost, addresses[0], s.need("unbound", "unbound"), "-d", "-c", s.file("unbound.conf", s.unboundConf(addresses)))
	case bind:
		s.serveDNSBy(s.dnsHost, addresses[0], s.need("named", "bind9"), "-g", "-c", s.file("named.conf", s.bindConf()))
	default:
		s.ServeDNS(s.dnsHost, addresses, s.hostRecords()...)
	}
	// A server takes connections before it knows what it is asked.
	s.Await("an answer of "+cmp.Or(s.dnsMake, dnsmasq), func() error {
		conn, err := s.Dial(PC, "udp", net.JoinHostPort(addresses[0], "53"))
		if err != nil {
			return err
		}
		defer conn.Close()
		m := dnsmessage.Message{Header: dnsmessage.Header{RecursionDesired: true},
			Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(s.names[intranet] + "."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
		query, err := m.Pack()
		if err != nil {
			return err
		}
		if _, err := conn.Write(query); err != nil {
			return err
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		answer := make([]byte, 512)
		n, err := conn.Read(answer)
		if err != nil {
			return err
		}
		var said dnsmessage.Message
		if err := said.Unpack(answer[:n]); err != nil || said.RCode != dnsmessage.RCodeSuccess {
			return fmt.Errorf("%v, %v", said.RCode, err)
		}
		return nil
	})
}

// need is where a program is; without it the test is skipped.
func (s *scene) need(program, of string) string {
	s.t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + program)
	}
	Need(s.t, program+" (package "+of+")", err == nil)
	return path
}

// file writes a file of the test's.
func (s *scene) file(name, content string) string {
	s.t.Helper()
	name = filepath.Join(s.t.TempDir(), name)
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return name
}

// zone are the records that the name server knows, as master files have them.
func (s *scene) zone() (lines []string) {
	for name, addresses := range s.records() {
		if s.hiddenByProxy(name) {
			continue
		}
		for _, a := range addresses {
			lines = append(lines, fmt.Sprintf("%s. 60 IN %s %s", name, map[bool]string{true: "A", false: "AAAA"}[a.Is4()], a))
		}
	}
	slices.Sort(lines)
	return lines
}

func (s *scene) unboundConf(addresses []string) string {
	var b strings.Builder
	b.WriteString("remote-control:\n control-enable: no\nserver:\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n use-syslog: no\n do-daemonize: no\n" +
		" module-config: \"iterator\"\n access-control: 0.0.0.0/0 allow\n access-control: ::/0 allow\n local-zone: \".\" static\n")
	for _, a := range addresses {
		b.WriteString(" interface: " + a + "\n")
	}
	for _, line := range s.zone() {
		fmt.Fprintf(&b, " local-data: %q\n", line)
	}
	return b.String()
}

func (s *scene) bindConf() string {
	zone := s.file("root.zone", "$TTL 60\n. IN SOA ns. root. 1 3600 600 86400 60\n. IN NS ns.\nns. IN A 192.0.2.1\n"+strings.Join(s.zone(), "\n")+"\n")
	var four, six string
	for _, a := range s.dnsAddresses {
		if a.Is4() {
			four += a.String() + "; "
		} else {
			six += a.String() + "; "
		}
	}
	return fmt.Sprintf(`options { directory %q; pid-file none; lock-file none; session-keyfile none; listen-on { %s}; listen-on-v6 { %s};
 recursion yes; allow-query { any; }; dnssec-validation no; empty-zones-enable no; notify no; };
controls { };
zone "." { type master; file %q; };
`, filepath.Dir(zone), four, six, zone)
}

// leaseFromKea starts Kea as a DHCP server on a host, for one address.
func (s *scene) leaseFromKea(host, link string, router, free netip.Addr) {
	s.t.Helper()
	one := func(name, data string) map[string]string { return map[string]string{"name": name, "data": data} }
	config, err := json.Marshal(map[string]any{"Dhcp4": map[string]any{
		"interfaces-config": map[string]any{"interfaces": []string{link}},
		"lease-database":    map[string]any{"type": "memfile", "persist": false},
		"valid-lifetime":    3600,
		"subnet4": []any{map[string]any{
			"id": 1, "subnet": s.Local.Masked().String(), "pools": []any{map[string]string{"pool": free.String() + " - " + free.String()}},
			"option-data": []any{one("routers", router.String()), one("domain-name-servers", router.String())},
		}},
		"loggers": []any{map[string]any{"name": "kea-dhcp4", "severity": "INFO", "output_options": []any{map[string]string{"output": "stdout"}}}},
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	program := s.need("kea-dhcp4", "kea-dhcp4-server")
	s.daemon(host, "DHCP4_STARTED", "env", "KEA_LOCKFILE_DIR=none", "KEA_PIDFILE_DIR="+s.t.TempDir(), program, "-c", s.file("kea.json", string(config)))
}
