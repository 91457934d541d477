package host

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// echoSocket opens a socket for echo requests that are never fragmented: ones larger
// than the link takes are refused (ip(4), ip6(4)). It was compiled, and never executed.
func echoSocket(family int32) (net.PacketConn, error) {
	domain, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	options := [][3]int{{unix.IPPROTO_IP, unix.IP_DONTFRAG, 1}, {unix.IPPROTO_IP, unix.IP_STRIPHDR, 1}}
	if family == 6 {
		domain, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
		options = [][3]int{{unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1}}
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), "echo")
	defer file.Close()
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o[0], o[1], o[2]); err != nil {
			return nil, os.NewSyscallError("setsockopt", err)
		}
	}
	conn, err := net.FilePacketConn(file)
	if err != nil {
		return nil, fmt.Errorf("echo socket: %w", err)
	}
	return conn, nil
}
