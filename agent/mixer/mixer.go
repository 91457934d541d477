// Package mixer reads the switches and volumes of a sound card from the kernel
// (ALSA's control interface, include/uapi/sound/asound.h): what alsamixer shows.
// It changes nothing. Both halves of the agent use it: whoever may open the
// card's node.
package mixer

import "strings"

// Control is a switch or a volume.
type Control struct {
	// Name as the driver has it: "Master Playback Switch".
	Name string `json:"name"`
	// On tells of a switch whether any of its channels is open; nil: a volume.
	On *bool `json:"on,omitempty"`
	// Percent is how far a volume is up between its ends, as raw steps, of its
	// loudest channel; nil: a switch.
	Percent *int32 `json:"percent,omitempty"`
}

// preferred are the controls that decide for a whole card, best first; a card
// without them has a control of its own name.
var preferred = map[string][]string{
	"Playback": {"Master", "Headset", "PCM", "Speaker", "Headphone"},
	"Capture":  {"Capture", "Mic", "Headset", "Internal Mic"},
}

// State tells whether one direction ("Playback" or "Capture") of a card is muted
// and how loud it is; nil for what it has no control of.
func State(controls []Control, direction string) (muted *bool, percent *int32) {
	find := func(kind string) *Control {
		var first *Control
		for _, name := range append(preferred[direction], "") {
			for i, c := range controls {
				head, found := strings.CutSuffix(c.Name, " "+kind)
				if !found || (kind == "Switch") != (c.On != nil) {
					continue
				}
				head = strings.TrimSpace(strings.TrimSuffix(head, direction))
				isCapture := strings.Contains(c.Name, "Capture")
				switch {
				case isCapture != (direction == "Capture"), strings.Contains(c.Name, "IEC958"), strings.Contains(c.Name, "Boost"), strings.Contains(c.Name, "Loopback"):
				case head == name, head == "" && name == direction:
					return &controls[i]
				case first == nil && name == "":
					first = &controls[i]
				}
			}
		}
		return first
	}
	if c := find("Switch"); c != nil {
		off := !*c.On
		muted = &off
	}
	if c := find("Volume"); c != nil {
		percent = c.Percent
	}
	return muted, percent
}

// share is a raw value between its ends in percent; nil where there is no room
// between them.
func share(value, least, most int64) *int32 {
	if most <= least || value < least || value > most {
		return nil
	}
	percent := int32((float64(value-least)/float64(most-least))*100 + 0.5)
	return &percent
}
