package lab

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
)

// FreeAddress is a loopback address, HOST:PORT, for a program that is told where to
// listen, or where nobody is to. The network is tcp or udp. Nothing listens there,
// and nothing takes it by chance before the program does: the port is below those
// that systems give to sockets that ask for any (from 32768 in Linux'
// ip_local_port_range, from 49152 elsewhere, RFC 6335 section 6).
func FreeAddress(t testing.TB, network string) string {
	t.Helper()
	var err error
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(22_000))
		var held io.Closer
		if network == "udp" {
			held, err = net.ListenPacket(network, address)
		} else {
			held, err = net.Listen(network, address)
		}
		if err == nil {
			held.Close()
			return address
		}
	}
	t.Fatalf("no free port: %v", err)
	return ""
}
