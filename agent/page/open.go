package page

import (
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"time"
)

// Way makes a file that leads a browser to the page, and there to a view ("" or a
// complaint). It is this user's alone, good once and for a minute, and goes away
// by itself.
func (p *Page) Way(view string) (file string, err error) {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		if dir, err = os.UserCacheDir(); err != nil {
			return "", fmt.Errorf("there is no folder of your own to open the page from: %w", err)
		}
	}
	dir = filepath.Join(dir, "constat")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, "open-*.html") // 0600
	if err != nil {
		return "", err
	}
	address := fmt.Sprintf("http://%s/#%s", p.address, p.token())
	if view != "" {
		address += "/" + view
	}
	_, err = fmt.Fprintf(f, "<!doctype html><meta charset=utf-8><title>Constat</title><meta name=referrer content=no-referrer><meta http-equiv=refresh content=\"0;url=%s\">\n", html.EscapeString(address))
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	time.AfterFunc(tokenFor, func() { os.Remove(f.Name()) })
	return f.Name(), nil
}
