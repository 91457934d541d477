package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"constat/internal/snmp"
)

// Recording is a device as snmpsim plays it: a file of lines OID|type|value
// (https://docs.lextudio.com/snmpsim), by the community that shows it.
type Recording struct {
	Community string
	// Path of a file, or else its Text.
	Path, Text string
}

// Played are devices at one address, by community, and by context with SNMPv3.
type Played struct {
	Address string
	// V3 are the credentials of SNMPv3, for a context named after the
	// community.
	V3 func(context string) snmp.Credentials
	// Ciphers are those besides AES-128 that a user named after each has.
	Ciphers []string
}

// Play answers as recorded devices do, until the test ends: snmpsim, on
// loopback, with SNMPv2c and SNMPv3 (SHA-256, AES-128).
func Play(t testing.TB, recordings ...Recording) Played {
	t.Helper()
	program, err := exec.LookPath("snmpsimd")
	Need(t, "snmpsim", err == nil)
	// Not t.TempDir: what root starts gives its rights up, and must still get
	// there.
	dir, err := os.MkdirTemp("", "constat-snmp-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data, cache := filepath.Join(dir, "data"), filepath.Join(dir, "cache")
	for _, d := range []string{data, cache} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
		_ = os.Chmod(d, 0o777)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, r := range recordings {
		text := []byte(r.Text)
		if r.Path != "" {
			if text, err = os.ReadFile(r.Path); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(data, r.Community+".snmprec"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const user, password = "constat", "a long enough secret"
	played := Played{Address: FreeAddress(t, "udp"), V3: func(context string) snmp.Credentials {
		return snmp.Credentials{User: user, Auth: "sha256", AuthPassword: password, Privacy: "aes", PrivacyPassword: password, Context: context}
	}}
	args := []string{
		"--data-dir=" + data, "--cache-dir=" + cache, "--agent-udpv4-endpoint=" + played.Address, "--logging-method=null",
		"--v3-user=" + user, "--v3-auth-proto=SHA256", "--v3-auth-key=" + password, "--v3-priv-proto=AES", "--v3-priv-key=" + password,
	}
	for _, p := range [][2]string{{"aes192c", "AES192"}, {"aes256c", "AES256"}, {"aes192", "AES192BLMT"}, {"aes256", "AES256BLMT"}} {
		played.Ciphers = append(played.Ciphers, p[0])
		args = append(args, "--v3-user="+p[0], "--v3-auth-proto=SHA256", "--v3-auth-key="+password, "--v3-priv-proto="+p[1], "--v3-priv-key="+password)
	}
	if os.Getuid() == 0 {
		args = append(args, "--process-user=nobody", "--process-group=nogroup")
	}
	cmd := exec.Command(program, args...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	for _, r := range recordings[:min(1, len(recordings))] {
		if err := awaitAgent(t.Context(), played.Address, r.Community, ended); err != nil {
			t.Fatalf("snmpsim does not answer: %v\n%s", err, output.Bytes())
		}
	}
	return played
}

// awaitAgent asks until the first answer; the first start indexes the files.
func awaitAgent(ctx context.Context, address, community string, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		s, err := snmp.Open(ctx, address, snmp.Credentials{Community: community}, snmp.Patience{Timeout: 200 * time.Millisecond, Retries: -1})
		if err != nil {
			return err
		}
		_, err = s.Get(ctx, "1.3.6.1.2.1.1.2.0")
		s.Close()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("it ended (%w)", err)
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond): // a closed port answers at once
		}
	}
}
