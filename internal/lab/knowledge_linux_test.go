package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/internal/identity"
	constatv1 "constat/proto/constat/v1"
)

// team is a collector and its machines, each a program of its own on this one.
type team struct {
	t                        *testing.T
	dir, collector, program  string
	address, console, apiKey string
	running                  map[string]*exec.Cmd
}

// newTeam starts a collector that some machines may join.
func newTeam(t *testing.T) *team {
	c := &team{t: t, dir: t.TempDir(), program: buildAgent(t), running: map[string]*exec.Cmd{}}
	c.collector = filepath.Join(c.dir, "constat-collector")
	if out, err := exec.Command("go", "build", "-tags", "grpcnotrace", "-o", c.collector, "constat/collector").CombinedOutput(); err != nil {
		t.Fatalf("building the collector: %v\n%s", err, out)
	}
	c.address, c.console = FreeAddress(t, "tcp"), FreeAddress(t, "tcp")
	c.start("collector", nil, c.collector, "serve", "--data", c.at("desk"), "--grpc", c.address, "--http", c.console)
	c.await("the collector", func() error {
		conn, err := net.Dial("tcp", c.address)
		if err == nil {
			conn.Close()
		}
		return err
	})
	token := c.run(c.collector, "token", "create", "--data", c.at("desk"), "--uses", "9")
	if err := os.WriteFile(c.at("token"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	c.run(c.collector, "user", "add", "Ada", "--role", "lead", "--data", c.at("desk"))
	c.apiKey = strings.TrimSpace(c.run(c.collector, "user", "token", "Ada", "--data", c.at("desk")))
	return c
}

func (c *team) at(name string) string { return filepath.Join(c.dir, name) }

func (c *team) start(name string, env []string, program string, arguments ...string) {
	c.t.Helper()
	cmd := exec.Command(program, arguments...)
	var log bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &log, &log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.running[name] = cmd
	c.t.Cleanup(func() {
		c.stop(name)
		if c.t.Failed() {
			c.t.Logf("%s said:\n%s", name, &log)
		}
	})
}

func (c *team) stop(name string) {
	if cmd := c.running[name]; cmd != nil {
		delete(c.running, name)
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}
}

// run gives what a program prints, and fails with it.
func (c *team) run(program string, arguments ...string) string {
	c.t.Helper()
	cmd := exec.Command(program, arguments...)
	cmd.Env = append(os.Environ(), "CONSTAT_TOKEN="+c.apiKey)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		c.t.Fatalf("%s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

func (c *team) procedure(arguments ...string) string {
	c.t.Helper()
	return c.run(c.collector, append(append([]string{"procedure"}, arguments...), "--data", c.at("desk"), "--grpc", c.address)...)
}

func (c *team) await(what string, check func() error) {
	c.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(time.Minute); ; {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			c.t.Fatalf("a minute later, %s: %v", what, err)
		}
	}
}

// join makes a machine and starts its agent.
func (c *team) join(name string) {
	c.t.Helper()
	if err := os.MkdirAll(c.at(name+".root/proc/sys/kernel"), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(c.at(name+".root/proc/sys/kernel/hostname"), []byte(name+"\n"), 0o644); err != nil {
		c.t.Fatal(err)
	}
	c.start(name, []string{"CONSTAT_ROOT=" + c.at(name+".root")}, c.program, "run", "--data", c.at(name), "--collector", c.address, "--token-file", c.at("token"))
}

// found are the causes that a machine names, without asking anybody.
func (c *team) found(name string) []string {
	c.t.Helper()
	cmd := exec.Command(c.program, "diagnose", "software", "--json", "--data", c.at(name))
	cmd.Env = append(os.Environ(), "CONSTAT_ROOT="+c.at(name+".root"))
	out, _ := cmd.Output()
	var answer struct {
		RootCauses []struct{ Fault string }
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		c.t.Fatalf("diagnose: %v\n%s", err, out)
	}
	var ids []string
	for _, r := range answer.RootCauses {
		ids = append(ids, r.Fault)
	}
	return ids
}

const (
	ownFault = `- id: os-old-name
  urgency: low
  title: {en: This computer still has its old name, fr: Cet ordinateur porte encore son ancien nom}
  explanation: {en: It was renamed on paper only., fr: Il n’a été renommé que sur le papier.}
  advice:
    user: {en: Tell the desk., fr: Prévenez l’assistance.}
    technician: {en: hostnamectl set-hostname, fr: hostnamectl set-hostname}
  needs: [host]
  rule: host.hostname.startsWith("pc-")
  decisive: "true"
  evidence:
    - show: [host.hostname]
  source: our naming plan
`
	ownFaultID = "os-old-name"
)

// A fault that a team pushes is in force on three machines within a minute, one
// of them offline at first, and stays so without the collector; one that somebody
// else signed is in force nowhere, and an older one is not for long.
func TestPushedFaultIsInForceEverywhereAndAForgedOneNowhere(t *testing.T) {
	t.Parallel()
	Need(t, "go, to build the programs", exec.Command("go", "version").Run() == nil)
	c := newTeam(t)
	machines := []string{"pc-1", "pc-2", "pc-3"}
	for _, m := range machines {
		c.join(m)
		c.await(m+" joins", func() error { return exec.Command(c.program, "status", "--data", c.at(m)).Run() })
	}
	for _, m := range machines {
		if slices.Contains(c.found(m), ownFaultID) {
			t.Fatalf("%s knows it before it was written", m)
		}
	}
	file := c.at("os.yaml")
	if err := os.WriteFile(file, []byte(ownFault), 0o600); err != nil {
		t.Fatal(err)
	}
	c.await("facts to try it on", func() error {
		if seen := c.procedure("preview", file); !strings.Contains(seen, "would have fired on 3 of 3 machines") {
			return errors.New(seen)
		}
		return nil
	})
	c.stop("pc-3")
	c.procedure("push", file)
	inForce := func(m string) func() error {
		return func() error {
			if !slices.Contains(c.found(m), ownFaultID) {
				return errors.New("it is not in force on " + m)
			}
			return nil
		}
	}
	c.await("after the push", inForce("pc-1"))
	c.await("after the push", inForce("pc-2"))
	if inForce("pc-3")() == nil {
		t.Error("a machine that was offline has it")
	}
	c.join("pc-3")
	c.await("after it came back", inForce("pc-3"))
	first, err := os.ReadFile(c.at("pc-1/knowledge.binpb"))
	if err != nil {
		t.Fatal(err)
	}

	// Nothing of it hangs on the collector, or on the service.
	c.stop("collector")
	for _, m := range machines {
		c.stop(m)
		if err := inForce(m)(); err != nil {
			t.Errorf("without a network: %v", err)
		}
	}

	// Somebody who can write the file and has another key.
	stranger, err := identity.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	kept := &constatv1.SignedKnowledge{}
	if err := proto.Unmarshal(first, kept); err != nil {
		t.Fatal(err)
	}
	signature, err := stranger.SignKnowledge(kept.Content)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := proto.Marshal(&constatv1.SignedKnowledge{Content: kept.Content, Signature: signature})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range machines {
		if err := os.WriteFile(c.at(m+"/knowledge.binpb"), forged, 0o600); err != nil {
			t.Fatal(err)
		}
		if inForce(m)() == nil {
			t.Errorf("what a stranger signed is in force on %s", m)
		}
	}

	// Back is forward: the collector's word replaces what is forged, and what was
	// genuine once.
	c.start("collector", nil, c.collector, "serve", "--data", c.at("desk"), "--grpc", c.address, "--http", c.console)
	c.await("the collector", func() error {
		conn, err := net.Dial("tcp", c.address)
		if err == nil {
			conn.Close()
		}
		return err
	})
	c.join("pc-1")
	c.await("after it was forged", inForce("pc-1"))
	c.procedure("rollback", "0")
	c.await("after it was taken back", func() error {
		if inForce("pc-1")() == nil {
			return errors.New("it is still in force")
		}
		return nil
	})
	c.stop("pc-1")
	if err := os.WriteFile(c.at("pc-1/knowledge.binpb"), first, 0o600); err != nil {
		t.Fatal(err)
	}
	c.join("pc-1")
	c.await("after an old one was put back", func() error {
		if inForce("pc-1")() == nil {
			return errors.New("it is in force again")
		}
		return nil
	})
}
