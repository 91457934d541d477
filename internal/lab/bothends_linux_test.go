package lab

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// deskPort is the fifth port of the switch, at which the machine is.
const deskPort = 10105

// deskSwitch is a recording of a switch of eight ports, with changes.
func deskSwitch(changes map[string]string) string {
	rows := map[string]string{}
	var order []string
	add := func(oid, row string) {
		if rows[oid] == "" {
			order = append(order, oid)
		}
		rows[oid] = row
	}
	add("1.3.6.1.2.1.1.1.0", "4|Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E4, RELEASE SOFTWARE (fc2)")
	add("1.3.6.1.2.1.1.2.0", "6|1.3.6.1.4.1.9.1.1208")
	add("1.3.6.1.2.1.1.3.0", "67|864000000")
	add("1.3.6.1.2.1.1.5.0", "4|sw-floor-2")
	column := func(oid string, row func(port int) string) {
		for port := 10101; port <= 10108; port++ {
			add(fmt.Sprintf("%s.%d", oid, port), row(port))
		}
	}
	same := func(row string) func(int) string { return func(int) string { return row } }
	column("1.3.6.1.2.1.2.2.1.2", func(port int) string { return fmt.Sprintf("4|GigabitEthernet1/0/%d", port-10100) })
	column("1.3.6.1.2.1.2.2.1.3", same("2|6"))
	column("1.3.6.1.2.1.2.2.1.7", same("2|1"))
	column("1.3.6.1.2.1.2.2.1.8", same("2|1"))
	column("1.3.6.1.2.1.10.7.2.1.19", same("2|3"))
	column("1.3.6.1.2.1.31.1.1.1.1", func(port int) string { return fmt.Sprintf("4|Gi1/0/%d", port-10100) })
	column("1.3.6.1.2.1.31.1.1.1.15", same("66|1000"))
	add("1.3.6.1.2.1.47.1.1.1.1.5.1001", "2|3")
	add("1.3.6.1.2.1.47.1.1.1.1.11.1001", "4|FOC0000TEST")
	add("1.3.6.1.2.1.47.1.1.1.1.13.1001", "4|WS-C2960X-24PS-L")
	column("1.3.6.1.4.1.9.9.68.1.2.2.1.2", same("2|10"))
	for oid, row := range changes {
		add(oid, row) // a row of above, or one of the maker's, which come last
	}
	var text strings.Builder
	for _, oid := range order {
		fmt.Fprintf(&text, "%s|%s\n", oid, rows[oid])
	}
	return text.String()
}

// TestBothEnds: a machine whose switch switches its port off, live at both ends.
// A real lldpd is the voice of the switch on the wire, snmpsim its management,
// real programs the agent and the collector. While all is well the collector
// knows the port; after the cable is dead the ticket names the port and why.
func TestBothEnds(t *testing.T) {
	w := NewWorld(t)
	snmpsim, err := exec.LookPath("snmpsimd")
	Need(t, "snmpsim", err == nil)
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(dir, "lldpd.sock")
	speak := announce(t, w, socket)
	for _, words := range []string{
		"configure system hostname sw-floor-2", "configure ports pc0 lldp portidsubtype local GigabitEthernet1/0/5",
		"configure ports pc0 lldp portdescription GigabitEthernet1/0/5", // which CDP tells too
	} {
		w.Run(Switch, "lldpcli", append([]string{"-u", socket}, strings.Fields(words)...)...)
	}

	// The management network is the machine's own loopback, which stays when the
	// cable goes.
	recordings := filepath.Join(dir, "recordings")
	oper, admin := fmt.Sprintf("1.3.6.1.2.1.2.2.1.8.%d", deskPort), fmt.Sprintf("1.3.6.1.2.1.2.2.1.7.%d", deskPort)
	if err := os.Mkdir(recordings, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, changes := range map[string]map[string]string{
		"healthy": nil,
		"guarded": {oper: "2|2", fmt.Sprintf("1.3.6.1.4.1.9.9.548.1.3.1.1.2.%d.0", deskPort): "2|2"},
		"shut":    {oper: "2|2", admin: "2|2"},
	} {
		if err := os.WriteFile(filepath.Join(recordings, name+".snmprec"), []byte(deskSwitch(changes)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cache := filepath.Join(dir, "cache")
	if err := os.Mkdir(cache, 0o777); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(cache, 0o777)
	const device = "127.0.0.1:1161"
	run(t, w.Command(t.Context(), PC, snmpsim, "--data-dir="+recordings, "--cache-dir="+cache, "--agent-udpv4-endpoint="+device,
		"--logging-method=null", "--process-user=nobody", "--process-group=nogroup"))

	agent, collector := buildAgent(t), filepath.Join(dir, "constat-collector")
	if out, err := exec.Command("go", "build", "-tags", "grpcnotrace", "-o", collector, "constat/collector").CombinedOutput(); err != nil {
		t.Fatalf("building the collector: %v\n%s", err, out)
	}
	data := filepath.Join(dir, "data")
	const grpc = "127.0.0.1:7443"
	quickstart := w.Command(t.Context(), PC, collector, "quickstart", "--data", data, "--agent", agent, "--grpc", grpc, "--http", "127.0.0.1:0")
	said, err := quickstart.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	quickstart.Stderr = &stderr
	run(t, quickstart)
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Stop with Ctrl-C") {
	}

	ask := func(stdin string, args ...string) ([]byte, error) {
		store := filepath.Join(data, "collector")
		token, err := w.Command(t.Context(), PC, collector, "user", "token", "admin", "--data", store).Output()
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, &stderr)
		}
		cmd := w.Command(t.Context(), PC, collector, append(args, "--grpc", grpc, "--data", store)...)
		cmd.Env = append(os.Environ(), "CONSTAT_TOKEN="+strings.TrimSpace(string(token)))
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%v: %w: %s", args, err, exit.Stderr)
		}
		return out, err
	}
	must := func(stdin string, args ...string) {
		t.Helper()
		if _, err := ask(stdin, args...); err != nil {
			t.Fatal(err)
		}
	}
	must("healthy\n", "gear", "credential", "set", "floors")
	must("", "gear", "add", device, "--credential", "floors")

	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	w.Await("what the machine hears", func() error {
		speak()
		out, err := w.Command(t.Context(), PC, agent, "facts", "--group", "network", "--json", "--data", filepath.Join(data, "agent")).Output()
		if err != nil || !bytes.Contains(out, []byte("sw-floor-2")) || bytes.Count(out, []byte("GigabitEthernet1/0/5")) < 2 {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})
	must("", "ticket", "diagnose", "1", "--procedure", "internet")
	w.Await("the machine's port", func() error {
		text, err := ask("", "gear", "where", host)
		if err != nil || !bytes.Contains(text, []byte("Gi1/0/5")) || !bytes.Contains(text, []byte("sw-floor-2")) {
			return fmt.Errorf("%v: %s", err, text)
		}
		return nil
	})

	w.IP(Switch, "link set pc0 down")
	w.AwaitLink(PC, "eth0", "NO-CARRIER")
	for _, c := range []struct{ community, shows, fault string }{
		{"guarded", `"errDisableCause": "bpduGuard"`, "cisco-errdisable-bpduguard"},
		{"shut", `"adminStatus": "down"`, "cisco-port-admin-down"},
	} {
		must(c.community+"\n", "gear", "credential", "set", "floors")
		w.Await("what the switch says", func() error {
			out, err := ask("", "gear", "show", "sw-floor-2", "--json")
			if err != nil || !bytes.Contains(out, []byte(c.shows)) {
				return fmt.Errorf("%v: %.4000s", err, out)
			}
			return nil
		})
		began := time.Now()
		out, err := w.Command(t.Context(), PC, agent, "ticket", "new", "--data", filepath.Join(data, "agent"), "--complaint", "internet",
			"--text", "no network since this morning", "--wait", "30s", "--json").Output()
		if err != nil {
			t.Fatal(err)
		}
		var ticket struct{ Number int }
		if err := json.Unmarshal(out, &ticket); err != nil || ticket.Number == 0 {
			t.Fatalf("%v: %s", err, out)
		}
		w.Await("the ticket's cause", func() error {
			out, err := ask("", "ticket", "show", fmt.Sprint(ticket.Number), "--json")
			if err != nil || !bytes.Contains(out, []byte(c.fault)) || !bytes.Contains(out, []byte("Gi1/0/5")) {
				return fmt.Errorf("%v: %.4000s", err, out)
			}
			return nil
		})
		t.Logf("ticket %d says %s after %v", ticket.Number, c.fault, time.Since(began).Round(time.Millisecond))
	}
}
