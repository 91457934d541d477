package host

import (
	"bytes"
	"io"
	"sort"
)

// idList is a file of usb.ids or pci.ids format: vendors at the line's start, in
// the order of their ids, products behind one tab. Such a file is a megabyte or
// more, of which a look at a machine needs a handful of lines: they are found by
// halving, and only what belongs to one vendor is read whole. A nil list knows
// no names.
type idList struct {
	file io.ReaderAt
	size int64
	// sections are the lines of the vendors that were asked for.
	sections map[string][]byte
	// whole is read where a vendor was not found, since nothing but custom keeps
	// the order.
	whole []byte
}

// names looks up vendor and product. Either may be "".
func (l *idList) names(vendor, product string) (vendorName, productName string) {
	if l == nil {
		return "", ""
	}
	section, read := l.sections[vendor]
	if !read {
		if section = l.section(vendor); len(section) == 0 {
			section = l.all()
		}
		if l.sections == nil {
			l.sections = map[string][]byte{}
		}
		l.sections[vendor] = section
	}
	return idNames(section, vendor, product)
}

// section reads a vendor's lines; nil where it is not found in its place.
func (l *idList) section(vendor string) []byte {
	start := l.firstVendor(func(id string) bool { return id >= vendor })
	section := make([]byte, l.firstVendor(func(id string) bool { return id > vendor })-start)
	if _, err := l.file.ReadAt(section, start); err != nil {
		return nil
	}
	return section
}

func (l *idList) all() []byte {
	if l.whole == nil {
		l.whole = make([]byte, min(l.size, maxFile))
		n, _ := l.file.ReadAt(l.whole, 0)
		l.whole = l.whole[:n]
	}
	return l.whole
}

// firstVendor is where the first vendor's line begins whose id fits: all that
// fit stand behind those that don't.
func (l *idList) firstVendor(fits func(id string) bool) int64 {
	buffer := make([]byte, 16<<10)
	// Halved are blocks, not bytes: the last one is read line by line.
	block := int64(len(buffer) / 4)
	n := sort.Search(int(l.size/block), func(i int) bool {
		id, _ := l.vendorFrom(buffer, int64(i)*block)
		return id == "" || fits(id)
	})
	at := max(0, int64(n-1)*block)
	for {
		id, start := l.vendorFrom(buffer, at)
		if id == "" || fits(id) {
			return start
		}
		at = start + 1
	}
}

// vendorFrom is the first vendor whose line begins at an offset or after it; ""
// and where the vendors end when there is none.
func (l *idList) vendorFrom(buffer []byte, at int64) (id string, start int64) {
	first := at == 0
	if !first {
		at-- // a line begins behind a line end
	}
	const idSize = len("\n8086  ")
	for ; at < l.size; first = false {
		n, _ := l.file.ReadAt(buffer, at)
		text := buffer[:n]
		if first && isVendor(text) {
			return string(text[:4]), 0
		}
		for from := 0; ; {
			end := bytes.IndexByte(text[from:], '\n')
			if end < 0 || from+end+idSize > n {
				break
			}
			from += end + 1
			switch {
			case isVendor(text[from:]):
				return string(text[from : from+4]), at + int64(from)
			case text[from] >= 'A' && text[from] <= 'Z': // classes and the like stand behind
				return "", at + int64(from)
			}
		}
		if n < len(buffer) {
			break
		}
		at += int64(n - idSize) // a line that was cut is read again
	}
	return "", l.size
}

// isVendor tells a vendor's line: four digits and two spaces.
func isVendor(line []byte) bool {
	if len(line) < 6 || line[4] != ' ' || line[5] != ' ' {
		return false
	}
	for _, c := range line[:4] {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}
