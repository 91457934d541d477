package wine

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	deskv1 "constat/proto/constat/desk/v1"
)

// until asks again and again whether a condition has come true.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !true(); {
		if time.Now().After(end) {
			t.Fatalf("still not after %v: %s", patience, what)
		}
	}
}

// serviceIs waits until the service manager says so, in the words and with the
// exit code of `service status`.
func serviceIs(t *testing.T, w *Windows, state string, code int) {
	t.Helper()
	var last Result
	until(t, "the service is "+state, func() bool {
		last = w.Try(agent, "service", "status")
		return strings.TrimSpace(last.Stdout) == state
	})
	if last.Code != code {
		t.Errorf("the service is %s, exit code %d, want %d", state, last.Code, code)
	}
}

// answers waits until the agent answers another process over its pipe.
func answers(t *testing.T, w *Windows) {
	t.Helper()
	until(t, "the agent answers", func() bool {
		return strings.Contains(w.Try(agent, "status").Stdout, "agent:")
	})
}

// TestService: the life of the service, from its installation to its removal,
// as an administrator's commands go through it.
func TestService(t *testing.T) {
	w := Start(t)
	install(w)
	serviceIs(t, w, "not installed", 1)
	for _, verb := range []string{"start", "stop", "restart"} {
		if r := w.Try(agent, "service", verb); r.Code != 2 || !strings.Contains(r.Stderr, "constat-agent service install") {
			t.Errorf("%s of what is not installed: exit code %d\n%s", verb, r.Code, r.Stderr)
		}
	}
	w.Run(agent, "service", "install")
	serviceIs(t, w, "stopped", 1)
	w.Run(agent, "service", "stop")
	if r := w.Try(agent, "service", "install"); r.Code == 0 {
		t.Error("it was installed twice")
	}
	key := `HKLM\System\CurrentControlSet\Services\constat-agent`
	registered := w.Run("reg.exe", "query", key)
	for _, want := range []string{`C:\Program Files\Constat\constat-agent.exe`, "service execute --data", "Constat agent", "LocalSystem"} {
		if !strings.Contains(registered, want) {
			t.Errorf("the service manager was not told %q:\n%s", want, registered)
		}
	}
	w.Run("reg.exe", "query", `HKLM\System\CurrentControlSet\Services\EventLog\Application\constat-agent`)

	w.Run(agent, "service", "restart") // of what does not run: it is started
	serviceIs(t, w, "running", 0)
	w.Run(agent, "service", "start")
	answers(t, w)
	// Not enrolled: the answer is no, and why.
	if r := w.Try(agent, "status"); r.Code != 1 || !strings.Contains(r.Stdout, "enrolled:   no") {
		t.Errorf("status: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if r := w.Try(agent, "run"); r.Code != 2 || !strings.Contains(r.Stderr, "another agent already listens") {
		t.Errorf("a second agent: exit code %d\n%s", r.Code, r.Stderr)
	}
	w.Run(agent, "service", "restart")
	serviceIs(t, w, "running", 0)
	answers(t, w)
	w.Run(agent, "service", "stop")
	serviceIs(t, w, "stopped", 1)
	if r := w.Try(agent, "status"); r.Code != 2 || !strings.Contains(r.Stderr, "not running") {
		t.Errorf("the network half outlives its service: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}

	// One that runs is stopped before it is removed.
	w.Run(agent, "service", "start")
	answers(t, w)
	w.Run(agent, "service", "uninstall")
	serviceIs(t, w, "not installed", 1)
	if r := w.Try("reg.exe", "query", key); r.Code == 0 {
		t.Errorf("the service manager still knows it:\n%s", r.Stdout)
	}
	if r := w.Try(agent, "status"); r.Code != 2 {
		t.Errorf("the agent outlives its service: exit code %d", r.Code)
	}
}

// TestServiceByHand: what the service manager runs does nothing for others.
func TestServiceByHand(t *testing.T) {
	r := shared(t).Try(agent, "service", "execute")
	if r.Code != 2 || !strings.Contains(r.Stderr, "service manager's") {
		t.Errorf("exit code %d\n%s", r.Code, r.Stderr)
	}
}

// TestServiceReads: what the service's network half reads with its cut token is what
// a program with all rights of its user reads. Wine enforces no tokens: this proves
// that the readers work without a console, a desktop and a person's environment, not
// that Windows lets them.
func TestServiceReads(t *testing.T) {
	w := Start(t)
	install(w)
	w.Registry(programsOf())
	w.Run(agent, "service", "install")
	w.Run(agent, "service", "start")
	answers(t, w)
	w.Setenv("SERVICE_READS", "1")
	const file = `C:\tests\agent.exe`
	w.Copy(testsOf(t, "constat/agent"), file)
	said := map[string]map[string]bool{"service": {}, "here": {}}
	for line := range strings.Lines(w.Run(file, "-test.run", "^TestServiceReads$")) {
		if who, what, found := strings.Cut(strings.TrimSpace(line), " "); found && said[who] != nil {
			said[who][what] = true
		}
	}
	if len(said["here"]) < 50 {
		t.Fatalf("it said %v", said)
	}
	// What only one of them was asked for: the service's memory, probes, what no check
	// needs; and what goes up and down between two looks.
	differs := []string{"changes", "load", "probes", "readings", "vitals"}
	for who, other := range map[string]string{"service": "here", "here": "service"} {
		for what := range said[who] {
			_, rest, _ := strings.Cut(what, " ")
			group, _, _ := strings.Cut(rest, " ")
			if !said[other][what] && !slices.Contains(differs, group) {
				t.Errorf("only %s has %q", who, what)
			}
		}
	}
}

// collectorAt is where the collector of a test listens: on the loopback device
// that it and its Windows have for themselves.
const collectorAt = "127.0.0.1:7400"

// desk is a collector of this system beside a Windows.
type desk struct {
	w       *Windows
	program string
	data    string
	key     string
}

var collector = sync.OnceValues(func() (string, error) { return program("constat-collector", "constat/collector") })

func newDesk(t *testing.T, w *Windows) *desk {
	t.Helper()
	file, err := collector()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w.Share(filepath.Dir(file))
	w.Share(dir)
	d := &desk{w: w, program: file, data: filepath.Join(dir, "desk")}
	serve := w.outside(t.Context(), d.program, "serve", "--data", d.data, "--grpc", collectorAt, "--http", "127.0.0.1:0")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	serve.Stderr = log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Cancel()
		_ = serve.Wait()
		log.Close()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("the collector said:\n%s", said)
		}
	})
	until(t, "the collector listens", func() bool {
		const listening = " 0100007F:1CE8 00000000:0000 0A " // proc(5), tcp: address, state
		table, err := os.ReadFile(w.inside("/proc/1/net/tcp"))
		return err == nil && strings.Contains(string(table), listening)
	})
	d.ask("user", "add", "ada", "--role", "technician", "--data", d.data)
	d.key = strings.TrimSpace(d.ask("user", "token", "ada", "--data", d.data))
	return d
}

// ask runs a command of the collector, as the technician.
func (d *desk) ask(arguments ...string) string {
	d.w.t.Helper()
	cmd := d.w.outside(d.w.t.Context(), append([]string{d.program}, arguments...)...)
	cmd.Env = append(cmd.Env, "CONSTAT_TOKEN="+d.key)
	out, err := cmd.Output()
	if err != nil {
		var said []byte
		if exit, ok := err.(*exec.ExitError); ok {
			said = exit.Stderr
		}
		d.w.t.Fatalf("%v: %v\n%s%s", arguments, err, out, said)
	}
	return string(out)
}

// TestEnrolment: a computer with Windows joins a collector, seals its key, and
// its service brings what it sees to the collector's store. A ticket of its user
// gets there too.
func TestEnrolment(t *testing.T) {
	w := Start(t)
	install(w)
	d := newDesk(t, w)
	const token = `C:\token.txt`
	w.Write(token, []byte(d.ask("token", "create", "--data", d.data)))
	if out := w.Run(agent, "enroll", "--collector", collectorAt, "--token-file", token); !strings.Contains(out, "is enrolled at") {
		t.Errorf("enroll says %q", out)
	}
	data := w.Path(`C:\ProgramData\Constat`)
	if info, err := os.Stat(data); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("others may look into the agent's directory: %v, %v", info.Mode(), err)
	}
	identity, err := os.ReadFile(filepath.Join(data, "identity.json"))
	if err != nil || !strings.Contains(string(identity), "BEGIN DPAPI PRIVATE KEY") || strings.Contains(string(identity), "BEGIN PRIVATE KEY") {
		t.Errorf("the key is not sealed: %v\n%s", err, identity)
	}
	w.Run(agent, "service", "install")
	w.Run(agent, "service", "start")
	answers(t, w)
	if r := w.Try(agent, "status", "--wait", "5m"); r.Code != 0 {
		t.Fatalf("not connected: %s%s", r.Stdout, r.Stderr)
	}
	// What system it is the collector knows of a snapshot only.
	until(t, "its facts are in the store", func() bool {
		var list deskv1.ListEndpointsResponse
		out := d.ask("endpoint", "list", "--json", "--grpc", collectorAt, "--data", d.data)
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(out), &list); err != nil {
			t.Fatal(err)
		}
		one := list.GetEndpoints()
		return len(one) == 1 && one[0].GetOsFamily() == "windows" && strings.Contains(one[0].GetOsName(), "Windows") && one[0].GetOnline()
	})
	out := w.Run(agent, "ticket", "new", "--complaint", "printing", "--text", "Nothing comes out", "--wait", "5m", "--json")
	if shown := d.ask("ticket", "show", "1", "--json", "--grpc", collectorAt, "--data", d.data); !strings.Contains(shown, "Nothing comes out") {
		t.Errorf("the ticket\n%s\nis not the one that came:\n%s", out, shown)
	}
}
