// Package privileged keeps the agent's rights in a process of their own.
//
// What talks to the network and parses its answers runs as an ordinary user.
// The little that needs rights (the raw firmware tables, disk health, later
// remedies) is done by a second process of the same binary that knows a fixed
// list of verbs, takes no command lines, opens no port, and parses nothing that
// comes from outside: it returns raw bytes. The exceptions are dialogues: with a
// wireless receiver, whose next question depends on the last answer (package
// hidpp), and with who is on the link or keeps its sign-in, of whose answers it
// looks at what tells them from others' and keeps private keys here. So it does
// with users' Kerberos tickets: of a file of them only a time leaves.
//
// It comes to life in one of three ways. Under systemd a socket unit starts it on
// demand and it ends when idle. Started as root by hand, [Split] makes it a
// child over an inherited socket pair before the parent gives its own rights up.
// On Windows it is the service, which starts the other half as its child with a
// token that can write next to nothing. On macOS there is no cut yet: see
// [Split].
package privileged

import (
	"bufio"
	"cmp"
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

// Limits of one request, of one answer, of why there is none, of the time a verb may take, and of how
// many work at the same time.
const (
	maxRequest = 16 << 10
	maxAnswer  = 4 << 20
	maxReason  = 2 << 10 // with its escapes it fits into a line of maxRequest
	verbTime   = 20 * time.Second
	maxWorking = 16
	// DefaultSocket is where the service manager listens for the helper.
	DefaultSocket = "/run/constat-agent-privileged.sock"
)

// slowVerbs are those that may take longer than verbTime: they wait for another
// program's work, or for a network to come back.
var slowVerbs = map[string]time.Duration{
	"renew-dhcp":       40 * time.Second,
	"restart-wifi":     80 * time.Second,
	"restart-printing": 2 * time.Minute,
	"set-clock":        time.Minute,
	"repair-package":   22 * time.Minute, // twice what a package manager may take, and some
}

func timeOf(verb string) time.Duration { return cmp.Or(slowVerbs[verb], verbTime) }

// ErrTakenBack says that a remedy was carried out and undone at once.
var ErrTakenBack = errors.New("it was taken back")

// Need is what will be asked of the privileged half.
type Need int

// Nothing; only what one look at the machine asks; or whatever comes.
const (
	Nothing Need = iota
	OneLook
	Anything
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

// request and its answer carry the same number: verbs work side by side, so
// that a disk that hangs does not keep the firmware's table waiting.
type request struct {
	Number   uint64 `json:"number"`
	Verb     string `json:"verb"`
	Argument string `json:"argument,omitempty"`
}

// answer is a line; Length bytes of content follow it as they are, because the
// kernel's log is large, and packing it into JSON costs more than reading it.
type answer struct {
	Number uint64 `json:"number"`
	Length int    `json:"length,omitempty"`
	// Class is "", "unsupported", "denied", "undone" or "failed".
	Class  string `json:"class,omitempty"`
	Reason string `json:"reason,omitempty"`

	content []byte
}

// write sends an answer in one piece.
func (a *answer) write(to io.Writer) error {
	a.Length, a.Reason = len(a.content), a.Reason[:min(len(a.Reason), maxReason)]
	head, err := json.Marshal(a)
	if err != nil {
		return err
	}
	pieces := net.Buffers{append(head, '\n'), a.content}
	_, err = pieces.WriteTo(to)
	return err
}

// readAnswer reads one answer.
func readAnswer(in *bufio.Reader) (a answer, err error) {
	head, err := in.ReadSlice('\n') // a longer line than the buffer is an error
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(head, &a); err != nil {
		return a, err
	}
	if a.Length < 0 || a.Length > maxAnswer {
		return a, fmt.Errorf("an answer of %d bytes", a.Length)
	}
	if a.Length > 0 {
		a.content = make([]byte, a.Length)
		_, err = io.ReadFull(in, a.content)
	}
	return a, err
}

// Serve answers requests, one a line, on one connection until it closes or
// nothing comes for the idle time (0: no limit); what is under way then is
// cancelled and waited for. A line that is no request, or longer than one can
// be, ends it: the other half is not trusted.
func Serve(ctx context.Context, c net.Conn, idle time.Duration) error {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	in := bufio.NewScanner(c)
	in.Buffer(nil, maxRequest)
	var (
		working sync.WaitGroup
		room    = make(chan struct{}, maxWorking)
		writing sync.Mutex
	)
	defer working.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var busy time.Time // until then a slow verb may be at work
	for {
		if idle > 0 {
			end := time.Now().Add(idle)
			if busy.After(end) {
				end = busy
			}
			_ = c.SetReadDeadline(end)
		}
		if !in.Scan() {
			if err := in.Err(); err != nil && !errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("privileged: reading a request: %w", err)
			}
			return nil
		}
		var r request
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			return fmt.Errorf("privileged: reading a request: %w", err)
		}
		if end := time.Now().Add(timeOf(r.Verb)); end.After(busy) {
			busy = end
		}
		room <- struct{}{}
		working.Go(func() {
			defer func() { <-room }()
			a := do(ctx, r)
			a.Number = r.Number
			writing.Lock()
			defer writing.Unlock()
			if err := a.write(c); err != nil {
				c.Close() // the other half sees that, and asks anew
			}
		})
	}
}

func do(ctx context.Context, r request) answer {
	act, ok := verbs[r.Verb]
	if !ok {
		return answer{Class: "unsupported", Reason: fmt.Sprintf("there is no verb %q", r.Verb)}
	}
	ctx, cancel := context.WithTimeout(ctx, timeOf(r.Verb))
	defer cancel()
	content, err := act(ctx, r.Argument)
	switch {
	case errors.Is(err, ErrTakenBack):
		return answer{Class: "undone", Reason: err.Error()}
	case errors.Is(err, fs.ErrNotExist):
		return answer{Class: "unsupported", Reason: err.Error()}
	case errors.Is(err, fs.ErrPermission):
		return answer{Class: "denied", Reason: err.Error()}
	case err != nil:
		return answer{Class: "failed", Reason: err.Error()}
	case len(content) > maxAnswer:
		return answer{Class: "failed", Reason: fmt.Sprintf("%d bytes, more than %d", len(content), maxAnswer)}
	}
	return answer{content: content}
}

// Client asks the privileged half. Its zero value has none, and says denied.
type Client struct {
	mu   sync.Mutex
	conn *connection
	// dial opens the connection anew where a service manager listens.
	dial func(ctx context.Context) (net.Conn, error)
	// ahead are the answers that were read before the rights were given up.
	ahead map[string]answer
	// whole: no cut was made, and this process does what verbs there are itself.
	whole bool
}

// Do asks for a verb. The error is, or wraps, fs.ErrPermission where rights are
// missing, and fs.ErrNotExist where this machine has no such thing. Calls work
// side by side; one that ctx ends is given up and costs the others nothing.
func (c *Client) Do(ctx context.Context, verb, argument string) ([]byte, error) {
	if a, read := c.ahead[verb]; read {
		if a.Class != "" {
			return nil, &refusal{a}
		}
		return a.content, nil
	}
	if _, here := verbs[verb]; c.whole && here {
		if a := do(ctx, request{Verb: verb, Argument: argument}); a.Class != "" {
			return nil, &refusal{a}
		} else {
			return a.content, nil
		}
	}
	conn, err := c.connected(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeOf(verb))
	defer cancel()
	return conn.ask(ctx, verb, argument)
}

// connected returns the connection, and opens it where there is none yet or the
// helper ended meanwhile.
func (c *Client) connected(ctx context.Context) (*connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil && c.conn.broken() == nil {
		return c.conn, nil
	}
	if c.dial == nil {
		return nil, fmt.Errorf("not started with the rights for it: %w", fs.ErrPermission)
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("the privileged half does not answer (%v): %w", err, fs.ErrPermission)
	}
	c.use(conn)
	return c.conn, nil
}

func (c *Client) use(conn net.Conn) {
	c.conn = &connection{conn: conn, waiting: map[uint64]chan<- answer{}, ended: make(chan struct{})}
	go c.conn.receive()
}

// Close ends the connection, and with it a helper that Split started.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return nil
	}
	err := c.conn.conn.Close()
	c.conn = nil
	return err
}

// connection brings answers to those who asked.
type connection struct {
	conn net.Conn

	writing sync.Mutex

	mu      sync.Mutex // guards what follows; never held while waiting
	number  uint64
	waiting map[uint64]chan<- answer
	err     error // why it ended
	ended   chan struct{}
}

func (c *connection) broken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// receive hands answers out until the connection ends.
func (c *connection) receive() {
	in := bufio.NewReaderSize(c.conn, maxRequest)
	for {
		a, err := readAnswer(in)
		c.mu.Lock()
		if err != nil {
			c.err = err
			c.mu.Unlock()
			c.conn.Close()
			close(c.ended)
			return
		}
		if to := c.waiting[a.Number]; to != nil {
			to <- a
			delete(c.waiting, a.Number)
		}
		c.mu.Unlock()
	}
}

func (c *connection) ask(ctx context.Context, verb, argument string) ([]byte, error) {
	answers := make(chan answer, 1)
	c.mu.Lock()
	c.number++
	number := c.number
	c.waiting[number] = answers
	c.mu.Unlock()
	c.writing.Lock()
	// A helper that reads nothing any more does not hold us for ever.
	_ = c.conn.SetWriteDeadline(time.Now().Add(verbTime))
	err := json.NewEncoder(c.conn).Encode(request{number, verb, argument})
	c.writing.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, number)
		c.mu.Unlock()
	}()
	if err != nil {
		c.conn.Close() // half a request may have gone: the stream is out of step
		return nil, fmt.Errorf("asking the privileged half: %w", err)
	}
	select {
	case a := <-answers:
		if a.Class != "" {
			return nil, &refusal{a}
		}
		return a.content, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("the privileged half, %s: %w", verb, ctx.Err())
	case <-c.ended:
		return nil, fmt.Errorf("the privileged half ended: %w", c.broken())
	}
}

// refusal is an answer other than content.
type refusal struct{ answer }

func (r *refusal) Error() string { return r.Reason }

func (r *refusal) Is(target error) bool {
	return r.Class == "denied" && target == fs.ErrPermission ||
		r.Class == "unsupported" && target == fs.ErrNotExist ||
		r.Class == "undone" && target == ErrTakenBack
}
