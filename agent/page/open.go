package page

import (
	"crypto/rand"
	"errors"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Way makes a file that leads a browser to the page, and there to a view ("" or its
// name). It is this user's alone, good once and for a minute, and goes away when it
// was used, when its time is over, and when the page ends.
func (p *Page) Way(view string) (file string, err error) {
	dir, err := wayDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder of your own to open the page from: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	sweep(dir)
	f, err := os.CreateTemp(dir, "open-*.html") // 0600
	if err != nil {
		return "", err
	}
	token := rand.Text()
	address := fmt.Sprintf("http://%s/#%s", p.address, token)
	if view != "" {
		address += "/" + view
	}
	_, err = fmt.Fprintf(f, "<!doctype html><meta charset=utf-8><title>Constat</title><meta name=referrer content=no-referrer><meta http-equiv=refresh content=\"0;url=%s\">\n", html.EscapeString(address))
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	p.mu.Lock()
	p.ways[token] = way{f.Name(), time.Now().Add(tokenFor)}
	p.mu.Unlock()
	time.AfterFunc(tokenFor, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.ways, token)
		os.Remove(f.Name())
	})
	return f.Name(), nil
}

// sweep removes what programs left behind that were killed.
func sweep(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, "open-*.html")) // the pattern is a constant
	for _, name := range left {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > 2*tokenFor {
			os.Remove(name)
		}
	}
}

// wayDir is a folder of this user's that their browser may read. A browser from a
// snap sees no hidden folder and none of the runtime directory
// (snapcraft.io/docs/home-interface), but its own.
func wayDir() (string, error) {
	if home, err := os.UserHomeDir(); err == nil && runtime.GOOS == "linux" {
		if _, err := os.Stat(filepath.Join(home, "snap")); err == nil {
			// firefox_firefox.desktop is what snapd calls the one of the snap firefox.
			out, _ := exec.Command("xdg-settings", "get", "default-web-browser").Output()
			name, _, isSnap := strings.Cut(strings.TrimSpace(string(out)), "_")
			own := filepath.Join(home, "snap", filepath.Base(name), "common")
			if info, err := os.Stat(own); isSnap && err == nil && info.IsDir() {
				return filepath.Join(own, "constat"), nil
			}
		}
	}
	dir, err := os.Getenv("XDG_RUNTIME_DIR"), error(nil)
	if dir == "" || runtime.GOOS != "linux" {
		dir, err = os.UserCacheDir()
	}
	return filepath.Join(dir, "constat"), err
}
