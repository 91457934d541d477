package host

import (
	"strings"
	"testing"
)

// As the kernel 6.1 writes them.
const (
	pluggedIn = "add@/devices/pci0000:00/0000:00:14.0/usb1/1-2\x00ACTION=add\x00DEVPATH=/devices/pci0000:00/0000:00:14.0/usb1/1-2\x00SUBSYSTEM=usb\x00" +
		"MAJOR=189\x00MINOR=6\x00DEVNAME=bus/usb/001/007\x00DEVTYPE=usb_device\x00PRODUCT=46d/c52b/1211\x00TYPE=0/0/0\x00BUSNUM=001\x00DEVNUM=007\x00SEQNUM=4711\x00"
	itsInterface = "add@/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0\x00ACTION=add\x00DEVPATH=/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0\x00SUBSYSTEM=usb\x00" +
		"DEVTYPE=usb_interface\x00PRODUCT=46d/c52b/1211\x00SEQNUM=4712\x00"
)

func TestParseUevent(t *testing.T) {
	e, ok := parseUevent([]byte(pluggedIn))
	if want := (PlugEvent{Path: "1-2", ID: "046d:c52b", Plugged: true}); !ok || e != want {
		t.Errorf("got %+v %v, want %+v", e, ok, want)
	}
	e, ok = parseUevent([]byte(strings.ReplaceAll(pluggedIn, "add", "remove")))
	if !ok || e.Plugged {
		t.Errorf("pulled: %+v %v", e, ok)
	}
	for _, other := range []string{"", itsInterface, strings.ReplaceAll(pluggedIn, "add", "bind"), strings.ReplaceAll(pluggedIn, "SUBSYSTEM=usb", "SUBSYSTEM=net"), "libudev\x00\xfe\xed"} {
		if e, ok := parseUevent([]byte(other)); ok {
			t.Errorf("%q is a device: %+v", other, e)
		}
	}
}

func FuzzParseUevent(f *testing.F) {
	f.Add([]byte(pluggedIn))
	f.Add([]byte(itsInterface))
	f.Fuzz(func(t *testing.T, message []byte) {
		if e, ok := parseUevent(message); ok && (e.Path == "" || len(e.Path) > maxText || len(e.ID) > len("046d:c52b")) {
			t.Errorf("%+v", e)
		}
	})
}
