package host

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// The Internet Printing Protocol's encoding, RFC 8010 section 3. Messages come
// from print servers and printers on the network, so everything is bounded.
const (
	ippMaxMessage    = 4 << 20 // bytes
	ippMaxAttributes = 100_000 // in one message
	ippMaxDepth      = 8       // of collections in collections
)

// Delimiter and value tags, RFC 8010 section 3.5.
const (
	ippGroupOperation = 0x01
	ippGroupJob       = 0x02
	ippGroupEnd       = 0x03
	ippGroupPrinter   = 0x04

	ippInteger         = 0x21
	ippBoolean         = 0x22
	ippEnum            = 0x23
	ippOctetString     = 0x30
	ippDateTime        = 0x31
	ippTextLanguage    = 0x35
	ippNameLanguage    = 0x36
	ippBeginCollection = 0x34
	ippEndCollection   = 0x37
	ippKeyword         = 0x44
	ippURI             = 0x45
	ippCharset         = 0x47
	ippNaturalLanguage = 0x48
	ippMemberName      = 0x4a
	ippExtension       = 0x7f
)

// Operations and status codes, RFC 8011 sections 5.4.15 and appendix B, and of
// CUPS (CUPS Implementation of IPP).
const (
	ippGetPrinterAttributes = 0x000b
	ippGetJobs              = 0x000a
	cupsGetDefault          = 0x4001
	cupsGetPrinters         = 0x4002

	ippLastSuccess = 0x00ff
	ippNotFound    = 0x0406
)

// ippAttribute is a name with its values. A value is an int32, bool, string,
// time.Time, or []ippAttribute (a collection); other syntaxes are kept as
// their octets in a string, and out-of-band values (unknown, no-value) are left
// out, so that an attribute without values is one nothing is known of.
type ippAttribute struct {
	name   string
	tag    byte // syntax of the first value
	values []any
}

// ippGroup is a delimited group of attributes.
type ippGroup struct {
	tag        byte
	attributes []ippAttribute
}

// ippMessage is a request or a response: code is the operation or the status.
type ippMessage struct {
	code      uint16
	requestID uint32
	groups    []ippGroup
}

// encode writes the message, version 2.0.
func (m ippMessage) encode() []byte {
	var b bytes.Buffer
	b.Write([]byte{2, 0})
	b.Write(binary.BigEndian.AppendUint16(nil, m.code))
	b.Write(binary.BigEndian.AppendUint32(nil, m.requestID))
	for _, g := range m.groups {
		b.WriteByte(g.tag)
		for _, a := range g.attributes {
			for i, v := range a.values {
				name := a.name
				if i > 0 {
					name = "" // an additional value, RFC 8010 section 3.1.5
				}
				b.WriteByte(a.tag)
				ippWriteString(&b, name)
				switch v := v.(type) {
				case int32:
					ippWriteString(&b, string(binary.BigEndian.AppendUint32(nil, uint32(v))))
				case bool:
					ippWriteString(&b, map[bool]string{false: "\x00", true: "\x01"}[v])
				case string:
					ippWriteString(&b, v)
				}
			}
		}
	}
	b.WriteByte(ippGroupEnd)
	return b.Bytes()
}

func ippWriteString(b *bytes.Buffer, s string) {
	s = s[:min(len(s), 0x7fff)]
	b.Write(binary.BigEndian.AppendUint16(nil, uint16(len(s))))
	b.WriteString(s)
}

// decodeIPP reads a message; what follows its end (a document) is ignored.
func decodeIPP(content []byte) (*ippMessage, error) {
	if len(content) > ippMaxMessage {
		return nil, fmt.Errorf("IPP: a message of %d bytes is more than the limit of %d", len(content), ippMaxMessage)
	}
	if len(content) < 8 {
		return nil, errors.New("IPP: the message is cut off")
	}
	m := &ippMessage{code: binary.BigEndian.Uint16(content[2:]), requestID: binary.BigEndian.Uint32(content[4:])}
	d := ippDecoder{rest: content[8:]}
	for {
		tag, err := d.byte()
		switch {
		case err != nil:
			return nil, err
		case tag == ippGroupEnd:
			return m, nil
		case tag > 0x0f:
			return nil, fmt.Errorf("IPP: value tag 0x%02x outside of a group", tag)
		}
		g := ippGroup{tag: tag}
		if g.attributes, err = d.attributes(); err != nil {
			return nil, err
		}
		m.groups = append(m.groups, g)
	}
}

// ippDecoder is a position in a message.
type ippDecoder struct {
	rest  []byte
	count int
}

func (d *ippDecoder) byte() (byte, error) {
	if len(d.rest) == 0 {
		return 0, errors.New("IPP: the message is cut off")
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b, nil
}

// octets reads a length and as many octets.
func (d *ippDecoder) octets() ([]byte, error) {
	if len(d.rest) < 2 {
		return nil, errors.New("IPP: the message is cut off")
	}
	n := int(binary.BigEndian.Uint16(d.rest))
	if len(d.rest) < 2+n {
		return nil, fmt.Errorf("IPP: %d octets announced, %d there", n, len(d.rest)-2)
	}
	value := d.rest[2 : 2+n]
	d.rest = d.rest[2+n:]
	return value, nil
}

// attributes reads up to the next delimiter.
func (d *ippDecoder) attributes() ([]ippAttribute, error) {
	var list []ippAttribute
	for len(d.rest) > 0 && d.rest[0] > 0x0f {
		tag, name, octets, err := d.field()
		if err != nil {
			return nil, err
		}
		value, err := d.value(tag, octets, ippMaxDepth)
		if err != nil {
			return nil, err
		}
		if name != "" {
			list = append(list, ippAttribute{name: name, tag: tag})
		}
		if len(list) == 0 {
			return nil, errors.New("IPP: a value without an attribute")
		}
		if value != nil {
			last := &list[len(list)-1]
			last.values = append(last.values, value)
		}
	}
	return list, nil
}

// field reads tag, name and value of one attribute or additional value.
func (d *ippDecoder) field() (tag byte, name string, value []byte, err error) {
	if d.count++; d.count > ippMaxAttributes {
		return 0, "", nil, fmt.Errorf("IPP: more than %d values", ippMaxAttributes)
	}
	if tag, err = d.byte(); err != nil {
		return 0, "", nil, err
	}
	octets, err := d.octets()
	if err != nil {
		return 0, "", nil, err
	}
	value, err = d.octets()
	return tag, string(octets), value, err
}

// value turns octets into a value by their syntax; nil for out-of-band ones.
func (d *ippDecoder) value(tag byte, octets []byte, depth int) (any, error) {
	switch {
	case tag < 0x20 || tag == ippExtension:
		return nil, nil
	case tag == ippBeginCollection:
		return d.collection(depth)
	case tag == ippInteger || tag == ippEnum:
		if len(octets) != 4 {
			return nil, fmt.Errorf("IPP: an integer of %d octets", len(octets))
		}
		return int32(binary.BigEndian.Uint32(octets)), nil
	case tag == ippBoolean:
		if len(octets) != 1 {
			return nil, fmt.Errorf("IPP: a boolean of %d octets", len(octets))
		}
		return octets[0] != 0, nil
	case tag == ippDateTime:
		return ippTime(octets)
	case tag == ippTextLanguage || tag == ippNameLanguage:
		inner := ippDecoder{rest: octets}
		if _, err := inner.octets(); err != nil { // the language
			return nil, err
		}
		text, err := inner.octets()
		return string(text), err
	}
	return string(octets), nil
}

// collection reads members up to the end of the collection, RFC 8010 section
// 3.1.6.
func (d *ippDecoder) collection(depth int) (any, error) {
	if depth == 0 {
		return nil, fmt.Errorf("IPP: collections deeper than %d", ippMaxDepth)
	}
	var members []ippAttribute
	for {
		tag, _, octets, err := d.field()
		switch {
		case err != nil:
			return nil, err
		case tag == ippEndCollection:
			return members, nil
		case tag == ippMemberName:
			members = append(members, ippAttribute{name: string(octets)})
			continue
		case len(members) == 0:
			return nil, errors.New("IPP: a member without a name")
		}
		value, err := d.value(tag, octets, depth-1)
		if err != nil {
			return nil, err
		}
		last := &members[len(members)-1]
		if len(last.values) == 0 {
			last.tag = tag
		}
		if value != nil {
			last.values = append(last.values, value)
		}
	}
}

// ippTime reads a DateAndTime of RFC 2579.
func ippTime(o []byte) (any, error) {
	if len(o) != 11 {
		return nil, fmt.Errorf("IPP: a time of %d octets", len(o))
	}
	offset := int(o[9])*3600 + int(o[10])*60
	if o[8] == '-' {
		offset = -offset
	}
	return time.Date(int(binary.BigEndian.Uint16(o)), time.Month(o[2]), int(o[3]), int(o[4]), int(o[5]), int(o[6]),
		int(o[7])*int(100*time.Millisecond), time.FixedZone("", offset)), nil
}

// ippValue returns the first value of the named attribute, nil when it is not
// there or of another type.
func ippValue[T any](attributes []ippAttribute, name string) *T {
	for _, a := range attributes {
		if a.name == name && len(a.values) > 0 {
			if v, ok := a.values[0].(T); ok {
				return &v
			}
		}
	}
	return nil
}

// ippValues returns all values of the named attribute that have the type.
func ippValues[T any](attributes []ippAttribute, name string) []T {
	var all []T
	for _, a := range attributes {
		if a.name != name {
			continue
		}
		for _, value := range a.values {
			if v, ok := value.(T); ok {
				all = append(all, v)
			}
		}
	}
	return all
}
