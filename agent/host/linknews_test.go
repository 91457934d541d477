package host

import (
	"encoding/binary"
	"testing"
	"time"
)

// message is one of rtnetlink about a link.
func linkMessage(index int, flags uint32, attributes ...[]byte) []byte {
	m := make([]byte, linkHeader)
	binary.NativeEndian.PutUint32(m[4:], uint32(index))
	binary.NativeEndian.PutUint32(m[8:], flags)
	for _, a := range attributes {
		m = append(m, a...)
		for len(m)%4 != 0 {
			m = append(m, 0)
		}
	}
	return m
}

func linkAttribute(kind uint16, value string) []byte {
	a := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	return append(binary.NativeEndian.AppendUint16(a, kind), value...)
}

func TestLinkNews(t *testing.T) {
	names := func(index int) string { return map[int]string{2: "eth0"}[index] }
	for _, c := range []struct {
		name string
		kind uint16
		data []byte
		want linkNews
	}{
		{"a carrier", rtmNewLink, linkMessage(2, 1|lowerUp, linkAttribute(4, "\x01"), linkAttribute(attributeName, "eth0\x00")), linkNews{name: "eth0", carrier: true}},
		{"none", rtmNewLink, linkMessage(2, 1, linkAttribute(attributeName, "eth0\x00")), linkNews{name: "eth0"}},
		{"gone", rtmDelLink, linkMessage(7, 1|lowerUp, linkAttribute(attributeName, "veth9\x00")), linkNews{name: "veth9"}},
		{"an address", rtmNewAddress, []byte{2, 24, 0, 0, 2, 0, 0, 0}, linkNews{name: "eth0", address: true}},
		{"an address of a link that is gone", rtmDelAddress, []byte{2, 24, 0, 0, 9, 0, 0, 0}, linkNews{}},
		{"without a name", rtmNewLink, linkMessage(2, lowerUp), linkNews{}},
		{"cut", rtmNewLink, linkMessage(2, lowerUp)[:12], linkNews{}},
		{"something else", 24, linkMessage(2, lowerUp, linkAttribute(attributeName, "eth0\x00")), linkNews{}},
	} {
		got, ok := parseLinkNews(c.kind, c.data, names)
		if ok != (c.want.name != "") || ok && got != c.want {
			t.Errorf("%s: %v, %v", c.name, got, ok)
		}
	}
}

func FuzzLinkNews(f *testing.F) {
	f.Add(uint16(rtmNewLink), linkMessage(2, lowerUp, linkAttribute(attributeName, "eth0\x00")))
	f.Add(uint16(rtmNewAddress), []byte{2, 24, 0, 0, 2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, kind uint16, data []byte) {
		if n, ok := parseLinkNews(kind, data, func(int) string { return "eth0" }); ok && n.name == "" {
			t.Errorf("%v", n)
		}
	})
}

// A cable that is pulled ends at once what was heard through it, though that is kept;
// and what a link tells again and again is no reason to listen anew.
func TestLostCarrier(t *testing.T) {
	start := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	a := OpenAnnouncements(t.TempDir())
	a.attend([]string{"eth0", "eth1"})
	a.hear(start, "eth0", framed(lldpFrame))
	a.hear(start, "eth1", framed(switchCDP))
	wired := func() []string { return []string{"eth0", "eth1", "eth2"} }
	changed := func(n linkNews) bool { return a.changed(n, start.Add(time.Second), wired) }
	if changed(linkNews{name: "eth0", carrier: true}) || changed(linkNews{name: "eth0", address: true}) || changed(linkNews{name: "docker0"}) {
		t.Error("nothing has changed")
	}
	if !changed(linkNews{name: "eth0"}) || changed(linkNews{name: "eth0"}) || a.losses("eth0") != 1 {
		t.Error("a carrier was lost once")
	}
	list, _ := a.neighbours(start.Add(time.Second))
	if len(list) != 2 || list[0].GetLink() != "eth0" || list[0].GetCurrent() || !list[0].GetHeardAt().AsTime().Equal(start) || !list[1].GetCurrent() {
		t.Errorf("after the cable was pulled: %v", list)
	}
	if !changed(linkNews{name: "eth0", carrier: true}) || !changed(linkNews{name: "eth2", carrier: true}) || changed(linkNews{name: "wlan0", carrier: true}) {
		t.Error("a cable was plugged in, and at a link that is new")
	}
	// Another switch: its word takes the place of the one before.
	moved := ethernet(toLLDP, 0x88cc, join(tlv(1, 7, 'b'), tlv(2, 7, '1'), tlv(3, 0, 120), tlv(0)))
	a.attend([]string{"eth0"})
	a.hear(start.Add(5*time.Second), "eth0", framed(moved))
	if list, _ = a.neighbours(start.Add(6 * time.Second)); len(list) != 2 || list[0].GetChassisId() != "b" || !list[0].GetCurrent() {
		t.Errorf("after it was plugged in elsewhere: %v", list)
	}
}
