package host

import (
	"encoding/binary"
	"testing"

	"github.com/mdlayher/netlink"
)

// linkModes encodes an answer of the kernel: these mode bits on our side
// (supported) and the partner's (advertised).
func linkModes(t testing.TB, speed uint32, duplex uint8, supported, partner []int) []byte {
	t.Helper()
	bits := func(part uint16, set []int) func(*netlink.AttributeEncoder) error {
		words := make([]byte, 16)
		for _, bit := range set {
			i := bit / 32 * 4
			binary.NativeEndian.PutUint32(words[i:], binary.NativeEndian.Uint32(words[i:])|1<<(bit%32))
		}
		return func(ae *netlink.AttributeEncoder) error {
			ae.Uint32(2, 128)
			ae.Bytes(part, words)
			return nil
		}
	}
	ae := netlink.NewAttributeEncoder()
	ae.Nested(linkModesHeader, func(h *netlink.AttributeEncoder) error { h.Uint32(headerIndex, 7); return nil })
	ae.Uint8(linkModesAutoneg, 1)
	ae.Nested(linkModesOurs, bits(bitsetMask, supported))
	ae.Nested(linkModesPeer, bits(bitsetValue, partner))
	ae.Uint32(linkModesSpeed, speed)
	ae.Uint8(linkModesDuplex, duplex)
	content, err := ae.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestParseLinkModes(t *testing.T) {
	// A 2.5 Gb/s port (bits 47 and 90 are newer than many tools) that a
	// damaged cable forced down to 100 half.
	index, l, err := parseLinkModes(linkModes(t, 100, 0, []int{0, 1, 2, 3, 5, 47, 90}, []int{2, 3, 5}))
	if err != nil || index != 7 {
		t.Fatalf("index %d, error %v", index, err)
	}
	if l.GetSpeedMbps() != 100 || l.GetDuplex() != "half" || !l.GetAutonegotiation() ||
		l.GetSupportedMbps() != 2500 || l.GetPartnerMbps() != 1000 {
		t.Errorf("got %v", l)
	}
	_, l, err = parseLinkModes(linkModes(t, speedUnknown, 0xff, nil, nil))
	if err != nil || l.SpeedMbps != nil || l.Duplex != nil || l.SupportedMbps != nil || l.PartnerMbps != nil {
		t.Errorf("what the driver does not tell must stay unset: %v, %v", l, err)
	}
}

func FuzzParseLinkModes(f *testing.F) {
	f.Add(linkModes(f, 1000, 1, []int{5}, []int{5}))
	f.Add([]byte{4, 0, 3, 0x80})
	f.Fuzz(func(_ *testing.T, content []byte) { _, _, _ = parseLinkModes(content) })
}

func TestLinkKind(t *testing.T) {
	for _, c := range []struct {
		hardware        uint16
		virtual, uevent string
		want            string
	}{
		{arpEther, "", "INTERFACE=eth0\nIFINDEX=2\n", "ethernet"},
		{arpEther, "", "DEVTYPE=wlan\nINTERFACE=wlp2s0\n", "wifi"},
		{arpEther, "", "DEVTYPE=wwan\n", "cellular"},
		{arpEther, "veth", "", "veth"},
		{arpEther, "bridge", "DEVTYPE=bridge\n", "bridge"},
		{arpEther, "ifb", "", "other"},
		{arpNone, "tun", "", "tunnel"},
		{arpNone, "wireguard", "DEVTYPE=wireguard\n", "tunnel"},
		{arpLoopback, "", "", "loopback"},
		{4242, "future", "DEVTYPE=future\n", "other"},
	} {
		if got := linkKind(c.hardware, c.virtual, deviceType([]byte(c.uevent))); got != c.want {
			t.Errorf("%d %s %q: %s, want %s", c.hardware, c.virtual, c.uevent, got, c.want)
		}
	}
}
