package privileged

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"constat/internal/lab"
)

// Tickets of a real server, against what Kerberos's own klist says of them.
func TestTicketEnd(t *testing.T) {
	kdc := lab.StartKDC(t, "CORP.EXAMPLE")
	kdc.Admin(t, "addprinc -pw secret ann")
	dir := t.TempDir()
	me := strconv.Itoa(os.Getuid())
	if _, err := ticketEndIn(dir, me); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no ticket: %v", err)
	}
	file := filepath.Join(dir, "krb5cc_"+me+"_abc") // as SSSD names it
	if _, err := kdc.Kinit("ann", "secret", "FILE:"+file); err != nil {
		t.Fatal(err)
	}
	got, err := ticketEndIn(dir, me)
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.ParseInt(string(got), 10, 64) // the client does not note the server's clock
	if err != nil {
		t.Fatalf("%q: %v", got, err)
	}
	end := time.Unix(seconds, 0).UTC()
	if list := kdc.Klist(t, "FILE:"+file); !strings.Contains(list, "  "+end.Format("01/02/06 15:04:05")+"  krbtgt/CORP.EXAMPLE@CORP.EXAMPLE") {
		t.Errorf("until %v, and klist says\n%s", end, list)
	}

	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if end, err := parseTickets(whole[:n]); err == nil {
			t.Errorf("the first %d bytes of %d: %v", n, len(whole), end)
		}
	}
	for _, argument := range []string{"", "-1", "../1", "ann", "4294967296"} {
		if _, err := ticketEndIn(dir, argument); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", argument, err)
		}
	}
}

// TestServerClock: the client notes how far the server's clock is ahead, as it
// does unless told otherwise. That of the client is an hour slow.
func TestServerClock(t *testing.T) {
	faketime, err := exec.LookPath("faketime")
	lab.Need(t, "faketime (Debian: faketime)", err == nil)
	kdc := lab.StartKDC(t, "CORP.EXAMPLE")
	kdc.Admin(t, "addprinc -pw secret ann")
	dir := t.TempDir()
	config := filepath.Join(dir, "krb5.conf")
	if err := os.WriteFile(config, []byte("[libdefaults]\n kdc_timesync = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	me := strconv.Itoa(os.Getuid())
	file := filepath.Join(dir, "krb5cc_"+me)
	cmd := exec.Command(faketime, "-f", "-3600s", "kinit", "-c", "FILE:"+file, "ann@CORP.EXAMPLE")
	cmd.Env = append(os.Environ(), "KRB5_CONFIG="+config+":"+kdc.Config)
	cmd.Stdin = strings.NewReader("secret\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kinit: %v: %s", err, out)
	}
	now := time.Now()
	if err := os.Chtimes(file, now, now); err != nil { // the file has the slow clock's time, perhaps
		t.Fatal(err)
	}
	got, err := ticketEndIn(dir, me)
	if err != nil {
		t.Fatal(err)
	}
	_, ahead, _ := strings.Cut(string(got), " ")
	if offset, err := strconv.ParseFloat(ahead, 64); err != nil || offset < 3590 || offset > 3610 {
		t.Errorf("the server's clock is ahead by %q, want 3600 seconds", ahead)
	}
	// Of an old ticket it is not known what the clocks did since.
	old := now.Add(-25 * time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	if got, err := ticketEndIn(dir, me); err != nil || strings.Contains(string(got), " ") {
		t.Errorf("of an old one: %q, %v", got, err)
	}
}

// Others may put there what they like.
func TestTicketEndOfOthers(t *testing.T) {
	dir, me := t.TempDir(), os.Getuid()
	kept := filepath.Join(dir, "kept")
	if err := os.WriteFile(kept, tickets("krbtgt", 2000000000), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(file string) error{
		"a link":          func(file string) error { return os.Symlink(kept, file) },
		"a directory":     func(file string) error { return os.Mkdir(file, 0o700) },
		"not tickets":     func(file string) error { return os.WriteFile(file, []byte("secret"), 0o600) },
		"no such service": func(file string) error { return os.WriteFile(file, tickets("imap", 2000000000), 0o600) },
		"too large":       func(file string) error { return os.WriteFile(file, bytes.Repeat([]byte{5}, maxTickets+1), 0o600) },
	} {
		file := filepath.Join(dir, fmt.Sprintf("krb5cc_%d", me))
		if err := make(file); err != nil {
			t.Fatal(err)
		}
		if got, err := ticketEndIn(dir, strconv.Itoa(me)); err == nil || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	theirs := filepath.Join(dir, fmt.Sprintf("krb5cc_%d", me+1))
	if err := os.WriteFile(theirs, tickets("krbtgt", 2000000000), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ticketEndIn(dir, strconv.Itoa(me+1)); err == nil {
		t.Errorf("another's file: %q", got)
	}
}

// tickets writes a file of one ticket for a service of its realm.
func tickets(service string, end uint32) []byte {
	text := func(words ...string) (b []byte) {
		for _, word := range words {
			b = append(b, 0, 0, 0, byte(len(word)))
			b = append(b, word...)
		}
		return b
	}
	ann := append([]byte{0, 0, 0, 1, 0, 0, 0, 1}, text("R", "ann")...)
	b := append([]byte{5, 4, 0, 0}, ann...)
	b = append(b, ann...)
	b = append(append(b, 0, 0, 0, 2, 0, 0, 0, 2), text("R", service, "R")...)
	b = append(append(b, 0, 18), text("canary-key")...)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, byte(end>>24), byte(end>>16), byte(end>>8), byte(end), 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // no addresses, no authorisations
	return append(b, text("canary-ticket", "")...)
}

func FuzzTickets(f *testing.F) {
	f.Add(tickets("krbtgt", 2000000000))
	f.Add([]byte{5, 4, 255, 255})
	f.Add([]byte{5, 4, 0, 12, 0, 1, 0, 8, 255, 255, 255, 255, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255})
	f.Add([]byte{5, 4, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, content []byte) {
		end, err := parseTickets(content)
		if (err == nil) == end.end.IsZero() || err == nil && end.end.Unix() <= 0 {
			t.Errorf("%v, %v", end, err)
		}
	})
}
