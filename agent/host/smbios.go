package host

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// The raw SMBIOS table, DMTF DSP0134 (version 3.7). Firmware writes it, often
// carelessly: every field may be missing, and every length may lie.
const (
	maxSMBIOS           = 1 << 20 // bytes
	maxSMBIOSStructures = 4096
)

// smbios is one structure: its formatted area with header, and its strings.
type smbios struct {
	kind    byte
	area    []byte
	strings []string
}

// parseSMBIOS reads all structures of a table (DSP0134 6.1). Structures that
// end before the table does are returned also when a later one is broken.
func parseSMBIOS(table []byte) ([]smbios, error) {
	if len(table) > maxSMBIOS {
		return nil, fmt.Errorf("SMBIOS: a table of %d bytes is more than the limit of %d", len(table), maxSMBIOS)
	}
	var list []smbios
	for len(table) >= 4 {
		length := int(table[1])
		if length < 4 || length > len(table) {
			return list, fmt.Errorf("SMBIOS: structure %d claims %d bytes", len(list), length)
		}
		if len(list) == maxSMBIOSStructures {
			return list, fmt.Errorf("SMBIOS: more than %d structures", maxSMBIOSStructures)
		}
		s := smbios{kind: table[0], area: table[:length]}
		end := bytes.Index(table[length:], []byte{0, 0})
		if end < 0 {
			return list, fmt.Errorf("SMBIOS: the strings of structure %d do not end", len(list))
		}
		if end > 0 {
			s.strings = strings.Split(string(table[length:length+end]), "\x00")
		}
		list = append(list, s)
		if s.kind == 127 { // end of table
			return list, nil
		}
		table = table[length+end+2:]
	}
	if len(list) == 0 {
		return nil, errors.New("SMBIOS: the table is empty")
	}
	return list, nil
}

// splitSMBIOS takes apart what the process with the rights returns: the length
// of the entry point (four bytes, big endian), the entry point, the table.
func splitSMBIOS(framed []byte) (entry, table []byte, err error) {
	if len(framed) < 4 {
		return nil, nil, errors.New("SMBIOS: cut off")
	}
	n := binary.BigEndian.Uint32(framed)
	if uint64(n) > uint64(len(framed)-4) {
		return nil, nil, errors.New("SMBIOS: the entry point is cut off")
	}
	return framed[4 : 4+n], framed[4+n:], nil
}

// Number fields are nil where the structure is too short to have them, as
// older versions of the standard are.
func (s smbios) byte(at int) *byte {
	if at >= len(s.area) {
		return nil
	}
	return &s.area[at]
}

func (s smbios) uint16(at int) *uint16 {
	if at+2 > len(s.area) {
		return nil
	}
	return set(binary.LittleEndian.Uint16(s.area[at:]))
}

func (s smbios) uint32(at int) *uint32 {
	if at+4 > len(s.area) {
		return nil
	}
	return set(binary.LittleEndian.Uint32(s.area[at:]))
}

// placeholderList is what makers leave in the table when they mean nothing,
// one a line, lower case.
//
//go:embed data/smbios-placeholders.txt
var placeholderList string

var placeholders = func() map[string]bool {
	known := map[string]bool{}
	for line := range strings.Lines(placeholderList) {
		known[strings.TrimSpace(line)] = true
	}
	return known
}()

// meaningful returns a text of the firmware, nil when it says nothing.
func meaningful(text string) *string {
	text = clean(text)
	lower := strings.ToLower(text)
	if text == "" || placeholders[lower] || strings.Trim(lower, "0.-x_ ") == "" || strings.Trim(lower, "f") == "" {
		return nil
	}
	return &text
}

// text returns the string a field refers to; nil when it has none, or one that
// means nothing.
func (s smbios) text(at int) *string {
	n := s.byte(at)
	if n == nil || *n == 0 || int(*n) > len(s.strings) {
		return nil
	}
	return meaningful(s.strings[*n-1])
}

// describeSMBIOS fills hardware facts from the structures. The first of a kind
// counts, but memory modules, which are all told.
func describeSMBIOS(h *constatv1.Hardware, structures []smbios) {
	var assetTag *string
	for _, s := range structures {
		switch {
		case s.kind == 0 && h.Firmware == nil:
			h.Firmware = &constatv1.Firmware{Vendor: s.text(0x04), Version: s.text(0x05)}
			if date := s.text(0x08); date != nil {
				h.Firmware.Date = firmwareDate(*date)
			}
			if extension := s.byte(0x13); extension != nil {
				// 7.1.2.2 bit 3: UEFI is supported; that it was used to start is
				// for the operating system to say.
				h.Firmware.Kind = set(map[bool]string{false: "bios", true: "uefi"}[*extension&0x08 != 0])
			}
		case s.kind == 1 && h.System == nil:
			h.System = &constatv1.System{
				Manufacturer: s.text(0x04), Model: s.text(0x05), Version: s.text(0x06), Serial: s.text(0x07),
				Sku: s.text(0x19), Family: s.text(0x1a), Uuid: s.uuid(0x08),
			}
		case s.kind == 2 && h.Baseboard == nil:
			h.Baseboard = &constatv1.Baseboard{Manufacturer: s.text(0x04), Model: s.text(0x05), Serial: s.text(0x07)}
		case s.kind == 3 && h.Chassis == nil:
			if n := s.byte(0x05); n != nil {
				h.Chassis = chassisOf(int(*n & 0x7f)) // bit 7: a lock is present
			}
			assetTag = s.text(0x08)
		case s.kind == 4:
			h.Processor = addProcessor(h.Processor, s)
		case s.kind == 17:
			h.MemoryModules = append(h.MemoryModules, memoryModule(s))
		}
	}
	// Structures come in any order: the chassis may stand before the system.
	if assetTag != nil {
		if h.System == nil {
			h.System = &constatv1.System{}
		}
		h.System.AssetTag = assetTag
	}
	if h.System != nil && h.System.Manufacturer != nil {
		h.System.Brand = brandOf(*h.System.Manufacturer)
	}
	h.MemoryBytes = nil
	var sum int64
	for _, m := range h.MemoryModules {
		if m.SizeBytes == nil {
			return // one unknown module makes the sum unknown
		}
		sum += *m.SizeBytes
	}
	if sum > 0 {
		h.MemoryBytes = &sum
	}
}

// uuid writes a UUID of version 2.6 and later: the first three fields are
// little endian (7.2.1). All zeros or all ones mean none.
func (s smbios) uuid(at int) *string {
	if at+16 > len(s.area) {
		return nil
	}
	u := s.area[at : at+16]
	if bytes.Equal(u, make([]byte, 16)) || bytes.Equal(u, bytes.Repeat([]byte{0xff}, 16)) {
		return nil
	}
	return set(fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(u), binary.LittleEndian.Uint16(u[4:]),
		binary.LittleEndian.Uint16(u[6:]), u[8:10], u[10:]))
}

// firmwareDate turns mm/dd/yyyy (7.1, offset 08h), or with two digits of a
// year of the last century, into ISO 8601.
func firmwareDate(text string) *string {
	for _, layout := range []string{"01/02/2006", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return set(t.Format(time.DateOnly))
		}
	}
	if t, err := time.Parse("01/02/2006", strings.TrimSuffix(text, lastPart(text))+"19"+lastPart(text)); err == nil {
		return set(t.Format(time.DateOnly))
	}
	return nil
}

func lastPart(date string) string { return date[strings.LastIndex(date, "/")+1:] }

// chassisKinds folds the enclosure types of 7.4.1.
var chassisKinds = map[int]string{
	3: "desktop", 4: "desktop", 5: "desktop", 6: "desktop", 7: "desktop", 8: "laptop", 9: "laptop", 10: "laptop", 11: "tablet",
	12: "other", 13: "allInOne", 14: "laptop", 15: "desktop", 16: "desktop", 17: "server", 23: "server", 24: "desktop", 25: "server",
	28: "server", 29: "server", 30: "tablet", 31: "convertible", 32: "detachable", 33: "desktop", 34: "desktop", 35: "desktop", 36: "desktop",
}

// chassisOf names a chassis type; nil for "unknown" and out of range.
func chassisOf(kind int) *string {
	if kind <= 0 || kind == 2 || kind > 0x24 {
		return nil
	}
	if word := chassisKinds[kind]; word != "" {
		return &word
	}
	return set("other")
}

// addProcessor counts a type 4 structure in: only sockets with a processor.
func addProcessor(p *constatv1.Processor, s smbios) *constatv1.Processor {
	if status := s.byte(0x18); status == nil || *status&0x40 == 0 {
		return p // 7.5, offset 18h bit 6: the socket is populated
	}
	if p == nil {
		p = &constatv1.Processor{Model: s.text(0x10), Sockets: set(int32(0))}
	}
	*p.Sockets++
	cores, threads := s.processorCount(0x23, 0x2a), s.processorCount(0x25, 0x2e)
	if cores != nil {
		p.Cores = set(p.GetCores() + *cores)
	}
	if threads != nil {
		p.Threads = set(p.GetThreads() + *threads)
	}
	return p
}

// processorCount reads a count of cores or threads: one byte, or where that is
// FFh the word that version 3.0 added. 0: unknown.
func (s smbios) processorCount(at, wide int) *int32 {
	n := s.byte(at)
	if n == nil || *n == 0 {
		return nil
	}
	if word := s.uint16(wide); *n == 0xff && word != nil {
		return set(int32(*word))
	}
	return set(int32(*n))
}

// memoryTypes are the ones still met, of 7.18.2.
var memoryTypes = map[byte]string{
	0x0f: "SDRAM", 0x12: "DDR", 0x13: "DDR2", 0x18: "DDR3", 0x1a: "DDR4", 0x1b: "LPDDR", 0x1c: "LPDDR2", 0x1d: "LPDDR3",
	0x1e: "LPDDR4", 0x20: "HBM", 0x21: "HBM2", 0x22: "DDR5", 0x23: "LPDDR5",
}

// memoryModule reads a type 17 structure, 7.18.
func memoryModule(s smbios) *constatv1.MemoryModule {
	m := &constatv1.MemoryModule{Locator: s.text(0x10), Manufacturer: s.text(0x17), Serial: s.text(0x18), PartNumber: s.text(0x1a)}
	switch size := s.uint16(0x0c); {
	case size == nil || *size == 0xffff: // unknown
	case *size == 0x7fff:
		if megabytes := s.uint32(0x1c); megabytes != nil {
			m.SizeBytes = set(int64(*megabytes&0x7fffffff) << 20)
		}
	case *size&0x8000 != 0:
		m.SizeBytes = set(int64(*size&0x7fff) << 10)
	default:
		m.SizeBytes = set(int64(*size) << 20)
	}
	if m.SizeBytes != nil && *m.SizeBytes == 0 { // an empty slot has nothing but its name
		return &constatv1.MemoryModule{Locator: m.Locator, SizeBytes: m.SizeBytes}
	}
	if kind := s.byte(0x12); kind != nil {
		m.Type = filled(memoryTypes[*kind])
	}
	// The speed it runs at, else the one it could run at. 0: unknown.
	for _, at := range []int{0x20, 0x15} {
		if speed := s.uint16(at); speed != nil && *speed != 0 && *speed != 0xffff {
			m.SpeedMts = set(int32(*speed))
			break
		}
	}
	return m
}

// tableOfWindows takes the table out of RawSMBIOSData, which is what
// GetSystemFirmwareTable returns: four bytes of versions, a length, the table.
func tableOfWindows(raw []byte) ([]byte, error) {
	const header = 8
	if len(raw) < header {
		return nil, errors.New("SMBIOS: cut off")
	}
	length := binary.LittleEndian.Uint32(raw[4:])
	if uint64(length) > uint64(len(raw)-header) {
		return nil, errors.New("SMBIOS: the table is cut off")
	}
	return raw[header : header+length], nil
}
