package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// guardPort makes the switch's port of the pc ask for a sign-in (IEEE 802.1X),
// and lets nothing else through it.
func (w *World) guardPort() {
	w.t.Helper()
	_, err := exec.LookPath("hostapd")
	Need(w.t, "hostapd (package hostapd)", err == nil)
	dir := w.t.TempDir()
	write := func(name, content string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			w.t.Fatal(err)
		}
		return file
	}
	users := write("users", "\"ann\" MD5 \"good\"\n")
	config := write("hostapd.conf", fmt.Sprintf("interface=pc0\ndriver=wired\nieee8021x=1\neap_server=1\neap_user_file=%s\nuse_pae_group_addr=1\neap_reauth_period=0\n", users))
	w.daemon(Switch, "AP-ENABLED", "hostapd", config)
	w.Filter(Switch, "bridge", "filter", "forward", `iifname "pc0" drop`)
}

// signIn starts wpa_supplicant on the pc's cable, and waits until it says a word.
func (w *World) signIn(password, until string) {
	w.t.Helper()
	_, err := exec.LookPath("wpa_supplicant")
	Need(w.t, "wpa_supplicant (package wpasupplicant)", err == nil)
	if w.own[PC] == [2]string{} {
		w.Own(PC, "/run/wpa_supplicant")
	}
	file := filepath.Join(w.t.TempDir(), "supplicant.conf")
	content := fmt.Sprintf("ctrl_interface=/run/wpa_supplicant\nap_scan=0\nnetwork={\n key_mgmt=IEEE8021X\n eap=MD5\n identity=\"ann\"\n password=%q\n eapol_flags=0\n}\n", password)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.daemon(PC, until, "wpa_supplicant", "-D", "wired", "-i", w.Adapter, "-c", file)
}

// daemon starts a program that stays, and waits until it prints a word.
func (w *World) daemon(host, ready, name string, args ...string) {
	w.t.Helper()
	cmd := w.Command(context.Background(), host, name, args...)
	log := &said{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	w.Await(name+" to say "+ready, func() error {
		if !log.has(ready) {
			return fmt.Errorf("%s", log)
		}
		return nil
	})
}

// TestWiredSignIn: what the agent tells of a real sign-in on the cable.
func TestWiredSignIn(t *testing.T) {
	Need(t, "root, to make network namespaces", os.Geteuid() == 0)
	agent := buildAgent(t)
	for _, c := range []struct{ password, state, failure string }{{"good", "authenticated", ""}, {"bad", "held", "rejected"}} {
		w := NewWorld(t)
		w.guardPort()
		w.signIn(c.password, "Associated")
		w.Await("the sign-in to be "+c.state, func() error {
			for _, l := range w.facts(agent, "--group", "network").Network.Links {
				if l.GetName() == "eth0" && l.Dot1X.GetState() == c.state && l.Dot1X.GetFailure() == c.failure {
					return nil
				}
			}
			return fmt.Errorf("links %v", w.facts(agent, "--group", "network").Network.Links)
		})
	}
}

// said is what a daemon printed so far.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) has(word string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Contains(s.text.Bytes(), []byte(word))
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
