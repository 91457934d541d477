package host

import (
	"encoding/binary"
	"net"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// bindsLinks: sockets can be told their link without rights (since Vista).
const bindsLinks = true

// boundTo makes a socket use a link, whatever the routes prefer; nil for "".
func boundTo(link string) func(network, address string, c syscall.RawConn) error {
	if link == "" {
		return nil
	}
	return func(network, _ string, c syscall.RawConn) error {
		i, err := net.InterfaceByName(link)
		if err != nil {
			return err
		}
		const unicastInterface = 31 // IP_UNICAST_IF and IPV6_UNICAST_IF (ws2ipdef.h)
		var failed error
		err = c.Control(func(fd uintptr) {
			if strings.HasSuffix(network, "6") {
				failed = windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_IPV6, unicastInterface, i.Index)
				return
			}
			// IPv4 takes the index in the network's order of bytes.
			var swapped [4]byte
			binary.BigEndian.PutUint32(swapped[:], uint32(i.Index))
			failed = windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_IP, unicastInterface, int(binary.LittleEndian.Uint32(swapped[:])))
		})
		if err != nil {
			return err
		}
		return failed
	}
}

// hearRefusals has Windows tell a connected socket that a port is closed, which
// Go forbids it for servers' sake (go.dev/issue/5834).
func hearRefusals(conn net.Conn) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		tell, returned := uint32(1), uint32(0)
		// Without it a refusal is silence.
		_ = windows.WSAIoctl(windows.Handle(fd), syscall.SIO_UDP_CONNRESET, (*byte)(unsafe.Pointer(&tell)), uint32(unsafe.Sizeof(tell)), nil, 0, &returned, nil, 0)
	})
}
