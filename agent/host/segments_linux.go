package host

import (
	"net"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxPacket is the largest packet of IP (RFC 791).
const maxPacket = 65535

// clampsSegments: a socket can be told the largest segment before it connects.
const clampsSegments = true

// headers are the bytes of IP and TCP in a packet, without options of TCP,
// which count as data in a segment's size (RFC 6691).
var headers = map[int32]int32{4: 20 + 20, 6: 40 + 20}

// clampedTo makes a connection send, and ask for, packets up to a size; nil for
// 0, as large as they may be.
func clampedTo(size, family int32) func(network, address string, c syscall.RawConn) error {
	if size == 0 {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, int(size-headers[family]))
		})
		if err != nil {
			return err
		}
		return failed
	}
}

// pathOf tells the size of the largest packets of a connection's link, 0 when
// unknown, and whether a router said that they are too big for the path.
func pathOf(conn net.Conn) (full int32, told bool) {
	raw, ok := conn.(syscall.Conn)
	local, ok2 := conn.LocalAddr().(*net.TCPAddr)
	if !ok || !ok2 {
		return 0, false
	}
	links, err := net.Interfaces()
	if err != nil {
		return 0, false
	}
	for _, link := range links {
		addresses, _ := link.Addrs()
		if slices.ContainsFunc(addresses, func(a net.Addr) bool {
			own, ok := a.(*net.IPNet)
			return ok && own.IP.Equal(local.IP)
		}) {
			full = int32(min(link.MTU, maxPacket))
		}
	}
	c, err := raw.SyscallConn()
	if err != nil {
		return 0, false
	}
	var info *unix.TCPInfo
	if c.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }) != nil || err != nil {
		return 0, false
	}
	return full, int32(info.Pmtu) < full
}
