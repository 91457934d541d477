package host

import (
	"strconv"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// soundDevice is one line of /proc/asound/pcm: a place that ALSA plays to,
// records from, or both.
type soundDevice struct {
	card, device      int
	name              string
	playback, capture bool
}

// maxSounds is how many sound devices are looked at.
const maxSounds = 256

// parseSoundDevices reads /proc/asound/pcm:
// "00-03: HDMI 0 : HDMI 0 : playback 1".
func parseSoundDevices(content []byte) []soundDevice {
	var list []soundDevice
	for line := range strings.Lines(string(content)) {
		fields := strings.Split(line, ":")
		card, device, found := strings.Cut(fields[0], "-")
		c, err1 := strconv.ParseUint(card, 10, 16)
		d, err2 := strconv.ParseUint(device, 10, 16)
		if !found || err1 != nil || err2 != nil || len(fields) < 3 || len(list) == maxSounds {
			continue
		}
		s := soundDevice{card: int(c), device: int(d), name: clean(fields[1])}
		for _, field := range fields[3:] {
			word, _, _ := strings.Cut(strings.TrimSpace(field), " ")
			s.playback = s.playback || word == "playback"
			s.capture = s.capture || word == "capture"
		}
		list = append(list, s)
	}
	return list
}

// soundCard is a line of /proc/asound/cards: " 0 [PCH    ]: HDA-Intel - HDA Intel PCH".
var soundCard = form(`(?m)^ *([0-9]{1,3}) \[.{1,20}\]: .* - (.+)$`)

// parseSoundCards reads the names of the cards by number.
func parseSoundCards(content []byte) map[int]string {
	cards := map[int]string{}
	for _, m := range soundCard().FindAllSubmatch(content, maxSounds) {
		n, _ := strconv.Atoi(string(m[1]))
		cards[n] = clean(string(m[2]))
	}
	return cards
}

// audioEndpoints are the directions of one device. The form is known of USB
// devices, which tell it, and of HDMI.
func (s soundDevice) audioEndpoints(card string, usb usbFunctions, inUse func(direction string) *bool) []*constatv1.AudioEndpoint {
	name := s.name
	switch {
	case card == "":
	case strings.Contains(name, card):
	case name == "" || name == "USB Audio":
		name = card
	default:
		name = card + ": " + name
	}
	var list []*constatv1.AudioEndpoint
	for _, side := range []struct {
		there           bool
		direction, form string
		letter          string
	}{{s.playback, "output", usb.playback, "p"}, {s.capture, "input", usb.capture, "c"}} {
		if !side.there {
			continue
		}
		e := &constatv1.AudioEndpoint{Name: filled(name), Direction: set(side.direction), InUse: inUse(side.letter)}
		switch {
		case usb.headset():
			e.Form = set("headset")
		case side.form == "headphones":
			e.Form = set("other")
		case side.form != "":
			e.Form = set(side.form)
		case strings.Contains(s.name, "HDMI") || strings.Contains(s.name, "DisplayPort"):
			e.Form = set("hdmi")
		}
		list = append(list, e)
	}
	return list
}
