// Package wireguard asks the kernel how its WireGuard tunnels stand: when a far
// end last proved who it is, and what came and went. The kernel's answer also
// holds the tunnel's keys; they are passed over here and never returned.
package wireguard

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
)

// Peer is a far end of a tunnel.
type Peer struct {
	// Endpoint is where it was reached last; empty: nowhere yet.
	Endpoint string
	// LastHandshake is zero where there was none since the tunnel was made.
	LastHandshake time.Time
	// Received and Sent are bytes, handshakes included.
	Received, Sent uint64
}

// maxPeers is how many far ends of a tunnel are looked at.
const maxPeers = 1024

// Attributes of question and answer (include/uapi/linux/wireguard.h).
const (
	deviceName    = 2
	devicePeers   = 8
	peerEndpoint  = 4
	peerHandshake = 6
	peerReceived  = 7
	peerSent      = 8
)

// parse adds the far ends in one message of the kernel's answer; a large tunnel
// takes several messages, and a peer may go on in the next one.
func parse(peers []Peer, message []byte) ([]Peer, error) {
	device, err := netlink.NewAttributeDecoder(message)
	if err != nil {
		return nil, err
	}
	for device.Next() {
		if device.Type() != devicePeers {
			continue
		}
		device.Nested(func(list *netlink.AttributeDecoder) error {
			for list.Next() {
				if len(peers) < maxPeers {
					list.Nested(func(one *netlink.AttributeDecoder) error {
						p, err := parsePeer(one)
						if err == nil && p != (Peer{}) { // a rest of the one before has addresses only
							peers = append(peers, p)
						}
						return err
					})
				}
			}
			return nil
		})
	}
	return peers, device.Err()
}

func parsePeer(one *netlink.AttributeDecoder) (p Peer, err error) {
	for one.Next() {
		value := one.Bytes()
		switch one.Type() {
		case peerEndpoint:
			p.Endpoint = endpoint(value)
		case peerHandshake: // seconds and nanoseconds
			if len(value) == 16 {
				seconds, rest := binary.NativeEndian.Uint64(value), binary.NativeEndian.Uint64(value[8:])
				if seconds > 0 && seconds < 1<<40 && rest < 1e9 {
					p.LastHandshake = time.Unix(int64(seconds), int64(rest))
				}
			}
		case peerReceived:
			if len(value) == 8 {
				p.Received = binary.NativeEndian.Uint64(value)
			}
		case peerSent:
			if len(value) == 8 {
				p.Sent = binary.NativeEndian.Uint64(value)
			}
		}
	}
	return p, one.Err()
}

// endpoint reads a socket's address: its family, its port in network order, and
// for IPv6 a flow label before the address. Empty for what is neither.
func endpoint(address []byte) string {
	const inet, inet6 = 2, 10
	if len(address) < 8 {
		return ""
	}
	port := binary.BigEndian.Uint16(address[2:])
	switch family := binary.NativeEndian.Uint16(address); {
	case family == inet:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(address[4:8])), port).String()
	case family == inet6 && len(address) >= 24:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(address[8:24])), port).String()
	}
	return ""
}
