package tray

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"

	"constat/agent/page"
)

// session is one user's: where their agent listens, and the page that is served
// for them from the first click on.
type session struct {
	socket, language string
	program          program
	door             io.Closer // where others ring; nil: nowhere

	mu   sync.Mutex
	page *page.Page
}

// start is the tray of this session until it is closed, or tells the one that runs
// already what to open.
func (s *session) start(view string, opens bool) error {
	path, err := doorbell()
	if err != nil {
		return fmt.Errorf("there is no folder of your own for the tray: %w", err)
	}
	asked := stay
	if opens {
		asked = view
	}
	if ring(path, asked) {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	open := func(view string) {
		if err := s.open(ctx, view); err != nil {
			fmt.Fprintln(os.Stderr, "constat-tray:", err)
		}
	}
	if s.door, err = hear(ctx, path, open); err != nil {
		// Two icons are better than none.
		fmt.Fprintln(os.Stderr, "constat-tray: a second one will not find this one:", err)
	}
	if opens {
		open(view)
	}
	return show(ctx, s)
}

// open shows a view of the page in the user's browser.
func (s *session) open(ctx context.Context, view string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.page == nil {
		p, err := page.Serve(ctx, s.socket, s.language)
		if err != nil {
			return err
		}
		s.page = p
	}
	way, err := s.page.Way(view)
	if err != nil {
		return err
	}
	return browse(way)
}

// browse opens a file with what the system opens pages with.
func browse(file string) error {
	program, arguments := "xdg-open", []string{file}
	switch runtime.GOOS {
	case "windows":
		program, arguments = "rundll32", []string{"url.dll,FileProtocolHandler", file}
	case "darwin":
		program = "open"
	}
	command := exec.Command(program, arguments...)
	if err := command.Start(); err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	go func() { _ = command.Wait() }() // some browsers stay in the foreground
	return nil
}
