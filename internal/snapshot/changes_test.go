package snapshot

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

func TestChanges(t *testing.T) {
	str, num := proto.String, proto.Int32
	for _, test := range []struct {
		name          string
		before, after *constatv1.Snapshot
		want          []string // group fact owner: before -> after
	}{{
		"a scalar, deep",
		&constatv1.Snapshot{Hardware: &constatv1.Hardware{Firmware: &constatv1.Firmware{Version: str("1.2")}}},
		&constatv1.Snapshot{Hardware: &constatv1.Hardware{Firmware: &constatv1.Firmware{Version: str("1.3")}}},
		[]string{`hardware firmware.version "": "1.2" -> "1.3"`},
	}, {
		"elements come, go and change",
		&constatv1.Snapshot{Network: &constatv1.Network{Links: []*constatv1.Link{{Name: str("eth0"), Mtu: num(1500)}, {Name: str("tun0")}}}},
		&constatv1.Snapshot{Network: &constatv1.Network{Links: []*constatv1.Link{{Name: str("wlan0")}, {Name: str("eth0"), Mtu: num(1400)}}}},
		[]string{
			`network links "tun0": "tun0" -> ""`,
			`network links "wlan0": "" -> "wlan0"`,
			`network links.mtu "eth0": "1500" -> "1400"`,
		},
	}, {
		"an element inside an element names both",
		&constatv1.Snapshot{Network: &constatv1.Network{Links: []*constatv1.Link{{Name: str("eth0"), Addresses: []*constatv1.Address{{Cidr: str("192.0.2.5/24")}}}}}},
		&constatv1.Snapshot{Network: &constatv1.Network{Links: []*constatv1.Link{{Name: str("eth0"), Addresses: []*constatv1.Address{{Cidr: str("169.254.3.4/16")}}}}}},
		[]string{
			`network links.addresses "eth0/169.254.3.4/16": "" -> "169.254.3.4/16"`,
			`network links.addresses "eth0/192.0.2.5/24": "192.0.2.5/24" -> ""`,
		},
	}, {
		"unknown on one side is no change",
		&constatv1.Snapshot{Host: &constatv1.Host{Domain: str("corp")}, Usb: &constatv1.Usb{}},
		&constatv1.Snapshot{Host: &constatv1.Host{Timezone: str("UTC")}},
		nil,
	}, {
		"volatile groups and fleeting facts",
		&constatv1.Snapshot{Load: &constatv1.Load{Zombies: num(0)}, Printing: &constatv1.Printing{Queues: []*constatv1.Queue{{Name: str("q"), PendingJobs: num(0)}}}},
		&constatv1.Snapshot{Load: &constatv1.Load{Zombies: num(9)}, Printing: &constatv1.Printing{Queues: []*constatv1.Queue{{Name: str("q"), PendingJobs: num(7)}}}},
		nil,
	}, {
		"lists of words, and twins",
		&constatv1.Snapshot{Usb: &constatv1.Usb{Devices: []*constatv1.UsbDevice{{Path: str("1-1"), HidRoles: []string{"mouse"}}, {Path: str("1-1")}}}},
		&constatv1.Snapshot{Usb: &constatv1.Usb{Devices: []*constatv1.UsbDevice{{Path: str("1-1"), HidRoles: []string{"keyboard", "mouse"}}}}},
		[]string{
			`usb devices "1-1#2": "1-1#2" -> ""`,
			`usb devices.hid_roles "1-1": "mouse" -> "keyboard, mouse"`,
		},
	}, {
		"a time",
		&constatv1.Snapshot{Host: &constatv1.Host{BootTime: timestamppb.New(time.Unix(0, 0))}},
		&constatv1.Snapshot{Host: &constatv1.Host{BootTime: timestamppb.New(time.Unix(60, 0))}},
		[]string{`host boot_time "": "1970-01-01T00:00:00Z" -> "1970-01-01T00:01:00Z"`},
	}} {
		test.after.Manifest = &constatv1.Manifest{TakenAt: timestamppb.New(time.Unix(100, 0))}
		var got []string
		for _, c := range Changes(test.before, test.after) {
			if c.At.GetSeconds() != 100 {
				t.Errorf("%s: a change at %v, want the later snapshot's time", test.name, c.At)
			}
			got = append(got, fmt.Sprintf("%s %s %q: %q -> %q", c.GetGroup(), c.GetFact(), c.GetOwner(), c.GetBefore(), c.GetAfter()))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
