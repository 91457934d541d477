package local

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// systemPipe is the service's; others are told apart by their directory.
const systemPipe = `\\.\pipe\constat-agent`

// Socket is the name of the pipe on which the agent with its state in dir
// listens.
func Socket(dir string) string {
	if full, err := filepath.Abs(dir); err == nil {
		dir = full
	}
	if strings.EqualFold(dir, SystemData) {
		return systemPipe
	}
	return fmt.Sprintf("%s-%x", systemPipe, sha256.Sum256([]byte(strings.ToLower(dir))))[:len(systemPipe)+17]
}

// useRights are what a client asks for: to read, to write, and to see whose pipe
// it is. What GENERIC_WRITE has besides is the right to make another instance of
// the pipe, and so to answer in the agent's place.
const useRights = windows.FILE_GENERIC_READ | windows.FILE_GENERIC_WRITE&^windows.FILE_APPEND_DATA

// security is who may do what with the pipe: the system, administrators and who
// runs the agent all of it, people at this computer talk, nobody over the
// network.
func security(me string) string {
	return fmt.Sprintf("O:%sD:P(D;;GA;;;NU)(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;%s)(A;;GA;;;%s)(A;;%#x;;;IU)",
		me, me, ServiceSID, uint32(useRights))
}

// me is the user this process runs as.
func me() (string, error) {
	u, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", err
	}
	return u.User.Sid.String(), nil
}

// pipe is one connection.
type pipe struct {
	*os.File
	name string
	// ahead was read before the pipe was handed on.
	ahead []byte
}

func (p *pipe) Read(b []byte) (int, error) {
	if len(p.ahead) > 0 {
		n := copy(b, p.ahead)
		p.ahead = p.ahead[n:]
		return n, nil
	}
	return p.File.Read(b)
}

func (p *pipe) LocalAddr() net.Addr  { return pipeAddr(p.name) }
func (p *pipe) RemoteAddr() net.Addr { return pipeAddr(p.name) }

type pipeAddr string

func (pipeAddr) Network() string  { return "pipe" }
func (a pipeAddr) String() string { return string(a) }

// busyPause is how long a client waits for a free instance before it asks again.
const busyPause = 10 * time.Millisecond

func dial(ctx context.Context, path string) (net.Conn, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	for {
		// Who listens may learn who is asking, and not act in our name.
		handle, err := windows.CreateFile(name, useRights, 0, nil, windows.OPEN_EXISTING,
			windows.FILE_FLAG_OVERLAPPED|windows.SECURITY_SQOS_PRESENT|windows.SECURITY_IDENTIFICATION, 0)
		switch {
		case errors.Is(err, windows.ERROR_FILE_NOT_FOUND):
			return nil, ErrNotRunning
		case errors.Is(err, windows.ERROR_PIPE_BUSY):
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(busyPause):
				continue
			}
		case err != nil:
			return nil, err
		}
		if err := trusted(handle, path); err != nil {
			_ = windows.CloseHandle(handle)
			return nil, err
		}
		return &pipe{File: os.NewFile(uintptr(handle), path), name: path}, nil
	}
}

// trusted refuses a pipe of the service's name that somebody else made: what is
// said there are a user's words, and what is answered gets a user's consent.
func trusted(handle windows.Handle, path string) error {
	if path != systemPipe {
		return nil // its directory was named by who asks
	}
	sd, err := windows.GetSecurityInfo(handle, windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("asking whose pipe it is: %w", err)
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return err
	}
	own, err := me()
	if err != nil {
		return err
	}
	if owner.IsWellKnown(windows.WinLocalSystemSid) || owner.IsWellKnown(windows.WinBuiltinAdministratorsSid) || owner.String() == own {
		return nil
	}
	return fmt.Errorf("it belongs to %s and not to the agent's service: tell your administrator", owner)
}

// listener waits on one instance of a pipe, and has the next one made before it
// hands that out: the name never goes away.
type listener struct {
	name     string
	security *windows.SecurityAttributes
	closing  windows.Handle // an event

	accepting sync.Mutex
	next      windows.Handle
	waiting   windows.Overlapped // the kernel writes into it: it must not move
	closed    bool

	close sync.Once
}

// Listen makes the pipe. One that is in use is an error.
func Listen(path string) (net.Listener, error) {
	own, err := me()
	if err != nil {
		return nil, err
	}
	sd, err := windows.SecurityDescriptorFromString(security(own))
	if err != nil {
		return nil, fmt.Errorf("the rights of %s: %w", path, err)
	}
	if c, err := dial(context.Background(), path); err == nil {
		c.Close()
		return nil, inUse(path)
	}
	l := &listener{name: path, security: &windows.SecurityAttributes{SecurityDescriptor: sd}}
	l.security.Length = uint32(unsafe.Sizeof(*l.security))
	if l.closing, err = windows.CreateEvent(nil, 1, 0, nil); err != nil {
		return nil, err
	}
	l.next, err = l.instance(windows.FILE_FLAG_FIRST_PIPE_INSTANCE)
	if err != nil {
		_ = windows.CloseHandle(l.closing)
		if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
			return nil, inUse(path)
		}
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	return l, nil
}

func (l *listener) instance(flags uint32) (windows.Handle, error) {
	const buffer = 64 << 10
	name, err := windows.UTF16PtrFromString(l.name)
	if err != nil {
		return 0, err
	}
	return windows.CreateNamedPipe(name, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED|flags,
		windows.PIPE_TYPE_BYTE|windows.PIPE_READMODE_BYTE|windows.PIPE_WAIT|windows.PIPE_REJECT_REMOTE_CLIENTS,
		windows.PIPE_UNLIMITED_INSTANCES, buffer, buffer, 0, l.security)
}

func (l *listener) Accept() (net.Conn, error) {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	for {
		if l.closed {
			return nil, net.ErrClosed
		}
		err := l.connected()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		handle := l.next
		next, made := l.instance(0)
		if made != nil {
			return nil, fmt.Errorf("listening on %s: %w", l.name, made)
		}
		l.next = next
		if err != nil { // it came and went
			_ = windows.CloseHandle(handle)
			continue
		}
		return &pipe{File: os.NewFile(uintptr(handle), l.name), name: l.name}, nil
	}
}

// connected waits until somebody opens the instance that is next.
func (l *listener) connected() error {
	came, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(came)
	l.waiting = windows.Overlapped{HEvent: came}
	err = windows.ConnectNamedPipe(l.next, &l.waiting)
	switch {
	case errors.Is(err, windows.ERROR_PIPE_CONNECTED):
		return nil
	case !errors.Is(err, windows.ERROR_IO_PENDING):
		return err
	}
	var n uint32
	which, err := windows.WaitForMultipleObjects([]windows.Handle{l.closing, came}, false, windows.INFINITE)
	if err == nil && which == windows.WAIT_OBJECT_0+1 {
		return windows.GetOverlappedResult(l.next, &l.waiting, &n, false)
	}
	_ = windows.CancelIoEx(l.next, &l.waiting)
	_ = windows.GetOverlappedResult(l.next, &l.waiting, &n, true)
	return errors.Join(net.ErrClosed, err)
}

// Close ends a waiting Accept. Connections that were handed out stay.
func (l *listener) Close() error {
	err := net.ErrClosed
	l.close.Do(func() {
		if err = windows.SetEvent(l.closing); err != nil {
			return
		}
		l.accepting.Lock()
		defer l.accepting.Unlock()
		l.closed = true
		err = errors.Join(windows.CloseHandle(l.next), windows.CloseHandle(l.closing))
	})
	return err
}

func (l *listener) Addr() net.Addr { return pipeAddr(l.name) }
