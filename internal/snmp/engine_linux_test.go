package snmp_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"constat/internal/lab"
	"constat/internal/snmp"
)

const sysDescr = "1.3.6.1.2.1.1.1.0"

// engine is net-snmp's agent, which others have proved against every device
// there is.
type engine struct {
	testing.TB
	dir, address string
	stop         func()
}

// newEngine prepares an agent with users; it is not started. id is its engine
// id, "" for one of its own.
func newEngine(t testing.TB, name, id string, users []snmp.Credentials) *engine {
	t.Helper()
	program, err := exec.LookPath("snmpd")
	if err != nil {
		program = "/usr/sbin/snmpd"
		_, err = os.Stat(program)
	}
	lab.Need(t, "snmpd", err == nil)
	e := &engine{TB: t, dir: t.TempDir(), address: lab.FreeAddress(t, "udp")}
	var config strings.Builder
	fmt.Fprintf(&config, "agentAddress udp:%s\nsysDescr %s\n", e.address, name)
	if id != "" {
		fmt.Fprintf(&config, "exactEngineID %s\n", id)
	}
	for _, u := range users {
		level := "noauth"
		create := "createUser " + u.User
		if u.Auth != "" {
			level, create = "auth", create+" "+netAuth[u.Auth]+` "`+u.AuthPassword+`"`
		}
		if u.Privacy != "" {
			level, create = "priv", create+" "+netPrivacy[u.Privacy]+` "`+u.PrivacyPassword+`"`
		}
		fmt.Fprintf(&config, "%s\nrouser %s %s\n", create, u.User, level)
	}
	if err := os.WriteFile(filepath.Join(e.dir, "agent.conf"), []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	e.start(program)
	t.Cleanup(func() { e.stop() })
	return e
}

func (e *engine) start(program string) {
	e.Helper()
	var output bytes.Buffer
	cmd := exec.Command(program, "-f", "-Le", "-r", "-C", "-c", filepath.Join(e.dir, "agent.conf"), "-I", "-smux")
	cmd.Env = append(os.Environ(), "SNMP_PERSISTENT_DIR="+e.dir, "MIBS=")
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		e.Fatal(err)
	}
	e.stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		e.stop = func() {}
	}
	for end := time.Now().Add(20 * time.Second); ; {
		s, err := snmp.Open(e.Context(), e.address, snmp.Credentials{User: "nobody"}, snmp.Patience{Timeout: 100 * time.Millisecond, Retries: -1})
		if err != nil {
			e.Fatal(err)
		}
		_, err = s.Get(e.Context(), sysDescr)
		s.Close()
		if errors.Is(err, snmp.ErrRefused) { // an engine that does not know the user
			return
		}
		if time.Now().After(end) {
			e.Fatalf("snmpd does not answer: %v\n%s", err, output.Bytes())
		}
		time.Sleep(20 * time.Millisecond) // a closed port answers at once
	}
}

// restart starts the agent anew: it counts its starts (snmpEngineBoots).
func (e *engine) restart() {
	e.Helper()
	e.stop()
	program, err := exec.LookPath("snmpd")
	if err != nil {
		program = "/usr/sbin/snmpd"
	}
	e.start(program)
}

var (
	netAuth    = map[string]string{"md5": "MD5", "sha": "SHA", "sha224": "SHA-224", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}
	netPrivacy = map[string]string{"des": "DES", "aes": "AES", "aes192": "AES-192", "aes256": "AES-256"}
)

func (e *engine) open(c snmp.Credentials) *snmp.Session {
	e.Helper()
	s, err := snmp.Open(e.Context(), e.address, c, snmp.Patience{})
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(s.Close)
	return s
}

func describes(t testing.TB, s *snmp.Session, want string) {
	t.Helper()
	v, err := s.Get(t.Context(), sysDescr)
	if err != nil {
		t.Error(err)
	} else if v[0].Text() != want {
		t.Errorf("sysDescr %q, want %q", v[0].Text(), want)
	}
}

// Every pair of authentication and privacy against net-snmp, and what it
// refuses.
func TestSecurity(t *testing.T) {
	var users []snmp.Credentials
	for _, auth := range []string{"", "md5", "sha", "sha224", "sha256", "sha384", "sha512"} {
		for _, privacy := range []string{"", "des", "aes", "aes192", "aes256"} {
			if auth == "" && privacy != "" {
				continue
			}
			c := snmp.Credentials{User: "u-" + auth + "-" + privacy, Auth: auth, Privacy: privacy}
			if auth != "" {
				c.AuthPassword = "authentic " + auth
			}
			if privacy != "" {
				c.PrivacyPassword = "kept secret " + privacy
			}
			users = append(users, c)
		}
	}
	e := newEngine(t, "all protocols", "", users)
	for _, c := range users {
		t.Run(c.User, func(t *testing.T) {
			s := e.open(c)
			describes(t, s, "all protocols")
			found := 0
			if err := s.Walk(t.Context(), []string{"1.3.6.1.2.1.1.9.1.3"}, func(int, string, snmp.Value) { found++ }); err != nil || found < 5 {
				t.Errorf("%d rows of sysORDescr (%v)", found, err)
			}
		})
	}
	good := snmp.Credentials{User: "u-sha256-aes", Auth: "sha256", AuthPassword: "authentic sha256", Privacy: "aes", PrivacyPassword: "kept secret aes"}
	for name, c := range map[string]struct {
		change func(c *snmp.Credentials)
		want   string
	}{
		"nobody":                 {func(c *snmp.Credentials) { c.User = "stranger" }, "this user"},
		"authentication wrong":   {func(c *snmp.Credentials) { c.AuthPassword = "something else" }, "these protocols"},
		"another authentication": {func(c *snmp.Credentials) { c.Auth = "sha512" }, "these protocols"},
		"privacy wrong":          {func(c *snmp.Credentials) { c.PrivacyPassword = "something else" }, ""},
		"no privacy":             {func(c *snmp.Credentials) { c.Privacy, c.PrivacyPassword = "", "" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			c.change(&bad)
			s, err := snmp.Open(t.Context(), e.address, bad, snmp.Patience{Timeout: 200 * time.Millisecond, Retries: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			v, err := s.Get(t.Context(), sysDescr)
			switch {
			case err == nil && v[0].Known():
				t.Error("it answered")
			case c.want != "" && (!errors.Is(err, snmp.ErrRefused) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "authentic sha256") || strings.Contains(err.Error(), "kept secret")) {
				t.Errorf("a password is told: %v", err)
			}
		})
	}
}

// An agent that starts anew in the middle of a session has another clock; the
// session goes on. So it does where another engine comes to the address.
func TestEngineRestarts(t *testing.T) {
	c := snmp.Credentials{User: "u", Auth: "sha512", AuthPassword: "authentic", Privacy: "aes256", PrivacyPassword: "kept secret"}
	e := newEngine(t, "one", "0x80001f8804636f6e73746174", []snmp.Credentials{c})
	s := e.open(c)
	describes(t, s, "one")
	e.restart()
	describes(t, s, "one")

	e.stop()
	other := newEngine(t, "two", "0x80001f88046f74686572", []snmp.Credentials{c})
	config, err := os.ReadFile(filepath.Join(other.dir, "agent.conf"))
	if err != nil {
		t.Fatal(err)
	}
	other.stop()
	text := strings.Replace(string(config), other.address, e.address, 1)
	if err := os.WriteFile(filepath.Join(other.dir, "agent.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	other.address = e.address
	other.restart()
	describes(t, s, "two")
}

// Two devices with one engine id, as cloned configurations have it, each with
// its own clock: neither disturbs the other.
func TestDuplicateEngines(t *testing.T) {
	c := snmp.Credentials{User: "u", Auth: "sha", AuthPassword: "authentic", Privacy: "aes", PrivacyPassword: "kept secret"}
	const id = "0x80001f8804636c6f6e65"
	one, two := newEngine(t, "one", id, []snmp.Credentials{c}), newEngine(t, "two", id, []snmp.Credentials{c})
	two.restart()
	two.restart()
	first, second := one.open(c), two.open(c)
	for range 3 {
		describes(t, first, "one")
		describes(t, second, "two")
	}
	if pdus := first.Stats().PDUs + second.Stats().PDUs; pdus > 10 {
		t.Errorf("%d requests for six answers: the clocks are mixed up", pdus)
	}
}

// Longer AES keys in both ways of lengthening them, against pysnmp's: net-snmp
// has only one of them.
func TestLongKeys(t *testing.T) {
	played := lab.Play(t, lab.Recording{Community: "one", Text: "1.3.6.1.2.1.1.1.0|4|one\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.9.1.1\n"})
	for _, cipher := range played.Ciphers {
		c := played.V3("one")
		c.User, c.Privacy = cipher, cipher
		s, err := snmp.Open(t.Context(), played.Address, c, snmp.Patience{Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		describes(t, s, "one")
		s.Close()
	}
	if len(played.Ciphers) != 4 {
		t.Errorf("ciphers %q", played.Ciphers)
	}
}
