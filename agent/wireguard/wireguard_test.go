package wireguard

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
)

// secret stands for a key, which must never come out.
var secret = []byte("0123456789abcdef0123456789abcdef")

// answer is a message about a tunnel with far ends, as the kernel writes it.
func answer(t testing.TB, peers ...[]netlink.Attribute) []byte {
	t.Helper()
	marshal := func(list []netlink.Attribute) []byte {
		data, err := netlink.MarshalAttributes(list)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var list []netlink.Attribute
	for i, p := range peers {
		list = append(list, netlink.Attribute{Type: uint16(i) | netlink.Nested, Data: marshal(p)})
	}
	const privateKey = 3
	return marshal([]netlink.Attribute{
		{Type: deviceName, Data: []byte("wg0\x00")}, {Type: privateKey, Data: secret},
		{Type: devicePeers | netlink.Nested, Data: marshal(list)},
	})
}

func eight(n uint64) []byte { return binary.NativeEndian.AppendUint64(nil, n) }

var (
	four = []byte{2, 0, 0xca, 0x6c, 192, 0, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0}
	six  = append([]byte{10, 0, 0xca, 0x6c, 0, 0, 0, 0, 0x20, 0x01, 0x0d, 0xb8}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
)

func TestParse(t *testing.T) {
	met := []netlink.Attribute{
		{Type: 1, Data: secret}, {Type: 2, Data: secret}, {Type: peerEndpoint, Data: four},
		{Type: peerHandshake, Data: append(eight(1700000000), eight(5)...)}, {Type: peerReceived, Data: eight(92)}, {Type: peerSent, Data: eight(180)},
	}
	never := []netlink.Attribute{{Type: peerEndpoint, Data: six}, {Type: peerHandshake, Data: make([]byte, 16)}, {Type: peerReceived, Data: eight(0)}, {Type: peerSent, Data: eight(148)}}
	rest := []netlink.Attribute{{Type: 1, Data: secret}, {Type: 9, Data: nil}}
	peers, err := parse(nil, answer(t, met))
	if err == nil {
		peers, err = parse(peers, answer(t, rest, never))
	}
	want := []Peer{
		{Endpoint: "192.0.2.7:51820", LastHandshake: time.Unix(1700000000, 5), Received: 92, Sent: 180},
		{Endpoint: "[2001:db8::1]:51820", Sent: 148},
	}
	if err != nil || !slices.Equal(peers, want) {
		t.Errorf("%v, %v; want %v", peers, err, want)
	}
	if strings.Contains(fmt.Sprintf("%+v", peers), "0123456789") {
		t.Error("a key came out")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(answer(f, []netlink.Attribute{{Type: peerEndpoint, Data: four}, {Type: peerHandshake, Data: append(eight(1), eight(2)...)}}))
	f.Add(answer(f, []netlink.Attribute{{Type: peerEndpoint, Data: six}, {Type: peerReceived, Data: []byte{1}}}))
	f.Fuzz(func(t *testing.T, message []byte) {
		peers, err := parse(nil, message)
		if len(peers) > maxPeers || err == nil && slices.Contains(peers, Peer{}) {
			t.Errorf("%d peers of %d bytes", len(peers), len(message))
		}
	})
}
