//go:build unix

package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"constat/internal/lab"
)

// programs builds the two programs once, as they are shipped.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "constat-programs-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	for name, pkg := range map[string]string{"constat-agent": "constat/agent", "constat-collector": "constat/collector"} {
		build := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", filepath.Join(dir, name), pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return "", &exec.Error{Name: name, Err: &buildError{string(out)}}
		}
	}
	return dir, nil
})

type buildError struct{ output string }

func (e *buildError) Error() string { return e.output }

// reachable is a temporary folder that an agent still reaches after it gave up
// root.
func reachable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// trial is a quickstart at work: a collector and this machine's agent.
type trial struct {
	bin, data string
	as        *syscall.Credential
	said      string
	console   string
	grpc      string
}

// try runs the quickstart until it serves. as is the user to run as; nil: this
// one.
func try(t *testing.T, as *syscall.Credential) *trial {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	dir := reachable(t)
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	tr := &trial{bin: bin, data: filepath.Join(dir, "data"), as: as, grpc: lab.FreeAddress(t, "tcp")}
	cmd := tr.command("constat-collector", "quickstart", "--data", tr.data, "--agent", filepath.Join(bin, "constat-agent"),
		"--grpc", tr.grpc, "--http", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the quickstart ended badly: %v\n%s", err, stderr.String())
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		tr.said += lines.Text() + "\n"
		if m := regexp.MustCompile(`^Console: (\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			tr.console = m[1]
		}
		if strings.HasPrefix(lines.Text(), "Stop with Ctrl-C") {
			return tr
		}
	}
	t.Fatalf("the quickstart ended early:\n%s\n%s", tr.said, stderr.String())
	return nil
}

func (tr *trial) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(tr.bin, name), args...)
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8")
	if tr.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: tr.as}
	}
	return cmd
}

// collector runs a command that prints JSON, as the technician admin.
func (tr *trial) collector(t *testing.T, into any, args ...string) {
	t.Helper()
	token, err := tr.command("constat-collector", "user", "token", "admin", "--data", filepath.Join(tr.data, "collector")).Output()
	if err != nil {
		t.Fatalf("user token: %v", err)
	}
	args = append(args, "--grpc", tr.grpc, "--data", filepath.Join(tr.data, "collector"), "--json")
	cmd := tr.command("constat-collector", args...)
	cmd.Env = append(cmd.Env, "CONSTAT_TOKEN="+strings.TrimSpace(string(token)))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("%v printed no JSON: %v\n%s", args, err, out)
	}
}

// TestTheMainJob goes the whole way with the real programs: this machine is
// enrolled and diagnosed, the result stands in a ticket, a technician finds it,
// pulls a fresh diagnosis into it and takes it.
func TestTheMainJob(t *testing.T) {
	tr := try(t, nil)
	if !strings.Contains(tr.said, "Ticket 1 is open; the diagnosis is attached.") {
		t.Fatalf("no ticket was opened:\n%s", tr.said)
	}
	checkTickets(t, tr)

	var fresh struct {
		ID, Procedure, Trigger, Verdict string
	}
	tr.collector(t, &fresh, "ticket", "diagnose", "1", "--procedure", "slow")
	if fresh.Procedure != "slow" || fresh.Trigger != "technician" || fresh.Verdict == "" {
		t.Errorf("pulled %+v", fresh)
	}
	var assigned struct {
		Ticket struct{ Assignee string }
	}
	tr.collector(t, &assigned, "ticket", "assign", "1", "--to", "admin")
	if assigned.Ticket.Assignee != "admin" {
		t.Errorf("assigned to %q", assigned.Ticket.Assignee)
	}
	var whole struct {
		Ticket   struct{ Status, Assignee string }
		Timeline []struct {
			Kind      string
			Diagnosis *struct{ ID, Procedure string }
		}
	}
	tr.collector(t, &whole, "ticket", "show", "1")
	var procedures []string
	for _, e := range whole.Timeline {
		if e.Diagnosis != nil {
			procedures = append(procedures, e.Diagnosis.Procedure)
		}
	}
	if strings.Join(procedures, " ") != "full slow" {
		t.Errorf("the timeline holds diagnoses of %v, want full and slow", procedures)
	}
	revokedMachine(t, tr)
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		r, err := http.Get(tr.console + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s answers %s", path, r.Status)
		}
	}
}

// revokedMachine ends the machine's trust and waits for its agent to say so.
func revokedMachine(t *testing.T, tr *trial) {
	t.Helper()
	var machines struct {
		Endpoints []struct {
			ID     string
			Online bool
		}
	}
	tr.collector(t, &machines, "endpoint", "list")
	if len(machines.Endpoints) != 1 || !machines.Endpoints[0].Online {
		t.Fatalf("machines: %+v, want one, online", machines.Endpoints)
	}
	var none struct{}
	tr.collector(t, &none, "endpoint", "revoke", machines.Endpoints[0].ID, "--reason", "sold")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		out, _ := tr.command("constat-agent", "status", "--data", filepath.Join(tr.data, "agent")).CombinedOutput()
		if strings.Contains(string(out), "revoked") {
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("the agent was never told: %s", out)
		}
	}
}

func checkTickets(t *testing.T, tr *trial) {
	t.Helper()
	var list struct {
		Tickets []struct {
			Number                           int
			Title, Status, Channel, Priority string
			EndpointName                     string
			Requester                        struct{ Name string }
		}
	}
	tr.collector(t, &list, "ticket", "list")
	if len(list.Tickets) != 1 {
		t.Fatalf("%d tickets, want one", len(list.Tickets))
	}
	k := list.Tickets[0]
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if k.Number != 1 || k.Status != "new" || k.Channel != "agent" || k.EndpointName != host || k.Requester.Name == "" || k.Title == "" || k.Priority == "" {
		t.Errorf("the ticket is %+v", k)
	}
}

// TestTheMainJobWithoutRights does the same as an ordinary user: what needs
// rights says denied, and the rest works.
func TestTheMainJobWithoutRights(t *testing.T) {
	lab.Need(t, "root, to become an ordinary user", os.Geteuid() == 0)
	tr := try(t, &syscall.Credential{Uid: 65534, Gid: 65534})
	checkTickets(t, tr)
	var facts struct {
		Manifest struct {
			Groups []struct {
				Group       string
				Observation struct{ Status string }
			}
		}
	}
	out, err := tr.command("constat-agent", "facts", "--group", "host,load,space,network", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &facts); err != nil {
		t.Fatal(err)
	}
	for _, g := range facts.Manifest.Groups {
		if g.Observation.Status != "observed" {
			t.Errorf("%s is %s for an ordinary user", g.Group, g.Observation.Status)
		}
	}
}

// TestClearRefusals starts what can't work: each time one sentence, no trace of
// a crash, and exit code 2.
func TestClearRefusals(t *testing.T) {
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("not a token"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		program string
		args    []string
		want    string
	}{
		"port in use":        {"constat-collector", []string{"serve", "--data", dir, "--grpc", taken.Addr().String(), "--http", "127.0.0.1:0"}, "is in use by another program: stop it, or choose another address with --grpc"},
		"unwritable data":    {"constat-collector", []string{"serve", "--data", filepath.Join(file, "below"), "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"}, "the data directory can't be made"},
		"database is silent": {"constat-collector", []string{"serve", "--data", dir, "--database", "postgres://" + taken.Addr().String() + "/x?connect_timeout=1", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"}, "PostgreSQL"},
		"not a token":        {"constat-agent", []string{"enroll", "--data", filepath.Join(dir, "agent"), "--collector", "127.0.0.1:1", "--token-file", file}, "token"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, filepath.Join(bin, c.program), c.args...)
			out, err := cmd.CombinedOutput()
			text := string(out)
			if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(text, c.want) || strings.Contains(text, "goroutine") || strings.Contains(text, "panic") {
				t.Errorf("%v (%v):\n%s\nwant exit code 2 and %q", c.args, err, text, c.want)
			}
		})
	}
}

// TestQuickstartTellsAForeignAgent: an agent that belongs to a collector which
// is gone says so, and what to do, instead of waiting for ever.
func TestQuickstartTellsAForeignAgent(t *testing.T) {
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	dir := reachable(t)
	data := filepath.Join(dir, "data")
	grpc := lab.FreeAddress(t, "tcp")
	quickstart := func() (string, int) {
		cmd := exec.Command(filepath.Join(bin, "constat-collector"), "quickstart", "--once", "--data", data,
			"--agent", filepath.Join(bin, "constat-agent"), "--grpc", grpc, "--http", "127.0.0.1:0", "--join-time", "3s")
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	if said, code := quickstart(); code != 0 {
		t.Fatalf("the first quickstart: exit code %d\n%s", code, said)
	}
	if err := os.RemoveAll(filepath.Join(data, "collector")); err != nil {
		t.Fatal(err)
	}
	said, code := quickstart()
	if code != 2 || !strings.Contains(said, "is not the collector this machine trusts") || !strings.Contains(said, "To start over, remove "+data) || strings.Contains(said, "goroutine") {
		t.Errorf("exit code %d\n%s", code, said)
	}
}

// TestTicketsWithoutAService enrols as an administrator does by hand, and asks
// for help with no agent at work: with the collector there, while it is gone,
// and after it came back.
func TestTicketsWithoutAService(t *testing.T) {
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	dir := reachable(t)
	tr := &trial{bin: bin, data: dir, grpc: lab.FreeAddress(t, "tcp")}
	data, agentData := filepath.Join(dir, "collector"), filepath.Join(dir, "agent")
	serve := func() (stop func()) {
		cmd := tr.command("constat-collector", "serve", "--data", data, "--grpc", tr.grpc, "--http", "127.0.0.1:0")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for {
			c, err := net.Dial("tcp", tr.grpc)
			if err == nil {
				c.Close()
				break
			}
			if t.Context().Err() != nil {
				t.Fatal(err)
			}
		}
		return func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
	}
	ask := func() int {
		cmd := tr.command("constat-agent", "ticket", "new", "--data", agentData, "--complaint", "slow", "--text", "it crawls", "--wait", "3s", "--json")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("ticket new: %v\n%s", err, stderr.String())
		}
		var answer struct {
			ID, DiagnosisID string
			Number          int
		}
		if err := json.Unmarshal(out, &answer); err != nil || answer.ID == "" || answer.DiagnosisID == "" {
			t.Fatalf("ticket new printed %s (%v)", out, err)
		}
		return answer.Number
	}
	stop := serve()
	token, err := tr.command("constat-collector", "token", "create", "--data", data).Output()
	if err != nil {
		t.Fatal(err)
	}
	enroll := tr.command("constat-agent", "enroll", "--data", agentData, "--collector", tr.grpc, "--token-file", "-")
	enroll.Stdin = bytes.NewReader(token)
	if out, err := enroll.CombinedOutput(); err != nil {
		t.Fatalf("enroll: %v\n%s", err, out)
	}
	if n := ask(); n != 1 {
		t.Errorf("the first ticket has number %d", n)
	}
	stop()
	if n := ask(); n != 0 {
		t.Errorf("a ticket got number %d from a collector that is gone", n)
	}
	defer serve()()
	if n := ask(); n != 2 && n != 3 {
		t.Errorf("the third ticket has number %d", n)
	}
	var list struct {
		Tickets []struct{ Number int }
	}
	tr.collector(t, &list, "ticket", "list")
	if len(list.Tickets) != 3 {
		t.Errorf("%d tickets, want three: %v", len(list.Tickets), list.Tickets)
	}
}
