package host

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

func listOf(content []byte) *idList {
	return &idList{file: bytes.NewReader(content), size: int64(len(content))}
}

// Whatever a list looks like, halving finds what reading it through does.
func TestIDList(t *testing.T) {
	var long strings.Builder
	long.WriteString("# names\n#\n\n")
	for i := range 300 {
		fmt.Fprintf(&long, "%04x  Vendor %d\n", 8*i, i)
		for j := range i % 7 * i % 200 {
			fmt.Fprintf(&long, "\t%04x  Product %d of %d\n\t\t%04x 0001  Board\n", j, j, i, 8*i)
		}
	}
	long.WriteString("C 00  Unclassified device\n\t00  Something\n")
	lists := map[string]string{
		"long": long.String(), "empty": "", "no end": "# x\n0001  One\n\t0002  Two", "first line": "0001  One\n\t0002  Two\n", "no order": "0003  Three\n0001  One\n\t0002  Two\n0002  Two\n",
		"classes only": "C 00  Unclassified device\n",
	}
	for name, text := range lists {
		l := listOf([]byte(text))
		for vendor := 0; vendor < 0x980; vendor += 7 {
			for _, product := range []int{0, 2, 300} {
				v, p := fmt.Sprintf("%04x", vendor), fmt.Sprintf("%04x", product)
				wantVendor, wantProduct := idNames([]byte(text), v, p)
				if gotVendor, gotProduct := l.names(v, p); gotVendor != wantVendor || gotProduct != wantProduct {
					t.Fatalf("%s, %s:%s: %q %q, want %q %q", name, v, p, gotVendor, gotProduct, wantVendor, wantProduct)
				}
			}
			l.sections = nil // memory only
		}
	}
}

// The lists that distributions bring are in order: nothing is read through for a
// vendor that is in them.
func TestInstalledIDLists(t *testing.T) {
	for _, name := range []string{"/usr/share/misc/pci.ids", "/usr/share/misc/usb.ids", "/usr/share/hwdata/pci.ids", "/usr/share/hwdata/usb.ids"} {
		content, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		l, vendors := listOf(content), 0
		for line := range bytes.Lines(content) {
			if !isVendor(line) {
				continue
			}
			vendors++
			id := string(line[:4])
			if got, _ := l.names(id, ""); got != string(bytes.TrimSpace(line[6:])) {
				t.Fatalf("%s: %s is %q", name, id, got)
			}
		}
		if vendors < 100 || l.whole != nil {
			t.Errorf("%s: %d vendors, read through: %v", name, vendors, l.whole != nil)
		}
	}
}
