package host

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Bounds of a property list: how deep, how many values, and how large it may be.
// The tree of all devices of a machine has some ten thousand values.
const (
	maxPlistDepth  = 64
	maxPlistValues = 500_000
	maxPlist       = 32 << 20
)

var errPlist = errors.New("not a property list")

// node is a value of a property list or of JSON: map[string]any, []any, string,
// bool, a number, time.Time or []byte. What programs of macOS write has changed
// its types more than once ("85%" and 85, "yes" and true), so a fact is asked for
// and is there or not; nothing is decoded into types.
type node struct{ v any }

// parseTree reads what a program of macOS wrote: JSON, or a property list in
// either form.
func parseTree(content []byte) (node, error) {
	if len(content) > maxPlist {
		return node{}, fmt.Errorf("%w: larger than %d bytes", errPlist, maxPlist)
	}
	text := bytes.TrimLeft(content, " \t\r\n")
	switch {
	case bytes.HasPrefix(content, []byte("bplist00")):
		return parseBinaryPlist(content)
	case bytes.HasPrefix(text, []byte("<")):
		return parseXMLPlist(text)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return node{}, fmt.Errorf("neither a property list nor JSON: %w", err)
	}
	return node{v}, nil
}

// at is what a dictionary has under a key; an empty node where it has nothing.
func (n node) at(path ...string) node {
	for _, key := range path {
		m, _ := n.v.(map[string]any)
		n = node{m[key]}
	}
	return n
}

func (n node) there() bool { return n.v != nil }

// list is an array's values; nothing of what is none.
func (n node) list() []node {
	values, _ := n.v.([]any)
	nodes := make([]node, len(values))
	for i, v := range values {
		nodes[i] = node{v}
	}
	return nodes
}

// keys are a dictionary's.
func (n node) keys() (keys []string) {
	m, _ := n.v.(map[string]any)
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

// text is a string, also where it is written as data that ends with a zero, as the
// device tree has them; "" of what is none.
func (n node) text() string {
	switch v := n.v.(type) {
	case string:
		return strings.TrimSpace(v)
	case []byte:
		v = bytes.TrimRight(v, "\x00")
		for _, c := range v {
			if c < ' ' || c > '~' {
				return ""
			}
		}
		return strings.TrimSpace(string(v))
	}
	return ""
}

// word is text as an optional fact.
func (n node) word() *string { return filled(n.text()) }

// number is a whole number, also one in a string, with a unit or percent sign
// behind it ("85%", "4,069 mAh", "0x1450"); nil of what is none.
func (n node) number() *int64 {
	switch v := n.v.(type) {
	case int64:
		return &v
	case uint64:
		return set(int64(v)) // ioreg writes negative numbers as large ones
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return nil
		}
		return set(int64(v))
	case string:
		v, _, _ = strings.Cut(strings.TrimSpace(v), " ")
		v = strings.ReplaceAll(strings.TrimSuffix(v, "%"), ",", "")
		if i, err := strconv.ParseInt(v, 0, 64); err == nil {
			return &i
		}
		if u, err := strconv.ParseUint(v, 0, 64); err == nil {
			return set(int64(u))
		}
	}
	return nil
}

// within is number between two bounds, both allowed; nil of what is beyond.
func (n node) within(low, high int64) *int64 {
	if i := n.number(); i != nil && *i >= low && *i <= high {
		return i
	}
	return nil
}

// small is within as the schema's 32-bit numbers have it.
func (n node) small(low, high int32) *int32 {
	if i := n.within(int64(low), int64(high)); i != nil {
		return set(int32(*i))
	}
	return nil
}

// flag is a truth value, also one in words; nil of what is none.
func (n node) flag() *bool {
	switch v := n.v.(type) {
	case bool:
		return &v
	case string:
		v = strings.ToLower(v)
		switch {
		case v == "true", v == "1", strings.HasSuffix(v, "yes"), strings.HasSuffix(v, "_on"): // "spaudio_yes", "attrib_on"
			return set(true)
		case v == "false", v == "0", strings.HasSuffix(v, "no"), strings.HasSuffix(v, "_off"):
			return set(false)
		}
	default:
		if i := n.number(); i != nil && (*i == 0 || *i == 1) {
			return set(*i == 1)
		}
	}
	return nil
}

// is tells whether a truth value is there and true.
func (n node) is() bool {
	on := n.flag()
	return on != nil && *on
}

// time is a date; zero of what is none.
func (n node) time() time.Time {
	switch v := n.v.(type) {
	case time.Time:
		return v
	case string: // JSON has dates as text
		if t, err := time.Parse(time.RFC3339, v); err == nil {
			return t
		}
	}
	return time.Time{}
}

// parseXMLPlist reads a property list as text (plist(5)).
func parseXMLPlist(content []byte) (node, error) {
	p := xmlPlist{d: xml.NewDecoder(bytes.NewReader(content))}
	for {
		token, err := p.d.Token()
		if err != nil {
			return node{}, fmt.Errorf("%w: %w", errPlist, err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if start.Name.Local == "plist" {
			continue
		}
		v, err := p.value(start, 0)
		return node{v}, err
	}
}

type xmlPlist struct {
	d      *xml.Decoder
	values int
}

// value reads the value that an element begins, to the element's end.
func (p *xmlPlist) value(start xml.StartElement, depth int) (any, error) {
	if p.values++; depth > maxPlistDepth || p.values > maxPlistValues {
		return nil, fmt.Errorf("%w: too deep or too large", errPlist)
	}
	switch kind := start.Name.Local; kind {
	case "dict":
		return p.dict(depth)
	case "array":
		list := []any{}
		for {
			child, err := p.next()
			if err != nil || child == nil {
				return list, err
			}
			v, err := p.value(*child, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
	case "true", "false":
		return kind == "true", p.d.Skip()
	default:
		text, err := p.text()
		if err != nil {
			return nil, err
		}
		return plistScalar(kind, text)
	}
}

func (p *xmlPlist) dict(depth int) (any, error) {
	m := map[string]any{}
	for {
		child, err := p.next()
		if err != nil || child == nil {
			return m, err
		}
		if child.Name.Local != "key" {
			return nil, fmt.Errorf("%w: %s where a key is due", errPlist, child.Name.Local)
		}
		key, err := p.text()
		if err != nil {
			return nil, err
		}
		if child, err = p.next(); err != nil || child == nil {
			return nil, errors.Join(errPlist, err)
		}
		if m[key], err = p.value(*child, depth+1); err != nil {
			return nil, err
		}
	}
}

// next is the element that comes next inside of the present one; nil at its end.
func (p *xmlPlist) next() (*xml.StartElement, error) {
	for {
		token, err := p.d.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errPlist, err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			return &t, nil
		case xml.EndElement:
			return nil, nil
		}
	}
}

// text is what stands in the present element, to its end.
func (p *xmlPlist) text() (string, error) {
	var b strings.Builder
	for {
		token, err := p.d.Token()
		if err != nil {
			return "", fmt.Errorf("%w: %w", errPlist, err)
		}
		switch t := token.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.EndElement:
			return b.String(), nil
		case xml.StartElement:
			return "", fmt.Errorf("%w: %s in the midst of a text", errPlist, t.Name.Local)
		}
	}
}

// plistScalar is an element's text as a value; nil for what is no value.
func plistScalar(kind, text string) (any, error) {
	short := strings.TrimSpace(text)
	switch kind {
	case "string":
		return text, nil
	case "integer":
		if i, err := strconv.ParseInt(short, 0, 64); err == nil {
			return i, nil
		}
		if u, err := strconv.ParseUint(short, 0, 64); err == nil {
			return u, nil
		}
		return nil, nil
	case "real":
		if x, err := strconv.ParseFloat(short, 64); err == nil && !math.IsNaN(x) && !math.IsInf(x, 0) {
			return x, nil
		}
		return nil, nil
	case "date":
		if t, err := time.Parse(time.RFC3339, short); err == nil {
			return t, nil
		}
		return nil, nil
	case "data":
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, nil
		}
		return raw, nil
	}
	return nil, fmt.Errorf("%w: %.40q is no kind of value", errPlist, kind)
}

// binaryPlist is a property list in its binary form (CFBinaryPList.c): objects,
// a table of their offsets, and a trailer that says where it is. Objects may be
// referred to twice, and by those inside of them: what is unfolded is bounded.
type binaryPlist struct {
	content []byte
	offsets []byte
	count   uint64
	// Sizes of an offset and of a reference, in bytes.
	offsetSize, referenceSize int
	values                    int
}

func parseBinaryPlist(content []byte) (node, error) {
	const trailer = 32
	if len(content) < len("bplist00")+trailer {
		return node{}, fmt.Errorf("%w: too short", errPlist)
	}
	end := content[len(content)-trailer:]
	p := binaryPlist{
		content: content[:len(content)-trailer], offsetSize: int(end[6]), referenceSize: int(end[7]), count: binary.BigEndian.Uint64(end[8:]),
	}
	root, table := binary.BigEndian.Uint64(end[16:]), binary.BigEndian.Uint64(end[24:])
	size := uint64(len(p.content))
	if p.offsetSize < 1 || p.offsetSize > 8 || p.referenceSize < 1 || p.referenceSize > 8 || table > size || p.count > (size-table)/uint64(p.offsetSize) {
		return node{}, fmt.Errorf("%w: its trailer is wrong", errPlist)
	}
	p.offsets = p.content[table:]
	v, err := p.object(root, 0)
	return node{v}, err
}

// bigEndian is a number of some bytes, the most significant first.
func bigEndian(raw []byte) (n uint64) {
	for _, b := range raw {
		n = n<<8 | uint64(b)
	}
	return n
}

func (p *binaryPlist) object(reference uint64, depth int) (any, error) {
	if p.values++; depth > maxPlistDepth || p.values > maxPlistValues {
		return nil, fmt.Errorf("%w: too deep or too large", errPlist)
	}
	if reference >= p.count {
		return nil, fmt.Errorf("%w: it refers to what is not there", errPlist)
	}
	offset := bigEndian(p.offsets[reference*uint64(p.offsetSize):][:p.offsetSize])
	if offset >= uint64(len(p.content)) {
		return nil, fmt.Errorf("%w: an object outside of it", errPlist)
	}
	marker, rest := p.content[offset], p.content[offset+1:]
	low := int(marker & 0xf)
	switch marker >> 4 {
	case 0x0:
		if low == 8 || low == 9 {
			return low == 9, nil
		}
		return nil, nil
	case 0x1, 0x2, 0x3:
		if low > 4 || len(rest) < 1<<low {
			return nil, fmt.Errorf("%w: a number outside of it", errPlist)
		}
		return binaryScalar(marker>>4, rest[:1<<low]), nil
	case 0x8: // a reference of an archive
		return nil, nil
	}
	length, rest, err := plistLength(low, rest)
	if err != nil {
		return nil, err
	}
	switch marker >> 4 {
	case 0x4, 0x5, 0x7:
		if length > len(rest) {
			return nil, fmt.Errorf("%w: a text outside of it", errPlist)
		}
		if marker>>4 == 0x4 {
			return bytes.Clone(rest[:length]), nil
		}
		return strings.ToValidUTF8(string(rest[:length]), ""), nil
	case 0x6:
		if length > len(rest)/2 {
			return nil, fmt.Errorf("%w: a text outside of it", errPlist)
		}
		units := make([]uint16, length)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(rest[2*i:])
		}
		return string(utf16.Decode(units)), nil
	case 0xa, 0xc, 0xd:
		return p.collection(marker>>4, length, rest, depth)
	}
	return nil, fmt.Errorf("%w: object of kind %#x", errPlist, marker>>4)
}

// plistLength is how long an object is: in its marker, or in a number behind it.
func plistLength(low int, rest []byte) (int, []byte, error) {
	if low < 0xf {
		return low, rest, nil
	}
	if len(rest) == 0 || rest[0]>>4 != 0x1 || rest[0]&0xf > 3 {
		return 0, nil, fmt.Errorf("%w: a length is due", errPlist)
	}
	size := 1 << (rest[0] & 0xf)
	if len(rest) < 1+size {
		return 0, nil, io.ErrUnexpectedEOF
	}
	n := bigEndian(rest[1 : 1+size])
	if n > maxPlist {
		return 0, nil, fmt.Errorf("%w: an object of %d", errPlist, n)
	}
	return int(n), rest[1+size:], nil
}

func (p *binaryPlist) collection(kind byte, length int, rest []byte, depth int) (any, error) {
	references := length
	if kind == 0xd {
		references = 2 * length
	}
	if references > len(rest)/p.referenceSize {
		return nil, fmt.Errorf("%w: a collection outside of it", errPlist)
	}
	at := func(i int) (any, error) {
		return p.object(bigEndian(rest[i*p.referenceSize:][:p.referenceSize]), depth+1)
	}
	if kind != 0xd {
		list := []any{}
		for i := range length {
			v, err := at(i)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	}
	m := map[string]any{}
	for i := range length {
		key, err := at(i)
		if err != nil {
			return nil, err
		}
		v, err := at(length + i)
		if err != nil {
			return nil, err
		}
		if name, ok := key.(string); ok {
			m[name] = v
		}
	}
	return m, nil
}

// binaryScalar is a number, a real or a date of 1, 2, 4, 8 or 16 bytes; nil for
// what there is no such thing of. Dates count seconds since 2001.
func binaryScalar(kind byte, raw []byte) any {
	if kind == 0x1 {
		if len(raw) == 16 {
			raw = raw[8:]
		}
		return int64(bigEndian(raw))
	}
	x := math.NaN()
	switch len(raw) {
	case 4:
		x = float64(math.Float32frombits(binary.BigEndian.Uint32(raw)))
	case 8:
		x = math.Float64frombits(binary.BigEndian.Uint64(raw))
	}
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return nil
	case kind == 0x2:
		return x
	case math.Abs(x) > 1e11:
		return nil
	}
	const year2001 = 978307200
	return time.Unix(year2001+int64(x), 0).UTC()
}
