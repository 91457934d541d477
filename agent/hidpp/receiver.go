package hidpp

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ReceiverName returns what is printed on a receiver of Logitech's (USB vendor
// 046d), by its product id in lower-case hexadecimal; false when that is no
// receiver that Read understands.
func ReceiverName(product string) (name string, ok bool) {
	name, ok = receivers[product]
	return name, ok
}

var receivers = map[string]string{
	"c52b": "Unifying Receiver", "c532": "Unifying Receiver",
	"c548": "Bolt Receiver",
	"c518": "Nano Receiver", "c51a": "Nano Receiver", "c51b": "Nano Receiver", "c521": "Nano Receiver",
	"c525": "Nano Receiver", "c526": "Nano Receiver", "c52e": "Nano Receiver", "c52f": "Nano Receiver",
	"c531": "Nano Receiver", "c534": "Nano Receiver", "c535": "Nano Receiver", "c537": "Nano Receiver",
	"c539": "Lightspeed Receiver", "c53a": "Lightspeed Receiver", "c53d": "Lightspeed Receiver", "c53f": "Lightspeed Receiver",
	"c541": "Lightspeed Receiver", "c545": "Lightspeed Receiver", "c547": "Lightspeed Receiver", "c54d": "Lightspeed Receiver",
}

// Registers of a receiver, and what can be asked of receiverInfo.
const (
	connections  = 0x02
	receiverInfo = 0xb5
	firmware     = 0xf1
	batteryLevel = 0x07 // of devices
	batteryMiles = 0x0d // of devices, in percent

	infoReceiver     = 0x03
	infoPairing      = 0x20 // + device - 1
	infoSerial       = 0x30 // + device - 1
	infoName         = 0x40 // + device - 1
	infoBoltPairing  = 0x50 // + device
	infoBoltName     = 0x60 // + device
	firmwareVersion  = 0x01
	firmwareBuild    = 0x02
	maxPaired        = 6
	maxName          = 64
	maxFirmwareParts = 8
)

// kinds are words of Peripheral.kind for a device's type in the pairing
// information.
var kinds = map[byte]string{1: "keyboard", 2: "mouse", 3: "keyboard", 8: "mouse", 9: "touchpad", 0x0a: "other"}

// Peripheral is what a receiver, or a device behind it, tells of itself: facts of
// the schema's message of that name, by its names, and written as its JSON. The
// message itself stays out of here: it takes longer to make ready than a receiver
// to ask, and the process that holds the rights starts for every look.
type Peripheral struct {
	ID             *string `json:"id,omitempty"`
	Brand          *string `json:"brand,omitempty"`
	Model          *string `json:"model,omitempty"`
	Kind           *string `json:"kind,omitempty"`
	Serial         *string `json:"serial,omitempty"`
	Firmware       *string `json:"firmware,omitempty"`
	Connection     *string `json:"connection,omitempty"`
	Linked         *bool   `json:"linked,omitempty"`
	BatteryPercent *int32  `json:"batteryPercent,omitempty"`
	BatteryState   *string `json:"batteryState,omitempty"`
}

func told[T any](v T) *T { return &v }

// Read asks a receiver and every device paired with it, and returns them: the
// receiver first, without the facts that only USB tells. It needs some
// milliseconds, and at most until ctx ends: a device that sleeps or is away does
// not answer, and its link then is unknown or down. The error says that the
// receiver itself could not be asked.
func Read(ctx context.Context, device Device) ([]*Peripheral, error) {
	s := &session{ctx: ctx, device: device}
	if _, err := s.register(receiver, readShort, connections); err != nil {
		return nil, fmt.Errorf("the receiver does not answer: %w", err)
	}
	r := &Peripheral{Brand: told("Logitech"), Kind: told("receiver"), Firmware: s.receiverFirmware()}
	if info, err := s.register(receiver, readLong, receiverInfo, infoReceiver); err == nil {
		r.Serial = serial(info[1:5])
	}
	list := []*Peripheral{r}
	for n := byte(1); n <= maxPaired; n++ {
		if p := s.paired(n); p != nil {
			s.describe(n, p)
			list = append(list, p)
		}
	}
	return list, nil
}

// receiverFirmware reads "12.11.B0032"; nil when it does not tell.
func (s *session) receiverFirmware() *string {
	version, err := s.register(receiver, readShort, firmware, firmwareVersion)
	if err != nil {
		return nil
	}
	text := fmt.Sprintf("%02X.%02X", version[1], version[2])
	if build, err := s.register(receiver, readShort, firmware, firmwareBuild); err == nil {
		text += fmt.Sprintf(".B%02X%02X", build[1], build[2])
	}
	return &text
}

// paired reads what the receiver knows of device n, whether or not it is there;
// nil when none is paired as n.
func (s *session) paired(n byte) *Peripheral {
	p := &Peripheral{Brand: told("Logitech"), Connection: told("receiver")}
	if info, err := s.register(receiver, readLong, receiverInfo, infoPairing+n-1); err == nil {
		p.ID = wireless(info[3], info[4])
		p.Kind = kind(info[7])
		if more, err := s.register(receiver, readLong, receiverInfo, infoSerial+n-1); err == nil {
			p.Serial = serial(more[1:5])
		}
		if name, err := s.register(receiver, readLong, receiverInfo, infoName+n-1); err == nil {
			p.Model = text(name[2:], int(name[1]))
		}
		return p
	}
	info, err := s.register(receiver, readLong, receiverInfo, infoBoltPairing+n)
	if err != nil || info[2] == 0 && info[3] == 0 {
		return nil
	}
	p.ID = wireless(info[3], info[2])
	p.Kind = kind(info[1])
	p.Serial = serial(info[4:8])
	if name, err := s.register(receiver, readLong, receiverInfo, infoBoltName+n, 1); err == nil {
		p.Model = text(name[3:], int(name[2]))
	}
	return p
}

// describe asks device n itself, over the radio.
func (s *session) describe(n byte, p *Peripheral) {
	_, err := s.call(n, featureRoot, rootPing, 0, 0, 0x5a)
	var f fault
	switch {
	case err == nil:
		p.Linked = told(true)
		s.features(n, p)
	case !errors.As(err, &f): // silent: asleep or away, nobody knows
	case f == faultUnknownCommand: // HID++ 1.0
		p.Linked = told(true)
		s.oldBattery(n, p)
	case f == faultNotConnected, f == faultNoDevice, f == faultUnreachable:
		p.Linked = told(false)
	}
}

// oldBattery reads the battery of a device of HID++ 1.0.
func (s *session) oldBattery(n byte, p *Peripheral) {
	if miles, err := s.register(n, readShort, batteryMiles); err == nil {
		if miles[0] <= 100 {
			p.BatteryPercent = told(int32(miles[0]))
		}
		switch miles[2] & 0xf0 {
		case 0x50:
			p.BatteryState = told("charging")
		case 0x90:
			p.BatteryState = told("full")
		}
		return
	}
	level, err := s.register(n, readShort, batteryLevel)
	if err != nil {
		return
	}
	if level[1]&0x21 == 0x21 {
		p.BatteryState = told("charging")
	} else if word := map[byte]string{1: "critical", 3: "low", 5: "good", 7: "full"}[level[0]]; word != "" {
		p.BatteryState = &word
	}
}

// wireless is the id of a paired device, as the kernel shows it on its HID bus.
func wireless(high, low byte) *string { return told(fmt.Sprintf("046d:%02x%02x", high, low)) }

func kind(b byte) *string {
	word := kinds[b&0x0f]
	if word == "" {
		word = "other"
	}
	return &word
}

// serial writes a serial number as it is printed below the device; nil for none.
func serial(raw []byte) *string {
	text := fmt.Sprintf("%X", raw)
	if strings.Trim(text, "0") == "" || strings.Trim(text, "F") == "" {
		return nil
	}
	return &text
}

// text is a name of n bytes of printable ASCII; nil when nothing is left.
func text(raw []byte, n int) *string {
	name := strings.TrimSpace(strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, string(raw[:min(n, len(raw))])))
	if name == "" {
		return nil
	}
	return &name
}
