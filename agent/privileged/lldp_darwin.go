package privileged

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
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
	device, err := openBPF()
	if err != nil {
		return nil, err
	}
	defer unix.Close(device)
	buffer, err := listenBPF(device, link)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", link, err)
	}
	leave, err := joinGroups(link)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", link, err)
	}
	defer leave()
	var heard []byte
	var lldp, cdp bool
	count := 0
	// A read ends after a second without a frame.
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

// openBPF opens the first device that nobody else has.
func openBPF() (int, error) {
	for n := range 256 {
		name := fmt.Sprintf("/dev/bpf%d", n)
		device, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EBUSY) {
			continue
		}
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: name, Err: err}
		}
		return device, nil
	}
	return -1, errors.New("every /dev/bpf is in use")
}

// listenBPF ties a device to a link, with the filter, and makes a buffer for what
// one read of it gives.
func listenBPF(device int, link string) ([]byte, error) {
	// Without its first two instructions, which are Linux's way to pass over what
	// this machine sends.
	raw, err := bpf.Assemble(announcements()[2:])
	if err != nil {
		return nil, err
	}
	program := make([]syscall.BpfInsn, len(raw))
	for i, r := range raw {
		program[i].Code, program[i].Jt, program[i].Jf, program[i].K = r.Op, r.Jt, r.Jf, r.K
	}
	//lint:ignore SA1019 golang.org/x/net/bpf assembles, and has no device
	size, err := syscall.BpfBuflen(device)
	second := syscall.Timeval{Sec: 1}
	for _, step := range []func() error{
		//lint:ignore SA1019 as above
		func() error { return syscall.SetBpfInterface(device, link) },
		//lint:ignore SA1019 as above
		func() error { return syscall.SetBpf(device, program) },
		//lint:ignore SA1019 as above
		func() error { return syscall.SetBpfImmediate(device, 1) },
		//lint:ignore SA1019 as above
		func() error { return syscall.SetBpfTimeout(device, &second) },
		func() error { return unix.IoctlSetPointerInt(device, unix.BIOCSSEESENT, 0) },
	} {
		if err == nil {
			err = step()
		}
	}
	if err != nil {
		return nil, err
	}
	if size < 64 || size > 1<<20 {
		return nil, fmt.Errorf("a buffer of %d bytes", size)
	}
	return make([]byte, size), nil
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
