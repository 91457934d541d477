package hidpp

import "fmt"

// Features of HID++ 2.0 by id, and the functions of each that are called. The
// root feature has index 0; it tells the index of the others.
const (
	featureRoot     = 0x00
	rootGetFeature  = 0
	rootPing        = 1
	featureFirmware = 0x0003
	firmwareCount   = 0
	firmwarePart    = 1
	featureName     = 0x0005
	nameLength      = 0
	namePart        = 1
	featureBattery  = 0x1000
	batteryStatus   = 0
	featureUnified  = 0x1004
	unifiedStatus   = 1
)

// features fills what a device of HID++ 2.0 tells of itself.
func (s *session) features(n byte, p *Peripheral) {
	if at, ok := s.feature(n, featureName); ok {
		if name := s.name(n, at); name != nil {
			p.Model = name
		}
	}
	if at, ok := s.feature(n, featureFirmware); ok {
		p.Firmware = s.deviceFirmware(n, at)
	}
	if at, ok := s.feature(n, featureUnified); ok {
		if b, err := s.call(n, at, unifiedStatus); err == nil {
			unifiedBattery(p, b)
		}
		return
	}
	if at, ok := s.feature(n, featureBattery); ok {
		if b, err := s.call(n, at, batteryStatus); err == nil {
			levelBattery(p, b)
		}
	}
}

// feature looks up where a device has a feature; false when it has it not.
func (s *session) feature(n byte, id uint16) (at byte, ok bool) {
	answer, err := s.call(n, featureRoot, rootGetFeature, byte(id>>8), byte(id))
	return answer[0], err == nil && answer[0] != 0
}

// name reads the full name, sixteen bytes at a time.
func (s *session) name(n, at byte) *string {
	length, err := s.call(n, at, nameLength)
	if err != nil {
		return nil
	}
	var name []byte
	want := min(int(length[0]), maxName)
	for len(name) < want {
		part, err := s.call(n, at, namePart, byte(len(name)))
		if err != nil {
			return nil
		}
		name = append(name, part[:]...)
	}
	return text(name, want)
}

// deviceFirmware reads the version of the main application: "MPM25.01.B0027".
func (s *session) deviceFirmware(n, at byte) *string {
	count, err := s.call(n, at, firmwareCount)
	if err != nil {
		return nil
	}
	for part := range min(count[0], maxFirmwareParts) {
		info, err := s.call(n, at, firmwarePart, part)
		if err != nil {
			return nil
		}
		const mainApplication = 0
		if info[0]&0x0f != mainApplication {
			continue
		}
		version := fmt.Sprintf("%02X.%02X.B%02X%02X", info[4], info[5], info[6], info[7])
		if name := text(info[1:4], 3); name != nil {
			version = *name + version
		}
		return &version
	}
	return nil
}

// unifiedBattery reads feature 0x1004: percent (0 where it only knows levels),
// a bit for the level, and how it is charged.
func unifiedBattery(p *Peripheral, b parameters) {
	if b[0] > 0 && b[0] <= 100 {
		p.BatteryPercent = told(int32(b[0]))
	}
	switch charging := b[2]; {
	case charging == 1 || charging == 2:
		p.BatteryState = told("charging")
	case charging == 3:
		p.BatteryState = told("full")
	default:
		if word := map[byte]string{1: "critical", 2: "low", 4: "good", 8: "full"}[b[1]]; word != "" {
			p.BatteryState = &word
		}
	}
}

// levelBattery reads feature 0x1000: percent (0: not known while it charges),
// the next level, and how it is charged.
func levelBattery(p *Peripheral, b parameters) {
	if b[0] > 0 && b[0] <= 100 {
		p.BatteryPercent = told(int32(b[0]))
	}
	switch b[2] {
	case 1, 2, 4: // recharging, in its last stage, slowly
		p.BatteryState = told("charging")
	case 3:
		p.BatteryState = told("full")
	}
}
