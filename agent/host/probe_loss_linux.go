package host

import (
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// saidAgain is how often the system had to say something twice on a connection
// that was just made, what the system itself measured from the question to its
// answer, and whether that is known.
func saidAgain(conn net.Conn) (n uint32, took time.Duration, known bool) {
	c, ok := conn.(*net.TCPConn)
	if !ok {
		return 0, 0, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, 0, false
	}
	err = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n, took, known = info.Total_retrans, time.Duration(info.Rtt)*time.Microsecond, true
		}
	})
	return n, took, known && err == nil
}

// signOfLife tells whether a connection that began so long ago was asked for a
// sign of life, and gave it. While it was not given, the kernel counts what it
// asked; whatever comes is an answer.
func signOfLife(conn net.Conn, age time.Duration) (asked, answered bool) {
	c, ok := conn.(*net.TCPConn)
	if !ok {
		return false, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false, false
	}
	_ = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil || info.State != unix.BPF_TCP_ESTABLISHED {
			return
		}
		answered = info.Probes == 0 && time.Duration(info.Last_ack_recv)*time.Millisecond < age-keptIdle*9/10
		asked = answered || info.Probes > 0
	})
	return asked, answered
}

// saidAgainByAll is how many TCP segments this system had to say twice since it
// began, and whether that is known (RFC 4022, tcpRetransSegs).
func saidAgainByAll() (n uint64, known bool) {
	content, err := os.ReadFile("/proc/net/snmp")
	if err != nil {
		return 0, false
	}
	return repetitions(content)
}
