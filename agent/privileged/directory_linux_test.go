package privileged

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"

	"constat/internal/lab"
)

// refusalLog is in the forms that SSSD 2.4 and 2.8 write, with more around it
// than may leave.
const refusalLog = `(2026-05-27  6:02:53): [krb5_child[9997]] [get_and_save_tgt] (0x0020): 1757: [-1765328360][Preauthentication failed]
(2026-05-27  6:02:53): [krb5_child[9997]] [map_krb5_error] (0x0020): 1849: [-1765328360][Preauthentication failed]
(2026-05-27 10:12:59): [krb5_child[10018]] [get_and_save_tgt] (0x0020): [RID#12] 1761: [-1765328377][Server host/canary@CORP.EXAMPLE not found in Kerberos database]
(2026-05-27 10:13:00.123456): [krb5_child[10019]] [get_and_save_tgt] (0x0020): [RID#13] 1761: [-1765328347][Clock skew too great]
   *  (2026-05-27 10:13:00): [krb5_child[10019]] [get_and_save_tgt] (0x0020): 1761: [-1765328347][Clock skew too great]
(2026-05-27 10:14:00): [krb5_child[10020]] [unpack_buffer] (0x0100): cmd [241] uid [1000] UPN [canary@CORP.EXAMPLE]
(2026-05-27 10:15:00): [krb5_child[10020]] [get_and_save_tgt] (0x0020): 1761: [-1765328`

func TestRefusals(t *testing.T) {
	name := filepath.Join(t.TempDir(), "krb5_child.log")
	if _, err := refusalsIn(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no log: %v", err)
	}
	if err := os.WriteFile(name, []byte(refusalLog), 0o600); err != nil {
		t.Fatal(err)
	}
	const want = "2026-05-27 06:02:53 -1765328360\n2026-05-27 10:12:59 -1765328377\n2026-05-27 10:13:00 -1765328347\n"
	if got, err := refusalsIn(name); err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if err := os.WriteFile(name, append(bytes.Repeat([]byte("x\n"), maxRefusalLog), refusalLog...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := refusalsIn(name); err != nil || string(got) != want {
		t.Errorf("the end of a long log: %q, %v", got, err)
	}
	link := name + ".link"
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	if got, err := refusalsIn(link); err == nil {
		t.Errorf("a link was followed: %q", got)
	}
}

// FuzzRefusals: nothing but times and codes leaves, whatever the log holds.
func FuzzRefusals(f *testing.F) {
	f.Add([]byte(refusalLog))
	only := form(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d -\d+\n)*$`)
	f.Fuzz(func(t *testing.T, log []byte) {
		name := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(name, log, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := refusalsIn(name); err != nil || !only().Match(got) {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// pipe stands in for SSSD's service on a real bus, with the methods that
// sssd-ifp(5)'s interfaces have.
type pipe []dbus.ObjectPath

func (p pipe) ListDomains() ([]dbus.ObjectPath, *dbus.Error) { return p, nil }

type sssdDomain struct {
	online bool
	server string
}

func (d sssdDomain) IsOnline() (bool, *dbus.Error) { return d.online, nil }

func (d sssdDomain) ActiveServer(service string) (string, *dbus.Error) {
	if service != "IPA" || d.server == "" {
		return "", dbus.NewError("sbus.Error.NotFound", []any{"no such service"})
	}
	return d.server, nil
}

func TestDirectory(t *testing.T) {
	daemon, err := exec.LookPath("dbus-daemon")
	lab.Need(t, "dbus-daemon (Debian: dbus)", err == nil)
	socket := filepath.Join(t.TempDir(), "bus")
	cmd := exec.Command(daemon, "--session", "--nofork", "--nopidfile", "--print-address", "--address=unix:path="+socket)
	output, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+socket)
	if _, err := bufio.NewReader(output).ReadString('\n'); err != nil { // it listens from now on
		t.Fatal(err)
	}
	conn, err := dbus.Connect("unix:path=" + socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := askDirectory(t.Context(), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nobody answers: %v", err)
	}

	const root = "/org/freedesktop/sssd/infopipe"
	var paths pipe
	for _, d := range []struct {
		path, name string
		below      bool
		sssdDomain
	}{
		{"corp_2eexample", "corp.example", false, sssdDomain{true, "dc1.corp.example"}},
		{"sub", "sub.corp.example", true, sssdDomain{true, "dc9.corp.example"}},
		{"away", "away.example", false, sssdDomain{}},
		{"odd", "odd\tname\n", false, sssdDomain{}},
	} {
		path := dbus.ObjectPath(root + "/Domains/" + d.path)
		paths = append(paths, path)
		if err := conn.Export(d.sssdDomain, path, infoPipe+".Domains.Domain"); err != nil {
			t.Fatal(err)
		}
		if _, err := prop.Export(conn, path, prop.Map{infoPipe + ".Domains": {
			"name": {Value: d.name}, "provider": {Value: "ipa"}, "subdomain": {Value: d.below},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Export(paths, root, infoPipe); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(infoPipe, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	got, err := askDirectory(t.Context(), "")
	if want := "corp.example\tipa\ttrue\tdc1.corp.example\naway.example\tipa\tfalse\t\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for name, ask := range map[string]verb{"directory": askDirectory, "kerberos-refusals": kerberosRefusals} {
		if _, err := ask(t.Context(), "/etc/shadow"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s with an argument: %v", name, err)
		}
	}
}
