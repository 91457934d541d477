package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

// edidDesign is a monitor to be; build makes its base block.
type edidDesign struct {
	maker   string
	product uint16
	number  uint32
	year    byte // since 1990
	// texts by tag, in this order.
	tags  []byte
	texts []string
}

func (d edidDesign) build() []byte {
	b := make([]byte, edidBlock)
	copy(b, edidHeader)
	maker := uint16(d.maker[0]-'@')<<10 | uint16(d.maker[1]-'@')<<5 | uint16(d.maker[2]-'@')
	b[8], b[9] = byte(maker>>8), byte(maker)
	b[10], b[11] = byte(d.product), byte(d.product>>8)
	for i := range 4 {
		b[12+i] = byte(d.number >> (8 * i))
	}
	b[17], b[18], b[19] = d.year, 1, 4
	b[edidDescriptors] = 1 // the first descriptor is the preferred timing
	for i, tag := range d.tags {
		at := edidDescriptors + (i+1)*edidDescriptor
		b[at+3] = tag
		copy(b[at+5:at+edidDescriptor], d.texts[i]+"\n             ")
	}
	return sealEDID(b)
}

// sealEDID makes a base block's checksum right.
func sealEDID(b []byte) []byte {
	b[edidBlock-1] = 0
	var sum byte
	for _, x := range b[:edidBlock] {
		sum += x
	}
	b[edidBlock-1] = -sum
	return b
}

var desktopMonitor = edidDesign{
	maker: "DEL", product: 0xa0d9, number: 0x31323334, year: 29,
	tags: []byte{edidTagSerial, edidTagName, 0xfd}, texts: []string{"CN0ABC12345", "DELL U2419H", ""},
}

func TestParseEDID(t *testing.T) {
	for name, c := range map[string]struct {
		design edidDesign
		want   *constatv1.Monitor
	}{
		"all told": {desktopMonitor, &constatv1.Monitor{
			PnpId: set("DEL"), Manufacturer: set("Dell"), Model: set("DELL U2419H"), Serial: set("CN0ABC12345"), Year: set(int32(2019)),
		}},
		"a notebook's panel: maker and part number are plain text": {
			edidDesign{maker: "LGD", product: 0x05e5, tags: []byte{edidTagText, edidTagText}, texts: []string{"LG Display", "LP140WF6-SPB7"}},
			&constatv1.Monitor{PnpId: set("LGD"), Manufacturer: set("LG Display"), Model: set("LP140WF6-SPB7")},
		},
		"no texts": {
			edidDesign{maker: "LEN", product: 0x4011, number: 4711},
			&constatv1.Monitor{PnpId: set("LEN"), Manufacturer: set("Lenovo"), Model: set("LEN4011"), Serial: set("4711")},
		},
		"a maker nobody knows, serials that mean nothing": {
			edidDesign{maker: "QQQ", number: 0x01010101, tags: []byte{edidTagSerial, edidTagName}, texts: []string{"0000000000000", "\x01Wide\xff 27"}},
			&constatv1.Monitor{PnpId: set("QQQ"), Model: set("Wide 27")},
		},
	} {
		got, err := parseEDID(c.design.build())
		if diff := cmp.Diff(c.want, got, protocmp.Transform()); diff != "" || err != nil {
			t.Errorf("%s: %v\n(-want +got):\n%s", name, err, diff)
		}
	}
}

func TestBadEDIDTellsNothing(t *testing.T) {
	good := desktopMonitor.build()
	old := desktopMonitor.build()
	old[edidVersion] = 2
	for name, raw := range map[string][]byte{
		"nothing": nil, "cut": good[:127], "another start": append([]byte{1}, good...), "EDID 2": sealEDID(old),
	} {
		if m, err := parseEDID(raw); err == nil || m != nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
}

func TestEDIDWithWrongChecksum(t *testing.T) {
	raw := desktopMonitor.build()
	raw[edidBlock-1]++
	if m, err := parseEDID(raw); err == nil || m.GetModel() != "DELL U2419H" {
		t.Errorf("%v, %v; want what it says, and a word about the checksum", m, err)
	}
}

// TestRealEDID parses the blocks of real monitors, which are no part of the
// repository.
func TestRealEDID(t *testing.T) {
	const dir = "../../../shared/recordings/edid"
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Skip("there are no recordings of monitors beside the repository; the fixtures here say the same in small")
	}
	for _, file := range files {
		raw, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		m, err := parseEDID(raw)
		if err != nil {
			t.Logf("%s: %v", file.Name(), err)
		}
		if m.GetManufacturer() == "" || m.GetModel() == "" || m.Year != nil && (m.GetYear() < 1994 || m.GetYear() > 2026) {
			t.Errorf("%s: %v, %v", file.Name(), m, err)
		}
	}
}

func FuzzEDID(f *testing.F) {
	f.Add(desktopMonitor.build())
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) >= edidBlock { // make most inputs get past the checksum
			raw = sealEDID(append([]byte{}, raw...))
		}
		m, err := parseEDID(raw)
		if m == nil && err == nil {
			t.Fatal("neither a monitor nor an error")
		}
		for _, text := range []string{m.GetModel(), m.GetSerial()} {
			if len(text) > 13 || strings.ContainsAny(text, "\n\x00") {
				t.Errorf("text %q", text)
			}
		}
	})
}
