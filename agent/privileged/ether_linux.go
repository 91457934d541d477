package privileged

import (
	"net"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
)

// listenEthernet opens a link for packets of one type, and of those for what the filter
// lets through; nil lets all. What is read and written is without Ethernet's header.
func listenEthernet(link *net.Interface, etherType uint16, filter []bpf.Instruction) (net.PacketConn, error) {
	raw, err := bpf.Assemble(filter)
	if err != nil {
		return nil, err
	}
	return packet.Listen(link, packet.Datagram, int(etherType), &packet.Config{Filter: raw})
}
