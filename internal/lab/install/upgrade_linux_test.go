package install

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"constat/internal/lab"
)

// formerPackages are the packages of the last release, or, before there is one, of
// the first commit that had packages: built once by that commit's own script, as
// version 0.0.1. A clone without history has this commit only, so that the upgrade is
// one by number alone, which the log says.
func formerPackages(t *testing.T) string {
	t.Helper()
	git := func(arguments ...string) string {
		out, err := exec.Command("git", append([]string{"-C", filepath.Join("..", "..", "..")}, arguments...)...).Output()
		if err != nil {
			return ""
		}
		lines := strings.Fields(string(out))
		if len(lines) == 0 {
			return ""
		}
		return lines[len(lines)-1]
	}
	commit := git("describe", "--tags", "--match", "v[0-9]*", "--abbrev=0", "HEAD^")
	switch {
	case commit != "":
		commit = git("rev-parse", commit+"^{commit}")
	case git("rev-parse", "--is-shallow-repository") == "false":
		commit = git("log", "--diff-filter=A", "--format=%H", "--", "installers/linux/build")
	default:
		t.Log("this clone has no history (git fetch --unshallow): the former version is this one by another number")
		commit = git("rev-parse", "HEAD")
	}
	if commit == "" {
		t.Fatal("no commit had packages before this one")
	}
	dir, err := lab.Cached("former-"+commit+" agent collector amd64 deb", func(dir string) error {
		source := filepath.Join(dir, "source")
		out, err := exec.Command("sh", "-ec", `mkdir "$2"; git -C ../../.. archive "$1" | tar -x -C "$2"
			VERSION=0.0.1 COMMIT="$1" SOURCE_DATE_EPOCH=1000000000 COMPRESSION=none "$2/installers/linux/build" "$3" "agent collector" amd64 deb
			chmod -R u+w "$2"; rm -r "$2"`, "sh", commit, source, dir).CombinedOutput()
		if err != nil {
			return fmt.Errorf("building the packages of %s: %w\n%s", commit, err, out)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the former version is commit %.12s", commit)
	return dir
}

// TestUpgrade takes a machine from a former version's packages to today's: who it
// is, what its administrator wrote, what waits to be sent and all the collector's
// data stay.
func TestUpgrade(t *testing.T) {
	former, now := formerPackages(t), packages(t)
	m := newInstallation(t, filepath.Join(former, "constat-agent_0.0.1-1_amd64.deb"), filepath.Join(former, "constat-collector_0.0.1-1_amd64.deb"),
		filepath.Join(now, "constat-agent_1.0.0-1_amd64.deb"), filepath.Join(now, "constat-collector_1.0.0-1_amd64.deb"))
	before := m.files()

	wants(t, m.Sh("dpkg -i /srv/constat-collector_0.0.1-1_amd64.deb 2>&1"), "constat-collector: it runs")
	token := regexp.MustCompile(`constat1_\S+`).FindString(m.Sh("constat-collector user token admin >/srv/api; constat-collector token create 2>&1"))
	m.Sh(`mkdir -p /etc/constat-agent; printf 'CONSTAT_COLLECTOR=127.0.0.1:7400\nCONSTAT_TOKEN=%s\n' "$1" >/etc/constat-agent/enrolment.env`, token)
	wants(t, m.Sh("dpkg -i /srv/constat-agent_0.0.1-1_amd64.deb 2>&1"), "constat-agent: reports to 127.0.0.1:7400")
	wants(t, m.Sh("constat-agent version; constat-collector version"), "constat-agent 0.0.1", "constat-collector 0.0.1")
	m.Sh("constat-agent ticket new --complaint full --text 'first, of the former version'")
	identity := m.Sh("sed -n 's/.*endpoint//p' /var/lib/constat-agent/identity.json")
	if strings.TrimSpace(identity) == "" {
		t.Fatal("no identity")
	}
	m.Sh("echo '# mine' >>/etc/constat-agent/agent.yaml; echo '# mine too' >>/etc/constat-collector/collector.yaml")

	// A ticket waits on the agent's disk while everything around it changes.
	m.Sh("systemctl stop constat-collector.service")
	m.Sh("constat-agent ticket new --complaint full --text 'second, while nobody took it' || true")
	const install = "dpkg --force-confold -i /srv/%s_1.0.0-1_amd64.deb 2>&1"
	wants(t, m.Sh(fmt.Sprintf(install, "constat-agent")), "constat-agent: enrolled, and not connected yet")
	wants(t, m.Sh(fmt.Sprintf(install, "constat-collector")), "constat-collector: it runs")
	m.awaitConnected()
	wants(t, m.Sh("constat-agent version; constat-collector version"), "constat-agent 1.0.0", "constat-collector 1.0.0")
	if now := m.Sh("sed -n 's/.*endpoint//p' /var/lib/constat-agent/identity.json"); now != identity {
		t.Errorf("the identity was %q and is %q", identity, now)
	}
	wants(t, m.Sh("tail --lines=1 /etc/constat-agent/agent.yaml; tail --lines=1 /etc/constat-collector/collector.yaml"), "# mine\n# mine too\n")
	m.w.Await("the ticket that waited", func() error {
		if list, err := m.Try("CONSTAT_TOKEN=$(cat /srv/api) constat-collector ticket show 2"); err != nil || !strings.Contains(list, "second, while nobody took it") {
			return fmt.Errorf("%w: %s", err, list)
		}
		return nil
	})
	wants(t, m.Sh("CONSTAT_TOKEN=$(cat /srv/api) constat-collector ticket show 1; CONSTAT_TOKEN=$(cat /srv/api) constat-collector endpoint list --json"),
		"first, of the former version", `"agentVersion": "1.0.0"`, `"online": true`)
	m.Sh("constat-agent ticket new --complaint full --text 'third, of this version'")
	wants(t, m.Sh("CONSTAT_TOKEN=$(cat /srv/api) constat-collector ticket show 3"), "third, of this version", "diagnosis, constat")

	process := m.pid("constat-agent.service")
	m.Sh("kill -9 $1", process)
	m.w.Await("another process", func() error {
		if now := m.pid("constat-agent.service"); now == process || now == "0" {
			return fmt.Errorf("it is %s", now)
		}
		return nil
	})
	m.awaitConnected()

	m.Sh("dpkg --remove constat-agent constat-collector 2>&1")
	wants(t, m.Sh("ls /var/lib/constat-agent /etc/constat-agent /var/lib/constat-collector"), "identity.json", "agent.yaml", "constat.db")
	m.Sh("dpkg --purge constat-agent constat-collector 2>&1")
	m.same(before)
}

// same wants the machine's disk as it was, but for what begins with one of these.
func (m *installation) same(before map[string]bool, except ...string) {
	m.t.Helper()
	if units := m.Sh("systemctl list-units --all --no-legend 'constat*'; ls -d /run/constat* 2>/dev/null || true"); units != "" {
		m.t.Errorf("left at work: %s", units)
	}
	kept := func(line string) bool {
		for _, prefix := range except {
			if strings.HasPrefix(line, prefix) {
				return true
			}
		}
		return false
	}
	after := m.files()
	for line := range after {
		if !before[line] && !kept(line) {
			m.t.Errorf("left behind: %s", line)
		}
	}
	for line := range before {
		if !after[line] && !kept(line) {
			m.t.Errorf("taken away: %s", line)
		}
	}
}

// stub is a package of RPM's that says of a Debian what RPM can't know: that it
// has systemd and a shell.
func stub(t *testing.T) string {
	t.Helper()
	_, err := exec.LookPath("rpmbuild")
	lab.Need(t, "rpmbuild (Debian: rpm)", err == nil)
	top := t.TempDir()
	spec := filepath.Join(top, "stub.spec")
	if err := os.WriteFile(spec, []byte("Name: systemd\nVersion: 252\nRelease: 1\nSummary: What Debian has\nLicense: none\nBuildArch: noarch\nProvides: /bin/sh\n%description\nWhat Debian has\n%files\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("rpmbuild", "--quiet", "--define", "_topdir "+top, "-bb", spec).CombinedOutput(); err != nil {
		t.Fatalf("rpmbuild: %v\n%s", err, out)
	}
	return filepath.Join(top, "RPMS", "noarch", "systemd-252-1.noarch.rpm")
}

// TestInstallRPM takes the packages of RPM through a life, by rpm and dnf, on a
// real systemd. The computer is a Debian that has these tools beside its own: what
// the packages' scripts do is seen, what a distribution of RPM's does by its own
// triggers and by SELinux is not.
func TestInstallRPM(t *testing.T) {
	dir := packages(t)
	newer := t.TempDir()
	if err := build(newer, "1.1.0", "agent", "rpm", programs(t)); err != nil {
		t.Fatal(err)
	}
	m := newInstallation(t, stub(t), filepath.Join(dir, "constat-agent-1.0.0-1.x86_64.rpm"), filepath.Join(dir, "constat-collector-1.0.0-1.x86_64.rpm"),
		filepath.Join(newer, "constat-agent-1.1.0-1.x86_64.rpm"))
	// And directories that are filesystem's and hicolor-icon-theme's there.
	m.Sh("rpm -i /srv/systemd-252-1.noarch.rpm 2>&1; mkdir -p /etc/xdg/autostart /usr/share/icons/hicolor/64x64/apps")
	before := m.files()

	wants(t, m.Sh("rpm -i /srv/constat-collector-*.x86_64.rpm 2>&1"), "constat-collector: it runs. Sign in to its console with: constat-collector user link admin")
	wants(t, m.Sh("rpm -i /srv/constat-agent-1.0.0-1.x86_64.rpm 2>&1"), "constat-agent: NO COLLECTOR is configured", "/etc/constat-agent/enrolment.env")
	m.Sh("rpm -e constat-agent 2>&1")

	steps := m.Sh(`constat-collector user token admin >/srv/api
		mkdir /srv/release; cp /srv/constat-agent-1.0.0-1.x86_64.rpm /srv/release/
		constat-collector token create --installers /srv/kit --packages /srv/release --collector 127.0.0.1:7400`)
	wants(t, steps, "sudo dnf install ./constat-agent-1.0.0-1.x86_64.rpm ./constat-enrolment-")
	_, typed, _ := strings.Cut(steps, "sudo dnf install ")
	typed, _, _ = strings.Cut(typed, "\n")
	wants(t, m.Sh("cd /srv/kit; dnf install --assumeyes --disablerepo='*' "+typed+" 2>&1"), "constat-agent: reports to 127.0.0.1:7400", "Complete!")
	wants(t, m.Sh("stat -c %U:%a /etc/constat-agent/enrolment.env; systemctl is-enabled constat-agent.service constat-agent-privileged.socket"), "root:600", "enabled\nenabled\n")
	m.Sh("constat-agent ticket new --complaint full --text first")
	wants(t, m.Sh("CONSTAT_TOKEN=$(cat /srv/api) constat-collector ticket show 1"), "diagnosis, constat")

	// Upgrade: the identity and the administrator's file stay, the new program runs.
	m.Sh("echo '# mine' >>/etc/constat-agent/agent.yaml")
	identity, former := m.Sh("sed -n 's/.*endpoint//p' /var/lib/constat-agent/identity.json"), m.pid("constat-agent.service")
	wants(t, m.Sh("rpm -U /srv/constat-agent-1.1.0-1.x86_64.rpm 2>&1"), "constat-agent: reports to 127.0.0.1:7400")
	wants(t, m.Sh("tail -1 /etc/constat-agent/agent.yaml; systemctl is-enabled constat-agent.service; rpm -q constat-agent"), "# mine", "enabled", "constat-agent-1.1.0-1.x86_64")
	if m.Sh("sed -n 's/.*endpoint//p' /var/lib/constat-agent/identity.json") != identity || m.pid("constat-agent.service") == former {
		t.Error("the upgrade changed the identity, or the old program goes on")
	}

	// The disk is full: what was there stays, whole and at work.
	former = m.pid("constat-agent.service")
	m.Sh("fallocate --length $(($(stat --file-system --format '%a * %S' /var/tmp) - (4 << 20))) /var/tmp/filler")
	out, err := m.Try("rpm -U --oldpackage /srv/constat-agent-1.0.0-1.x86_64.rpm 2>&1")
	if err == nil {
		t.Error("a package was installed on a disk without room for it")
	}
	m.Sh("rm /var/tmp/filler")
	wants(t, out, "space")
	wants(t, m.Sh("rpm -q constat-agent; rpm -V constat-agent || true; constat-agent status"), "constat-agent-1.1.0-1.x86_64\n", "connected:  yes")
	if m.pid("constat-agent.service") != former {
		t.Error("the old program was ended")
	}

	// A configuration that this version does not know: the old program goes on.
	m.Sh("cp /etc/constat-agent/agent.yaml /srv/; echo 'shiny: true' >>/etc/constat-agent/agent.yaml")
	wants(t, m.Sh("rpm -U --oldpackage /srv/constat-agent-1.0.0-1.x86_64.rpm 2>&1"), "constat-agent: NOT STARTED: /etc/constat-agent/agent.yaml:", `unknown field "shiny"`, "A version that ran before goes on running")
	if m.pid("constat-agent.service") != former {
		t.Error("the old program was ended")
	}
	m.Sh("cp /srv/agent.yaml /etc/constat-agent/; systemctl restart constat-agent.service")
	m.awaitConnected()

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

	// RPM has no purge: the state stays, and what the administrator wrote is set
	// aside.
	m.Sh("rpm -e constat-agent constat-enrolment constat-collector 2>&1")
	wants(t, m.Sh("ls /var/lib/constat-agent /etc/constat-agent /var/lib/constat-collector"), "identity.json", "agent.yaml.rpmsave", "constat.db")
	m.same(before, "/var/lib/constat-agent", "/var/lib/constat-collector", "/etc/constat-agent",
		"/etc/passwd ", "/etc/group ", "/etc/shadow ", "constat:x:", "constat-collector:x:")
}
