package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// inquiry is what a program of the system is asked, by its path and with words
// that are fixed, but for names of disks, links and jobs, which are checked.
type inquiry struct {
	program string
	words   []string
	// limit is how long it may take; 0: as long as who asks. most is how many bytes
	// it may write.
	limit time.Duration
	most  int
	env   []string
}

// name is the program's.
func (q inquiry) name() string { return filepath.Base(q.program) }

// answer runs the program and returns what it wrote. One that does not end in time,
// or writes too much, is ended with what it started, and costs what it was asked
// for. Where it says itself that it failed, the error is an *exec.ExitError with the
// first line of its complaint, and what it wrote is returned too.
func (q inquiry) answer(ctx context.Context) ([]byte, error) {
	if q.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.limit)
		defer cancel()
	}
	out := limited{most: q.most}
	complaint := shortened{most: 500}
	c := exec.CommandContext(ctx, q.program, q.words...)
	c.Env, c.Stdout, c.Stderr = q.env, &out, &complaint
	c.WaitDelay = time.Second // children that keep its output open
	endsWithChildren(c)
	err := c.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && q.limit > 0:
		return nil, timedOut(q.name(), q.limit)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s was ended: %w", q.name(), ctx.Err())
	case out.over:
		return nil, fmt.Errorf("%s writes more than %d bytes", q.name(), q.most)
	case err != nil:
		first, _, _ := strings.Cut(strings.TrimSpace(string(complaint.kept)), "\n")
		return out.kept.Bytes(), fmt.Errorf("%s: %w %s", q.name(), err, first)
	}
	return out.kept.Bytes(), nil
}

// limited keeps what a program may write; more breaks its pipe. The buffer is not
// embedded: its ReadFrom would be taken for what copies, which knows no limit.
type limited struct {
	kept bytes.Buffer
	most int
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	if l.kept.Len()+len(p) > l.most {
		l.over = true
		return 0, errors.New("too much")
	}
	return l.kept.Write(p)
}

// shortened keeps the first bytes, and lets the rest go.
type shortened struct {
	kept []byte
	most int
}

func (s *shortened) Write(p []byte) (int, error) {
	s.kept = append(s.kept, p[:min(len(p), s.most-len(s.kept))]...)
	return len(p), nil
}
