package host

import "encoding/binary"

// linkNews is what the system tells of a link: whether it has a carrier, or that its
// addresses may be others.
type linkNews struct {
	name             string
	carrier, address bool
}

// Types of rtnetlink(7)'s messages, and what of a link's is read.
const (
	rtmNewLink, rtmDelLink       = 16, 17
	rtmNewAddress, rtmDelAddress = 20, 21
	linkHeader                   = 16 // struct ifinfomsg
	lowerUp                      = 1 << 16
	attributeName                = 3 // IFLA_IFNAME
)

// parseLinkNews reads a message of rtnetlink; nameOf gives the name of a link by its
// index.
func parseLinkNews(kind uint16, data []byte, nameOf func(index int) string) (n linkNews, ok bool) {
	if len(data) < 8 {
		return n, false
	}
	index := int(int32(binary.NativeEndian.Uint32(data[4:])))
	switch kind {
	case rtmNewLink, rtmDelLink:
		if len(data) < linkHeader {
			return n, false
		}
		n.name = linkName(data[linkHeader:])
		n.carrier = kind == rtmNewLink && binary.NativeEndian.Uint32(data[8:])&lowerUp != 0
	case rtmNewAddress, rtmDelAddress: // struct ifaddrmsg has the index at the same place
		n.name, n.address = nameOf(index), true
	}
	return n, n.name != ""
}

// linkName finds a link's name in its attributes: each has its length and type in
// front, and begins at a multiple of four.
func linkName(attributes []byte) string {
	for len(attributes) >= 4 {
		size, kind := int(binary.NativeEndian.Uint16(attributes)), binary.NativeEndian.Uint16(attributes[2:])
		if size < 4 || size > len(attributes) {
			return ""
		}
		if kind == attributeName {
			name := attributes[4:size]
			for i, b := range name {
				if b == 0 {
					name = name[:i]
					break
				}
			}
			return string(name)
		}
		attributes = attributes[min((size+3)&^3, len(attributes)):]
	}
	return ""
}
