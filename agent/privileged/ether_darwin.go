package privileged

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// etherConn is a link by /dev/bpf. It was compiled, and never executed.
type etherConn struct {
	link      *net.Interface
	etherType uint16

	open   sync.RWMutex // read and written while held for reading
	device int          // -1: closed
	buffer []byte
	read   [][]byte // frames in buffer that nobody has had

	mu       sync.Mutex
	deadline time.Time
}

// listenEthernet opens a link for packets of one type, and of those for what the filter
// lets through; nil lets all. What is read and written is without Ethernet's header.
func listenEthernet(link *net.Interface, etherType uint16, filter []bpf.Instruction) (net.PacketConn, error) {
	// A read that waits looks after its deadline ten times a second.
	device, buffer, err := listenBPF(link.Name, wholeFrames(etherType, filter), 100*time.Millisecond)
	if err != nil {
		return nil, err
	}
	return &etherConn{link: link, etherType: etherType, device: device, buffer: buffer}, nil
}

// ReadFrom gives one packet and its sender. One goroutine may read at a time.
func (c *etherConn) ReadFrom(payload []byte) (int, net.Addr, error) {
	c.open.RLock()
	defer c.open.RUnlock()
	for {
		if len(c.read) > 0 {
			frame := c.read[0]
			if c.read = c.read[1:]; len(frame) > etherHeader {
				return copy(payload, frame[etherHeader:]), &packet.Addr{HardwareAddr: bytes.Clone(frame[6:12])}, nil
			}
			continue
		}
		c.mu.Lock()
		late := !c.deadline.IsZero() && time.Now().After(c.deadline)
		c.mu.Unlock()
		switch {
		case c.device < 0:
			return 0, nil, net.ErrClosed
		case late:
			return 0, nil, os.ErrDeadlineExceeded
		}
		n, err := unix.Read(c.device, c.buffer)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return 0, nil, os.NewSyscallError("read", err)
		}
		c.read = bpfFrames(c.buffer[:max(n, 0)])
	}
}

// WriteTo sends a packet to a *packet.Addr.
func (c *etherConn) WriteTo(payload []byte, to net.Addr) (int, error) {
	c.open.RLock()
	defer c.open.RUnlock()
	if c.device < 0 {
		return 0, net.ErrClosed
	}
	frame := append(bytes.Clone(to.(*packet.Addr).HardwareAddr), c.link.HardwareAddr...)
	frame = append(binary.BigEndian.AppendUint16(frame, c.etherType), payload...)
	if _, err := unix.Write(c.device, frame); err != nil {
		return 0, os.NewSyscallError("write", err)
	}
	return len(payload), nil
}

// SetReadDeadline also ends a read that waits, when it looks next.
func (c *etherConn) SetReadDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = at
	return nil
}

// Close waits for a read under way.
func (c *etherConn) Close() error {
	c.open.Lock()
	defer c.open.Unlock()
	device := c.device
	if c.device = -1; device < 0 {
		return net.ErrClosed
	}
	return unix.Close(device)
}

func (c *etherConn) LocalAddr() net.Addr                { return &packet.Addr{HardwareAddr: c.link.HardwareAddr} }
func (c *etherConn) SetDeadline(at time.Time) error     { return c.SetReadDeadline(at) }
func (c *etherConn) SetWriteDeadline(_ time.Time) error { return nil }

// openBPF opens the first device that nobody else has.
func openBPF() (int, error) {
	for n := range 256 {
		name := fmt.Sprintf("/dev/bpf%d", n)
		device, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
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

// listenBPF opens a link, with a filter of whole frames, and makes a buffer for what one
// read of it gives; a read ends after wait without a frame.
func listenBPF(link string, filter []bpf.Instruction, wait time.Duration) (device int, buffer []byte, err error) {
	raw, err := bpf.Assemble(filter)
	if err != nil {
		return -1, nil, err
	}
	program := make([]syscall.BpfInsn, len(raw))
	for i, r := range raw {
		program[i].Code, program[i].Jt, program[i].Jf, program[i].K = r.Op, r.Jt, r.Jf, r.K
	}
	if device, err = openBPF(); err != nil {
		return -1, nil, err
	}
	defer func() {
		if err != nil {
			_ = unix.Close(device)
		}
	}()
	//lint:ignore SA1019 golang.org/x/net/bpf assembles, and has no device
	size, err := syscall.BpfBuflen(device)
	timeout := syscall.NsecToTimeval(wait.Nanoseconds())
	for _, step := range []func() error{
		//lint:ignore SA1019 as above
		func() error { return syscall.SetBpfInterface(device, link) },
		//lint:ignore SA1019 as above
		func() error { return syscall.SetBpf(device, program) },
		//lint:ignore SA1019 as above
		func() error { return syscall.SetBpfImmediate(device, 1) },
		//lint:ignore SA1019 as above
		func() error { return syscall.SetBpfTimeout(device, &timeout) },
		func() error { return unix.IoctlSetPointerInt(device, unix.BIOCSSEESENT, 0) },
	} {
		if err == nil {
			err = step()
		}
	}
	if err == nil && (size < 64 || size > 1<<20) {
		err = fmt.Errorf("a buffer of %d bytes", size)
	}
	if err != nil {
		return -1, nil, err
	}
	return device, make([]byte, size), nil
}
