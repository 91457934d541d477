//go:build !linux && !windows

package host

import (
	"net"
	"syscall"
)

const bindsLinks = false

func boundTo(string) func(network, address string, c syscall.RawConn) error { return nil }

// hearRefusals has nothing to do here: a connected socket is told of closed
// ports.
func hearRefusals(net.Conn) {}
