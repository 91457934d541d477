package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"constat/agent/mixer"
	constatv1 "constat/proto/constat/v1"
)

const soundDir = "/proc/asound"

// soundCardPlace is where a card hangs.
type soundCardPlace struct {
	pci string // "0000:00:1f.3", "" where none is seen
	usb *constatv1.UsbDevice
	usbFunctions
}

var pciAddress = form(`/([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])/sound/`)

// readAudio lists where sound can go to and come from, muted or not by the
// cards' own switches, and which of them the user's sound server takes.
func readAudio(ctx context.Context, r *reader, devices []*constatv1.UsbDevice, functions map[string]usbFunctions, p *constatv1.Peripherals, o *constatv1.Observation) {
	listed, err := r.file(soundDir + "/pcm")
	if err != nil {
		gap(o, "audio", fmt.Errorf("this kernel shows no sound devices: %w", err))
		return
	}
	cards, _ := r.file(soundDir + "/cards")
	names := parseSoundCards(cards)
	chosen, chosenErr := soundChoice(ctx, r)
	controls := map[int][]mixer.Control{}
	var controlsErr error
	for _, s := range parseSoundDevices(listed) {
		place := cardPlace(r, s.card, devices, functions)
		if _, known := controls[s.card]; !known {
			found, err := soundControls(ctx, r, s.card)
			controls[s.card], controlsErr = found, cmp.Or(controlsErr, err)
		}
		inUse := func(letter string) *bool {
			return soundInUse(r, fmt.Sprintf("%s/card%d/pcm%d%s", soundDir, s.card, s.device, letter))
		}
		for _, e := range s.audioEndpoints(names[s.card], place.usbFunctions, inUse) {
			node, direction := chosen.output, "Playback"
			if e.GetDirection() == "input" {
				node, direction = chosen.input, "Capture"
			}
			if e.GetForm() != "hdmi" { // loud or not is the screen's business
				e.Muted, e.VolumePercent = mixer.State(controls[s.card], direction)
			}
			if node != "" {
				e.DefaultEndpoint = set(nodeIsCard(node, place.pci, place.usb.GetProduct()) && nodeIsHDMI(node) == (e.GetForm() == "hdmi"))
			}
			p.Audio = append(p.Audio, e)
		}
	}
	if len(p.Audio) == 0 {
		return
	}
	if controlsErr != nil {
		gap(o, "audio.muted", controlsErr)
		gap(o, "audio.volume_percent", controlsErr)
	}
	if chosenErr != nil {
		gap(o, "audio.default_endpoint", chosenErr)
	}
}

// cardPlace finds what a card hangs on.
func cardPlace(r *reader, card int, devices []*constatv1.UsbDevice, functions map[string]usbFunctions) soundCardPlace {
	target, err := r.link(fmt.Sprintf("/sys/class/sound/card%d", card))
	if err != nil {
		return soundCardPlace{}
	}
	place := soundCardPlace{usbFunctions: functions[placeOf(target).usb]}
	if m := pciAddress().FindStringSubmatch(target); m != nil {
		place.pci = m[1]
	}
	for _, d := range devices {
		if path := placeOf(target).usb; path != "" && d.GetPath() == path {
			place.usb = d
		}
	}
	return place
}

// soundControls reads a card's controls, by the process that holds the rights
// where this one may not.
func soundControls(ctx context.Context, r *reader, card int) ([]mixer.Control, error) {
	node := fmt.Sprintf("controlC%d", card)
	controls, err := mixer.Read(r.path("/dev/snd/" + node))
	if errors.Is(err, fs.ErrPermission) && r.Privileged != nil {
		var content []byte
		if content, err = r.Privileged(ctx, "sound", node); err == nil {
			err = json.Unmarshal(content, &controls)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the switches of sound card %d: %w", card, err)
	}
	return controls, nil
}

// soundChoice reads what a user chose last, of all whose choice this process may
// read. It is kept in their homes; a choice of a session that was never changed
// is kept nowhere.
func soundChoice(ctx context.Context, r *reader) (defaultNodes, error) {
	var homes []string
	if home, err := os.UserHomeDir(); err == nil && r.Root == "" {
		homes = append(homes, home)
	}
	passwd, _ := r.file("/etc/passwd")
	known := parsePasswd(passwd)
	signedIn, _ := sessions(ctx, r)
	for _, s := range signedIn {
		if entry, local := known[s.GetUser()]; local {
			homes = append(homes, entry.home)
		}
	}
	slices.Sort(homes)
	var chosen defaultNodes
	var newest time.Time
	err := error(fmt.Errorf("no user's sound server keeps a choice: %w", errors.ErrUnsupported))
	id := r.value("/etc/machine-id")
	for _, home := range slices.Compact(homes) {
		for _, name := range []string{home + "/.local/state/wireplumber/default-nodes", home + "/.config/pulse/" + id + "-default-sink"} {
			info, statErr := r.stat(name)
			if errors.Is(statErr, fs.ErrPermission) {
				err = fmt.Errorf("each user's sound server keeps it in their home: %w", fs.ErrPermission)
			}
			if statErr != nil || !info.ModTime().After(newest) {
				continue
			}
			content, readErr := r.file(name)
			if readErr != nil {
				err = fmt.Errorf("each user's sound server keeps it in their home: %w", fs.ErrPermission)
				continue
			}
			newest, err = info.ModTime(), nil
			if chosen = parseDefaultNodes(content); chosen == (defaultNodes{}) {
				source, _ := r.file(home + "/.config/pulse/" + id + "-default-source")
				chosen = defaultNodes{parsePulseDefault(content), parsePulseDefault(source)}
			}
		}
	}
	return chosen, err
}

// soundInUse tells whether a program has a device open: then one of its streams
// is not "closed".
func soundInUse(r *reader, dir string) *bool {
	names, err := r.names(dir)
	if err != nil {
		return nil
	}
	var inUse *bool
	for _, name := range names {
		if len(name) < 4 || name[:3] != "sub" {
			continue
		}
		status, err := r.text(dir + "/" + name + "/status")
		if err != nil {
			return nil
		}
		inUse = set(status != "closed" || inUse != nil && *inUse)
	}
	return inUse
}
