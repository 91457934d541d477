package host

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// printingOf observes the printing group, which must be observed.
func printingOf(t *testing.T, c Config) (*constatv1.Printing, *constatv1.Observation) {
	t.Helper()
	s := Observe(t.Context(), c, []string{"printing"})
	o := s.Manifest.Groups[0].Observation
	if o.Status != "observed" {
		t.Fatalf("printing was not observed: %v", o)
	}
	return s.Printing, o
}

func TestRealPrintServer(t *testing.T) {
	silent := lab.FreeAddress(t, "tcp")
	server := lab.StartCUPS(t,
		lab.PrintQueue{Name: "front", DeviceURI: "file:///dev/null", Default: true},
		lab.PrintQueue{Name: "paused", DeviceURI: "file:///dev/null", Paused: true},
		lab.PrintQueue{Name: "rejecting", DeviceURI: "file:///dev/null", Rejecting: true},
		lab.PrintQueue{Name: "gone", DeviceURI: "socket://" + silent},
		lab.PrintQueue{Name: "unplugged", DeviceURI: "usb://HP/LaserJet%20P2015?serial=00CNFW"},
	)
	const title = "Redundancy list CANARY.pdf"
	server.Hold(t, "paused", title)
	server.Print(t, "front", title)
	p, _ := printingOf(t, Config{CUPS: server.Address})

	if got := p.Spooler.GetState(); got != "running" || !strings.HasPrefix(p.Spooler.GetVersion(), "2.") {
		t.Errorf("spooler %v", p.Spooler)
	}
	if p.DefaultQueue == nil || *p.DefaultQueue != "front" {
		t.Errorf("default queue %v, want front", p.DefaultQueue)
	}
	byName := map[string]*constatv1.Queue{}
	var names []string
	for _, q := range p.Queues {
		byName[q.GetName()] = q
		names = append(names, q.GetName())
	}
	if want := []string{"front", "gone", "paused", "rejecting", "unplugged"}; !slices.Equal(names, want) {
		t.Fatalf("queues %v, want %v", names, want)
	}
	if q := byName["front"]; q.GetState() != "idle" || !q.GetAcceptingJobs() || q.GetPendingJobs() != 0 || q.PendingJobs == nil || q.GetPhysical() {
		t.Errorf("front: %v", q)
	} else if len(q.Jobs) != 1 || q.Jobs[0].GetState() != "completed" || q.Jobs[0].CompletedAt == nil || p.GetLastUsedQueue() != "front" {
		t.Errorf("jobs of front, whose document is printed: %v; last used %q", q.Jobs, p.GetLastUsedQueue())
	}
	q := byName["paused"]
	if q.GetState() != "stopped" || !slices.Contains(q.StateReasons, "paused") || q.GetPendingJobs() != 1 || q.OldestJobSeconds == nil {
		t.Errorf("paused: %v", q)
	}
	if len(q.Jobs) != 1 || q.Jobs[0].GetState() != "pendingHeld" || q.Jobs[0].CreatedAt == nil {
		t.Errorf("job of paused: %v", q.Jobs)
	}
	if q := byName["rejecting"]; q.AcceptingJobs == nil || *q.AcceptingJobs {
		t.Errorf("rejecting: %v", q)
	}
	if q := byName["gone"]; q.DeviceReachable == nil || *q.DeviceReachable || q.GetConnection() != "socket" {
		t.Errorf("gone: %v", q)
	}
	if q := byName["unplugged"]; q.DeviceReachable != nil || q.GetPrinterId() != "00CNFW" || q.GetConnection() != "usb" {
		t.Errorf("unplugged: %v", q)
	}
	if strings.Contains(prototext.Format(p), "CANARY") {
		t.Error("the title of a job was read")
	}
}

func TestPrintServerWithoutQueues(t *testing.T) {
	p, _ := printingOf(t, Config{CUPS: lab.StartCUPS(t).Address})
	if p.Spooler.GetState() != "running" || len(p.Queues) != 0 || p.DefaultQueue == nil || *p.DefaultQueue != "" {
		t.Errorf("printing: %v; want no queue and no default", p)
	}
}

func TestPrintServerStopped(t *testing.T) {
	server := lab.StartCUPS(t)
	server.Stop()
	p, _ := printingOf(t, Config{CUPS: server.Address})
	if p.Spooler.GetState() != "stopped" || p.Queues != nil || p.DefaultQueue != nil {
		t.Errorf("printing: %v; want a stopped spooler and nothing known beyond", p)
	}
}

func TestPrintServerAbsentOrMasked(t *testing.T) {
	root := tree(t, map[string]string{"/usr/bin/true": ""})
	if p, _ := printingOf(t, Config{Root: root}); p.Spooler.GetState() != "absent" {
		t.Errorf("spooler %v, want absent", p.Spooler)
	}
	root = tree(t, map[string]string{"/usr/sbin/cupsd": ""})
	if p, _ := printingOf(t, Config{Root: root}); p.Spooler.GetState() != "stopped" {
		t.Errorf("spooler %v, want stopped", p.Spooler)
	}
	root = tree(t, map[string]string{"/usr/sbin/cupsd": "", "/etc/systemd/system/cups.service": "-> /dev/null"})
	if p, _ := printingOf(t, Config{Root: root}); p.Spooler.GetState() != "disabled" {
		t.Errorf("spooler %v, want disabled", p.Spooler)
	}
}

// TestRealPrinter: a queue leads to a printer that speaks IPP, and the printer
// says what is wrong with it.
func TestRealPrinter(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// The fault lasts as long as the job, which lasts until the gate is gone.
	address := lab.StartPrinter(t, `echo "ATTR: marker-levels=3" >&2
echo "STATE: +media-jam,cover-open" >&2
n=0; while [ -e `+gate+` ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done`)
	server := lab.StartCUPS(t, lab.PrintQueue{Name: "laser", DeviceURI: "ipp://" + address + "/ipp/print"})

	job := ippMessage{code: 0x0002, requestID: 1, groups: []ippGroup{{ippGroupOperation, []ippAttribute{ // Print-Job
		{"attributes-charset", ippCharset, []any{"utf-8"}},
		{"attributes-natural-language", ippNaturalLanguage, []any{"en"}},
		{"printer-uri", ippURI, []any{"ipp://" + address + "/ipp/print"}},
		{"document-format", 0x49, []any{"application/pdf"}},
	}}}}
	answer, err := http.Post("http://"+address+"/ipp/print", "application/ipp", bytes.NewReader(append(job.encode(), "%PDF-1.4 a document"...)))
	if err != nil {
		t.Fatal(err)
	}
	content, _ := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if m, err := decodeIPP(content); err != nil || m.code > ippLastSuccess {
		t.Fatalf("Print-Job: %v %v", m, err)
	}

	var p *constatv1.Printing
	for range 100 { // until the script has said its lines
		if p, _ = printingOf(t, Config{CUPS: server.Address}); len(p.Printers) == 1 && len(p.Printers[0].StateReasons) > 1 {
			break
		}
	}
	if err := os.Remove(gate); err != nil {
		t.Fatal(err)
	}
	q, printer := p.Queues[0], p.Printers[0]
	if !q.GetDeviceReachable() || q.GetPrinterId() != printer.GetId() || q.GetConnection() != "ipp" {
		t.Errorf("queue %v", q)
	}
	if want := []string{"cover-open-warning", "media-jam-warning"}; !slices.Equal(printer.StateReasons, want) { // the suffix is this printer's own
		t.Errorf("reasons %v, want %v", printer.StateReasons, want)
	}
	if printer.GetBrand() != "HP" || !printer.GetReachable() || printer.GetUuid() == "" || !slices.Equal(printer.Sources, []string{"ipp"}) {
		t.Errorf("printer %v", printer)
	}
}

// The socket's file outlives Avahi, and only who listens at it is running.
func TestAvahiState(t *testing.T) {
	root, err := os.MkdirTemp("", "avahi") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	r := newReader(t.Context(), Config{Root: root})
	check := func(when, want string) {
		t.Helper()
		got, err := discoveryState(t.Context(), r)
		if want == "" && (got != nil || err == nil) || want != "" && (err != nil || got == nil || *got != want) {
			t.Errorf("%s: %v, %v, want %q", when, got, err, want)
		}
	}
	check("nothing can be looked at", "")
	for _, dir := range []string{"usr/sbin", "run/avahi-daemon"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	check("not installed", "absent")
	if err := os.WriteFile(filepath.Join(root, "usr/sbin/avahi-daemon"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	check("never started", "stopped")
	socket := filepath.Join(root, "run/avahi-daemon/socket")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	check("somebody listens", "running")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check("stopped, its socket's file left", "stopped")
	if os.Geteuid() != 0 {
		if err := os.Chmod(socket, 0); err != nil {
			t.Fatal(err)
		}
		check("nobody is let in", "")
	}
}

// What lpoptions says comes before what the print server says, where it names a
// queue that is there.
func TestChosenQueue(t *testing.T) {
	server := lab.StartCUPS(t, lab.PrintQueue{Name: "front", DeviceURI: "file:///dev/null", Default: true}, lab.PrintQueue{Name: "files", DeviceURI: "file:///dev/null"})
	for options, want := range map[string]string{
		"":                                    "front",
		"Dest files media=iso_a4_210x297mm\n": "front",
		"Dest front a=b\nDefault files/draft a=b\n": "files",
		"Default gone\n": "front",
	} {
		p, _ := printingOf(t, Config{CUPS: server.Address, Root: tree(t, map[string]string{"/etc/cups/lpoptions": options})})
		if p.GetDefaultQueue() != want {
			t.Errorf("with %q the default is %q, want %q", options, p.GetDefaultQueue(), want)
		}
	}
}

// A socket that takes connections is served by nobody where the process is not
// there or was stopped; who can't see all processes can't say so.
func TestUnservedSocket(t *testing.T) {
	process := func(pid, name, state string) (string, string) {
		return "/proc/" + pid + "/stat", pid + " (" + name + ") " + state + " 1 1 1 0 -1 4194560 1 1 1 1 450 450 1 1 20 0 1 0 10000 0 0 1 1 1 0 0 0 0\n"
	}
	for _, tt := range []struct {
		pid, state string
		first      string // of process 1
		want       bool
	}{
		{"812", "S", "systemd", false},
		{"812", "T", "systemd", true},
		{"", "", "systemd", true},
		{"", "", "", false},
	} {
		files := map[string]string{}
		if tt.first != "" {
			name, content := process("1", tt.first, "S")
			files[name] = content
		}
		if tt.pid != "" {
			name, content := process(tt.pid, "cupsd", tt.state)
			files[name] = content
		}
		name, content := process("900", "bash", "S")
		files[name] = content
		r := &reader{Config: Config{Root: tree(t, files)}}
		if got := r.unserved("cupsd"); got != tt.want {
			t.Errorf("%+v: unserved %v", tt, got)
		}
	}
}
