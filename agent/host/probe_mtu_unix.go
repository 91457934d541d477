//go:build linux || darwin

package host

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
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
	mark, id := []byte(rand.Text()), int(binary.BigEndian.Uint16([]byte(rand.Text())))
	start := time.Now()
	buffer := make([]byte, 2048)
	for i := range mtuTimes {
		for n, size := range wanted {
			if seen.answered[size] || seen.refused[size] {
				continue
			}
			data := make([]byte, int(size)-header)
			copy(data, mark)
			message, err := (&icmp.Message{Type: e.request, Body: &icmp.Echo{ID: id, Seq: n + 1, Data: data}}).Marshal(nil)
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
			if err != nil {
				continue
			}
			if body, ok := m.Body.(*icmp.Echo); ok && m.Type == e.reply && bytes.HasPrefix(body.Data, mark) && body.Seq >= 1 && body.Seq <= len(wanted) {
				seen.answered[wanted[body.Seq-1]] = true
			}
			seen.told = seen.told || tooBig(m, target, id)
		}
	}
	return seen, nil
}

// tooBig tells that a router says of a request to the target, with this identifier, that
// it is too big (RFC 792, RFC 1191 4; RFC 4443 3.2): it quotes the packet's beginning.
// Linux tells the socket so as an error of its next call, macOS shows the message.
func tooBig(m *icmp.Message, target netip.Addr, id int) bool {
	var quoted, to, request []byte
	switch body := m.Body.(type) {
	case *icmp.DstUnreach:
		const fragmentationNeeded = 4
		quoted = body.Data
		if m.Type != ipv4.ICMPTypeDestinationUnreachable || m.Code != fragmentationNeeded || len(quoted) < 20 {
			return false
		}
		to, request = quoted[16:20], quoted[min(len(quoted), int(quoted[0]&15)*4):]
	case *icmp.PacketTooBig:
		quoted = body.Data
		if len(quoted) < 40 {
			return false
		}
		to, request = quoted[24:40], quoted[40:]
	default:
		return false
	}
	return bytes.Equal(to, target.AsSlice()) && len(request) >= 6 && int(binary.BigEndian.Uint16(request[4:])) == id
}

// echoSocket opens a socket for echo requests that are never fragmented, with the
// system's echoOptions.
func echoSocket(family int32) (net.PacketConn, error) {
	domain, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if family == 6 {
		domain, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	syscall.ForkLock.RLock() // no program is started that would inherit it
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM, protocol)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), "echo")
	defer file.Close()
	for _, o := range echoOptions[family] {
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
