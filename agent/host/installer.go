package host

import (
	"strings"
)

// packedCode is a product's code as Windows Installer writes it in the registry
// (learn.microsoft.com does not tell, its own and Wine's msi.dll do): the first
// three parts of the GUID backwards, of the other two each pair of digits; "" for
// what is no code.
func packedCode(code string) string {
	parts := strings.Split(strings.Trim(code, "{}"), "-")
	if len(parts) != 5 || len(code) != 38 {
		return ""
	}
	backwards := func(text string, unit int) string {
		var b strings.Builder
		for at := len(text) - unit; at >= 0; at -= unit {
			b.WriteString(text[at : at+unit])
		}
		return b.String()
	}
	pairs := func(text string) string {
		var b strings.Builder
		for at := 0; at+2 <= len(text); at += 2 {
			b.WriteString(backwards(text[at:at+2], 1))
		}
		return b.String()
	}
	for i, n := range []int{8, 4, 4, 4, 12} {
		if len(parts[i]) != n {
			return ""
		}
	}
	return strings.ToUpper(backwards(parts[0], 1) + backwards(parts[1], 1) + backwards(parts[2], 1) + pairs(parts[3]) + pairs(parts[4]))
}

// keyFile is the file that tells whether a component is installed, out of its value
// in the registry; "" for one that is told by a directory, a key of the registry
// or a source of data. A "?" instead of the colon marks a file that is shared.
func keyFile(value string) string {
	if len(value) < 4 || value[1] != ':' && value[1] != '?' || value[2] != '\\' || strings.HasSuffix(value, `\`) {
		return ""
	}
	if drive := value[0] | 0x20; drive < 'a' || drive > 'z' {
		return ""
	}
	return value[:1] + ":" + value[2:]
}
