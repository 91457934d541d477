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
