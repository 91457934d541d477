package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Sizes and places of the structures of QueryDisplayConfig (wingdi.h).
const (
	displayPathSize = 72 // DISPLAYCONFIG_PATH_INFO
	displayModeSize = 64 // DISPLAYCONFIG_MODE_INFO
	displayNameSize = 420
	displayAdapter  = 20 // of its target
	displayID       = 28
	nameTechnology  = 24 // in DISPLAYCONFIG_TARGET_DEVICE_NAME
	nameConnector   = 32
	namePath        = 164

	maxScreens = 64
)

// errNoScreens: there is no desktop to ask, as in the session of services.
var errNoScreens = fmt.Errorf("Windows tells only the session that the screens belong to: %w", errors.ErrUnsupported)

// displayTarget is one end of a path that a picture takes.
type displayTarget struct {
	adapter uint64
	id      uint32
}

// displayTargets reads the paths that QueryDisplayConfig lists.
func displayTargets(b winBuffer, n uint32) (list []displayTarget) {
	for _, at := range b.rows(n, displayPathSize) {
		list = append(list, displayTarget{b.u64(at + displayAdapter), b.u32(at + displayID)})
	}
	return list
}

// nameQuestion is the DISPLAYCONFIG_TARGET_DEVICE_NAME that
// DisplayConfigGetDeviceInfo fills.
func (t displayTarget) nameQuestion() []byte {
	const targetName = 2 // DISPLAYCONFIG_DEVICE_INFO_GET_TARGET_NAME
	raw := make([]byte, displayNameSize)
	binary.LittleEndian.PutUint32(raw, targetName)
	binary.LittleEndian.PutUint32(raw[4:], displayNameSize)
	binary.LittleEndian.PutUint64(raw[8:], t.adapter)
	binary.LittleEndian.PutUint32(raw[16:], t.id)
	return raw
}

// displayConnectors are kinds of outputs (DISPLAYCONFIG_VIDEO_OUTPUT_TECHNOLOGY) in
// the words of the facts.
var displayConnectors = map[uint32]string{0: "VGA", 4: "DVI-D", 5: "HDMI-A", 6: "LVDS", 10: "DP", 11: "eDP", 0x80000000: "eDP"}

// displayTargetName reads the answer: the screen's device in the tree, in capitals,
// and the connector, "" for one of no known kind.
func displayTargetName(b winBuffer) (instance, connector string) {
	if len(b.data) < displayNameSize {
		return "", ""
	}
	path := utf16Text(b.data[namePath:displayNameSize]) // "\\?\DISPLAY#DEL4321#5&1&0&UID256#{e6f07b5f-…}"
	if parts := strings.Split(strings.TrimPrefix(path, `\\?\`), "#"); len(parts) >= 4 {
		instance = strings.ToUpper(strings.Join(parts[:3], `\`))
	}
	if word := displayConnectors[b.u32(nameTechnology)]; word != "" {
		// The number is 0 for the only one of its kind.
		connector = fmt.Sprintf("%s-%d", word, max(1, b.u32(nameConnector)))
	}
	return instance, connector
}
