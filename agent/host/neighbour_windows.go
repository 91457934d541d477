package host

import (
	"context"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// resolveGateway has Windows ask for a neighbour anew, and follows its table
// meanwhile. The state is empty where it could not be told: an entry that was
// learned before proves nothing.
func resolveGateway(ctx, _ context.Context, address netip.Addr, link string, _ confirmation) (state, mac string, asked int) {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return "", "", 0
	}
	if i.Flags&(net.FlagPointToPoint|net.FlagLoopback) != 0 {
		return "notApplicable", "", 0
	}
	before := lookNeighbour(i.Index, address)
	known := before != nil && before.state != ipUnreachable && before.state != ipIncomplete
	poke(address)
	answered := make(chan ipNeighbour, 1)
	go func() {
		row := ipNetRow{index: uint32(i.Index), address: socketInet(address)}
		// It waits for as long as Windows asks, three seconds at most.
		if err := call(resolveIpNetEntry2, uintptr(unsafe.Pointer(&row)), 0); err == nil {
			if e, ok := row.neighbour(); ok {
				answered <- e
			}
		}
	}()
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		select {
		case e := <-answered:
			return "reachable", net.HardwareAddr(e.mac).String(), 0
		case <-ctx.Done():
			s := &ipStack{}
			if err := s.readNeighbours(); err != nil {
				return "", "", 0
			}
			e := s.neighbour(uint32(i.Index), address)
			switch {
			case e == nil:
				return "none", "", 0
			case e.state == ipUnreachable, e.state == ipIncomplete:
				return ipNeighbourWords[e.state], "", 0
			}
			return "", net.HardwareAddr(e.mac).String(), 0
		case <-time.After(wait):
		}
		if e := lookNeighbour(i.Index, address); e != nil && !known && e.state == ipReachable {
			return "reachable", net.HardwareAddr(e.mac).String(), 0
		}
	}
}

// socketInet is an address as SOCKADDR_INET.
func socketInet(address netip.Addr) (a windows.RawSockaddrInet) {
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&a)), unsafe.Sizeof(a))
	if address.Is4() {
		a.Family = windows.AF_INET
		copy(raw[4:8], address.AsSlice())
	} else {
		a.Family = windows.AF_INET6
		copy(raw[8:24], address.AsSlice())
	}
	return a
}

// lookNeighbour reads the entry of an address; nil when there is none.
func lookNeighbour(index int, address netip.Addr) *ipNeighbour {
	s := &ipStack{}
	if err := s.readNeighbours(); err != nil {
		return nil
	}
	return s.neighbour(uint32(index), address)
}

// lookHops tells whether one of these neighbours is being asked for, and which
// have no hardware address. When it was learned Windows does not tell.
func lookHops(hops []hop) (resolved time.Time, pending bool, cold []hop) {
	if len(hops) == 0 {
		return resolved, false, nil
	}
	s := &ipStack{}
	if err := s.readNeighbours(); err != nil {
		return resolved, false, nil
	}
	for _, h := range hops {
		i, err := net.InterfaceByName(h.link)
		if err != nil || i.Flags&(net.FlagPointToPoint|net.FlagLoopback) != 0 {
			continue
		}
		e := s.neighbour(uint32(i.Index), h.address)
		switch {
		case e == nil, e.state == ipUnreachable:
			cold = append(cold, h)
		case e.state == ipIncomplete:
			cold, pending = append(cold, h), true
		}
	}
	return resolved, pending, cold
}
