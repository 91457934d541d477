package privileged

import (
	"encoding/binary"
	"errors"
	"net"
	"testing"

	"golang.org/x/net/bpf"
)

// TestOnlyAnnouncementsAreHeard runs the kernel's filter on frames. The virtual
// machine has no packet type, so the two steps about it are left out.
func TestOnlyAnnouncementsAreHeard(t *testing.T) {
	vm, err := bpf.NewVM(announcements()[2:])
	if err != nil {
		t.Fatal(err)
	}
	frame := func(destination net.HardwareAddr, kind uint16, rest ...byte) []byte {
		f := append(append([]byte{}, destination...), 2, 0, 0, 0, 0, 1)
		return append(append(binary.BigEndian.AppendUint16(f, kind), rest...), make([]byte, 40)...)
	}
	snap := func(protocol byte) []byte { return []byte{0xaa, 0xaa, 3, 0, 0, 0x0c, protocol, 0} }
	cisco := announcementGroups[1]
	for name, c := range map[string]struct {
		frame []byte
		want  bool
	}{
		"LLDP":                      {frame(announcementGroups[0], 0x88cc), true},
		"LLDP to the other bridges": {frame(net.HardwareAddr{1, 0x80, 0xc2, 0, 0, 0}, 0x88cc), true},
		"CDP":                       {frame(cisco, 100, snap(0x20)...), true},
		"VTP":                       {frame(cisco, 100, snap(0x03)...), false},
		"spanning tree":             {frame(net.HardwareAddr{1, 0x80, 0xc2, 0, 0, 0}, 38, 0x42, 0x42, 3), false},
		"802.1X":                    {frame(net.HardwareAddr{1, 0x80, 0xc2, 0, 0, 3}, 0x888e), false},
		"IPv4 to us":                {frame(net.HardwareAddr{2, 0, 0, 0, 0, 9}, 0x0800), false},
		"LLDP's type to us":         {frame(net.HardwareAddr{2, 0, 0, 0, 0, 9}, 0x88cc), false},
		"cut":                       {frame(cisco, 100)[:18], false},
	} {
		if n, err := vm.Run(c.frame); err != nil || n > 0 != c.want {
			t.Errorf("%s: %d bytes, %v; want it heard: %v", name, n, err, c.want)
		}
	}
}

func TestHearNeighboursTakesOnlyEthernet(t *testing.T) {
	for _, link := range []string{"", "lo ", "no-such-link", "../eth0"} {
		if _, err := hearNeighbours(t.Context(), link); err == nil {
			t.Errorf("%q was accepted", link)
		}
	}
	if _, err := hearNeighbours(t.Context(), "lo"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("loopback: %v", err)
	}
}
