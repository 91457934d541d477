//go:build linux || darwin

package privileged

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// conflictProbes is how often other owners of an address are asked for.
const conflictProbes = 3

// findOwners asks a link who else has an address of this machine's, by ARP
// probes (RFC 5227 2.1.1), and returns the hardware addresses of those who say
// so, six bytes each. The argument is "LINK ADDRESS MILLISECONDS", how long is
// listened; another's address is refused: this is not for looking around.
func findOwners(ctx context.Context, argument string) ([]byte, error) {
	link, text, err := ethernet(argument)
	if err != nil {
		return nil, err
	}
	text, duration, _ := strings.Cut(text, " ")
	address, err1 := netip.ParseAddr(text)
	listen, err2 := listenTime(duration)
	if err1 != nil || err2 != nil || !address.Is4() {
		return nil, errors.New(`the argument must be "LINK ADDRESS MILLISECONDS"`)
	}
	own, err := link.Addrs()
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(own, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(address.AsSlice())
	}) {
		return nil, fmt.Errorf("%s is no address of %s", address, link.Name)
	}
	conn, err := listenEthernet(link, etherARP, nil)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", link.Name, err)
	}
	defer func() { go conn.Close() }() // which waits for other processors
	// An ARP request for IPv4 over Ethernet that claims no address itself.
	probe := []byte{0, 1, 8, 0, 6, 4, 0, 1}
	probe = append(probe, link.HardwareAddr...)
	probe = append(probe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	probe = append(probe, address.AsSlice()...)
	for i := range conflictProbes {
		if i == 0 {
			if _, err := conn.WriteTo(probe, broadcast); err != nil {
				return nil, fmt.Errorf("asking on %s: %w", link.Name, err)
			}
			continue
		}
		again := time.AfterFunc(time.Duration(i)*listen/4, func() { _, _ = conn.WriteTo(probe, broadcast) })
		defer again.Stop()
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	if err := conn.SetReadDeadline(time.Now().Add(listen)); err != nil {
		return nil, err
	}
	var owners [][]byte
	buffer := make([]byte, 64)
	for len(owners) < maxOffers {
		n, _, err := conn.ReadFrom(buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return slices.Concat(owners...), nil
		case err != nil:
			return nil, fmt.Errorf("listening on %s: %w", link.Name, err)
		}
		const least, ethernetIPv4 = 28, 0x00010800
		if n < least || binary.BigEndian.Uint32(buffer) != ethernetIPv4 || !bytes.Equal(buffer[14:18], address.AsSlice()) {
			continue
		}
		owner := bytes.Clone(buffer[8:14])
		if !bytes.Equal(owner, link.HardwareAddr) && !slices.ContainsFunc(owners, func(o []byte) bool { return bytes.Equal(o, owner) }) {
			owners = append(owners, owner)
		}
	}
	return slices.Concat(owners...), nil
}
