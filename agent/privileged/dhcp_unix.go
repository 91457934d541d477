//go:build linux || darwin

package privileged

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// maxListen is how long answers are listened for at most, and askAgain when
	// a question is repeated, so that one lost frame means nothing.
	maxListen = 4 * time.Second
	askAgain  = 400 * time.Millisecond
	// maxOffers bounds what is returned: a network has one server or two.
	maxOffers = 16
)

// Types of what Ethernet carries (IEEE 802 Numbers).
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
)

var broadcast = &packet.Addr{HardwareAddr: net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}

// ethernet is the link that an argument names first, and what follows.
func ethernet(argument string) (*net.Interface, string, error) {
	name, rest, _ := strings.Cut(argument, " ")
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil, "", fmt.Errorf("link %q: %w", name, err)
	}
	if link.Flags&net.FlagLoopback != 0 || len(link.HardwareAddr) != 6 {
		return nil, "", fmt.Errorf("link %s is no Ethernet: %w", name, errors.ErrUnsupported)
	}
	return link, rest, nil
}

// listenTime reads how many milliseconds are to be listened.
func listenTime(text string) (time.Duration, error) {
	milliseconds, err := strconv.Atoi(text)
	listen := time.Duration(milliseconds) * time.Millisecond
	if err != nil || listen <= 0 || listen > maxListen {
		return 0, fmt.Errorf("%q is no time to listen", text)
	}
	return listen, nil
}

// hearOffers asks a link for DHCP servers, by DISCOVER, and returns their OFFERs
// (RFC 2131). The argument is "LINK MILLISECONDS", how long is listened. Each
// offer is the sender's hardware address and the message behind UDP, the length
// of both in front as two bytes, big endian. None is taken: no server is ever
// sent a REQUEST.
func hearOffers(ctx context.Context, argument string) ([]byte, error) {
	link, text, err := ethernet(argument)
	if err != nil {
		return nil, err
	}
	listen, err := listenTime(text)
	if err != nil {
		return nil, errors.New(`the argument must be "LINK MILLISECONDS"`)
	}
	conn, err := listenEthernet(link, etherIPv4, offers())
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", link.Name, err)
	}
	defer func() { go conn.Close() }() // which waits for other processors
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	discover := discovery(link.HardwareAddr, id)
	send := func() error {
		_, err := conn.WriteTo(discover, broadcast)
		return err
	}
	if err := send(); err != nil {
		return nil, fmt.Errorf("asking on %s: %w", link.Name, err)
	}
	again := time.AfterFunc(min(askAgain, listen/2), func() { _ = send() })
	defer again.Stop()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	if err := conn.SetReadDeadline(time.Now().Add(listen)); err != nil {
		return nil, err
	}
	var found []byte
	buffer := make([]byte, maxFrame)
	for heard := 0; heard < maxOffers; {
		n, from, err := conn.ReadFrom(buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return found, nil
		case err != nil:
			return nil, fmt.Errorf("listening on %s: %w", link.Name, err)
		}
		const udp = 20 + 8 // the filter lets no options of IP through
		sender, ok := from.(*packet.Addr)
		if n < udp+8 || !ok || len(sender.HardwareAddr) != 6 || string(buffer[udp+4:udp+8]) != string(id[:]) {
			continue // an answer to somebody else
		}
		heard++
		found = binary.BigEndian.AppendUint16(found, uint16(6+n-udp))
		found = append(append(found, sender.HardwareAddr...), buffer[udp:n]...)
	}
	return found, nil
}

// offers lets UDP from port 67 to port 68 through, of packets without options.
func offers() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x45, SkipFalse: 5},
		bpf.LoadAbsolute{Off: 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipFalse: 3},
		bpf.LoadAbsolute{Off: 20, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 67<<16 | 68, SkipFalse: 1},
		bpf.RetConstant{Val: maxFrame},
		bpf.RetConstant{Val: 0},
	}
}

// discovery is a DHCPDISCOVER in UDP and IP. The client's identifier is what
// most clients send, so that a server offers the address it gave before.
func discovery(mac net.HardwareAddr, id [4]byte) []byte {
	const (
		request, ether, toAll = 1, 1, 0x8000
		fixed                 = 236
	)
	message := make([]byte, fixed, 300)
	message[0], message[1], message[2] = request, ether, 6
	copy(message[4:], id[:])
	binary.BigEndian.PutUint16(message[10:], toAll)
	copy(message[28:], mac)
	message = append(message, 99, 130, 83, 99, // what follows are options (RFC 2131 3)
		53, 1, 1, // DISCOVER
		61, 7, ether)
	message = append(message, mac...)
	message = append(message, 55, 4, 1, 3, 6, 51, // mask, routers, name servers, lifetime
		255)
	message = append(message, make([]byte, 300-len(message))...) // BOOTP's least

	out := make([]byte, 28, 28+len(message))
	out[0], out[8], out[9] = 0x45, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(out[2:], uint16(28+len(message)))
	copy(out[16:], net.IPv4bcast.To4())
	binary.BigEndian.PutUint16(out[10:], checksum(out[:20]))
	binary.BigEndian.PutUint16(out[20:], 68)
	binary.BigEndian.PutUint16(out[22:], 67)
	binary.BigEndian.PutUint16(out[24:], uint16(8+len(message))) // without a checksum of UDP
	return append(out, message...)
}

// checksum is the Internet's (RFC 1071) over an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
