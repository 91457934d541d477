package privileged

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// learned are the states of an entry that holds a hardware address.
const learned = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE

// confirmNeighbour makes the kernel verify an entry of the neighbour table at
// once, by a unicast ARP or ND question, as it would do by itself some eight
// seconds after the entry's next use. The argument is "LINK ADDRESS"; nothing
// is returned. An entry that was not learned is an error.
func confirmNeighbour(_ context.Context, argument string) ([]byte, error) {
	link, text, _ := strings.Cut(argument, " ")
	address, err := netip.ParseAddr(text)
	if err != nil {
		return nil, errors.New(`the argument must be "LINK ADDRESS"`)
	}
	iface, err := net.InterfaceByName(link)
	if err != nil {
		return nil, err
	}
	c, err := rtnetlink.Dial(nil)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	table, err := c.Neigh.List()
	if err != nil {
		return nil, err
	}
	for _, e := range table {
		if e.Index != uint32(iface.Index) || e.State&learned == 0 || e.Attributes == nil ||
			!e.Attributes.Address.Equal(net.IP(address.AsSlice())) {
			continue
		}
		// The kernel asks when the state changes to PROBE, so not from PROBE.
		for _, state := range []uint16{unix.NUD_STALE, unix.NUD_PROBE} {
			request := &rtnetlink.NeighMessage{Family: e.Family, Index: e.Index, State: state, Attributes: &rtnetlink.NeighAttributes{
				Address: e.Attributes.Address, LLAddress: e.Attributes.LLAddress,
			}}
			if _, err := c.Execute(request, unix.RTM_NEWNEIGH, netlink.Request|netlink.Acknowledge|netlink.Replace); err != nil {
				return nil, fmt.Errorf("neighbour %s on %s: %w", address, link, err)
			}
		}
		return nil, nil
	}
	return nil, fmt.Errorf("neighbour %s on %s: %w", address, link, os.ErrNotExist)
}
