package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/sys/unix"
)

// sendSizes sends echo requests of these sizes with "don't fragment" set and no
// regard for what the kernel learned of the path, and collects the replies.
func sendSizes(ctx context.Context, target netip.Addr, wanted []int32) (*sizes, error) {
	conn, err := echoSocket(familyOf(target))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	e, header := echoes[familyOf(target)], 20+8
	if familyOf(target) == 6 {
		header = 40 + 8
	}
	seen := &sizes{answered: map[int32]bool{}, refused: map[int32]bool{}}
	to := &net.UDPAddr{IP: target.AsSlice(), Zone: target.Zone()}
	start := time.Now()
	buffer := make([]byte, 2048)
	for i := range mtuTimes {
		for n, size := range wanted {
			if seen.answered[size] || seen.refused[size] {
				continue
			}
			message, err := (&icmp.Message{Type: e.request, Body: &icmp.Echo{Seq: n + 1, Data: make([]byte, int(size)-header)}}).Marshal(nil)
			if err != nil {
				return nil, err
			}
			if _, err = conn.WriteTo(message, to); errors.Is(err, unix.EMSGSIZE) {
				// What a router said of a packet before may have waited here.
				_, err = conn.WriteTo(message, to)
				seen.refused[size] = errors.Is(err, unix.EMSGSIZE)
				seen.told = seen.told || err == nil
			}
		}
		until := start.Add(3 * mtuLimit) // ctx ends before that
		if i+1 < len(mtuTimes) {
			until = start.Add(mtuTimes[i+1])
		}
		if err := conn.SetReadDeadline(until); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return seen, nil
		}
		for !seen.answered[wanted[len(wanted)-1]] {
			n, _, err := conn.ReadFrom(buffer)
			if errors.Is(err, unix.EMSGSIZE) {
				seen.told = true
				continue
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return seen, nil
			}
			m, err := icmp.ParseMessage(e.protocol, buffer[:n])
			if err != nil || m.Type != e.reply {
				continue
			}
			if body, ok := m.Body.(*icmp.Echo); ok && body.Seq >= 1 && body.Seq <= len(wanted) {
				seen.answered[wanted[body.Seq-1]] = true
			}
		}
	}
	return seen, nil
}

// echoSocket opens a socket for echo requests that are never fragmented, and
// that is told what routers say of them.
func echoSocket(family int32) (net.PacketConn, error) {
	domain, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	options := [][3]int{{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE}, {unix.IPPROTO_IP, unix.IP_RECVERR, 1}}
	if family == 6 {
		domain, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
		options = [][3]int{{unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE}, {unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1}}
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
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
