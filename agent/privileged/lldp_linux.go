package privileged

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// hearTime is how long a link is listened to; switches announce themselves
	// every 30 (LLDP) or 60 (CDP) seconds.
	hearTime = 15 * time.Second
	// maxFrames and maxFrame bound what is returned.
	maxFrames = 16
	maxFrame  = 1600
)

// The groups that announcements are sent to: LLDP's nearest bridge (IEEE
// 802.1AB 7.1) and Cisco's.
var announcementGroups = []net.HardwareAddr{
	{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e},
	{0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc},
}

// hearNeighbours listens on a link, the argument, for LLDP and CDP frames, and
// returns them as they are, the length of each in front as two bytes, big
// endian. Nothing else on the link gets past the kernel's filter, and nothing
// is sent. It ends early when both protocols were heard. No frame is no error.
func hearNeighbours(ctx context.Context, link string) ([]byte, error) {
	iface, err := net.InterfaceByName(link)
	if err != nil {
		return nil, fmt.Errorf("link %q: %w", link, err)
	}
	if iface.Flags&net.FlagLoopback != 0 || len(iface.HardwareAddr) != 6 {
		return nil, fmt.Errorf("link %s is no Ethernet: %w", link, errors.ErrUnsupported)
	}
	filter, err := bpf.Assemble(announcements())
	if err != nil {
		return nil, err
	}
	conn, err := packet.Listen(iface, packet.Raw, unix.ETH_P_ALL, &packet.Config{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", link, err)
	}
	defer conn.Close()
	for _, group := range announcementGroups {
		if err := conn.JoinGroup(group); err != nil {
			return nil, fmt.Errorf("listening on %s: %w", link, err)
		}
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	if err := conn.SetReadDeadline(time.Now().Add(hearTime)); err != nil {
		return nil, err
	}
	var frames []byte
	var lldp, cdp bool
	buffer := make([]byte, maxFrame)
	for range maxFrames {
		n, _, err := conn.ReadFrom(buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return frames, nil
		case err != nil:
			return nil, fmt.Errorf("listening on %s: %w", link, err)
		}
		frames = binary.BigEndian.AppendUint16(frames, uint16(n))
		frames = append(frames, buffer[:n]...)
		if bytes.HasPrefix(buffer[:n], announcementGroups[1]) {
			cdp = true
		} else {
			lldp = true
		}
		if lldp && cdp {
			break
		}
	}
	return frames, nil
}

// announcements lets through LLDP and CDP as they come in, not what this machine
// itself announces.
func announcements() []bpf.Instruction {
	const outgoing = 4 // PACKET_OUTGOING
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: outgoing, SkipTrue: 10}, // to drop
		bpf.LoadAbsolute{Off: 0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x0180c200, SkipTrue: 5},  // to LLDP
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x01000ccc, SkipFalse: 7}, // to drop
		bpf.LoadAbsolute{Off: 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0xcccc, SkipFalse: 5}, // to drop
		bpf.LoadAbsolute{Off: 20, Size: 2},                         // CDP: the protocol, behind LLC and the organisation
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x2000, SkipTrue: 2, SkipFalse: 3},
		bpf.LoadAbsolute{Off: 12, Size: 2}, // LLDP: the type
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x88cc, SkipFalse: 1},
		bpf.RetConstant{Val: maxFrame},
		bpf.RetConstant{Val: 0}, // drop
	}
}
