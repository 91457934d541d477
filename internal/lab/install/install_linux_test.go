package install

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"constat/internal/lab"
)

// installation is a fresh Debian with a real systemd, and packages on its disk.
type installation struct {
	*lab.Machine
	w *lab.World
	t *testing.T
}

// newInstallation starts a machine that never had any of our packages.
func newInstallation(t *testing.T, packages ...string) *installation {
	t.Helper()
	return installationAt(t, lab.NewWorld(t), lab.PC, packages...)
}

func installationAt(t *testing.T, w *lab.World, host string, packages ...string) *installation {
	t.Helper()
	m := &installation{lab.StartDebian(t, w, host), w, t}
	for _, file := range packages {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m.WriteFile("/srv/"+filepath.Base(file), string(content))
	}
	return m
}

// The packages of this tree, built once for all tests.
var (
	builds      string
	builtOnce   sync.Once
	buildingSay error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if builds != "" {
		_ = os.RemoveAll(builds)
	}
	os.Exit(code)
}

// packages is the directory with those of this tree, for Debian and RPM: as for a
// release, but for how tightly they are packed.
func packages(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"dpkg-deb", "rpm", "xz"} {
		_, err := exec.LookPath(program)
		lab.Need(t, program, err == nil)
	}
	builtOnce.Do(func() {
		if builds, buildingSay = os.MkdirTemp("", "packages"); buildingSay == nil {
			buildingSay = build(builds, "1.0.0", "agent collector", "deb rpm")
		}
	})
	if buildingSay != nil {
		t.Fatal(buildingSay)
	}
	return builds
}

func build(dir, version, names, formats string, environment ...string) error {
	cmd := exec.Command(filepath.Join("..", "..", "..", "installers", "linux", "build"), dir, names, "amd64", formats)
	cmd.Env = append(os.Environ(), "VERSION="+version, "COMPRESSION=", "LEVEL=0")
	cmd.Env = append(cmd.Env, environment...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the packages: %w\n%s", err, text)
	}
	return nil
}

// programs are those of this tree's packages, for another build that needs not link
// them again.
func programs(t *testing.T) (environment string) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("sh", "-ec", `dpkg-deb -x "$1" "$2/x"; mv "$2/x/usr/bin" "$2/linux-amd64"`, "sh", filepath.Join(packages(t), "constat-agent_1.0.0-1_amd64.deb"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return "PROGRAMS=" + dir
}

// another makes a package of another version out of one.
func another(t *testing.T, file, version string) string {
	t.Helper()
	to := strings.Replace(file, "_1.0.0-1_", "_"+version+"-1_", 1)
	out, err := exec.Command("sh", "-ec", `dpkg-deb -R "$1" "$3/x"; sed -i "s/^Version: .*/Version: $4-1/" "$3/x/DEBIAN/control"; dpkg-deb --root-owner-group -Znone -b "$3/x" "$2"`,
		"sh", file, to, t.TempDir(), version).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return to
}

// wants fails the test unless a text has all of these in it.
func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

// files lists what is on the machine's disk, with owner, mode and size, and its
// accounts, without what the system itself writes as it goes: logs, caches, and
// the copies of the former accounts.
func (m *installation) files() map[string]bool {
	m.t.Helper()
	list := m.Sh(`find / \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /srv -o -name .rpmdb -o -path /var/log -o -path /var/lib/dpkg \
		-o -path /var/cache/man -o -path /var/cache/dnf -o -path /var/lib/rpm -o -path /var/lib/dnf -o -path /var/lib/systemd -o -path /var/tmp \
		-o -path '/etc/*-' -o -path /etc/gshadow -o -path /etc/.pwd.lock -o -path /etc/machine-id \) -prune -o -type d -printf '%p %u %m\n' -o -printf '%p %u %m %s\n' | sort; cat /etc/passwd /etc/group`)
	lines := map[string]bool{}
	for line := range strings.Lines(list) {
		lines[line] = true
	}
	return lines
}

// pid is the process of a service.
func (m *installation) pid(unit string) string {
	m.t.Helper()
	return strings.TrimSpace(m.Sh(`systemctl show --property=MainPID --value "$1"`, unit))
}

// awaitConnected waits until the agent says that it reports.
func (m *installation) awaitConnected() {
	m.t.Helper()
	m.w.Await("the agent's connection", func() error {
		out, err := m.Try("constat-agent status")
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// TestInstall takes the packages of Debian through a life: installed, enrolled,
// diagnosed, upgraded, killed, removed and purged, with mistakes in between that
// have to be said where the administrator looks, in the installer's own words.
func TestInstall(t *testing.T) {
	dir := packages(t)
	agent, collector := filepath.Join(dir, "constat-agent_1.0.0-1_amd64.deb"), filepath.Join(dir, "constat-collector_1.0.0-1_amd64.deb")
	newer := another(t, agent, "1.1.0")
	m := newInstallation(t, agent, newer, collector)
	before := m.files()

	wants(t, m.Sh("dpkg -i /srv/constat-collector_1.0.0-1_amd64.deb 2>&1"), "constat-collector: it runs. Sign in to its console with: constat-collector user link admin")
	wants(t, m.Sh("constat-collector user link admin"), "/sign-in/link/")

	// A package without a collector's address.
	wants(t, m.Sh("dpkg -i /srv/constat-agent_1.0.0-1_amd64.deb 2>&1"), "constat-agent: NO COLLECTOR is configured", "/etc/constat-agent/enrolment.env")
	wants(t, m.Sh("dpkg --purge constat-agent 2>&1"), "Purging configuration files for constat-agent")

	// With one, and with what the collector makes for it: from the command to the
	// first facts there.
	wants(t, m.Sh(`constat-collector user token admin >/srv/api
		mkdir /srv/release; cp /srv/constat-agent_1.0.0-1_amd64.deb /srv/release/
		constat-collector token create --installers /srv/kit --packages /srv/release --collector 127.0.0.1:7400`), "Ready for 1 computer(s)", "sudo apt install ./constat-agent_1.0.0-1_amd64.deb ./constat-enrolment_")
	start := time.Now()
	said := m.Sh("cd /srv/kit; dpkg -i ./constat-agent_*.deb ./constat-enrolment_*.deb 2>&1")
	m.w.Await("the first facts", func() error {
		if list := m.Sh("CONSTAT_TOKEN=$(cat /srv/api) constat-collector endpoint list --json"); !strings.Contains(list, `"osName": "Debian`) {
			return fmt.Errorf("none yet: %s", list)
		}
		return nil
	})
	t.Logf("from dpkg -i to the first facts at the collector: %.1f s", time.Since(start).Seconds())
	wants(t, said, "constat-agent: reports to 127.0.0.1:7400")
	wants(t, m.Sh("stat -c %U:%a /etc/constat-agent/enrolment.env"), "root:600")

	// Shut in, it sees what it would see without: the half with the rights
	// answers, and nothing is taken for read-only.
	ticket := m.Sh(`constat-agent ticket new --complaint full --text "first" >/dev/null; CONSTAT_TOKEN=$(cat /srv/api) constat-collector ticket show 1`)
	wants(t, ticket, "diagnosis, constat")
	for _, wrong := range []string{"denied", "read-only", "read only"} {
		if strings.Contains(ticket, wrong) {
			t.Errorf("%q in:\n%s", wrong, ticket)
		}
	}
	for unit, limit := range map[string]float64{"constat-agent.service": 3, "constat-collector.service": 3, "constat-agent-privileged.service": 3.5} {
		text, _ := m.Try("systemd-analyze security --no-pager $1 | tail -1", unit)
		var exposure float64
		if found := regexp.MustCompile(`: ([0-9.]+) `).FindStringSubmatch(text); len(found) == 2 {
			_, _ = fmt.Sscan(found[1], &exposure)
		}
		if exposure == 0 || exposure > limit {
			t.Errorf("%s: %s", unit, text)
		}
		t.Logf("%s: exposure %.1f", unit, exposure)
	}

	// Upgrade: the identity and the administrator's file stay, the new program runs.
	m.Sh("echo '# mine' >>/etc/constat-agent/agent.yaml")
	identity, former := m.Sh("sed -n 's/.*endpoint//p' /var/lib/constat-agent/identity.json"), m.pid("constat-agent.service")
	wants(t, m.Sh("dpkg -i /srv/constat-agent_1.1.0-1_amd64.deb 2>&1"), "constat-agent: reports to 127.0.0.1:7400")
	wants(t, m.Sh("tail -1 /etc/constat-agent/agent.yaml"), "# mine")
	if m.Sh("sed -n 's/.*endpoint//p' /var/lib/constat-agent/identity.json") != identity || m.pid("constat-agent.service") == former {
		t.Error("the upgrade changed the identity, or the old program goes on")
	}

	// The disk is full: what was there stays, whole and at work.
	former = m.pid("constat-agent.service")
	m.Sh("fallocate --length $(($(stat --file-system --format '%a * %S' /var/tmp) - (8 << 20))) /var/tmp/filler")
	out, err := m.Try("dpkg -i --force-downgrade /srv/constat-agent_1.0.0-1_amd64.deb 2>&1")
	if err == nil {
		t.Error("a package was installed on a disk without room for it")
	}
	wants(t, out, "No space left on device")
	// A backup that does not fit is none, and takes the place of none.
	m.Sh("cat /dev/zero >/var/tmp/filler2 || true")
	out, err = m.Try("constat-collector backup /srv/backup 2>&1")
	if err == nil {
		t.Error("a backup was written on a disk without room for it")
	}
	wants(t, out, "the disk is full: make room")
	if m.pid("constat-agent.service") != former {
		t.Error("the old program was ended")
	}
	// Nor does an agent end that starts there: it is wanted for just that.
	m.Sh("systemctl restart constat-agent.service; cat /dev/zero >>/var/tmp/filler2 || true")
	former = m.pid("constat-agent.service")
	m.w.Await("the agent to say that it can keep nothing", func() error {
		_, err := m.Try("journalctl -u constat-agent.service _PID=$1 | grep 'No space left on device\\|no space left on device'", former)
		return err
	})
	wants(t, m.Sh("constat-agent diagnose full --json || true"), "os-disk-full")
	// Whoever sits there is heard, when the collector, on the same disk, can write again.
	m.Sh("constat-agent ticket new --complaint full --text 'nothing can be saved' --wait 1s")
	if m.pid("constat-agent.service") != former {
		t.Error("a full disk ends the agent")
	}
	m.Sh("rm /var/tmp/filler /var/tmp/filler2; ls -d /srv/backup* || true")
	m.Sh("test ! -e /srv/backup")
	m.awaitConnected()
	m.w.Await("the ticket", func() error {
		out, err := m.Try("CONSTAT_TOKEN=$(cat /srv/api) constat-collector ticket show 2")
		if err != nil || !strings.Contains(out, "nothing can be saved") || !strings.Contains(out, "os-disk-full") {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})
	wants(t, m.Sh("dpkg-query --show --showformat '${Version} ${Status}' constat-agent; constat-agent status"), "1.1.0-1 install ok installed", "connected:  yes")

	// Killed, it is back.
	former = m.pid("constat-agent.service")
	m.Sh("kill -9 $1", former)
	m.w.Await("another process", func() error {
		if now := m.pid("constat-agent.service"); now == former || now == "0" {
			return fmt.Errorf("it is %s", now)
		}
		return nil
	})
	m.awaitConnected()

	// A configuration that this version does not know: the old program goes on.
	former = m.pid("constat-agent.service")
	m.Sh("cp /etc/constat-agent/agent.yaml /srv/; echo 'shiny: true' >>/etc/constat-agent/agent.yaml")
	wants(t, m.Sh("dpkg -i --force-downgrade /srv/constat-agent_1.0.0-1_amd64.deb 2>&1"), "constat-agent: NOT STARTED: /etc/constat-agent/agent.yaml:", `unknown field "shiny"`, "A version that ran before goes on running")
	if m.pid("constat-agent.service") != former {
		t.Error("the old program was ended")
	}
	m.Sh("cp /srv/agent.yaml /etc/constat-agent/")

	// The account is gone, and comes back with the package.
	m.Sh("systemctl stop constat-agent.service constat-agent-privileged.socket; userdel constat")
	if out, err := m.Try("systemctl start constat-agent.service"); err == nil {
		t.Errorf("it starts without its account: %s", out)
	}
	wants(t, m.Sh("dpkg -i /srv/constat-agent_1.1.0-1_amd64.deb 2>&1"), "constat-agent: reports to 127.0.0.1:7400")

	// A spent token. The state is kept by remove, and gone after purge.
	m.Sh("cp /etc/constat-agent/enrolment.env /srv/; dpkg --remove constat-agent 2>&1")
	wants(t, m.Sh("ls /var/lib/constat-agent /etc/constat-agent"), "identity.json", "agent.yaml")
	m.Sh("dpkg --purge constat-agent constat-enrolment 2>&1; mkdir /etc/constat-agent; cp /srv/enrolment.env /etc/constat-agent/")
	wants(t, m.Sh("dpkg -i /srv/constat-agent_1.1.0-1_amd64.deb 2>&1"), "constat-agent: NOT ENROLLED, and it goes on trying", "token")

	// Half a backup is refused, in words, and leaves nothing.
	m.Sh("constat-collector backup /srv/backup; head --bytes=$(($(stat --format %s /srv/backup) / 2)) /srv/backup >/srv/half")
	out, err = m.Try("constat-collector restore /srv/half --data /var/tmp/restored 2>&1")
	if err == nil {
		t.Error("half a backup was restored")
	}
	wants(t, out, "it is incomplete or damaged", "take another one")
	m.Sh("test ! -e /var/tmp/restored/constat.db; rm -rf /var/tmp/restored")

	// A port that is taken, by what the configuration says now: what ran before
	// goes on at its own. So it is said where nothing ran before.
	const say = "constat-collector: NOT STARTED: 127.0.0.1:7999 is in use by another program: stop it, or choose another address with --http"
	m.Sh(`systemd-run --quiet --unit=other constat-collector serve --data /var/tmp/other --grpc 127.0.0.1:7998 --http 127.0.0.1:7999
		sed -i 's/^http:.*/http: 127.0.0.1:7999/' /etc/constat-collector/collector.yaml`)
	m.w.Await("another program on the port", func() error {
		_, err := m.Try("systemctl is-active other && bash -c '</dev/tcp/127.0.0.1/7999'")
		return err
	})
	former = m.pid("constat-collector.service")
	wants(t, m.Sh("dpkg -i /srv/constat-collector_1.0.0-1_amd64.deb 2>&1"), say, "A version that ran before goes on running")
	if m.pid("constat-collector.service") != former {
		t.Error("the collector was ended for one that can't start")
	}
	m.Sh("CONSTAT_TOKEN=$(cat /srv/api) constat-collector endpoint list --json")
	m.Sh("systemctl stop constat-collector")
	wants(t, m.Sh("dpkg -i /srv/constat-collector_1.0.0-1_amd64.deb 2>&1"), say)
	m.Sh("systemctl stop other; rm -r /var/tmp/other")

	m.Sh("dpkg --purge constat-agent constat-collector 2>&1")
	m.same(before)
}
