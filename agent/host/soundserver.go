package host

import (
	"bytes"
	"strings"
)

// defaultNodes are the names by which a session's sound server knows what its
// user chose to play to and to record from; "" where none was chosen.
type defaultNodes struct{ output, input string }

// parseDefaultNodes reads WirePlumber's state file default-nodes: the first line
// of a kind is the last choice, those that follow are earlier ones.
func parseDefaultNodes(content []byte) defaultNodes {
	return defaultNodes{
		output: iniValue(content, "default-nodes", "default.configured.audio.sink"),
		input:  iniValue(content, "default-nodes", "default.configured.audio.source"),
	}
}

// parsePulseDefault reads PulseAudio's file of one name,
// ~/.config/pulse/MACHINE-default-sink.
func parsePulseDefault(content []byte) string {
	line, _, _ := bytes.Cut(content, []byte("\n"))
	return strings.TrimSpace(string(line))
}

// nodeIsCard tells whether a sound server's name of a node means a card: it has
// the card's PCI address or its USB name in it
// ("alsa_output.pci-0000_00_1f.3.analog-stereo",
// "alsa_input.usb-Logitech_USB_Headset_000000-00.mono-fallback"), made of what
// udev puts into ID_PATH and ID_SERIAL.
func nodeIsCard(node, pciAddress, usbProduct string) bool {
	underscored := func(text string) string {
		return strings.Map(func(c rune) rune {
			if c == ' ' || c == ':' || c == '/' {
				return '_'
			}
			return c
		}, text)
	}
	_, place, _ := strings.Cut(node, ".")
	switch {
	case strings.HasPrefix(place, "usb-"):
		return usbProduct != "" && strings.Contains(place, underscored(usbProduct))
	case strings.HasPrefix(place, "pci-"):
		return usbProduct == "" && pciAddress != "" && strings.HasPrefix(place, "pci-"+underscored(pciAddress)+".")
	}
	return false
}

// nodeIsHDMI tells whether a node is the part of a card that a screen plays.
func nodeIsHDMI(node string) bool {
	return strings.Contains(node, ".hdmi-") || strings.Contains(node, "HDMI")
}
