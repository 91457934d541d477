package install

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"constat/internal/lab"
)

// guide gives what docs/INSTALL.md has people type, by heading: the blocks of
// commands, and those of a configuration file.
func guide(t *testing.T) (commands, files map[string][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "INSTALL.md"))
	if err != nil {
		t.Fatal(err)
	}
	commands, files = map[string][]string{}, map[string][]string{}
	heading, inBlock, fenced := "", false, false
	for line := range strings.Lines(string(text)) {
		typed, indented := strings.CutPrefix(line, "    ")
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
			if fenced {
				files[heading] = append(files[heading], "")
			}
		case fenced:
			files[heading][len(files[heading])-1] += line
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		case indented:
			if !inBlock {
				commands[heading] = append(commands[heading], "")
			}
			commands[heading][len(commands[heading])-1] += typed
		}
		inBlock = indented
	}
	return commands, files
}

// TestInstallGuide follows docs/INSTALL.md word by word on two machines that
// never had anything of ours, and says how long it takes.
func TestInstallGuide(t *testing.T) {
	dir := packages(t)
	w := lab.NewWorld(t)
	// The world made these for its computer only; it removes them all.
	etc := filepath.Join("/etc/netns", w.Namespace(lab.Gateway))
	if err := os.MkdirAll(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"hosts": "127.0.0.1 localhost\n", "resolv.conf": ""} {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	agent, collector := filepath.Join(dir, "constat-agent_1.0.0-1_amd64.deb"), filepath.Join(dir, "constat-collector_1.0.0-1_amd64.deb")
	server, computer := installationAt(t, w, lab.Gateway, agent, collector), installationAt(t, w, lab.PC)
	for _, m := range []*installation{server, computer} {
		m.Sh(`echo "$1 collector.example.org" >>/etc/hosts`, w.Router.Addr().String())
	}
	// A disk of a size that doctor finds enough.
	server.Sh("mkdir /var/lib/constat-collector; mount -t tmpfs -o size=2G,mode=755 disk /var/lib/constat-collector")
	commands, files := guide(t)
	follow := func(m *installation, heading string, block int) string {
		t.Helper()
		if len(commands[heading]) <= block {
			t.Fatalf("docs/INSTALL.md has %d blocks under %q", len(commands[heading]), heading)
		}
		return m.Sh("cd /srv; exec 2>&1; " + commands[heading][block])
	}

	start := time.Now()
	wants(t, follow(server, "The collector", 0), "constat-collector: it runs", "/sign-in/link/")
	// What is put into a file takes the place of what it said.
	server.Sh(`sed -i -e '/^grpc:/d' -e '/^http:/d' /etc/constat-collector/collector.yaml; printf %s "$1" >>/etc/constat-collector/collector.yaml`, files["The collector"][0])
	wants(t, follow(server, "The collector", 1), "fine")
	wants(t, follow(server, "Agents", 0), "Ready for 50 computer(s)", "to join collector.example.org:7400", "sudo apt install ./constat-agent_1.0.0-1_amd64.deb ./constat-enrolment_")
	t.Logf("the collector, from its package to the packages for agents: %.1f s", time.Since(start).Seconds())

	made, err := filepath.Glob(server.Path("/srv/kit/*.deb"))
	if err != nil || len(made) != 2 {
		t.Fatalf("the kit has %q, %v", made, err)
	}
	for _, file := range made {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		computer.WriteFile("/srv/"+filepath.Base(file), string(content))
	}
	start = time.Now()
	wants(t, follow(computer, "Linux", 0), "constat-agent: reports to collector.example.org:7400")
	t.Logf("the agent, from its package to the collector's answer: %.1f s", time.Since(start).Seconds())
	computer.awaitConnected()
	cloned(t, w, server, computer)
}

// cloned copies the disk of an enrolled computer into another one, as who makes an
// image too late does: the collector says that the two live with one identity, and the
// way out that its page names leads out.
func cloned(t *testing.T, w *lab.World, server, computer *installation) {
	t.Helper()
	clone := installationAt(t, w, lab.Internet)
	clone.Sh(`echo "$1 collector.example.org" >>/etc/hosts`, w.Router.Addr().String())
	out, err := exec.Command("sh", "-ec", `cd "$1"
		tar -c --exclude=etc/hostname --exclude=etc/hosts --exclude=etc/resolv.conf etc usr/bin usr/lib/systemd/system usr/lib/sysusers.d usr/share/constat* var/lib/dpkg var/lib/constat-agent |
			tar -x -C "$2"`, "sh", computer.Path("/"), clone.Path("/")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	clone.Sh("systemctl daemon-reload; systemctl start constat-agent-privileged.socket constat-agent.service")

	identity := `sed -n 's/.*"endpoint[^:]*": *"\([^"]*\)".*/\1/p' /var/lib/constat-agent/identity.json`
	id := strings.TrimSpace(computer.Sh(identity))
	server.Sh("constat-collector user token admin >/srv/api")
	const told = "CONSTAT_TOKEN=$(cat /srv/api) constat-collector endpoint remedies $1 --json"
	start := time.Now()
	w.Await("the collector sees two machines", func() error {
		said := server.Sh(told, id)
		for _, name := range []string{lab.PC + "-lab", lab.Internet + "-lab"} {
			if !strings.Contains(said, `"twins"`) || strings.Count(said, name) == 0 {
				return fmt.Errorf("it says %s", said)
			}
		}
		return nil
	})
	t.Logf("two live computers with one identity are told apart after %.1f s", time.Since(start).Seconds())
	wants(t, clone.Sh("journalctl --no-pager --unit=constat-agent")+computer.Sh("journalctl --no-pager --unit=constat-agent"), "two machines share it (a cloned disk?): enrol one of them again")

	// Enrolled again, the clone is a machine of its own.
	wants(t, clone.Sh(`umask 077; sed -n 's/^CONSTAT_TOKEN=//p' /etc/constat-agent/enrolment.env >/srv/token
		constat-agent enroll --collector collector.example.org:7400 --token-file /srv/token`), "when it starts again: constat-agent service restart\n")
	clone.Sh("constat-agent service restart")
	clone.awaitConnected()
	if now := strings.TrimSpace(clone.Sh(identity)); now == id || now == "" {
		t.Errorf("the clone is %q, as the other one", now)
	}
}
