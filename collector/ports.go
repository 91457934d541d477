package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// freePorts says which of the addresses that a collector would listen at another
// program has. One that runs already on the same data is not another one: it makes
// room when it is restarted.
func freePorts(ctx context.Context, s *settings) error {
	var taken error
	for _, at := range []struct{ key, address string }{{"grpc", s.GRPC}, {"http", s.HTTP}, {"syslog", s.Syslog}, {"syslog-tls", s.SyslogTLS}} {
		if at.address == "" {
			continue
		}
		var c net.ListenConfig
		l, err := c.Listen(ctx, "tcp", at.address)
		switch {
		case err == nil:
			l.Close()
		case errors.Is(err, syscall.EADDRINUSE) && !ownPort(s.Data, at.address):
			taken = errors.Join(taken, inUse(at.key, at.address))
		}
		// What else is in the way of listening may not be in the service's.
	}
	return taken
}

// ownPort says whether all that listen at an address's port belong to whom the
// data belong to. Where that can't be found out nothing is claimed of others.
func ownPort(data, address string) bool {
	_, text, err := net.SplitHostPort(address)
	port, err2 := strconv.ParseUint(text, 10, 16)
	if err != nil || err2 != nil {
		return true
	}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		file, err := os.Open(name)
		if err != nil {
			continue
		}
		foreign := foreignListener(file, uint16(port), ownerOf(data))
		file.Close()
		if foreign {
			return false
		}
	}
	return true
}

// nobody is no account's number.
const nobody = 1<<32 - 1

// foreignListener looks for somebody else's socket that listens at a port, in the
// kernel's table of sockets (proc_net_tcp: a line each, with local address and
// port, remote ones, state, queues, timer, retransmissions and user).
func foreignListener(table io.Reader, port uint16, owner uint32) bool {
	const listening = "0A"
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 8 || f[3] != listening {
			continue
		}
		_, text, _ := strings.Cut(f[1], ":")
		at, err := strconv.ParseUint(text, 16, 16)
		user, err2 := strconv.ParseUint(f[7], 10, 32)
		if err == nil && err2 == nil && uint16(at) == port && uint32(user) != owner {
			return true
		}
	}
	return false
}
