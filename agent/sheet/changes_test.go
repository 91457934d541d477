package sheet

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// A changed world, in words.
func TestTellChanges(t *testing.T) {
	str := proto.String
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.Local)
	before := &constatv1.Snapshot{
		Hardware: &constatv1.Hardware{Firmware: &constatv1.Firmware{Version: str("1.2")}},
		Software: &constatv1.Software{Programs: []*constatv1.Program{{Name: str("gimp"), Version: str("2.10.34")}, {Name: str("xterm"), Version: str("379")}}},
		Network:  &constatv1.Network{Links: []*constatv1.Link{{Name: str("eth0"), Driver: str("r8169"), Addresses: []*constatv1.Address{{Cidr: str("192.0.2.5/24")}}}}, SearchDomains: []string{"example.org"}},
		Usb:      &constatv1.Usb{Devices: []*constatv1.UsbDevice{{Path: str("1-2"), Brand: str("Logitech"), Product: str("USB Receiver")}}},
		Updates:  &constatv1.Updates{RestartPending: proto.Bool(false)},
	}
	after := &constatv1.Snapshot{
		Manifest: &constatv1.Manifest{TakenAt: timestamppb.New(time.Date(2026, 3, 1, 17, 40, 0, 0, time.Local))},
		Hardware: &constatv1.Hardware{Firmware: &constatv1.Firmware{Version: str("1.3")}},
		Software: &constatv1.Software{Programs: []*constatv1.Program{{Name: str("gimp"), Version: str("2.10.36")}}},
		Network:  &constatv1.Network{Links: []*constatv1.Link{{Name: str("eth0"), Driver: str("r8168"), Addresses: []*constatv1.Address{{Cidr: str("192.0.2.9/24")}}}}},
		Usb:      &constatv1.Usb{},
		Updates:  &constatv1.Updates{RestartPending: proto.Bool(true)},
	}
	changes := snapshot.Changes(before, after)
	for language, want := range map[string][]string{
		"en": {
			"Gone: device Logitech USB Receiver, yesterday 17:40",
			"Firmware, version: 1.2 → 1.3, yesterday 17:40",
			"Gone: address 192.0.2.5/24, yesterday 17:40",
			"New: address 192.0.2.9/24, yesterday 17:40",
			"Interface eth0, driver: r8169 → r8168, yesterday 17:40",
			"Search domains: example.org → none, yesterday 17:40",
			"Gone: program xterm 379, yesterday 17:40",
			"Program gimp, version: 2.10.34 → 2.10.36, yesterday 17:40",
			"Restart needed: no → yes, yesterday 17:40",
		},
		"fr": {
			"Disparition : périphérique Logitech USB Receiver, hier à 17:40",
			"Micrologiciel, version : 1.2 → 1.3, hier à 17:40",
			"Disparition : adresse 192.0.2.5/24, hier à 17:40",
			"Apparition : adresse 192.0.2.9/24, hier à 17:40",
			"Interface eth0, pilote : r8169 → r8168, hier à 17:40",
			"Domaines de recherche : example.org → aucun, hier à 17:40",
			"Disparition : programme xterm 379, hier à 17:40",
			"Programme gimp, version : 2.10.34 → 2.10.36, hier à 17:40",
			"Redémarrage nécessaire : non → oui, hier à 17:40",
		},
	} {
		words := &sheet{fr: language == "fr", snapshot: &constatv1.Snapshot{Manifest: &constatv1.Manifest{TakenAt: timestamppb.New(now)}}}
		var got []string
		for _, c := range changes {
			got = append(got, strings.ReplaceAll(words.change(c), "\u00a0", " "))
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", language, diff)
		}
	}
}
