package host

import "testing"

func TestDefaultNodes(t *testing.T) {
	got := parseDefaultNodes([]byte("[default-nodes]\ndefault.configured.audio.sink=alsa_output.pci-0000_00_1f.3.hdmi-stereo\ndefault.configured.audio.sink.0=older\n" +
		"default.configured.audio.source=alsa_input.usb-Logitech_USB_Headset_000000-00.mono-fallback\n"))
	if got.output != "alsa_output.pci-0000_00_1f.3.hdmi-stereo" || got.input != "alsa_input.usb-Logitech_USB_Headset_000000-00.mono-fallback" {
		t.Errorf("%+v", got)
	}
	if !nodeIsHDMI(got.output) || nodeIsHDMI(got.input) {
		t.Error("HDMI")
	}
	for _, c := range []struct {
		node, pci, usb string
		want           bool
	}{
		{got.output, "0000:00:1f.3", "", true},
		{got.output, "0000:00:1f.4", "", false},
		{got.input, "0000:00:14.0", "USB Headset", true},
		{got.input, "0000:00:14.0", "HD Webcam", false},
		{got.input, "0000:00:14.0", "", false},
		{"bluez_output.AA_BB.1", "0000:00:14.0", "USB Headset", false},
		{"", "", "", false},
	} {
		if nodeIsCard(c.node, c.pci, c.usb) != c.want {
			t.Errorf("%+v", c)
		}
	}
	if name := parsePulseDefault([]byte("alsa_output.x\nmore")); name != "alsa_output.x" {
		t.Errorf("%q", name)
	}
}

func FuzzDefaultNodes(f *testing.F) {
	f.Add("[default-nodes]\ndefault.configured.audio.sink=a.usb-b\n", "0000:00:1f.3", "x")
	f.Fuzz(func(t *testing.T, content, pci, usb string) {
		n := parseDefaultNodes([]byte(content))
		nodeIsCard(n.output, pci, usb)
		nodeIsCard(parsePulseDefault([]byte(content)), pci, usb)
	})
}
