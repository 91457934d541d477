// Package privileged keeps the agent's rights in a process of their own.
//
// What talks to the network and parses its answers runs as an ordinary user.
// The little that needs rights (the raw firmware tables, later disk health and
// remedies) is done by a second process of the same binary that knows a fixed
// list of verbs, takes no command lines, listens to no network, and parses
// nothing that comes from outside: it returns raw bytes.
//
// It comes to life in one of two ways. Under systemd a socket unit starts it on
// demand and it ends when idle. Started as root by hand, [Split] makes it a
// child over an inherited socket pair before the parent gives its own rights up.
// On Windows and macOS there is no cut yet: see [Split].
package privileged

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"sync"
	"time"
)

// Limits of one answer and of the time a verb may take.
const (
	maxAnswer = 4 << 20
	verbTime  = 20 * time.Second
	// DefaultSocket is where the service manager listens for the helper.
	DefaultSocket = "/run/constat-agent/privileged.sock"
)

// verb does one thing with rights. Arguments are checked by the verb itself.
type verb func(ctx context.Context, argument string) ([]byte, error)

// Verbs are the names of all that can be asked on this system, sorted.
func Verbs() []string {
	var names []string
	for name := range verbs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

type request struct {
	Verb     string `json:"verb"`
	Argument string `json:"argument,omitempty"`
}

type answer struct {
	Content []byte `json:"content,omitempty"`
	// Class is "", "unsupported", "denied" or "failed".
	Class  string `json:"class,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Serve answers requests on one connection until it closes or nothing comes
// for the idle time (0: no limit).
func Serve(ctx context.Context, c net.Conn, idle time.Duration) error {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	in := json.NewDecoder(io.LimitReader(c, 1<<40))
	out := json.NewEncoder(c)
	for {
		if idle > 0 {
			_ = c.SetReadDeadline(time.Now().Add(idle))
		}
		var r request
		if err := in.Decode(&r); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("privileged: reading a request: %w", err)
		}
		if err := out.Encode(do(ctx, r)); err != nil {
			return fmt.Errorf("privileged: answering: %w", err)
		}
	}
}

func do(ctx context.Context, r request) answer {
	act, ok := verbs[r.Verb]
	if !ok {
		return answer{Class: "unsupported", Reason: fmt.Sprintf("there is no verb %q", r.Verb)}
	}
	ctx, cancel := context.WithTimeout(ctx, verbTime)
	defer cancel()
	content, err := act(ctx, r.Argument)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return answer{Class: "unsupported", Reason: err.Error()}
	case errors.Is(err, fs.ErrPermission):
		return answer{Class: "denied", Reason: err.Error()}
	case err != nil:
		return answer{Class: "failed", Reason: err.Error()}
	case len(content) > maxAnswer:
		return answer{Class: "failed", Reason: fmt.Sprintf("%d bytes, more than %d", len(content), maxAnswer)}
	}
	return answer{Content: content}
}

// Client asks the privileged half. Its zero value has none, and says denied.
type Client struct {
	mu   sync.Mutex
	conn net.Conn
	in   *json.Decoder
	// dial opens the connection anew where a service manager listens.
	dial func(ctx context.Context) (net.Conn, error)
}

// Do asks for a verb. The error is, or wraps, fs.ErrPermission where rights are
// missing, and fs.ErrNotExist where this machine has no such thing.
func (c *Client) Do(ctx context.Context, verb, argument string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		if c.dial == nil {
			return nil, fmt.Errorf("not started with the rights for it: %w", fs.ErrPermission)
		}
		conn, err := c.dial(ctx)
		if err != nil {
			return nil, fmt.Errorf("the privileged half does not answer (%v): %w", err, fs.ErrPermission)
		}
		c.use(conn)
	}
	content, err := c.ask(ctx, verb, argument)
	var refused *refusal
	if err != nil && !errors.As(err, &refused) {
		// The stream is out of step: start again next time.
		c.conn.Close()
		c.conn = nil
	}
	return content, err
}

func (c *Client) use(conn net.Conn) {
	c.conn = conn
	c.in = json.NewDecoder(conn)
}

func (c *Client) ask(ctx context.Context, verb, argument string) ([]byte, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(verbTime)
	}
	if err := c.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(c.conn).Encode(request{verb, argument}); err != nil {
		return nil, fmt.Errorf("asking the privileged half: %w", err)
	}
	var a answer
	if err := c.in.Decode(&a); err != nil {
		return nil, fmt.Errorf("the privileged half: %w", err)
	}
	if a.Class != "" {
		return nil, &refusal{a}
	}
	return a.Content, nil
}

// Close ends the connection, and with it a helper that Split started.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return nil
	}
	err := c.conn.Close()
	c.conn = nil
	return err
}

// refusal is an answer other than content.
type refusal struct{ answer }

func (r *refusal) Error() string { return r.Reason }

func (r *refusal) Is(target error) bool {
	return r.Class == "denied" && target == fs.ErrPermission ||
		r.Class == "unsupported" && target == fs.ErrNotExist
}
