package host

// usbFunctions is what a device's descriptors say that it does for people,
// beyond the classes of its interfaces.
type usbFunctions struct {
	// camera: it has a video control interface.
	camera bool
	// playback and capture are the forms of its sound: headset, headphones,
	// speakers, microphone or other; "" where it has none.
	playback, capture string
}

// Descriptors (USB 2.0 table 9-5) and classes that matter here.
const (
	descriptorInterface      = 0x04
	descriptorClassInterface = 0x24
	classAudio               = 0x01
	classVideo               = 0x0e
	subclassControl          = 0x01 // of audio and of video
	inputTerminal            = 0x02
	outputTerminal           = 0x03
)

// terminals name what sound comes from or goes to (USB Audio "Terminal Types"
// 1.0), by the code's upper byte and, where it matters, the whole code.
var terminals = map[uint16]string{
	0x0200: "microphone", 0x0300: "speakers", 0x0302: "headphones", 0x0400: "headset", 0x0600: "other", 0x0500: "other",
}

// terminalForm names a terminal; "" for the USB stream itself.
func terminalForm(code uint16) string {
	if form := terminals[code]; form != "" {
		return form
	}
	return terminals[code&0xff00]
}

// parseUSBFunctions reads the raw descriptors of a device: device descriptor and
// configurations with all that is in them, one after the other.
func parseUSBFunctions(raw []byte) usbFunctions {
	var f usbFunctions
	var class, subclass byte
	for len(raw) >= 2 && raw[0] >= 2 && int(raw[0]) <= len(raw) {
		d := raw[:raw[0]]
		raw = raw[raw[0]:]
		switch {
		case d[1] == descriptorInterface && len(d) >= 9:
			class, subclass = d[5], d[6]
			f.camera = f.camera || class == classVideo && subclass == subclassControl
		case d[1] == descriptorClassInterface && class == classAudio && subclass == subclassControl && len(d) >= 6:
			form := terminalForm(uint16(d[4]) | uint16(d[5])<<8)
			switch {
			case form == "":
			case d[2] == inputTerminal && f.capture == "":
				f.capture = form
			case d[2] == outputTerminal && f.playback == "":
				f.playback = form
			}
		}
	}
	return f
}

// headset tells whether a person wears it: it says so, or it has headphones and
// a microphone.
func (f usbFunctions) headset() bool {
	return f.playback == "headset" || f.capture == "headset" || f.playback == "headphones" && f.capture != ""
}
