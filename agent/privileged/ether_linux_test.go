package privileged

import (
	"slices"
	"testing"

	"golang.org/x/net/bpf"
)

// TestWholeFrames: a filter of packets, made one of frames, lets through what it did,
// of its type.
func TestWholeFrames(t *testing.T) {
	frame := func(etherType uint16, payload []byte) []byte {
		return slices.Concat(make([]byte, 12), []byte{byte(etherType >> 8), byte(etherType)}, payload)
	}
	udp := func(ports [4]byte) []byte {
		return slices.Concat([]byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17}, make([]byte, 10), ports[:], make([]byte, 4))
	}
	offer, other := udp([4]byte{0, 67, 0, 68}), udp([4]byte{0, 68, 0, 67})
	for name, c := range map[string]struct {
		etherType uint16
		filter    []bpf.Instruction
		frame     []byte
		through   bool
	}{
		"an offer":                    {etherIPv4, offers(), frame(etherIPv4, offer), true},
		"another's question":          {etherIPv4, offers(), frame(etherIPv4, other), false},
		"an offer of another type":    {etherIPv4, offers(), frame(0x86dd, offer), false},
		"a question about an address": {etherARP, nil, frame(etherARP, make([]byte, 28)), true},
		"no such question":            {etherARP, nil, frame(etherIPv4, make([]byte, 28)), false},
		"half a header":               {etherARP, nil, make([]byte, 7), false},
	} {
		machine, err := bpf.NewVM(wholeFrames(c.etherType, c.filter))
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := machine.Run(c.frame); err != nil || kept > 0 != c.through {
			t.Errorf("%s: %d bytes, %v", name, kept, err)
		}
	}
}
