package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// KDC is MIT Kerberos's server with a realm of the test's own, on loopback.
type KDC struct {
	// Config is the krb5.conf of its clients.
	Config string
	dir    string
	env    []string
}

// StartKDC starts a server for the realm.
func StartKDC(t testing.TB, realm string) *KDC {
	t.Helper()
	server, err := exec.LookPath("krb5kdc")
	_, clientErr := exec.LookPath("kinit")
	_, adminErr := exec.LookPath("kadmin.local")
	Need(t, "Kerberos's server and client (Debian: krb5-kdc krb5-admin-server krb5-user)", err == nil && clientErr == nil && adminErr == nil)
	address := FreeAddress(t, "udp")
	k := &KDC{dir: t.TempDir()}
	k.Config = filepath.Join(k.dir, "krb5.conf")
	k.env = append(os.Environ(), "KRB5_CONFIG="+k.dir+"/krb5.conf", "KRB5_KDC_PROFILE="+k.dir+"/kdc.conf", "LC_ALL=C")
	// Without kdc_timesync a client uses its own clock, as SSSD's does where it
	// must prove who it is before the server told the time.
	k.write(t, "krb5.conf", fmt.Sprintf("[libdefaults]\n default_realm = %[1]s\n dns_lookup_kdc = false\n kdc_timesync = 0\n udp_preference_limit = 65000\n"+
		"[realms]\n %[1]s = {\n  kdc = %[2]s\n }\n", realm, address))
	k.write(t, "kdc.conf", fmt.Sprintf("[kdcdefaults]\n kdc_listen = %[2]s\n kdc_tcp_listen = \"\"\n[realms]\n %[1]s = {\n  database_name = %[3]s/principal\n"+
		"  key_stash_file = %[3]s/stash\n  max_life = 10h\n  default_principal_flags = +preauth\n }\n[logging]\n kdc = FILE:%[3]s/kdc.log\n", realm, address, k.dir))
	k.run(t, "kdb5_util", "create", "-s", "-r", realm, "-P", "master")
	cmd := exec.Command(server, "-n", "-r", realm)
	var said bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = k.env, &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("krb5kdc: %s", said.String())
		}
	})
	k.Admin(t, "addprinc -pw probe probe")
	for end := time.Now().Add(20 * time.Second); ; {
		if _, err := k.Kinit("probe", "probe", "FILE:"+k.dir+"/probe"); err == nil {
			return k
		} else if time.Now().After(end) {
			t.Fatalf("krb5kdc does not answer: %v", err)
		}
	}
}

func (k *KDC) write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (k *KDC) run(t testing.TB, name string, arguments ...string) {
	t.Helper()
	cmd := exec.Command(name, arguments...)
	cmd.Env = k.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// Admin changes the realm's database, in the words of kadmin(1).
func (k *KDC) Admin(t testing.TB, query string) {
	t.Helper()
	k.run(t, "kadmin.local", "-q", query)
}

// Kinit signs in, and returns what the library traced of it. Environment that is
// given besides is the client's only.
func (k *KDC) Kinit(user, password, cache string, environment ...string) (trace string, err error) {
	file := filepath.Join(k.dir, "trace")
	_ = os.Remove(file)
	cmd := exec.Command("kinit", "-c", cache, user)
	cmd.Env = append(append(k.env, "KRB5_TRACE="+file), environment...)
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, failed := cmd.CombinedOutput(); failed != nil {
		err = fmt.Errorf("kinit: %w: %s", failed, out)
	}
	content, _ := os.ReadFile(file)
	return string(content), err
}

// Klist returns what klist(1) says of a cache.
func (k *KDC) Klist(t testing.TB, cache string) string {
	t.Helper()
	cmd := exec.Command("klist", "-c", cache)
	cmd.Env = append(k.env, "TZ=UTC")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
