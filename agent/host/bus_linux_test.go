package host

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// startBus starts a bus of the test's own where the machine below root has its
// system bus, and connects to it.
func startBus(t *testing.T, root string) *dbus.Conn {
	t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	lab.Need(t, "dbus-daemon (Debian: dbus)", err == nil)
	socket := filepath.Join(root, "run/dbus/system_bus_socket")
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	// The session configuration lets everybody own every name.
	command := exec.Command(daemon, "--session", "--nofork", "--nopidfile", "--print-address", "--address=unix:path="+socket)
	output, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	if _, err := bufio.NewReader(output).ReadString('\n'); err != nil { // it listens from now on
		t.Fatal(err)
	}
	conn, err := dbus.Connect("unix:path=" + socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// export puts an object with methods and read-only properties on the bus.
func export(t *testing.T, conn *dbus.Conn, path dbus.ObjectPath, methods any, properties map[string]map[string]any) {
	t.Helper()
	described := prop.Map{}
	for of, values := range properties {
		if methods != nil {
			if err := conn.Export(methods, path, of); err != nil {
				t.Fatal(err)
			}
		}
		described[of] = map[string]*prop.Prop{}
		for name, value := range values {
			described[of][name] = &prop.Prop{Value: value}
		}
	}
	if _, err := prop.Export(conn, path, described); err != nil {
		t.Fatal(err)
	}
}

// fakeSystemd is the part of org.freedesktop.systemd1.Manager that is asked.
type fakeSystemd struct{ units []systemdUnit }

func (f fakeSystemd) ListUnits() ([]systemdUnit, *dbus.Error) { return f.units, nil }

func (f fakeSystemd) ListUnitsByNames(names []string) ([]systemdUnit, *dbus.Error) {
	var found []systemdUnit
	for _, name := range names {
		if name == "bluetooth.service" {
			found = append(found, systemdUnit{Name: name, Load: "loaded", Active: "inactive", Sub: "dead", Path: "/none", JobPath: "/"})
		} else {
			found = append(found, systemdUnit{Name: name, Load: "not-found", Active: "inactive", Sub: "dead", Path: "/none", JobPath: "/"})
		}
	}
	return found, nil
}

// command is one of a service's (ExecStart of org.freedesktop.systemd1(5)).
type command struct {
	File                                                     string
	Arguments                                                []string
	MayFail                                                  bool
	StartedAt, StartedMonotonicAt, EndedAt, EndedMonotonicAt uint64
	Process                                                  uint32
	Code, Status                                             int32
}

func TestServicesOverBus(t *testing.T) {
	root := tree(t, map[string]string{"/run/systemd/system/keep": ""})
	conn := startBus(t, root)
	export(t, conn, "/org/freedesktop/systemd1", fakeSystemd{[]systemdUnit{
		{Name: "cups.service", Description: "CUPS Scheduler", Load: "loaded", Active: "failed", Sub: "failed", Path: "/cups", JobPath: "/"},
		{Name: "cron.service", Load: "loaded", Active: "active", Sub: "running", Path: "/cron", JobPath: "/"},
	}}, map[string]map[string]any{systemd + ".Manager": {"SystemState": "degraded"}})
	export(t, conn, "/cups", nil, map[string]map[string]any{
		systemd + ".Unit":    {"UnitFileState": "enabled", "StateChangeTimestamp": uint64(1700000000_000000)},
		systemd + ".Service": {"Result": "core-dump", "ExecMainCode": int32(3), "ExecMainStatus": int32(11), "NRestarts": uint32(5), "ExecStart": []command{{File: "/usr/sbin/cupsd", Arguments: []string{"/usr/sbin/cupsd", "-l"}}}},
	})
	if _, err := conn.RequestName(systemd, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	s := Observe(t.Context(), Config{Root: root}, []string{"services"})
	told(t, s)
	want := &constatv1.Services{Manager: set("systemd"), SystemState: set("degraded"), Services: []*constatv1.Service{
		{Name: set("bluetooth.service"), State: set("stopped")},
		{
			Name: set("cups.service"), Description: set("CUPS Scheduler"), State: set("failed"), StartType: set("automatic"), Result: set("coreDump"),
			Restarts: set(int32(5)), Program: set("cupsd"), Since: timestamppb.New(time.Unix(1700000000, 0)),
		},
	}}
	if diff := cmp.Diff(want, s.Services, protocmp.Transform()); diff != "" {
		t.Errorf("services, %v (-want +got):\n%s", s.Manifest.Groups[0].Observation, diff)
	}
}

type fakeLogind struct{}

// session is a row of ListSessions.
type session struct {
	ID   string
	UID  uint32
	User string
	Seat string
	Path dbus.ObjectPath
}

func (fakeLogind) ListSessions() ([]session, *dbus.Error) {
	return []session{{"c1", 110, "gdm", "seat0", "/greeter"}, {"3", 1001, "zoe", "", "/remote"}, {"2", 1000, "ann", "seat0", "/local"}, {"9", 1, "gone", "", "/gone"}}, nil
}

func TestSessionsOverBus(t *testing.T) {
	root := t.TempDir()
	conn := startBus(t, root)
	const login = "org.freedesktop.login1"
	export(t, conn, "/org/freedesktop/login1", fakeLogind{}, map[string]map[string]any{login + ".Manager": {}})
	for path, values := range map[dbus.ObjectPath]map[string]any{
		"/greeter": {"Class": "greeter", "Remote": false, "Active": false},
		"/remote":  {"Class": "user", "Remote": true, "Active": true},
		"/local":   {"Class": "user", "Remote": false, "Active": true},
	} {
		export(t, conn, path, nil, map[string]map[string]any{login + ".Session": values})
	}
	if _, err := conn.RequestName(login, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	s := Observe(t.Context(), Config{Root: root}, []string{"host"})
	told(t, s)
	h := s.Host
	want := []*constatv1.Session{
		{User: set("ann"), Kind: set("local"), Active: set(true)}, {User: set("zoe"), Kind: set("remote"), Active: set(true)},
	}
	if diff := cmp.Diff(want, h.Sessions, protocmp.Transform()); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
}

// TestHungBus: a bus that accepts and says nothing costs its group only.
func TestHungBus(t *testing.T) {
	root := tree(t, map[string]string{"/run/systemd/system/keep": "", "/run/dbus/keep": ""})
	listener := listenUnix(t, filepath.Join(root, "run/dbus/system_bus_socket"))
	defer listener.Close()
	table := []source{{"services", 50 * time.Millisecond, readServices}, {"clock", time.Minute, readClock}}
	if err := os.MkdirAll(filepath.Join(root, "proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := observe(t.Context(), Config{Root: root}, []string{"clock", "services"}, table)
	if o := s.Manifest.Groups[1].Observation; o.Status != "failed" || !strings.Contains(o.Reason, "timed out") && !strings.Contains(o.Reason, "does not answer") {
		t.Errorf("services: %v", o)
	}
	if o := s.Manifest.Groups[0].Observation; o.Status != "observed" {
		t.Errorf("clock: %v", o)
	}
}

// TestHungBusLeavesTheRest: groups that ask the bus for a part of what they tell
// lose that part only.
func TestHungBusLeavesTheRest(t *testing.T) {
	root := machine(t, "laptop")
	for _, dir := range []string{"run/dbus", "sys/class/bluetooth/hci0"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	listener := listenUnix(t, filepath.Join(root, "run/dbus/system_bus_socket"))
	defer listener.Close()
	s := Observe(t.Context(), Config{Root: root}, []string{"host", "load", "peripherals"})
	for _, g := range s.Manifest.Groups {
		if o := g.Observation; o.Status != "observed" || len(o.Gaps) == 0 {
			t.Errorf("%s: %v", g.Group, o)
		}
	}
	if s.Host.GetHostname() == "" || s.Load.GetCpu() == nil || len(s.Peripherals.GetBluetoothAdapters()) != 1 {
		t.Errorf("host %v, load %v, adapters %v", s.Host, s.Load, s.Peripherals.GetBluetoothAdapters())
	}
}

// TestHungPrintServer: the same for a print server.
func TestHungPrintServer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener := listenUnix(t, socket)
	defer listener.Close()
	s := observe(t.Context(), Config{CUPS: socket}, []string{"printing"}, []source{{"printing", 50 * time.Millisecond, readPrinting}})
	if o := s.Manifest.Groups[0].Observation; o.Status != "failed" || !strings.Contains(o.Reason, "timed out") || s.Printing != nil {
		t.Errorf("printing: %v", o)
	}
}

// listenUnix listens and never accepts.
func listenUnix(t *testing.T, path string) net.Listener {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}
