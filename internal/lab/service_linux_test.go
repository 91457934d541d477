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
	agent(0, "service", "install")
	status("stopped", 1)
	agent(0, "service", "start")
	w.Await("the service", func() error {
		return m.Command(context.Background(), "systemctl", "is-active", "constat-agent.service").Run()
	})
	status("running", 0)
	if user := strings.TrimSpace(m.Sh("ps -o user= -p $(systemctl show -P MainPID constat-agent.service)")); user == "root" || user == "" {
		t.Errorf("the service runs as %q", user)
	}

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
