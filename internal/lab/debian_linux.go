package lab

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What a fresh computer has: Debian as its installer makes it at the least, and
// the package tools of others. Its systemd knows no "lab".
const (
	debianSuite    = "bookworm"
	debianPackages = "systemd,systemd-sysv,dbus,rpm,dnf"
)

//go:embed debian.sh
var bootDebian string

// errNoMirror says that nothing of Debian can be had here.
var errNoMirror = errors.New("a Debian mirror")

// StartDebian starts a computer on a host of a world that is nothing of this
// system: a fresh Debian, made once and kept in the cache, which systemd-nspawn
// boots as any other. What is done to it is gone when the test ends.
func StartDebian(t testing.TB, w *World, host string) *Machine {
	t.Helper()
	Need(t, "root, to boot a computer in a container", os.Geteuid() == 0)
	for program, from := range map[string]string{"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux"} {
		_, err := exec.LookPath(program)
		Need(t, program+" (Debian: "+from+")", err == nil)
	}
	dir, err := Cached("debian-"+debianSuite+" "+debianPackages, func(dir string) error {
		from, err := Mirror()
		if err != nil {
			return err
		}
		out, err := exec.Command("mmdebstrap", "--quiet", "--variant=minbase", "--include="+debianPackages, debianSuite, filepath.Join(dir, "root"), from).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: mmdebstrap: %w\n%s", errNoMirror, err, out)
		}
		return nil
	})
	if errors.Is(err, errNoMirror) {
		Need(t, err.Error(), false)
	}
	if err != nil {
		t.Fatal(err)
	}
	disk, etc := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{"hostname": host + "-lab\n", "resolv.conf": "", "hosts": ""} {
		if own, err := os.ReadFile(filepath.Join(w.etc(host), name)); err == nil {
			content = string(own)
		}
		if name == "hosts" {
			content = "127.0.0.1 localhost " + host + "-lab\n" + strings.TrimPrefix(content, "127.0.0.1 localhost\n")
		}
		if err := os.WriteFile(filepath.Join(etc, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := &Machine{t: t}
	m.start("", "sh", "-c", bootDebian, "boot", disk, filepath.Join(dir, "root"), etc, "/run/netns/"+w.Namespace(host), controlGroup(t))
	// What booted is a child of what booted it.
	boots := m.pid
	w.Await("the computer's process 1", func() error {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", boots, boots))
		if err != nil {
			return err
		}
		for child := range strings.FieldsSeq(string(children)) {
			name, err := os.ReadFile("/proc/" + child + "/comm")
			if err == nil && string(bytes.TrimSpace(name)) == "systemd" {
				_, err = fmt.Sscan(child, &m.pid)
				return err
			}
		}
		return errors.New("not there yet")
	})
	w.Await("the computer's services", func() error {
		out, err := m.Command(context.Background(), "systemctl", "is-active", "multi-user.target").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	return m
}

// Mirror is where this machine's own Debian packages come from.
func Mirror() (string, error) {
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)").Output()
	if err != nil {
		return "", fmt.Errorf("%w: apt-get indextargets: %w", errNoMirror, err)
	}
	for line := range strings.Lines(string(out)) {
		if site, release, found := strings.Cut(strings.TrimSpace(line), " "); found && !strings.Contains(release, "-") {
			return site, nil
		}
	}
	return "", errNoMirror
}
