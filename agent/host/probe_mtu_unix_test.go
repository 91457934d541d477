//go:build linux || darwin

package host

import (
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// quote4 and quote6 are the beginning of an echo request as a router quotes it.
func quote4(to [4]byte, id byte) []byte {
	return slices.Concat([]byte{0x45, 0, 5, 220, 0, 0, 0x40, 0, 64, 1, 0, 0, 192, 0, 2, 10}, to[:], []byte{8, 0, 0, 0, 0, id, 0, 1})
}

func quote6(to [16]byte, id byte) []byte {
	return slices.Concat([]byte{0x60, 0, 0, 0, 5, 180, 58, 64}, make([]byte, 16), to[:], []byte{128, 0, 0, 0, 0, id, 0, 1})
}

// TestTooBig: only of our own request to the target.
func TestTooBig(t *testing.T) {
	four, six := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::7")
	unreachable := func(code int, quoted []byte) *icmp.Message {
		return &icmp.Message{Type: ipv4.ICMPTypeDestinationUnreachable, Code: code, Body: &icmp.DstUnreach{Data: quoted}}
	}
	big := func(quoted []byte) *icmp.Message {
		return &icmp.Message{Type: ipv6.ICMPTypePacketTooBig, Body: &icmp.PacketTooBig{MTU: 1280, Data: quoted}}
	}
	options := slices.Insert(quote4(four.As4(), 9), 20, 1, 1, 1, 1)
	options[0] = 0x46
	for name, c := range map[string]struct {
		target  netip.Addr
		message *icmp.Message
		want    bool
	}{
		"ours":                    {four, unreachable(4, quote4(four.As4(), 9)), true},
		"with options":            {four, unreachable(4, options), true},
		"of IPv6":                 {six, big(quote6(six.As16(), 9)), true},
		"unreachable by its port": {four, unreachable(3, quote4(four.As4(), 9)), false},
		"another's":               {four, unreachable(4, quote4(four.As4(), 8)), false},
		"to another":              {four, unreachable(4, quote4([4]byte{192, 0, 2, 1}, 9)), false},
		"another's of IPv6":       {six, big(quote6(six.As16(), 8)), false},
		"of the other family":     {six, unreachable(4, quote4(four.As4(), 9)), false},
		"an answer":               {four, &icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: &icmp.Echo{ID: 9}}, false},
	} {
		if got := tooBig(c.message, c.target, 9); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzTooBig(f *testing.F) {
	four, six := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::7")
	for _, m := range []*icmp.Message{
		{Type: ipv4.ICMPTypeDestinationUnreachable, Code: 4, Body: &icmp.DstUnreach{Data: quote4(four.As4(), 9)}},
		{Type: ipv6.ICMPTypePacketTooBig, Body: &icmp.PacketTooBig{Data: quote6(six.As16(), 9)}},
	} {
		raw, err := m.Marshal(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for protocol, target := range map[int]netip.Addr{1: four, 58: six} {
			if m, err := icmp.ParseMessage(protocol, raw); err == nil && tooBig(m, target, 9) && len(raw) < 8+28 {
				t.Error("told by fewer bytes than it takes")
			}
		}
	})
}
