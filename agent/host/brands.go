package host

import (
	_ "embed"
	"strings"
)

// brandTable has one brand a line: how makers write themselves (a prefix, lower
// case; or "usb:" and a vendor id), a tab, and the name people know.
//
//go:embed data/brands.tsv
var brandTable string

// brands is the table in its order: longer prefixes stand before shorter ones
// that they begin with.
var brands = func() (list [][2]string) {
	for line := range strings.Lines(brandTable) {
		if prefix, brand, found := strings.Cut(strings.TrimSpace(line), "\t"); found && !strings.HasPrefix(line, "#") {
			list = append(list, [2]string{prefix, brand})
		}
	}
	return list
}()

// brandOf names the brand behind a maker's own spelling, or a model that starts
// with it; nil when the table does not know it.
func brandOf(maker string) *string {
	maker = strings.ToLower(strings.TrimSpace(maker))
	for _, row := range brands {
		rest, found := strings.CutPrefix(maker, row[0])
		if found && (rest == "" || !isWordByte(rest[0])) {
			return &row[1]
		}
	}
	return nil
}

// isWordByte tells whether a byte continues a word: "HPE" is not "HP".
func isWordByte(b byte) bool { return b >= 'a' && b <= 'z' || b >= '0' && b <= '9' }
