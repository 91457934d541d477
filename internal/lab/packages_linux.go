package lab

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Cached returns a directory below the user's cache that make filled, by its
// recipe: a word, "-" and what it is made of. One test process makes it, others
// wait; what it made appears at once.
func Cached(recipe string, make func(dir string) error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	word, _, _ := strings.Cut(recipe, "-")
	sum := sha256.Sum256([]byte(strings.TrimPrefix(recipe, word+"-")))
	dir := filepath.Join(cache, "constat", "lab", fmt.Sprintf("%s-%x", word, sum[:6]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	for err = unix.EINTR; errors.Is(err, unix.EINTR); err = unix.Flock(int(lock.Fd()), unix.LOCK_EX) {
	}
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), "part-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(part)
	if err := make(part); err != nil {
		return "", err
	}
	return dir, os.Rename(part, dir)
}

var errNoPackages = errors.New("Debian's packages")

// Debian is a directory with the files of Debian packages that need not be
// installed on this system: in a machine they do no harm, and nothing starts
// here. What they depend on must be among them, or on this system. It ends the
// test unless they are cached or can be had.
func Debian(t testing.TB, names ...string) string {
	t.Helper()
	dir, err := Cached("packages-"+strings.Join(names, " "), func(dir string) error {
		cmd := exec.Command("apt-get", append([]string{"download", "-qq"}, names...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: apt-get download %s: %w\n%s", errNoPackages, strings.Join(names, " "), err, out)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
		if err != nil || len(files) != len(names) {
			return fmt.Errorf("%w: %d files came, %v", errNoPackages, len(files), err)
		}
		for _, file := range files {
			if out, err := exec.Command("dpkg", "-x", file, dir).CombinedOutput(); err != nil {
				return fmt.Errorf("dpkg -x: %w\n%s", err, out)
			}
			if err := os.Remove(file); err != nil {
				return err
			}
		}
		return os.RemoveAll(filepath.Join(dir, "usr/share/doc"))
	})
	if errors.Is(err, errNoPackages) {
		Need(t, err.Error(), false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Install puts the files of Debian packages on the machine's disk, and has its
// services know them. None is started.
func (m *Machine) Install(names ...string) {
	m.t.Helper()
	files, err := exec.Command("tar", "-C", Debian(m.t, names...), "-c", ".").Output()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := m.Command(m.t.Context(), "tar", "-C", "/", "-x", "--keep-directory-symlink", "--no-overwrite-dir")
	cmd.Stdin = bytes.NewReader(files)
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("installing %v: %v\n%s", names, err, out)
	}
	m.Sh("ldconfig; systemd-sysusers; systemctl daemon-reload; busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig")
}
