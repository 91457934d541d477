package host

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"
)

// sysctl asks macOS' kernel for one of its values by name (sysctl(3)), as the bytes
// that it keeps; nil where it has none of this name. Numbers are little-endian on
// both of Apple's architectures.
type sysctl func(name string) []byte

// word is a text; nil where there is none, or where it is no text.
func (ask sysctl) word(name string) *string {
	text, _, _ := bytes.Cut(ask(name), []byte{0})
	return filled(string(text))
}

// number is a number of four or of eight bytes; nil of what is out of bounds.
func (ask sysctl) number(name string, least, most int64) *int64 {
	var n uint64
	switch raw := ask(name); len(raw) {
	case 4:
		n = uint64(binary.LittleEndian.Uint32(raw))
	case 8:
		n = binary.LittleEndian.Uint64(raw)
	default:
		return nil
	}
	if n > math.MaxInt64 || int64(n) < least || int64(n) > most {
		return nil
	}
	return set(int64(n))
}

// count is a number of things of which there is at least one.
func (ask sysctl) count(name string) *int32 {
	n := ask.number(name, 1, 4096)
	if n == nil {
		return nil
	}
	return set(int32(*n))
}

// on tells whether a switch is there and not 0.
func (ask sysctl) on(name string) bool {
	return ask.number(name, 1, math.MaxUint32) != nil
}

// time reads a struct timeval; the zero time of what is none.
func (ask sysctl) time(name string) time.Time {
	raw := ask(name)
	if len(raw) != 16 {
		return time.Time{}
	}
	seconds, micro := int64(binary.LittleEndian.Uint64(raw)), binary.LittleEndian.Uint32(raw[8:])
	if seconds <= 0 || seconds > 1<<34 || micro >= 1e6 {
		return time.Time{}
	}
	return time.Unix(seconds, int64(micro)*1000)
}

// macMhz is the highest speed of the processor; only Macs with Intel's tell it.
func macMhz(ask sysctl) *int32 {
	hertz := ask.number("hw.cpufrequency_max", 1e6, 1e12-1)
	if hertz == nil {
		return nil
	}
	return set(int32(*hertz / 1e6))
}

// macMemoryBytes is how much memory there is.
func macMemoryBytes(ask sysctl) *int64 { return ask.number("hw.memsize", 1, 1<<60) }
