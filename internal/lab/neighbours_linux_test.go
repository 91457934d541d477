package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	constatv1 "constat/proto/constat/v1"
)

// TestSwitchPort: the agent's service hears what a switch announces over LLDP
// and CDP, the port is still known after the cable was pulled, as that of before, and
// after the machine was carried to another switch that one is.
func TestSwitchPort(t *testing.T) {
	w := NewWorld(t)
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // agent and lldpcli give up root's rights
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	announceNow := announce(t, w, filepath.Join(dir, "lldpd.sock"))

	config := filepath.Join(dir, "agent.yaml")
	data := filepath.Join(dir, "data")
	if err := os.WriteFile(config, fmt.Appendf(nil, "data: %s\n", data), 0o644); err != nil {
		t.Fatal(err)
	}
	agent := buildAgent(t)
	service := w.Command(t.Context(), PC, agent, "run", "--config", config)
	var log bytes.Buffer
	service.Stderr = &log
	run(t, service)

	var seen []*constatv1.Snapshot
	facts := func() (*constatv1.Snapshot, error) {
		cmd := w.Command(t.Context(), PC, agent, "facts", "--group", "network", "--json", "--config", config)
		out, err := cmd.Output()
		if err != nil {
			return nil, err
		}
		s := &constatv1.Snapshot{}
		if err := protojson.Unmarshal(out, s); err != nil {
			return nil, err
		}
		seen = append(seen, s)
		return s, nil
	}
	heard := func(check func(lldp, cdp *constatv1.LinkNeighbour) bool) func() error {
		return func() error {
			announceNow()
			s, err := facts()
			if err != nil {
				return err
			}
			var lldp, cdp *constatv1.LinkNeighbour
			for _, n := range s.Network.Neighbours {
				switch n.GetProtocol() {
				case "lldp":
					lldp = n
				case "cdp":
					cdp = n
				}
			}
			if !check(lldp, cdp) {
				return fmt.Errorf("neighbours %v, observed %v\n%s", s.Network.Neighbours, s.Manifest.Groups, &log)
			}
			return nil
		}
	}
	w.Await("the switch's port", heard(func(lldp, cdp *constatv1.LinkNeighbour) bool {
		return lldp.GetLink() == "eth0" && lldp.GetPortId() != "" && lldp.GetSystemName() != "" &&
			cdp.GetLink() == "eth0" && cdp.GetPortId() == "pc0" && cdp.GetPlatform() == "cisco C9300-48P"
	}))
	w.IP(Switch, "link set pc0 down")
	w.AwaitLink(PC, "eth0", "NO-CARRIER")
	w.Await("the switch's port without a cable", heard(func(_, cdp *constatv1.LinkNeighbour) bool {
		return cdp.GetPortId() == "pc0" && cdp.HeardAt != nil
	}))
	for _, command := range [][]string{{"configure", "system", "hostname", "sw-floor-9"}, {"configure", "lldp", "portidsubtype", "local", "Gi1/0/9"}} {
		if out, err := w.Command(t.Context(), Switch, "lldpcli", append([]string{"-u", filepath.Join(dir, "lldpd.sock")}, command...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	w.IP(Switch, "link set pc0 up")
	w.AwaitLink(PC, "eth0", "LOWER_UP")
	w.Await("the other switch's port", heard(func(lldp, cdp *constatv1.LinkNeighbour) bool {
		last := seen[len(seen)-1].Network.Neighbours
		return len(last) == 2 && lldp.GetSystemName() == "sw-floor-9" && lldp.GetPortId() == "Gi1/0/9" && cdp.GetSystemName() == "sw-floor-9"
	}))
	for _, s := range seen {
		RecordFacts(t, "namespaces", s)
	}
}

// announce starts lldpd as a switch that speaks both protocols to a neighbour
// that speaks none (-l, -ccc), and returns how to have it speak at once: left
// alone it does so every thirty seconds, beginning when it likes.
func announce(t *testing.T, w *World, socket string) (now func()) {
	t.Helper()
	daemon, err := exec.LookPath("lldpd")
	if err != nil {
		daemon, err = exec.LookPath("/usr/sbin/lldpd")
	}
	Need(t, "lldpd (package lldpd)", err == nil)
	run(t, w.Command(t.Context(), Switch, daemon, "-d", "-l", "-c", "-c", "-c", "-I", "pc0", "-P", "cisco C9300-48P", "-u", socket))
	// It starts paused and resumes itself, but a command that read its settings
	// before that writes the pause back.
	update := func() error {
		for _, command := range []string{"resume", "update"} {
			out, err := w.Command(t.Context(), Switch, "lldpcli", "-u", socket, command).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
		}
		return nil
	}
	w.Await("lldpd", update)
	return func() { _ = update() }
}

// run starts a command and ends it with the test, by the signal that lets it
// clean up.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", cmd.Path, err)
		}
	})
}
