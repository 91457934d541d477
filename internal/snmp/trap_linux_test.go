package snmp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// sent gives the datagrams that a program sends, one after the other, to answer.
func sent(t *testing.T, answer func(message []byte) []byte, program string, args ...string) error {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buffer := make([]byte, MaxTrap)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if reply := answer(append([]byte{}, buffer[:n]...)); reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "ADDRESS", conn.LocalAddr().String())
	}
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	// A trap is not waited for by who sends it; over loopback it is there already.
	_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	<-ended
	_ = conn.Close()
	return err
}

const linkDown = "1.3.6.1.6.3.1.1.5.3"

// Net-SNMP's own programs send traps and informs of every version.
func TestTraps(t *testing.T) {
	for _, program := range []string{"snmptrap", "snmpinform"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("net-snmp's snmptrap is not there: apt-get install snmp")
		}
	}
	now := time.Now
	secret := Credentials{User: "mon", Auth: "sha256", AuthPassword: "a long secret", Privacy: "aes", PrivacyPassword: "another secret"}
	v3 := []string{"-v3", "-e", "0x8000000903005056aabbcc", "-u", "mon", "-l", "authPriv", "-a", "SHA-256", "-A", "a long secret", "-x", "AES", "-X", "another secret"}
	inform3 := append([]string{"-v3"}, v3[3:]...)
	body := []string{"ADDRESS", "", linkDown, "1.3.6.1.2.1.2.2.1.1.10105", "i", "10105"}
	with := func(options ...string) []string { return append(append([]string{}, options...), body...) }
	for _, c := range []struct {
		name, program string
		args          []string
		opens         Credentials
		refused       bool
	}{
		{"v2c", "snmptrap", with("-v2c", "-c", "traps"), Credentials{Community: "traps"}, false},
		{"v2c with another community", "snmptrap", with("-v2c", "-c", "traps"), Credentials{Community: "trapz"}, true},
		{"v1", "snmptrap", []string{"-v1", "-c", "traps", "ADDRESS", "1.3.6.1.4.1.9", "127.0.0.1", "2", "0", "", "1.3.6.1.2.1.2.2.1.1.10105", "i", "10105"}, Credentials{Community: "traps"}, false},
		{"v3", "snmptrap", with(v3...), secret, false},
		{"v3 for a device of v2c", "snmptrap", with(v3...), Credentials{Community: "traps"}, true},
		{"v2c for a device of v3", "snmptrap", with("-v2c", "-c", "traps"), secret, true},
		{"v3 with another password", "snmptrap", with(v3...), Credentials{User: "mon", Auth: "sha256", AuthPassword: "not the secret", Privacy: "aes", PrivacyPassword: "another secret"}, true},
		{"v3 of another user", "snmptrap", with(v3...), Credentials{User: "other", Auth: "sha256", AuthPassword: "a long secret", Privacy: "aes", PrivacyPassword: "another secret"}, true},
		{"v3 without the privacy that is wanted", "snmptrap", with("-v3", "-e", "0x8000000903005056aabbcc", "-u", "mon", "-l", "authNoPriv", "-a", "SHA-256", "-A", "a long secret"), secret, true},
		{"v2c inform", "snmpinform", with("-v2c", "-c", "traps", "-r", "0"), Credentials{Community: "traps"}, false},
		{"v3 inform", "snmpinform", with(append(inform3, "-r", "1")...), secret, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewReceiver("test", 7, now)
			var read []*Notice
			var failed []error
			var last []byte
			err := sent(t, func(message []byte) []byte {
				n, answer, err := r.Read(message, c.opens)
				if err != nil {
					failed = append(failed, err)
				} else {
					read, last = append(read, n), message
				}
				return answer
			}, c.program, c.args...)
			if c.refused {
				if len(read) > 0 || len(failed) == 0 {
					t.Fatalf("read %v", read)
				}
				return
			}
			if err != nil || len(read) != 1 {
				t.Fatalf("%d read, %v; the sender says %v", len(read), failed, err)
			}
			n := read[0]
			if n.OID != linkDown || len(n.Variables) == 0 || n.Variables[len(n.Variables)-1].OID != "1.3.6.1.2.1.2.2.1.1.10105" {
				t.Errorf("notice %v", n)
			}
			if i, ok := n.Variables[len(n.Variables)-1].Int(); !ok || i != 10105 {
				t.Errorf("its port is %d", i)
			}
			if c.opens.User == "" {
				return
			}
			// The same message a quarter of an hour later is an old one.
			r.now = func() time.Time { return now().Add(15 * time.Minute) }
			if _, _, err := r.Read(last, c.opens); err == nil {
				t.Error("an old message was taken")
			} else if c.program == "snmptrap" && !errors.Is(err, ErrRefused) {
				t.Errorf("an old message: %v", err)
			}
		})
	}
}

// What strangers send is no trap and does no harm.
func FuzzTrap(f *testing.F) {
	r := NewReceiver("fuzz", 1, time.Now)
	opens := []Credentials{
		{Community: "traps"}, {User: "mon"}, {User: "mon", Auth: "sha256", AuthPassword: "a long secret", Privacy: "aes", PrivacyPassword: "another secret"},
	}
	v2 := []byte{0x30, 0x3d, 2, 1, 1, 4, 5, 't', 'r', 'a', 'p', 's', 0xa7, 0x31, 2, 1, 1, 2, 1, 0, 2, 1, 0, 0x30, 0x26, 0x30, 0x0d, 6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0, 0x43, 1, 5,
		0x30, 0x15, 6, 0x0a, 0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0, 6, 7, 0x2b, 6, 1, 6, 3, 1, 1}
	f.Add(v2)
	f.Add([]byte{0x30, 0x3a, 2, 1, 3, 0x30, 0x0f, 2, 2, 0x11, 0x22, 2, 3, 0, 0xff, 0xe3, 4, 1, 4, 2, 1, 3, 4, 0x10, 0x30, 0x0e, 4, 0, 2, 1, 0, 2, 1, 0, 4, 0, 4, 0, 4, 0, 0x30, 0x12, 4, 0, 4, 0, 0xa0, 0x0c, 2, 2, 1, 2, 2, 1, 0, 2, 1, 0, 0x30, 0})
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, c := range opens {
			n, answer, err := r.Read(message, c)
			if err == nil && n.OID == "" || len(answer) > 2*len(message)+400 {
				t.Errorf("%x: %v, answered by %d bytes", message, n, len(answer))
			}
		}
	})
}
