package host

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// bindsLinks: sockets can be bound to a link without rights (since Linux 5.7).
const bindsLinks = true

// boundTo makes a socket use a link, whatever the routes prefer; nil for "".
func boundTo(link string) func(network, address string, c syscall.RawConn) error {
	if link == "" {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		var failed error
		if err := c.Control(func(fd uintptr) { failed = unix.BindToDevice(int(fd), link) }); err != nil {
			return err
		}
		return failed
	}
}

// hearRefusals has nothing to do here: a connected socket is told of closed
// ports.
func hearRefusals(net.Conn) {}
