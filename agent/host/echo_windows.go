package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/net/icmp"
	"golang.org/x/sys/windows"
)

var (
	icmpCreateFile  = iphlpapi.NewProc("IcmpCreateFile")
	icmp6CreateFile = iphlpapi.NewProc("Icmp6CreateFile")
	icmpCloseHandle = iphlpapi.NewProc("IcmpCloseHandle")
	icmpSendEcho2   = iphlpapi.NewProc("IcmpSendEcho2")
	icmp6SendEcho2  = iphlpapi.NewProc("Icmp6SendEcho2")
)

// echoTimeout is how long Windows waits for one reply. A socket, as the other systems
// have, takes replies for as long as somebody reads; whoever counts what is lost
// stops reading sooner than this, so that a line of 600 to 1200 ms (a satellite, 4G
// at its edge) shows the same loss here as there. What is waited for longer there
// are only the gateway's own echo and the sizes that a path takes, on a line that
// proved slow: silence of either proves nothing. It is no longer because who closes
// waits for it too: a program that ends with a request under way leaves Wine 10 in a
// state in which no other program starts.
const echoTimeout = 1500 * time.Millisecond

// It stays so: who counts stops reading first, see echoTimeout.
const (
	_ = uint(echoTimeout - lossTail)
	_ = uint(echoTimeout - vitalPatience)
	_ = uint(echoTimeout - gatewayLimit)
)

// Statuses of an echo (IP_STATUS, ipexport.h).
const (
	echoSuccess      = 0
	echoPacketTooBig = 11009
)

// echoHandle is Windows' way of echo requests, which needs no rights.
type echoHandle struct {
	handle uintptr
	family int32
}

func openEcho(family int32) (echoHandle, error) {
	create := icmpCreateFile
	if family == 6 {
		create = icmp6CreateFile
	}
	if err := create.Find(); err != nil {
		return echoHandle{}, fmt.Errorf("this Windows has no %s: %w", create.Name, errors.ErrUnsupported)
	}
	handle, _, err := create.Call()
	if windows.Handle(handle) == windows.InvalidHandle {
		return echoHandle{}, fmt.Errorf("%s: %w", create.Name, err)
	}
	return echoHandle{handle, family}, nil
}

func (h echoHandle) close() { icmpCloseHandle.Call(h.handle) }

// ipOptions is IP_OPTION_INFORMATION.
type ipOptions struct {
	ttl, tos, flags, size uint8
	data                  uintptr
}

// ask sends one echo request and waits for what comes of it: a status, or an
// error where nothing does.
func (h echoHandle) ask(to netip.Addr, data []byte, whole bool) (status uint32, err error) {
	if _, err := wayTo(to); err != nil {
		return 0, err
	}
	const dontFragment, ttl = 2, 128
	options := &ipOptions{ttl: ttl}
	if whole {
		options.flags = dontFragment
	}
	// A reply's header is 40 bytes at most, and an error's own 8 behind it.
	reply := make([]byte, 40+len(data)+8+64)
	milliseconds := uintptr(echoTimeout / time.Millisecond)
	var sent *byte
	if len(data) > 0 {
		sent = &data[0]
	}
	var count uintptr
	statusAt := 4 // of ICMP_ECHO_REPLY
	if h.family == 6 {
		statusAt = 28 // of ICMPV6_ECHO_REPLY, behind a packed address
		any := windows.RawSockaddrInet6{Family: windows.AF_INET6}
		there := windows.RawSockaddrInet6{Family: windows.AF_INET6, Addr: to.As16()}
		if link, err := net.InterfaceByName(to.Zone()); err == nil {
			there.Scope_id = uint32(link.Index)
		}
		count, _, err = icmp6SendEcho2.Call(h.handle, 0, 0, 0, uintptr(unsafe.Pointer(&any)), uintptr(unsafe.Pointer(&there)),
			uintptr(unsafe.Pointer(sent)), uintptr(len(data)), uintptr(unsafe.Pointer(options)), uintptr(unsafe.Pointer(&reply[0])), uintptr(len(reply)), milliseconds)
	} else {
		there := to.As4()
		count, _, err = icmpSendEcho2.Call(h.handle, 0, 0, 0, uintptr(*(*uint32)(unsafe.Pointer(&there[0]))),
			uintptr(unsafe.Pointer(sent)), uintptr(len(data)), uintptr(unsafe.Pointer(options)), uintptr(unsafe.Pointer(&reply[0])), uintptr(len(reply)), milliseconds)
	}
	if count == 0 {
		var number windows.Errno
		if errors.As(err, &number) && number == echoPacketTooBig {
			return echoPacketTooBig, nil
		}
		return 0, err
	}
	return *(*uint32)(unsafe.Pointer(&reply[statusAt])), nil
}

// echoConn lets echo requests be sent and replies be read as by a socket.
type echoConn struct {
	echo     echo
	handle   echoHandle
	replies  chan []byte
	underWay sync.WaitGroup

	mu       sync.Mutex
	deadline time.Time
	changed  chan struct{} // closed when the deadline is set anew
}

func (e echo) listen() (net.PacketConn, func(netip.Addr) net.Addr, error) {
	family := int32(4)
	if e.protocol != echoes[4].protocol {
		family = 6
	}
	handle, err := openEcho(family)
	if err != nil {
		return nil, nil, err
	}
	c := &echoConn{echo: e, handle: handle, replies: make(chan []byte, lossMost), changed: make(chan struct{})}
	return c, func(a netip.Addr) net.Addr { return &net.IPAddr{IP: a.AsSlice(), Zone: a.Zone()} }, nil
}

// WriteTo sends an echo request; its reply is waited for behind our back.
func (c *echoConn) WriteTo(message []byte, to net.Addr) (int, error) {
	m, err := icmp.ParseMessage(c.echo.protocol, message)
	if err != nil {
		return 0, err
	}
	body, isEcho := m.Body.(*icmp.Echo)
	where, isIP := to.(*net.IPAddr)
	if !isEcho || !isIP {
		return 0, errors.ErrUnsupported
	}
	address, ok := netip.AddrFromSlice(where.IP)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	c.underWay.Go(func() {
		status, err := c.handle.ask(address.WithZone(where.Zone), body.Data, false)
		if err != nil || status != echoSuccess {
			return
		}
		reply, err := (&icmp.Message{Type: c.echo.reply, Body: body}).Marshal(nil)
		if err != nil {
			return
		}
		select {
		case c.replies <- reply:
		default: // nobody reads any more
		}
	})
	return len(message), nil
}

// ReadFrom returns the next reply, at the latest at the deadline.
func (c *echoConn) ReadFrom(buffer []byte) (int, net.Addr, error) {
	for {
		c.mu.Lock()
		deadline, changed := c.deadline, c.changed
		c.mu.Unlock()
		var over <-chan time.Time
		if !deadline.IsZero() {
			timer := time.NewTimer(time.Until(deadline))
			defer timer.Stop()
			over = timer.C
		}
		select {
		case reply := <-c.replies:
			return copy(buffer, reply), nil, nil
		case <-over:
			return 0, nil, os.ErrDeadlineExceeded
		case <-changed:
		}
	}
}

// SetReadDeadline also ends a read that waits.
func (c *echoConn) SetReadDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = at
	close(c.changed)
	c.changed = make(chan struct{})
	return nil
}

// Close lets go of the handle once no request is under way, echoTimeout later at most.
func (c *echoConn) Close() error {
	c.underWay.Wait()
	c.handle.close()
	return nil
}

func (c *echoConn) LocalAddr() net.Addr                { return &net.IPAddr{} }
func (c *echoConn) SetDeadline(at time.Time) error     { return c.SetReadDeadline(at) }
func (c *echoConn) SetWriteDeadline(_ time.Time) error { return nil }

// sendSizes sends echo requests of these sizes that must not be fragmented, and
// collects what comes of them. Windows forbids it to routers for IPv4 alone, and
// refuses for a router that it has heard before: what its own link takes is told
// apart by the link.
func sendSizes(ctx context.Context, target netip.Addr, wanted []int32) (*sizes, error) {
	const header = 20 + 8
	if !target.Is4() {
		return nil, errNotRead
	}
	handle, err := openEcho(4)
	if err != nil {
		return nil, err
	}
	takes := linkTakes(target)
	seen := &sizes{answered: map[int32]bool{}, refused: map[int32]bool{}}
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, size := range wanted {
		if takes > 0 && size > takes {
			seen.refused[size] = true
			continue
		}
		asking.Go(func() {
			for range mtuTimes {
				status, err := handle.ask(target, make([]byte, int(size)-header), true)
				mu.Lock()
				done := ctx.Err() != nil || err == nil
				switch {
				case done && err != nil:
				case err == nil && status == echoSuccess:
					seen.answered[size] = true
				case err == nil && status == echoPacketTooBig:
					seen.told = true
				}
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	all := make(chan struct{})
	go func() {
		asking.Wait()
		handle.close()
		close(all)
	}()
	select {
	case <-all:
	case <-ctx.Done():
	}
	mu.Lock()
	defer mu.Unlock()
	now := &sizes{answered: map[int32]bool{}, refused: map[int32]bool{}, told: seen.told}
	for size := range seen.answered {
		now.answered[size] = true
	}
	for size := range seen.refused {
		now.refused[size] = true
	}
	return now, nil
}

// wayTo is the interface that leads to an address. An error says that there is
// none, or that it has no signal: nothing that is sent would leave.
func wayTo(to netip.Addr) (*windows.MibIfRow2, error) {
	var there windows.Sockaddr
	if to.Is4() {
		there = &windows.SockaddrInet4{Addr: to.As4()}
	} else {
		zone := uint32(0)
		if link, err := net.InterfaceByName(to.Zone()); err == nil {
			zone = uint32(link.Index)
		}
		there = &windows.SockaddrInet6{Addr: to.As16(), ZoneId: zone}
	}
	var index uint32
	if err := windows.GetBestInterfaceEx(there, &index); err != nil {
		return nil, fmt.Errorf("there is no way to %s: %w", to, err)
	}
	row := &windows.MibIfRow2{InterfaceIndex: index}
	if err := windows.GetIfEntry2Ex(windows.MibIfEntryNormalWithoutStatistics, row); err != nil {
		return nil, fmt.Errorf("the interface to %s: %w", to, err)
	}
	if row.MediaConnectState == ipMediaDisconnected {
		return nil, fmt.Errorf("the interface to %s has no signal: %w", to, windows.WSAENETDOWN)
	}
	return row, nil
}

// linkTakes is how large a packet the link to a target takes; 0 where that is
// not known.
func linkTakes(target netip.Addr) int32 {
	row, err := wayTo(target)
	if err != nil || row.Mtu >= 1<<31 {
		return 0
	}
	return int32(row.Mtu)
}
