package privileged

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"constat/internal/lab"
)

// officeFilter are rules as people write them, with what only sets and jumps
// hold. Nothing in the group of tables that only forward is read.
const officeFilter = `
table inet office {
	set blocked { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 198.51.100.7 } }
	chain outward {
		type filter hook output priority 0; policy drop;
		oifname "lo" accept
		ct state vmap { established : accept, related : accept, invalid : drop }
		meta l4proto { tcp, udp } th dport 53 accept
		ip daddr @blocked reject
		tcp dport { 80, 8000-8100 } jump web
		tcp dport 25 limit rate 1/second accept
		meta skuid 0 udp dport 123 accept
	}
	chain web { counter accept; }
	chain inward {
		type filter hook input priority 0; policy accept;
		tcp sport 8080 drop
	}
}
table ip canary { chain through { type filter hook forward priority 0; ip saddr 203.0.113.77 drop; }; }
`

// inNewNetwork runs do in a network namespace of its own, on its own thread.
func inNewNetwork(t *testing.T, do func()) {
	t.Helper()
	lab.Need(t, "root, to make network namespaces", os.Geteuid() == 0)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the namespace
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// command runs a program of the test, in the namespace of its thread.
func command(t *testing.T, stdin, name string, args ...string) {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out)
	}
}

// TestReadFilter reads the rules of a namespace of its own. CONSTAT_RECORD
// names a directory that keeps them, for the parser's tests.
func TestReadFilter(t *testing.T) {
	_, err := exec.LookPath("nft")
	lab.Need(t, "nft (package nftables)", err == nil)
	inNewNetwork(t, func() {
		content, err := readFilter(t.Context(), "")
		if err != nil || len(content) != 0 {
			t.Errorf("without rules: %d bytes, %v", len(content), err)
		}
		command(t, officeFilter, "nft", "-f", "-")
		content, err = readFilter(t.Context(), "")
		if err != nil || !bytes.Contains(content, []byte("office")) || !bytes.Contains(content, []byte("blocked")) {
			t.Errorf("%d bytes, %v", len(content), err)
		}
		if bytes.Contains(content, []byte{203, 0, 113, 77}) {
			t.Error("the rules of packets that are only forwarded were read")
		}
		record(t, "office.filter", content)
		if _, err := exec.LookPath("iptables-nft"); err != nil {
			return // the parser's test has what was recorded
		}
		command(t, "flush ruleset\n", "nft", "-f", "-")
		for _, rule := range []string{
			"-A OUTPUT -o lo -j ACCEPT", "-A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
			"-A OUTPUT -p udp --dport 53 -m comment --comment hush -j ACCEPT", "-A OUTPUT -p tcp -m multiport --dports 80,8080 -j LOG",
			"-A OUTPUT -p tcp --dport 443 -j REJECT --reject-with tcp-reset", "-A OUTPUT -p tcp -m mark --mark 7 -j ACCEPT", "-P OUTPUT DROP",
			"-A INPUT -m conntrack --ctstate INVALID -j DROP",
		} {
			command(t, "", "iptables-nft", strings.Fields(rule)...)
		}
		content, err = readFilter(t.Context(), "")
		if err != nil || !bytes.Contains(content, []byte("OUTPUT")) {
			t.Errorf("iptables: %d bytes, %v", len(content), err)
		}
		record(t, "iptables.filter", content)
	})
}

func record(t *testing.T, name string, content []byte) {
	if dir := os.Getenv("CONSTAT_RECORD"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Error(err)
		}
	}
}
