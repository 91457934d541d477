package tray

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// doorbell is a socket of this user's at which the one tray of a session hears what
// to open: whoever starts a second one rings there, and ends.
func doorbell() (string, error) {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" || runtime.GOOS != "linux" {
		var err error
		if dir, err = os.UserCacheDir(); err != nil {
			return "", err
		}
	}
	dir = filepath.Join(dir, "constat")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	clean := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, seat())
	return filepath.Join(dir, fmt.Sprintf("tray%.40s.sock", clean)), nil
}

// ring asks the tray that runs in this session to open a view; false: none runs.
func ring(path, view string) bool {
	c, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := fmt.Fprintln(c, view); err != nil {
		return false
	}
	answer, _ := io.ReadAll(io.LimitReader(c, 16))
	return strings.TrimSpace(string(answer)) == "yes"
}

// hear opens what is asked for at the door, until ctx ends or the door is closed.
func hear(ctx context.Context, path string, open func(view string)) (io.Closer, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(2 * time.Second))
			view, err := bufio.NewReader(io.LimitReader(c, 64)).ReadString('\n')
			if err == nil {
				_, _ = fmt.Fprintln(c, "yes") // who asked may be gone
				if view = strings.TrimSpace(view); view != stay {
					open(view)
				}
			}
			c.Close()
		}
	}()
	return l, nil
}

// stay is what a second tray rings with that has nothing to open.
const stay = "-"
