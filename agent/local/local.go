// Package local is the link between the agent's service and the programs of
// this machine's users (the command line, the tray): a UNIX socket that any
// local user may open, over which the kernel says who is asking.
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	constatv1 "constat/proto/constat/v1"
)

// maxMessage bounds what a local program can send: text, and a ticket's pictures.
const maxMessage = 10 << 20

// ErrNotRunning says that no agent listens.
var ErrNotRunning = errors.New("the agent is not running on this machine: start it with \"constat-agent service start\" or \"constat-agent run\"")

// User is who is at the other end, by the kernel's word.
type User struct {
	// ID is the numeric user id, or the SID.
	ID string
	// Name is the account's name; the ID where it has none.
	Name string
}

// Socket is where the agent with its state in dir listens. An agent under a
// service manager has its runtime directory instead.
func Socket(dir string) string {
	if dir == SystemData {
		return systemSocket
	}
	return filepath.Join(dir, "agent.sock")
}

// Serve answers local programs on what Listen returned until ctx ends.
func Serve(ctx context.Context, l net.Listener, service constatv1.LocalServiceServer) error {
	server := grpc.NewServer(
		grpc.Creds(peerCredentials{}),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.NumStreamWorkers(0),
	)
	constatv1.RegisterLocalServiceServer(server, service)
	defer context.AfterFunc(ctx, server.Stop)()
	if err := server.Serve(l); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serving %s: %w", l.Addr(), err)
	}
	return nil
}

// Peer is the user whose call this is.
func Peer(ctx context.Context) (User, bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return User{}, false
	}
	info, ok := p.AuthInfo.(peerInfo)
	return info.user, ok
}

// Dial connects to the agent that listens on path. The error is ErrNotRunning
// where none does.
func Dial(ctx context.Context, path string) (*grpc.ClientConn, error) {
	var d net.Dialer
	probe, err := d.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNotRunning
	case err != nil:
		return nil, fmt.Errorf("reaching the agent at %s: %w", path, err)
	}
	probe.Close()
	return grpc.NewClient("passthrough:///"+path,
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		}),
		grpc.WithTransportCredentials(peerCredentials{}))
}

// Listen makes the socket, and the folder for it where there is none. Its mode
// lets every local user connect: what they may do is decided by who they are,
// not by who can open a file. A socket that a dead agent left behind is
// replaced; one that is in use is an error.
func Listen(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("another agent already listens on %s: stop it first, or use another --data directory", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of the agent's socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing the socket of an agent that ended: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// peerCredentials asks the kernel who is at the other end. It encrypts nothing:
// the bytes never leave the machine.
type peerCredentials struct{}

type peerInfo struct {
	credentials.CommonAuthInfo
	user User
}

func (peerInfo) AuthType() string { return "peer" }

func (peerCredentials) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	user, err := peerUser(c)
	if err != nil {
		c.Close()
		return nil, nil, fmt.Errorf("who is asking is unknown: %w", err)
	}
	return c, peerInfo{local(), user}, nil
}

func (peerCredentials) ClientHandshake(_ context.Context, _ string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c, peerInfo{CommonAuthInfo: local()}, nil
}

func local() credentials.CommonAuthInfo {
	return credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}
}

func (peerCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "peer"}
}

func (p peerCredentials) Clone() credentials.TransportCredentials { return p }

func (peerCredentials) OverrideServerName(string) error { return nil }
