package local

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// ServiceName is the service's on every system.
const ServiceName = "constat-agent"

// ServiceSID is who the service is to Windows: what is the agent's own is its.
var ServiceSID = serviceSID(ServiceName)

// serviceSID makes a service's SID of its name, as Windows does ([MS-DTYP]
// 2.4.2.4, NT SERVICE): S-1-5-80 and the SHA-1 of the name in capital letters.
func serviceSID(name string) string {
	var text []byte
	for _, unit := range utf16.Encode([]rune(strings.ToUpper(name))) {
		text = binary.LittleEndian.AppendUint16(text, unit)
	}
	sum := sha1.Sum(text)
	sid := "S-1-5-80"
	for part := range 5 {
		sid += fmt.Sprintf("-%d", binary.LittleEndian.Uint32(sum[4*part:]))
	}
	return sid
}
