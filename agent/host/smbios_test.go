package host

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

// firmware is the few things that tell machines apart in an SMBIOS table.
type firmware struct {
	vendor, version, date                  string
	maker, product, productVersion, serial string
	family, sku, assetTag                  string
	chassis                                byte
	modules                                []module
}

type module struct {
	locator, maker, part string
	size                 uint16
	extended             uint32
	kind                 byte
	speed                uint16
}

// tableBuilder writes structures as DSP0134 6.1 lays them out.
type tableBuilder struct{ bytes.Buffer }

// structure appends one structure. Fields are put at their offsets: a string
// becomes a string number, numbers are little endian.
func (b *tableBuilder) structure(kind byte, length int, fields map[int]any) {
	area := make([]byte, length)
	area[0], area[1] = kind, byte(length)
	binary.LittleEndian.PutUint16(area[2:], uint16(b.Len()))
	var texts []string
	for at := range length { // in order, so that the table is the same each time
		switch v := fields[at].(type) {
		case string:
			if v != "" {
				texts = append(texts, v)
				area[at] = byte(len(texts))
			}
		case byte:
			area[at] = v
		case uint16:
			binary.LittleEndian.PutUint16(area[at:], v)
		case uint32:
			binary.LittleEndian.PutUint32(area[at:], v)
		case []byte:
			copy(area[at:], v)
		}
	}
	b.Write(area)
	if len(texts) == 0 {
		b.WriteByte(0)
	}
	for _, text := range texts {
		b.WriteString(text)
		b.WriteByte(0)
	}
	b.WriteByte(0)
}

func (f firmware) table() []byte {
	var b tableBuilder
	b.structure(0, 0x18, map[int]any{4: f.vendor, 5: f.version, 8: f.date, 0x13: byte(0x08)})
	uuid := []byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	b.structure(1, 0x1b, map[int]any{4: f.maker, 5: f.product, 6: f.productVersion, 7: f.serial, 8: uuid, 0x19: f.sku, 0x1a: f.family})
	b.structure(2, 0x08, map[int]any{4: f.maker, 5: "0" + f.product, 7: "/" + f.serial + "/"})
	b.structure(3, 0x15, map[int]any{4: f.maker, 5: f.chassis | 0x80, 8: f.assetTag})
	b.structure(4, 0x30, map[int]any{0x10: "A processor", 0x18: byte(0x41), 0x23: byte(0xff), 0x25: byte(8), 0x2a: uint16(300)})
	b.structure(4, 0x30, map[int]any{0x10: "Socket without one"})
	for _, m := range f.modules {
		b.structure(17, 0x22, map[int]any{
			0x0c: m.size, 0x10: m.locator, 0x12: m.kind, 0x15: m.speed, 0x17: m.maker, 0x18: "00000000", 0x1a: m.part, 0x1c: m.extended,
		})
	}
	b.structure(127, 4, nil)
	return b.Bytes()
}

var (
	dell = firmware{
		vendor: "Dell Inc.", version: "1.24.3", date: "03/14/2024", maker: "Dell Inc.", product: "Latitude 5420", serial: "7XK2ZZ3",
		family: "Latitude", sku: "0A20", assetTag: "Not Specified", chassis: 10,
		modules: []module{
			{locator: "DIMM A", maker: "80CE000080CE", part: "M471A2K43EB1-CWE", size: 16384, kind: 0x1a, speed: 3200},
			{locator: "DIMM B", size: 0},
		},
	}
	hp = firmware{
		vendor: "HP", version: "T76 Ver. 01.16.00", date: "2023-10-02", maker: "HP", product: "HP EliteBook 840 G8 Notebook PC",
		productVersion: "SBKPF", serial: "5CG1234XYZ", sku: "336D2EA#ABF", family: "103C_5336AN HP EliteBook", chassis: 10,
		modules: []module{{locator: "Bottom-Slot 1", maker: "Hynix", size: 0x7fff, extended: 32768, kind: 0x1a, speed: 0xffff}},
	}
	lenovo = firmware{
		vendor: "LENOVO", version: "N34ET50W (1.50 )", date: "09/01/22", maker: "LENOVO", product: "20W0003YFR",
		productVersion: "ThinkPad T14 Gen 2i", serial: "PF3ABCDE", assetTag: "IT-0042", chassis: 31,
		modules: []module{{locator: "ChannelA-DIMM0", size: 0xffff}},
	}
)

func TestSMBIOSOfBrands(t *testing.T) {
	const uuid = "00112233-4455-6677-8899-aabbccddeeff"
	processor := &constatv1.Processor{Model: set("A processor"), Sockets: set(int32(1)), Cores: set(int32(300)), Threads: set(int32(8))}
	for name, test := range map[string]struct {
		firmware firmware
		want     *constatv1.Hardware
	}{
		"Dell": {dell, &constatv1.Hardware{
			System:    &constatv1.System{Manufacturer: set("Dell Inc."), Brand: set("Dell"), Model: set("Latitude 5420"), Serial: set("7XK2ZZ3"), Sku: set("0A20"), Family: set("Latitude"), Uuid: set(uuid)},
			Firmware:  &constatv1.Firmware{Vendor: set("Dell Inc."), Version: set("1.24.3"), Date: set("2024-03-14"), Kind: set("uefi")},
			Baseboard: &constatv1.Baseboard{Manufacturer: set("Dell Inc."), Model: set("0Latitude 5420"), Serial: set("/7XK2ZZ3/")},
			Chassis:   set("laptop"), Processor: processor, MemoryBytes: set(int64(16 << 30)),
			MemoryModules: []*constatv1.MemoryModule{
				{Locator: set("DIMM A"), SizeBytes: set(int64(16 << 30)), Type: set("DDR4"), SpeedMts: set(int32(3200)), Manufacturer: set("80CE000080CE"), PartNumber: set("M471A2K43EB1-CWE")},
				{Locator: set("DIMM B"), SizeBytes: set(int64(0))},
			},
		}},
		"HP": {hp, &constatv1.Hardware{
			System:    &constatv1.System{Manufacturer: set("HP"), Brand: set("HP"), Model: set("HP EliteBook 840 G8 Notebook PC"), Version: set("SBKPF"), Serial: set("5CG1234XYZ"), Sku: set("336D2EA#ABF"), Family: set("103C_5336AN HP EliteBook"), Uuid: set(uuid)},
			Firmware:  &constatv1.Firmware{Vendor: set("HP"), Version: set("T76 Ver. 01.16.00"), Date: set("2023-10-02"), Kind: set("uefi")},
			Baseboard: &constatv1.Baseboard{Manufacturer: set("HP"), Model: set("0HP EliteBook 840 G8 Notebook PC"), Serial: set("/5CG1234XYZ/")},
			Chassis:   set("laptop"), Processor: processor, MemoryBytes: set(int64(32 << 30)),
			MemoryModules: []*constatv1.MemoryModule{{Locator: set("Bottom-Slot 1"), SizeBytes: set(int64(32 << 30)), Type: set("DDR4"), Manufacturer: set("Hynix")}},
		}},
		"Lenovo": {lenovo, &constatv1.Hardware{
			System:    &constatv1.System{Manufacturer: set("LENOVO"), Brand: set("Lenovo"), Model: set("20W0003YFR"), Version: set("ThinkPad T14 Gen 2i"), Serial: set("PF3ABCDE"), AssetTag: set("IT-0042"), Uuid: set(uuid)},
			Firmware:  &constatv1.Firmware{Vendor: set("LENOVO"), Version: set("N34ET50W (1.50 )"), Date: set("1922-09-01"), Kind: set("uefi")},
			Baseboard: &constatv1.Baseboard{Manufacturer: set("LENOVO"), Model: set("020W0003YFR"), Serial: set("/PF3ABCDE/")},
			Chassis:   set("convertible"), Processor: processor, // and the memory's size is unknown
			MemoryModules: []*constatv1.MemoryModule{{Locator: set("ChannelA-DIMM0")}},
		}},
	} {
		structures, err := parseSMBIOS(test.firmware.table())
		if err != nil {
			t.Fatal(err)
		}
		h := &constatv1.Hardware{}
		describeSMBIOS(h, structures)
		if name == "Dell" {
			told(t, &constatv1.Snapshot{Hardware: h})
		}
		if diff := cmp.Diff(test.want, h, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSMBIOSInAnyOrder(t *testing.T) {
	var b tableBuilder
	b.structure(3, 0x16, map[int]any{0x05: byte(10), 0x08: "PC-0042"})
	b.structure(1, 0x1b, map[int]any{0x04: "Dell Inc.", 0x05: "Latitude 5420"})
	structures, err := parseSMBIOS(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var h constatv1.Hardware
	describeSMBIOS(&h, structures)
	if s := h.System; s.GetBrand() != "Dell" || s.GetModel() != "Latitude 5420" || s.GetAssetTag() != "PC-0042" {
		t.Errorf("the chassis before the system: %v", s)
	}
}

func TestBrokenSMBIOSKeepsWhatCameBefore(t *testing.T) {
	table := dell.table()
	structures, err := parseSMBIOS(table[:len(table)-40])
	if err == nil || len(structures) < 4 {
		t.Errorf("%d structures, error %v", len(structures), err)
	}
}

func TestBrandOf(t *testing.T) {
	for maker, want := range map[string]string{
		"Dell Inc.": "Dell", "Hewlett-Packard": "HP", "HPE": "HPE", "HP LaserJet 4": "HP", "LENOVO": "Lenovo", "ASUSTeK COMPUTER INC.": "Asus",
		"Micro-Star International Co., Ltd.": "MSI", "usb:046d": "Logitech", "Apple Inc.": "Apple", "Hpfoo": "", "Nobody": "", "": "",
	} {
		if got := brandOf(maker); (got == nil) != (want == "") || got != nil && *got != want {
			t.Errorf("brandOf(%q) = %v, want %q", maker, got, want)
		}
	}
	for i, row := range brands {
		for _, before := range brands[:i] {
			if strings.HasPrefix(row[0], before[0]+" ") && row[1] != before[1] {
				t.Errorf("row %q is never reached: %q stands before it", row[0], before[0])
			}
		}
	}
}

func FuzzSMBIOS(f *testing.F) {
	for _, machine := range []firmware{dell, hp, lenovo} {
		f.Add(machine.table())
	}
	f.Fuzz(func(t *testing.T, table []byte) {
		structures, _ := parseSMBIOS(table)
		describeSMBIOS(&constatv1.Hardware{}, structures)
		if _, rest, err := splitSMBIOS(table); err == nil && len(rest) > len(table)-4 {
			t.Error("the split made bytes up")
		}
	})
}
