package host

import (
	"net"

	"golang.org/x/sys/unix"
)

// saidAgain is how often the system had to say something twice on a connection
// that was just made, and whether that is known.
func saidAgain(conn net.Conn) (n uint32, known bool) {
	c, ok := conn.(*net.TCPConn)
	if !ok {
		return 0, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	err = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n, known = info.Total_retrans, true
		}
	})
	return n, known && err == nil
}
