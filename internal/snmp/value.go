package snmp

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gosnmp/gosnmp"
)

// Value is one object's value. The zero Value is absent: the device does not
// have it.
type Value struct{ pdu gosnmp.SnmpPDU }

// Known tells that the device gave a value.
func (v Value) Known() bool {
	switch v.pdu.Type {
	case gosnmp.NoSuchObject, gosnmp.NoSuchInstance, gosnmp.EndOfMibView, gosnmp.Null, gosnmp.UnknownType:
		return false
	}
	return v.pdu.Value != nil
}

// Int is the value of INTEGER, Counter32, Counter64, Gauge32 and TimeTicks; some
// agents send a number as text. ok is false for anything else, and for numbers
// beyond 63 bits.
func (v Value) Int() (n int64, ok bool) {
	if !v.Known() {
		return 0, false
	}
	switch x := v.pdu.Value.(type) {
	case int:
		return int64(x), true
	case uint:
		return int64(x), x <= 1<<63-1
	case uint32:
		return int64(x), true
	case uint64:
		return int64(x), x <= 1<<63-1
	case int64:
		return x, true
	case []byte:
		n, err := strconv.ParseInt(strings.TrimSpace(string(x)), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// Bytes is an OCTET STRING as it came; nil for anything else.
func (v Value) Bytes() []byte {
	b, _ := v.pdu.Value.([]byte)
	return b
}

// maxText bounds a text: no name, alias or description of a MIB is longer.
const maxText = 512

// Text is a value for people: an OCTET STRING without what no terminal should
// get (control characters, broken UTF-8: Latin-1 is assumed there), an object
// identifier or address as usually written, a number in decimal. Empty when
// absent.
func (v Value) Text() string {
	if !v.Known() {
		return ""
	}
	switch x := v.pdu.Value.(type) {
	case []byte:
		return clean(x)
	case string:
		return strings.TrimPrefix(x, ".")
	}
	if n, ok := v.Int(); ok {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// plain tells that a text is as clean makes it: nearly all are.
func plain(raw []byte) bool {
	before := byte(' ')
	for _, c := range raw {
		if c < ' ' || c > '~' || c == ' ' && before == ' ' {
			return false
		}
		before = c
	}
	return before != ' ' || len(raw) == 0
}

func clean(raw []byte) string {
	raw = raw[:min(len(raw), maxText)]
	text := string(raw)
	if plain(raw) {
		return text
	}
	if !utf8.Valid(raw) {
		latin := make([]rune, len(raw))
		for i, b := range raw {
			latin[i] = rune(b)
		}
		text = string(latin)
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// OID is an OBJECT IDENTIFIER without a leading dot; empty for anything else.
func (v Value) OID() string {
	if v.pdu.Type != gosnmp.ObjectIdentifier {
		return ""
	}
	s, _ := v.pdu.Value.(string)
	return strings.TrimPrefix(s, ".")
}

// recordedTypes are the tags of BER as recordings write them.
var recordedTypes = map[gosnmp.Asn1BER]string{
	gosnmp.Integer: "2", gosnmp.ObjectIdentifier: "6", gosnmp.Counter32: "65", gosnmp.Gauge32: "66", gosnmp.TimeTicks: "67", gosnmp.Counter64: "70",
}

// Recorded is type and value as snmpsim's recordings write them, bytes in hex;
// both are empty for types that recordings do not hold.
func (v Value) Recorded() (kind, value string) {
	if b := v.Bytes(); b != nil {
		return "4x", hex.EncodeToString(b)
	}
	if a, ok := v.Address(); ok && v.pdu.Type == gosnmp.IPAddress {
		return "64", a.String()
	}
	kind = recordedTypes[v.pdu.Type]
	if n, ok := v.pdu.Value.(uint64); ok {
		return kind, strconv.FormatUint(n, 10)
	}
	return kind, v.Text()
}

// MAC is an OCTET STRING of six bytes as aa:bb:cc:dd:ee:ff; empty for anything
// else, and for the address of all zeros, which means none.
func (v Value) MAC() string {
	b := v.Bytes()
	if len(b) != 6 || string(b) == "\x00\x00\x00\x00\x00\x00" {
		return ""
	}
	return Hex(b)
}

// Hex writes bytes as pairs of digits with colons between.
func Hex(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 3*len(b))
	for i, c := range b {
		if i > 0 {
			out = append(out, ':')
		}
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}

// Address is an IpAddress, or an OCTET STRING of 4 or 16 bytes (InetAddress).
func (v Value) Address() (netip.Addr, bool) {
	switch x := v.pdu.Value.(type) {
	case string:
		a, err := netip.ParseAddr(x)
		return a, err == nil
	case []byte:
		return netip.AddrFromSlice(x)
	}
	return netip.Addr{}, false
}

// Index reads the numbers of a row's index: "3.1" is [3 1]. nil when it holds
// anything else.
func Index(suffix string) []uint32 {
	var numbers []uint32
	for part := range strings.SplitSeq(suffix, ".") {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return nil
		}
		numbers = append(numbers, uint32(n))
	}
	return numbers
}

// IndexMAC reads an address of six bytes from an index; empty when it is none.
func IndexMAC(index []uint32) string {
	if len(index) != 6 {
		return ""
	}
	var b [6]byte
	for i, n := range index {
		if n > 255 {
			return ""
		}
		b[i] = byte(n)
	}
	return Hex(b[:])
}
