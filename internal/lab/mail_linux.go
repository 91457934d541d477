package lab

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// MailServer is an Exim that takes mails of its one user, over TLS only, and keeps
// them. It refuses the recipients nobody@ for good and later@ for now.
type MailServer struct {
	// Host is what its certificate names.
	Host string
	// STARTTLS and TLS are its ports.
	STARTTLS, TLS int
	// User and Password sign in.
	User, Password string
	dir            string
}

const eximConfig = `
spool_directory = %[1]s/spool
log_file_path = %[1]s/log/%%slog
primary_hostname = mail.example.org
local_interfaces = <; [127.0.0.1]:%[2]d ; [127.0.0.1]:%[3]d
tls_on_connect_ports = %[3]d
tls_advertise_hosts = *
tls_certificate = %[1]s/certificate.pem
tls_privatekey = %[1]s/key.pem
auth_advertise_hosts = ${if def:tls_in_cipher{*}{}}
host_lookup =
rfc1413_hosts =
queue_only_load = 1000
acl_smtp_rcpt = recipient
acl_smtp_data = accept
begin acl
recipient:
  deny !authenticated = *
  deny message = there is no such person
       condition = ${if eq{$local_part}{nobody}}
  defer message = come back later
       condition = ${if eq{$local_part}{later}}
  accept
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = %[1]s/mail
  maildir_format
  user = Debian-exim
  group = Debian-exim
  envelope_to_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{desk}}{eq{$auth3}{correct horse}}}}
  server_set_id = $auth2
`

// StartMailServer starts one, whose certificate the authority signs.
func StartMailServer(t testing.TB, a *Authority) *MailServer {
	t.Helper()
	exim, err := exec.LookPath("exim4")
	Need(t, "Exim (Debian: exim4-daemon-light)", err == nil)
	Need(t, "root, for a mail server", os.Geteuid() == 0)
	account, err := user.Lookup("Debian-exim")
	if err != nil {
		t.Fatal(err)
	}
	m := &MailServer{Host: "localhost", User: "desk", Password: "correct horse", dir: t.TempDir()}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	for _, dir := range []string{filepath.Dir(m.dir), m.dir} { // it gives up root's rights
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"spool", "log", "mail"} {
		if err := os.Mkdir(filepath.Join(m.dir, dir), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(m.dir, dir), uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	issued := a.Issue(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), m.Host)
	key, err := x509.MarshalPKCS8PrivateKey(issued.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	var held []net.Listener
	for _, port := range []*int{&m.STARTTLS, &m.TLS} {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*port = l.Addr().(*net.TCPAddr).Port
		held = append(held, l)
	}
	for name, content := range map[string][]byte{
		"certificate.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issued.Certificate[0]}),
		"key.pem":         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"exim.conf":       fmt.Appendf(nil, eximConfig, m.dir, m.STARTTLS, m.TLS),
	} {
		if err := os.WriteFile(filepath.Join(m.dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range held {
		l.Close()
	}
	var said bytes.Buffer
	cmd := exec.Command(exim, "-C", filepath.Join(m.dir, "exim.conf"), "-bdf")
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// It and those that deliver for it.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(m.dir, "log", "mainlog"))
			t.Logf("exim: %s\n%s", said.String(), log)
		}
	})
	for end := time.Now().Add(patience); ; {
		c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", m.TLS))
		if err == nil {
			c.Close()
			return m
		}
		if time.Now().After(end) {
			t.Fatalf("exim does not answer: %v; %s", err, said.String())
		}
	}
}

// Mails waits until it has so many, and gives them as they lie there.
func (m *MailServer) Mails(t testing.TB, n int) []string {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		names, err := filepath.Glob(filepath.Join(m.dir, "mail", "new", "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(names) >= n {
			var mails []string
			for _, name := range names {
				content, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				mails = append(mails, string(content))
			}
			return mails
		}
		if time.Now().After(end) {
			t.Fatalf("%d mails came, want %d", len(names), n)
		}
	}
}
