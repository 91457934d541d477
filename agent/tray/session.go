package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"sync"

	"constat/agent/page"
)

// session is one user's: where their agent listens, and the page that is served
// for them from the first click on.
type session struct {
	socket, language string

	mu   sync.Mutex
	page *page.Page
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
