package privileged

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What is no name of a link, a queue, a place or a package goes nowhere near a
// program, a file or a bus.
func TestArgumentsOfRemediesAreStrict(t *testing.T) {
	for verb, bad := range map[string][]string{
		"flush-dns": {"x"}, "restart-printing": {"cups"}, "set-clock": {"now"},
		"renew-dhcp":      {"", "-x", "eth0 eth1", "../../etc", "eth0;reboot", strings.Repeat("e", 16)},
		"restart-wifi":    {"", "/dev/null", "wlan0/..", "--help"},
		"resume-queue":    {"", "a b", "../x", "a#b", "a\nb", strings.Repeat("q", 128)},
		"pause-queue":     {"", "/x stopped"},
		"clear-stuck-job": {"", "queue", "queue x root", "queue 1", "queue 1 a;b", "queue 99999999999 root"},
		"enable-device":   {"", "usb1", "1-1/../..", "1-1:1.0", "../1-1"},
		"disable-device":  {"", "1-1\n"},
		"reset-usb":       {"", "1", "1-1 1-2", "-1-1"},
		"repair-package":  {"", "-o=x", "../evil.deb", "/tmp/evil.deb", "a b", "foo=1.0", "foo;reboot", "foo*"},
	} {
		for _, argument := range bad {
			if out, err := verbs[verb](t.Context(), argument); err == nil || !strings.Contains(err.Error(), "argument") && !strings.Contains(err.Error(), "value out of range") {
				t.Errorf("%s %q: %q, %v", verb, argument, out, err)
			}
		}
	}
}

// tree makes files of sysfs.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		name = filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestWhatIsNeverReset(t *testing.T) {
	const usb = "bus/usb/devices/"
	keyboard := map[string]string{usb + "1-1/bDeviceClass": "00", usb + "1-1:1.0/bInterfaceClass": "03", usb + "1-1:1.0/bInterfaceProtocol": "01"}
	with := func(more map[string]string) map[string]string {
		for name, content := range keyboard {
			if _, there := more[name]; !there {
				more[name] = content
			}
		}
		return more
	}
	for name, c := range map[string]struct {
		files map[string]string
		why   string
	}{
		"the only keyboard":           {with(map[string]string{}), "only one to type"},
		"a keyboard beside a mouse":   {with(map[string]string{usb + "1-2:1.0/bInterfaceClass": "03", usb + "1-2:1.0/bInterfaceProtocol": "02"}), ""},
		"beside keys without a boot":  {with(map[string]string{usb + "1-2:1.0/bInterfaceClass": "03", usb + "1-2:1.0/bInterfaceProtocol": "00"}), "only one to type"},
		"the keyboard of a notebook":  {with(map[string]string{"bus/serio/devices/serio0/driver": ""}), ""},
		"a stick":                     {map[string]string{usb + "1-1/bDeviceClass": "00", usb + "1-1:1.0/bInterfaceClass": "08"}, "stores files"},
		"a phone that stores as well": {map[string]string{usb + "1-1/bDeviceClass": "00", usb + "1-1:1.0/bInterfaceClass": "06", usb + "1-1:1.1/bInterfaceClass": "08"}, "stores files"},
		"a hub":                       {map[string]string{usb + "1-1/bDeviceClass": "09", usb + "1-1:1.0/bInterfaceClass": "09"}, "a hub"},
		"a headset":                   {map[string]string{usb + "1-1/bDeviceClass": "00", usb + "1-1:1.0/bInterfaceClass": "01"}, ""},
	} {
		root := tree(t, c.files)
		dir, err := usbDevice(root, "1-1")
		if err != nil {
			t.Fatal(err)
		}
		switch err := mayReset(root, dir, "1-1"); {
		case c.why == "" && err != nil, c.why != "" && (!errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), c.why)):
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPolicyOfABus(t *testing.T) {
	for value, want := range map[string]bool{"0": true, "1": false, "-1": false, "2": true} {
		root := tree(t, map[string]string{"bus/usb/devices/usb3/authorized_default": value})
		if got := usbPolicy(root, "3-1.4"); got != want {
			t.Errorf("authorized_default %s: %t", value, got)
		}
	}
}

func TestHardwareSwitchIsSeen(t *testing.T) {
	root := tree(t, map[string]string{"class/net/wlan0/phy80211/rfkill1/soft": "0", "class/net/wlan0/phy80211/rfkill1/hard": "1"})
	if soft, hard, err := radioBlocked(root, "wlan0"); soft || !hard || err != nil {
		t.Error(soft, hard, err)
	}
	if _, _, err := radioBlocked(root, "eth0"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestStateOfAPackage(t *testing.T) {
	const status = "Package: vim\nStatus: install ok installed\nArchitecture: amd64\n\nPackage: nano\nStatus: install ok half-configured\nArchitecture: amd64\n\n" +
		"Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\n\nPackage: libc6\nStatus: install ok installed\nArchitecture: amd64\n\nPackage: libc6\nStatus: install ok unpacked\nArchitecture: i386\n"
	for name, want := range map[string]string{"vim": "installed", "nano": "half-configured", "gone": "", "emacs": "", "libc6:i386": "unpacked", "libc6": "installed", "vi": ""} {
		got, err := dpkgState(status, name)
		if got != want || (want == "") != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// A request of IPP is what RFC 8010 says, and an answer that is cut says nothing.
func TestIPP(t *testing.T) {
	request := ippRequest(ippCancelJob, "front", 7)
	if binary.BigEndian.Uint16(request[2:]) != ippCancelJob || !bytes.Contains(request, []byte("ipp://localhost/printers/front")) || request[len(request)-1] != 3 {
		t.Errorf("%q", request)
	}
	answer := append([]byte("\x02\x00\x00\x00\x00\x00\x00\x01\x02\x42\x00\x19job-originating-user-name\x00\x04"), "anna\x03"...)
	if got := attribute(answer, "job-originating-user-name"); got != "anna" {
		t.Errorf("owner %q", got)
	}
	for n := range answer {
		if got := attribute(answer[:n], "job-originating-user-name"); got != "" && got != "anna" {
			t.Errorf("cut at %d: %q", n, got)
		}
	}
}

// Another's document, where nobody prints, is nobody's to remove.
func TestNoPrintService(t *testing.T) {
	if _, err := askCUPS(context.Background(), filepath.Join(t.TempDir(), "none"), ippResumePrinter, "front", 0); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// dhcpcd names itself anew, by what it keeps.
func TestClientOf(t *testing.T) {
	for _, c := range []struct {
		words   string
		keeps   bool
		program string
		family  []string
	}{
		{"dhcpcd: eth0 [ip4]", true, "dhcpcd", []string{"-4"}},
		{"dhcpcd: eth0 [ip4] [ip6]", true, "dhcpcd", nil},
		{"dhcpcd: [manager] [ip4] [ip6]", true, "dhcpcd", nil},
		{"dhcpcd: [master] [ip4]", true, "dhcpcd", nil},
		{"dhcpcd: eth0 [ip6]", false, "", nil},
		{"dhcpcd: wlan0 [ip4]", false, "", nil},
		{"dhcpcd: [privileged proxy]", false, "", nil},
		{"dhcpcd: [BPF ARP] eth0 10.77.0.10", false, "", nil},
		{"/usr/sbin/dhcpcd eth0", true, "dhcpcd", nil},
		{"udhcpc -i eth0 -b", true, "udhcpc", nil},
		{"udhcpc -i eth1 -b", false, "", nil},
		{"bash -c dhclient eth0", false, "", nil},
	} {
		got, keeps := clientOf(strings.Fields(c.words), "eth0")
		if keeps != c.keeps || keeps && (got.program != c.program || !slices.Equal(got.family, c.family)) {
			t.Errorf("%s: %v, %+v", c.words, keeps, got)
		}
	}
}
