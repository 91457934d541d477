// Package local is the link between the agent's service and the programs of
// this machine's users (the command line, the tray): a UNIX socket, on Windows a
// named pipe, that any local user may open, over which the kernel says who is
// asking.
package local

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	constatv1 "constat/proto/constat/v1"
)

// maxMessage bounds what a local program can send: text, and a ticket's pictures.
const maxMessage = 10 << 20

// ErrNotRunning says that no agent listens.
var ErrNotRunning = errors.New("the agent is not running on this machine: start it with \"constat-agent service start\" or \"constat-agent run\"")

// inUse says that the link is another agent's.
func inUse(path string) error {
	return fmt.Errorf("another agent already listens on %s: stop it first, or use another --data directory", path)
}

// User is who is at the other end, by the kernel's word.
type User struct {
	// ID is the numeric user id, or the SID.
	ID string
	// Name is the account's name; the ID where it has none.
	Name string
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
	probe, err := dial(ctx, path)
	switch {
	case errors.Is(err, ErrNotRunning):
		return nil, ErrNotRunning
	case err != nil:
		return nil, fmt.Errorf("reaching the agent at %s: %w", path, err)
	}
	probe.Close()
	return grpc.NewClient("passthrough:///local",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx, path) }),
		grpc.WithTransportCredentials(peerCredentials{}))
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
