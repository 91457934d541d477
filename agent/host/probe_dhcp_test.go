package host

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

// offerMessage is a message of DHCP with these options, as the verb "dhcp" returns it.
func offerMessage(options ...byte) []byte {
	message := make([]byte, 240)
	message[0] = 2
	copy(message[16:], []byte{192, 0, 2, 50})
	binary.BigEndian.PutUint32(message[236:], 0x63825363)
	message = append(append(message, options...), 255)
	out := binary.BigEndian.AppendUint16(nil, uint16(6+len(message)))
	return append(append(out, 2, 0, 0, 0, 0, 9), message...)
}

func TestOffers(t *testing.T) {
	server := []byte{54, 4, 192, 0, 2, 1}
	full := offerMessage(append([]byte{53, 1, 2, 0, 0, 1, 4, 255, 255, 255, 128, 3, 4, 192, 0, 2, 1, 6, 8, 192, 0, 2, 53, 198, 51, 100, 53}, server...)...)
	acknowledgement := offerMessage(append([]byte{53, 1, 5}, server...)...)
	bare := offerMessage(53, 1, 2, 54, 4, 10, 0, 0, 1)
	got, err := parseOffers(append(append(append([]byte{}, full...), acknowledgement...), append(bare, full...)...))
	want := []*constatv1.DhcpOffer{
		{Server: set("10.0.0.1"), Mac: set("02:00:00:00:00:09"), Cidr: set("192.0.2.50/32")},
		{
			Server: set("192.0.2.1"), Mac: set("02:00:00:00:00:09"), Cidr: set("192.0.2.50/25"),
			Routers: []string{"192.0.2.1"}, Resolvers: []string{"192.0.2.53", "198.51.100.53"},
		},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := parseOffers(full[:len(full)-1]); err == nil {
		t.Error("a cut offer is accepted")
	}
}

func FuzzOffers(f *testing.F) {
	f.Add(offerMessage(53, 1, 2, 1, 4, 255, 0, 255, 0, 54, 4, 10, 0, 0, 1, 3, 9))
	f.Fuzz(func(t *testing.T, content []byte) {
		offers, err := parseOffers(content)
		for _, o := range offers {
			if err != nil || o.Server == nil || len(o.Routers) > maxLeaseAddresses {
				t.Errorf("%v, %v", o, err)
			}
		}
	})
}
