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

// confirmNeighbour makes the kernel ask for a neighbour at once, by ARP or ND: one
// that was learned by a unicast question, as it would itself some eight seconds
// after the entry's next use, and one that is being asked for once more, as it
// would after a second. The argument is "LINK ADDRESS", or "LINK ADDRESS anew" to
// forget what was learned and ask everybody; nothing is returned. An address that
// is not in the table is an error: this is not for looking around.
func confirmNeighbour(_ context.Context, argument string) ([]byte, error) {
	link, text, _ := strings.Cut(argument, " ")
	text, how, _ := strings.Cut(text, " ")
	address, err := netip.ParseAddr(text)
	if err != nil || how != "" && how != "anew" {
		return nil, errors.New(`the argument must be "LINK ADDRESS" or "LINK ADDRESS anew"`)
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
		if e.Index != uint32(iface.Index) || e.State&(learned|unix.NUD_INCOMPLETE|unix.NUD_FAILED) == 0 || e.Attributes == nil ||
			!e.Attributes.Address.Equal(net.IP(address.AsSlice())) {
			continue
		}
		to := &rtnetlink.NeighMessage{Family: e.Family, Index: e.Index, Attributes: &rtnetlink.NeighAttributes{
			Address: e.Attributes.Address, LLAddress: make(net.HardwareAddr, len(iface.HardwareAddr)),
		}}
		// Each kind of question is asked when its state begins: not from PROBE, and
		// a state that knows nothing begins with the next use.
		steps := []step{{state: unix.NUD_NONE}, {flags: unix.NTF_USE}}
		if e.State&learned != 0 && how == "" {
			to.Attributes.LLAddress = e.Attributes.LLAddress
			steps = []step{{state: unix.NUD_STALE}, {state: unix.NUD_PROBE}}
		}
		for _, s := range steps {
			to.State, to.Flags = s.state, s.flags
			if _, err := c.Execute(to, unix.RTM_NEWNEIGH, netlink.Request|netlink.Acknowledge|netlink.Replace); err != nil {
				return nil, fmt.Errorf("neighbour %s on %s: %w", address, link, err)
			}
		}
		return nil, nil
	}
	return nil, fmt.Errorf("neighbour %s on %s: %w", address, link, os.ErrNotExist)
}

// step is a change to an entry.
type step struct {
	state uint16
	flags uint8
}
