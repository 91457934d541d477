package wireguard

import (
	"fmt"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// patience is how long the kernel may take: it answers from memory.
const patience = time.Second

// getDevice is WG_CMD_GET_DEVICE.
const getDevice = 0

// Read asks for the far ends of a tunnel, by the name of its link. The kernel
// tells them to who may set up networks (CAP_NET_ADMIN).
func Read(link string) ([]Peer, error) {
	c, err := genetlink.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("generic netlink: %w", err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	family, err := c.GetFamily("wireguard")
	if err != nil {
		return nil, fmt.Errorf("the kernel's WireGuard: %w", err)
	}
	request, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: deviceName, Data: append([]byte(link), 0)}})
	if err != nil {
		return nil, err
	}
	answers, err := c.Execute(genetlink.Message{Header: genetlink.Header{Command: getDevice, Version: family.Version}, Data: request}, family.ID, netlink.Request|netlink.Dump)
	if err != nil {
		return nil, fmt.Errorf("the kernel's WireGuard: %w", err)
	}
	var peers []Peer
	for _, a := range answers {
		if peers, err = parse(peers, a.Data); err != nil {
			return nil, fmt.Errorf("the kernel's WireGuard: %w", err)
		}
	}
	return peers, nil
}
