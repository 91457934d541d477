package privileged

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hearNeighbours listens on a link, the argument, for LLDP and CDP frames as on
// Linux, by /dev/bpf. It was compiled, and never executed.
func hearNeighbours(ctx context.Context, link string) ([]byte, error) {
	iface, err := net.InterfaceByName(link)
	if err != nil {
		return nil, fmt.Errorf("link %q: %w", link, err)
	}
	if iface.Flags&net.FlagLoopback != 0 || len(iface.HardwareAddr) != 6 {
		return nil, fmt.Errorf("link %s is no Ethernet: %w", link, errors.ErrUnsupported)
	}
	// Without its first two instructions, which are Linux's way to pass over what
	// this machine sends. A read ends after a second without a frame.
	device, buffer, err := listenBPF(link, announcements()[2:], time.Second)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", link, err)
	}
	defer unix.Close(device)
	leave, err := joinGroups(link)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", link, err)
	}
	defer leave()
	var heard []byte
	var lldp, cdp bool
	count := 0
	for end := time.Now().Add(hearTime); time.Now().Before(end) && ctx.Err() == nil && count < maxFrames && !(lldp && cdp); {
		n, err := unix.Read(device, buffer)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, fmt.Errorf("listening on %s: %w", link, err)
		}
		for _, frame := range bpfFrames(buffer[:n]) {
			heard = append(binary.BigEndian.AppendUint16(heard, uint16(len(frame))), frame...)
			count++
			if bytes.HasPrefix(frame, announcementGroups[1]) {
				cdp = true
			} else {
				lldp = true
			}
		}
	}
	return heard, ctx.Err()
}

// groupRequest is struct ifreq with an address of a link's own kind (net/if.h).
type groupRequest struct {
	name    [16]byte
	length  byte
	family  byte
	address [14]byte
}

// joinGroups has the link's adapter let the groups of announcements in, until leave
// is called.
func joinGroups(link string) (leave func(), err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	ask := func(request uintptr, group net.HardwareAddr) error {
		r := groupRequest{length: 16, family: unix.AF_UNSPEC}
		copy(r.name[:15], link)
		copy(r.address[:], group)
		//lint:ignore SA1019 libSystem's ioctl is wrapped for other structures only
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&r))); e != 0 {
			return e
		}
		return nil
	}
	var joined []net.HardwareAddr
	leave = func() {
		for _, group := range joined {
			_ = ask(unix.SIOCDELMULTI, group)
		}
		_ = unix.Close(fd)
	}
	for _, group := range announcementGroups {
		if err := ask(unix.SIOCADDMULTI, group); err != nil {
			leave()
			return nil, err
		}
		joined = append(joined, group)
	}
	return leave, nil
}
