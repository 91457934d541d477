package host

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// pnpTable has one maker a line: PNP id, a tab, name.
//
//go:embed data/pnp.tsv
var pnpTable string

// makerOf names the maker behind a PNP id; nil when the table does not know it.
func makerOf(id string) *string {
	for line := range strings.Lines(pnpTable) {
		if name, found := strings.CutPrefix(line, id+"\t"); found {
			return set(strings.TrimSpace(name))
		}
	}
	return nil
}

// Places in an EDID's base block (E-EDID 1.4 section 3).
const (
	edidBlock       = 128
	edidMaker       = 8
	edidSerial      = 12
	edidYear        = 17
	edidVersion     = 18
	edidDescriptors = 54
	edidDescriptor  = 18 // bytes each; there are four
)

// Tags of display descriptors that hold text (E-EDID 1.4 table 3.23).
const (
	edidTagSerial = 0xff
	edidTagText   = 0xfe
	edidTagName   = 0xfc
)

var edidHeader = []byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}

// parseEDID reads who made a monitor from the base block of its EDID; what
// follows that block is timing and sound. A block whose checksum is wrong still
// says what it says, beside the error: there are makers who never got it right.
func parseEDID(raw []byte) (*constatv1.Monitor, error) {
	switch {
	case len(raw) < edidBlock:
		return nil, fmt.Errorf("the EDID has %d bytes, fewer than %d", len(raw), edidBlock)
	case !bytes.HasPrefix(raw, edidHeader):
		return nil, errors.New("the EDID does not start as one")
	case raw[edidVersion] != 1:
		return nil, fmt.Errorf("EDID version %d is not known", raw[edidVersion])
	}
	block := raw[:edidBlock]
	m := &constatv1.Monitor{}
	maker := uint16(block[edidMaker])<<8 | uint16(block[edidMaker+1])
	id := []byte{byte(maker >> 10 & 0x1f), byte(maker >> 5 & 0x1f), byte(maker & 0x1f)}
	if !slices.ContainsFunc(id, func(b byte) bool { return b < 1 || b > 26 }) {
		for i := range id {
			id[i] += 'A' - 1
		}
		m.PnpId = set(string(id))
		m.Manufacturer = makerOf(*m.PnpId)
	}
	if year := block[edidYear]; year > 0 { // 0 would be 1990, and is what makers write who tell none
		m.Year = set(1990 + int32(year))
	}
	m.Model, m.Serial = edidTexts(block)
	if m.Serial == nil {
		m.Serial = edidNumber(block[edidSerial : edidSerial+4])
	}
	if m.Model == nil && m.PnpId != nil {
		// As systems name a display that has no name: "LEN4011".
		m.Model = set(fmt.Sprintf("%s%02X%02X", id, block[edidMaker+3], block[edidMaker+2]))
	}
	var sum byte
	for _, b := range block {
		sum += b
	}
	if sum != 0 {
		return m, errors.New("the EDID's checksum is wrong: if texts look odd too, try another cable")
	}
	return m, nil
}

// edidTexts returns the name and the serial number that the descriptors spell
// out; nil where they don't. A panel of a notebook has its part number as plain
// text instead of a name, after its maker's.
func edidTexts(block []byte) (name, serial *string) {
	var part *string
	for at := edidDescriptors; at+edidDescriptor < edidBlock; at += edidDescriptor {
		d := block[at : at+edidDescriptor]
		if d[0] != 0 || d[1] != 0 || d[2] != 0 {
			continue // a timing
		}
		text := edidText(d[5:])
		switch {
		case text == nil:
		case d[3] == edidTagName && name == nil:
			name = text
		case d[3] == edidTagSerial && serial == nil:
			serial = text
		case d[3] == edidTagText && strings.ContainsAny(*text, "0123456789"):
			part = text
		}
	}
	if name == nil {
		name = part
	}
	return name, serial
}

// edidText is a descriptor's text: up to a line feed, padded with spaces. Only
// ASCII is sure to mean the same everywhere.
func edidText(raw []byte) *string {
	raw, _, _ = bytes.Cut(raw, []byte("\n"))
	text := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, string(raw))
	return meaningful(text)
}

// edidNumber is the serial number as a number, where it is one: makers that
// have none write 0, all ones, or one in each byte.
func edidNumber(raw []byte) *string {
	n := uint32(raw[0]) | uint32(raw[1])<<8 | uint32(raw[2])<<16 | uint32(raw[3])<<24
	if n == 0 || n == 0xffffffff || n == 0x01010101 {
		return nil
	}
	return set(strconv.FormatUint(uint64(n), 10))
}
