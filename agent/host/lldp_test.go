package host

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"context"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

// tlv is one element of LLDP.
func tlv(kind int, value ...byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(kind<<9|len(value))), value...)
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func ethernet(destination string, kind int, payload []byte) []byte {
	return join([]byte(destination), []byte{2, 0, 0, 0, 0, 7, byte(kind >> 8), byte(kind)}, payload)
}

const (
	toLLDP = "\x01\x80\xc2\x00\x00\x0e"
	toCDP  = "\x01\x00\x0c\xcc\xcc\xcc"
)

// lldpFrame is an access switch's announcement.
var lldpFrame = ethernet(toLLDP, 0x88cc, join(
	tlv(1, 4, 0x00, 0x1b, 0x54, 0xaa, 0xbb, 0xcc), tlv(2, append([]byte{5}, "Gi1/0/12"...)...), tlv(3, 0, 120),
	tlv(4, []byte("desk 12, \x07room 3\n")...), tlv(5, []byte("sw-floor2")...), tlv(6, []byte("Cisco IOS Software, C2960X")...),
	tlv(8, 5, 1, 192, 0, 2, 9, 2, 0, 0, 0, 1, 0),
	tlv(127, 0x00, 0x80, 0xc2, 1, 0, 20), tlv(127, 0x00, 0x12, 0x0f, 1, 3, 0x6c, 0x01, 0, 30), tlv(127, 0xff, 0xff, 0xff, 1),
	tlv(0)))

// cdpElement is one element of CDP.
func cdpElement(kind int, value ...byte) []byte {
	return join([]byte{byte(kind >> 8), byte(kind), 0, byte(len(value) + 4)}, value)
}

func cdpFrame(elements ...[]byte) []byte {
	payload := join(cdpSNAP, []byte{2, 180, 0x12, 0x34}, join(elements...))
	return ethernet(toCDP, len(payload), payload)
}

var switchCDP = cdpFrame(
	cdpElement(1, []byte("sw-floor2.example")...), cdpElement(3, []byte("GigabitEthernet1/0/12")...), cdpElement(4, 0, 0, 0, 0x28),
	cdpElement(6, []byte("cisco WS-C2960X-48FPD-L")...), cdpElement(0x0a, 0, 20), cdpElement(0x0b, 0),
	cdpElement(0x16, 0, 0, 0, 1, 1, 1, 0xcc, 0, 4, 192, 0, 2, 9))

func TestParseAnnouncement(t *testing.T) {
	for name, c := range map[string]struct {
		frame []byte
		holds time.Duration
		want  *constatv1.LinkNeighbour
	}{
		"LLDP": {lldpFrame, 2 * time.Minute, &constatv1.LinkNeighbour{
			Protocol: set("lldp"), SystemName: set("sw-floor2"), ChassisId: set("00:1b:54:aa:bb:cc"), PortId: set("Gi1/0/12"), PortDescription: set("desk 12, room 3"),
			Vlan: set(int32(20)), Platform: set("Cisco IOS Software, C2960X"), ManagementAddress: set("192.0.2.9"), Duplex: set("full"),
		}},
		"LLDP behind a tag, by addresses": {
			ethernet(toLLDP, 0x8100, join([]byte{0, 1, 0x88, 0xcc}, tlv(1, 5, 1, 192, 0, 2, 1), tlv(2, 3, 2, 0, 0, 0, 0, 1), tlv(3, 0, 0), tlv(0))), 0,
			&constatv1.LinkNeighbour{Protocol: set("lldp"), ChassisId: set("192.0.2.1"), PortId: set("02:00:00:00:00:01")},
		},
		"CDP": {switchCDP, 3 * time.Minute, &constatv1.LinkNeighbour{
			Protocol: set("cdp"), SystemName: set("sw-floor2.example"), ChassisId: set("sw-floor2.example"), PortId: set("GigabitEthernet1/0/12"),
			Vlan: set(int32(20)), Platform: set("cisco WS-C2960X-48FPD-L"), ManagementAddress: set("192.0.2.9"), Duplex: set("half"),
		}},
	} {
		got, err := parseAnnouncement(c.frame)
		if err != nil || got.holds != c.holds {
			t.Errorf("%s: holds %s, %v", name, got.holds, err)
		}
		if diff := cmp.Diff(c.want, got.LinkNeighbour, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBadAnnouncements(t *testing.T) {
	for name, frame := range map[string][]byte{
		"nothing":          nil,
		"LLDP, cut":        lldpFrame[:len(lldpFrame)-2],
		"LLDP, no port":    ethernet(toLLDP, 0x88cc, join(tlv(1, 7, 'a'), tlv(3, 0, 1), tlv(0))),
		"LLDP, no end":     ethernet(toLLDP, 0x88cc, []byte(strings.Repeat(string(tlv(5)), 700))),
		"CDP, cut":         switchCDP[:len(switchCDP)-3],
		"CDP, no length":   cdpFrame([]byte{0, 1, 0, 0}),
		"CDP, no port":     cdpFrame(cdpElement(1, 'a')),
		"a spanning tree":  ethernet(toLLDP, 38, make([]byte, 38)),
		"something else's": ethernet(toLLDP, 0x0806, make([]byte, 38)),
	} {
		if a, err := parseAnnouncement(frame); err == nil {
			t.Errorf("%s was understood: %v", name, a)
		}
	}
}

func TestMAUDuplex(t *testing.T) {
	for kind, want := range map[uint16]string{0: "", 5: "", 10: "half", 11: "full", 15: "half", 16: "full", 29: "half", 30: "full", 54: "full"} {
		if got := mauDuplex(kind); (got == nil) != (want == "") || got != nil && *got != want {
			t.Errorf("type %d: %v, want %q", kind, got, want)
		}
	}
}

// framed is frames as the verb returns them.
func framed(frames ...[]byte) (all []byte) {
	for _, f := range frames {
		all = append(binary.BigEndian.AppendUint16(all, uint16(len(f))), f...)
	}
	return all
}

// TestLastWordIsKept: what a switch said stays when it falls silent, over a
// restart too, and makes room for what is plugged in next.
func TestLastWordIsKept(t *testing.T) {
	dir := t.TempDir()
	start := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	a := OpenAnnouncements(dir)
	if _, err := a.neighbours(start); err == nil {
		t.Error("nobody has listened, and that is not said")
	}
	if n := a.hear(start, "eth0", framed(lldpFrame, []byte("noise"), switchCDP)); n != 2 {
		t.Fatalf("heard %d announcements, want 2", n)
	}
	a.note(nil)
	list, err := a.neighbours(start.Add(time.Minute))
	told(t, &constatv1.Snapshot{Network: &constatv1.Network{Neighbours: list}})
	if err != nil || len(list) != 2 || list[0].GetProtocol() != "cdp" || !list[1].GetCurrent() || list[1].HeardAt != nil || list[1].GetLink() != "eth0" {
		t.Errorf("while they hold: %v, %v", list, err)
	}
	again, _ := a.neighbours(start.Add(2*time.Minute - time.Second))
	if diff := cmp.Diff(list, again, protocmp.Transform()); diff != "" {
		t.Errorf("a fact changes by itself (-before +after):\n%s", diff)
	}
	list, _ = a.neighbours(start.Add(time.Hour))
	if len(list) != 2 || list[1].Current == nil || *list[1].Current || !list[1].GetHeardAt().AsTime().Equal(start) {
		t.Errorf("an hour of silence later: %v", list)
	}

	restarted := OpenAnnouncements(dir)
	list, err = restarted.neighbours(start.Add(time.Hour))
	if err != nil || len(list) != 2 || list[1].Current != nil || list[1].GetPortId() != "Gi1/0/12" || !list[1].GetHeardAt().AsTime().Equal(start) {
		t.Errorf("after a restart: %v, %v", list, err)
	}
	moved := ethernet(toLLDP, 0x88cc, join(tlv(1, 7, 'b'), tlv(2, 7, '1'), tlv(3, 0, 120), tlv(0)))
	restarted.hear(start.Add(time.Hour), "eth0", framed(moved))
	restarted.hear(start.Add(time.Hour), "eth1", framed(lldpFrame))
	list, _ = restarted.neighbours(start.Add(time.Hour))
	var got []string
	for _, n := range list {
		got = append(got, n.GetLink()+" "+n.GetProtocol()+" "+n.GetChassisId())
	}
	if want := []string{"eth0 cdp sw-floor2.example", "eth0 lldp b", "eth1 lldp 00:1b:54:aa:bb:cc"}; !cmp.Equal(got, want) {
		t.Errorf("after the cable moved: %q, want %q", got, want)
	}
}

func TestUnreadableMemory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "neighbours"), []byte("\xff\xff"), 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := OpenAnnouncements(dir).neighbours(time.Unix(0, 0)); len(list) != 0 || err != nil {
		t.Errorf("a file of nonsense: %v, %v", list, err)
	}
}

// TestListenSaysWhyNot: without rights it says so, and goes on trying.
func TestListenSaysWhyNot(t *testing.T) {
	a := OpenAnnouncements(t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go a.Listen(ctx, Config{})
		synctest.Wait()
		if _, err := a.neighbours(time.Now()); statusOf(err) != statusDenied {
			t.Errorf("without rights: %v", err)
		}
		cancel()
		synctest.Wait()
	})
}

func TestNeighboursInTheNetworkGroup(t *testing.T) {
	a := OpenAnnouncements(t.TempDir())
	a.note(nil)
	a.hear(time.Now().Add(-time.Hour), "eth0", framed(lldpFrame))
	n, o := &constatv1.Network{}, observed("")
	readNeighbours(&reader{Config: Config{Announced: a}}, n, o)
	if len(n.Neighbours) != 1 || len(o.Gaps) != 0 || n.Neighbours[0].GetHeardAt().AsTime().After(time.Now()) {
		t.Errorf("%v, %v", n, o)
	}
	n, o = &constatv1.Network{}, observed("")
	readNeighbours(&reader{}, n, o)
	if n.Neighbours != nil || len(o.Gaps) != 1 || o.Gaps[0].Status != statusUnsupported {
		t.Errorf("no service: %v, %v", n, o)
	}
}

func FuzzAnnouncement(f *testing.F) {
	f.Add(lldpFrame)
	f.Add(switchCDP)
	f.Fuzz(func(t *testing.T, frame []byte) {
		a, err := parseAnnouncement(frame)
		if err == nil && (a.ChassisId == nil && a.GetProtocol() == "cdp" || a.Vlan != nil && (a.GetVlan() < 1 || a.GetVlan() > 4094)) {
			t.Errorf("%v", a)
		}
		heard := OpenAnnouncements(t.TempDir())
		heard.hear(time.Unix(0, 0), "eth0", framed(frame))
		list, _ := heard.neighbours(time.Unix(0, 0))
		for _, n := range list {
			if _, err := proto.Marshal(n); err != nil {
				t.Errorf("%v can't be sent: %v", n, err)
			}
			if len(n.GetSystemName()) > maxText {
				t.Errorf("a name of %d bytes", len(n.GetSystemName()))
			}
		}
	})
}
