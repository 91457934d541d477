package host

import (
	"encoding/binary"
	"unicode/utf16"
)

// winBuffer is a buffer that Windows filled with an array of structures and, behind
// them, the texts that their pointers mean. Base is the address it was filled at.
// What lies outside reads as zero and as no text.
type winBuffer struct {
	data []byte
	base uint64
}

func (b winBuffer) u16(at int) uint16 {
	if at < 0 || at+2 > len(b.data) {
		return 0
	}
	return binary.LittleEndian.Uint16(b.data[at:])
}

func (b winBuffer) u32(at int) uint32 {
	if at < 0 || at+4 > len(b.data) {
		return 0
	}
	return binary.LittleEndian.Uint32(b.data[at:])
}

func (b winBuffer) u64(at int) uint64 {
	if at < 0 || at+8 > len(b.data) {
		return 0
	}
	return binary.LittleEndian.Uint64(b.data[at:])
}

// text is what the pointer at this place means.
func (b winBuffer) text(at int) string {
	pointer := b.u64(at)
	if pointer < b.base || pointer-b.base >= uint64(len(b.data)) {
		return ""
	}
	return utf16Text(b.data[pointer-b.base:])
}

// rows are the places of n structures of a size, those that lie inside.
func (b winBuffer) rows(n uint32, size int) []int {
	var places []int
	for at := 0; n > 0 && at+size <= len(b.data); at, n = at+size, n-1 {
		places = append(places, at)
	}
	return places
}

// utf16Text reads UTF-16 in Windows' byte order, up to its end or a NUL.
func utf16Text(raw []byte) string {
	units := make([]uint16, 0, min(len(raw)/2, maxText))
	for ; len(raw) >= 2; raw = raw[2:] {
		unit := binary.LittleEndian.Uint16(raw)
		if unit == 0 {
			break
		}
		units = append(units, unit)
	}
	return string(utf16.Decode(units))
}
