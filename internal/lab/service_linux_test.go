package lab

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	constatv1 "constat/proto/constat/v1"
)

// TestServiceInstalls installs the agent as the service it is on a machine that
// systemd started, with its hardened unit, and removes it again.
func TestServiceInstalls(t *testing.T) {
	w := NewWorld(t)
	m := StartMachine(t, w, PC, buildAgent(t), nil)
	agent := func(want int, arguments ...string) string {
		t.Helper()
		cmd := m.Command(t.Context(), "constat-agent", arguments...)
		cmd.Stderr = t.Output()
		out, err := cmd.Output()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Fatalf("constat-agent %v ends with %d (%v), want %d: %s\n%s", arguments, code, err, want, out, m.Sh("systemctl status constat-agent.service || true; journalctl -n 30 -u constat-agent.service || true"))
		}
		return strings.TrimSpace(string(out))
	}
	status := func(want string, code int) {
		t.Helper()
		if got := agent(code, "service", "status"); got != want {
			t.Errorf("the service is %q, want %q", got, want)
		}
	}
	before := m.Sh("find /etc /usr/local /run /var/lib -xdev -name '*constat*' | sort")
	status("not installed", 1)
	agent(2, "service", "start")
	agent(0, "service", "install")
	status("stopped", 1)
	// A service that loops sets off a look by itself; one that somebody restarts, as
	// an upgrade does, sets off none.
	m.WriteFile("/run/systemd/system/lab-loops.service", "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=20ms\n")
	m.WriteFile("/run/systemd/system/lab-upgraded.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep infinity\nRestart=always\n")
	m.Sh(`systemctl daemon-reload; systemctl start lab-loops.service || true; for n in 1 2 3 4 5 6; do systemctl restart lab-upgraded.service; done`)
	w.Await("systemd to give the service up", func() error {
		_, err := m.Try("systemctl is-failed lab-loops.service")
		return err
	})
	agent(0, "service", "start")
	w.Await("the service", func() error {
		return m.Command(context.Background(), "systemctl", "is-active", "constat-agent.service").Run()
	})
	status("running", 0)
	if user := strings.TrimSpace(m.Sh("ps -o user= -p $(systemctl show -P MainPID constat-agent.service)")); user == "root" || user == "" {
		t.Errorf("the service runs as %q", user)
	}

	looks := func() (looks []string) {
		for line := range strings.Lines(m.Sh("journalctl -q -o cat -u constat-agent.service")) {
			var said struct{ Msg, Event, Subject string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Event != "" {
				looks = append(looks, said.Event+" "+said.Subject)
			}
		}
		return looks
	}
	w.Await("a look that nobody asked for", func() error {
		if len(looks()) == 0 {
			return errors.New("none yet")
		}
		return nil
	})
	m.Sh("systemctl restart constat-agent.service")

	// What only the service can tell reaches who asks at the command line.
	s := &constatv1.Snapshot{}
	w.Await("facts of the service's memory", func() error {
		out, err := m.Command(context.Background(), "constat-agent", "facts", "--json").Output()
		if err == nil {
			err = protojson.Unmarshal(out, s)
		}
		if err != nil {
			return err
		}
		for _, g := range s.Manifest.Groups {
			if g.Group == "vitals" && g.Observation.Status != "observed" {
				return errors.New(g.Observation.Reason)
			}
		}
		return nil
	})
	RecordFacts(t, "namespaces", s)
	for _, g := range s.Manifest.Groups {
		if o := g.Observation; o.Status == "failed" {
			t.Errorf("%s failed: %s", g.Group, o.Reason)
		}
	}
	var answer struct {
		Procedure, Verdict string
	}
	cmd := m.Command(t.Context(), "constat-agent", "diagnose", "software", "--json")
	out, _ := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code == 2 || json.Unmarshal(out, &answer) != nil || answer.Procedure != "software" || answer.Verdict == "" {
		t.Errorf("diagnose beside the service ends with %d: %s", code, out)
	}

	// One event, one look, and its user is told still.
	if made := looks(); len(made) != 1 || made[0] != "serviceLoops lab-loops.service" {
		t.Errorf("looked into %q", made)
	}
	if told := agent(1, "status"); !strings.Contains(told, "lab-loops.service") {
		t.Errorf("what was found is not told after a restart: %s", told)
	}
	// Given up by systemd it is neither stopped nor unknown, and starts again.
	m.Sh(`mkdir /run/systemd/system/constat-agent.service.d
echo '[Service]
Restart=no' >/run/systemd/system/constat-agent.service.d/lab.conf
systemctl daemon-reload; systemctl kill --signal KILL constat-agent.service`)
	w.Await("systemd to give the agent up", func() error {
		_, err := m.Try("systemctl is-failed constat-agent.service")
		return err
	})
	status("failed; journalctl --unit constat-agent says why", 1)
	agent(0, "service", "start")
	status("running", 0)
	m.Sh("rm -r /run/systemd/system/constat-agent.service.d; systemctl daemon-reload")
	agent(0, "service", "stop")
	status("stopped", 1)
	agent(0, "service", "uninstall")
	status("not installed", 1)
	// The agent's data stay, as the command says.
	after := m.Sh("find /etc /usr/local /run /var/lib -xdev -name '*constat*' | grep -v ^/var/lib | sort")
	if kept := strings.ReplaceAll(before, "\n", " "); strings.ReplaceAll(after, "\n", " ") != kept {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
	if left := m.Sh("systemctl list-unit-files --no-legend 'constat*' || true; pgrep -a constat || true"); strings.TrimSpace(left) != "" {
		t.Errorf("units or processes are left: %s", left)
	}
}
