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
	}, {
		"two groups keep their names",
		&constatv1.Snapshot{Host: &constatv1.Host{Domain: str("corp")}, Usb: &constatv1.Usb{PolicyActive: proto.Bool(false)}},
		&constatv1.Snapshot{Host: &constatv1.Host{Domain: str("lab")}, Usb: &constatv1.Usb{PolicyActive: proto.Bool(true)}},
		[]string{`host domain "": "corp" -> "lab"`, `usb policy_active "": "false" -> "true"`},
	}, {
		"who came and went, by the names that people know",
		&constatv1.Snapshot{Usb: &constatv1.Usb{Devices: []*constatv1.UsbDevice{{Path: str("1-1"), Brand: str("HP"), Product: str("HP LaserJet")}}}},
		&constatv1.Snapshot{Usb: &constatv1.Usb{Devices: []*constatv1.UsbDevice{{Path: str("1-2"), Brand: str("Logitech"), Product: str("USB Receiver")}}}},
		[]string{`usb devices "1-1": "HP LaserJet" -> ""`, `usb devices "1-2": "" -> "Logitech USB Receiver"`},
	}, {
		"a start that was worked out anew",
		&constatv1.Snapshot{Host: &constatv1.Host{BootTime: timestamppb.New(time.Unix(100, 0))}},
		&constatv1.Snapshot{Host: &constatv1.Host{BootTime: timestamppb.New(time.Unix(101, 0))}},
		nil,
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

// What could not be read did not go, and is still compared once it can.
func TestGapsHideNothing(t *testing.T) {
	str := proto.String
	group := func(gap string, queues ...string) *constatv1.Snapshot {
		s := &constatv1.Snapshot{Manifest: &constatv1.Manifest{TakenAt: timestamppb.Now(), Groups: []*constatv1.GroupEntry{{Group: "printing", Observation: &constatv1.Observation{}}}}, Printing: &constatv1.Printing{}}
		if gap != "" {
			s.Manifest.Groups[0].Observation.Gaps = []*constatv1.Gap{{Fact: gap}}
		} else {
			s.Printing.DefaultQueue = str("a")
		}
		for _, q := range queues {
			s.Printing.Queues = append(s.Printing.Queues, &constatv1.Queue{Name: str(q)})
		}
		return s
	}
	first, half, last := group("", "a", "b"), group("queues", "a"), group("", "a", "c")
	if got := Changes(first, half); len(got) != 0 {
		t.Errorf("a list that could not be read whole: %v", got)
	}
	if got := Changes(half, first); len(got) != 0 {
		t.Errorf("and one that can be again: %v", got)
	}
	Carry(first, half, "printing")
	half.Manifest.Groups[0].Observation.Gaps = nil
	if got := Changes(half, last); len(got) != 2 || got[0].GetBefore() != "b" || got[1].GetAfter() != "c" {
		t.Errorf("after the gap: %v", got)
	}
	lost := group("default_queue", "a", "b")
	Carry(first, lost, "printing")
	if lost.Printing.GetDefaultQueue() != "a" {
		t.Error("a scalar is not carried over a gap")
	}
}
