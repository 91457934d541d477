package vm

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// BIOS is what a maker writes into the SMBIOS tables (DSP0134).
type BIOS struct {
	Maker, Model, Version, Serial, SKU, Asset string
	FirmwareVendor, FirmwareVersion, Date     string
	Board, BoardSerial                        string
	Family, UUID                              string
	// Chassis is the kind of DSP0134 7.4.1: 3 desktop, 9 laptop, 10 notebook.
	Chassis byte
	// The memory module, by its slot's words.
	Slot, ModuleMaker, Part, ModuleSerial string
}

// options are QEMU's for the tables. The chassis is a whole structure in a
// file: QEMU has no word for its kind.
func (b BIOS) options(file func(name string, content []byte) string) []string {
	return []string{
		structure(0, "vendor", b.FirmwareVendor, "version", b.FirmwareVersion, "date", b.Date),
		structure(1, "manufacturer", b.Maker, "product", b.Model, "version", b.Version, "serial", b.Serial, "sku", b.SKU, "family", b.Family, "uuid", b.UUID),
		structure(2, "manufacturer", b.Maker, "product", b.Board, "serial", b.BoardSerial),
		"file=" + file("chassis", b.chassis()),
		structure(17, "loc_pfx", b.Slot, "manufacturer", b.ModuleMaker, "serial", b.ModuleSerial, "part", b.Part, "speed", "3200"),
	}
}

// structure writes one option, without what is empty: QEMU would end the
// structure there.
func structure(kind int, words ...string) string {
	option := fmt.Sprintf("type=%d", kind)
	for i := 0; i < len(words); i += 2 {
		if words[i+1] != "" {
			option += "," + words[i] + "=" + strings.ReplaceAll(words[i+1], ",", ",,")
		}
	}
	return option
}

// chassis is a structure of type 3 (DSP0134 7.4).
func (b BIOS) chassis() []byte {
	s := []byte{3, 0x16, 0, 0, 1, b.Chassis, 0, 2, 3, 3, 3, 3, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	binary.LittleEndian.PutUint16(s[2:], 0x0300)
	s[8] = 0 // no asset tag
	texts := []string{b.Maker, b.Serial}
	if b.Asset != "" {
		s[8] = 3
		texts = append(texts, b.Asset)
	}
	for _, text := range texts {
		s = append(append(s, text...), 0)
	}
	return append(s, 0)
}

// Brands are machines of the makers, as their SMBIOS tables spell them.
var Brands = map[string]BIOS{
	"Dell": {
		Maker: "Dell Inc.", Model: "Latitude 5420", Serial: "ABC1234", SKU: "0A20", Asset: "PC-0042",
		FirmwareVendor: "Dell Inc.", FirmwareVersion: "1.32.1", Date: "09/13/2023",
		Board: "0M42NK", BoardSerial: "/ABC1234/CNWS20013S00A1/", Family: "Latitude", UUID: "4c4c4544-0042-4310-8031-c1c04f343233",
		Chassis: 10, Slot: "DIMM A", ModuleMaker: "Samsung", Part: "M471A1K43DB1-CWE", ModuleSerial: "1A2B3C4D",
	},
	"HP": {
		Maker: "HP", Model: "HP EliteDesk 800 G6 Small Form Factor PC", Serial: "CZC1234XYZ", SKU: "1D2S5EA#ABF",
		FirmwareVendor: "HP", FirmwareVersion: "S01 Ver. 02.15.00", Date: "11/02/2023",
		Board: "870A", Chassis: 3, Slot: "DIMM1", ModuleMaker: "SK Hynix", Part: "HMA81GU6DJR8N-XN",
	},
	"Lenovo": {
		Maker: "LENOVO", Model: "20W000T0FR", Version: "ThinkPad T14 Gen 2i", Serial: "PF2ABCDE", SKU: "LENOVO_MT_20W0_BU_Think_FM_ThinkPad T14 Gen 2i",
		FirmwareVendor: "LENOVO", FirmwareVersion: "N34ET56W (1.56 )", Date: "08/22/2023",
		Board: "20W000T0FR", Chassis: 10, Slot: "Controller0-ChannelA", ModuleMaker: "Micron", Part: "4ATF1G64HZ-3G2E1",
	},
	"Asus": {
		Maker: "ASUSTeK COMPUTER INC.", Model: "ZenBook UX425EA_UX425EA", Serial: "M3N0CX123456789",
		FirmwareVendor: "American Megatrends International, LLC.", FirmwareVersion: "UX425EA.310", Date: "04/26/2022",
		Board: "UX425EA", Chassis: 10, Slot: "ChannelA-DIMM0", ModuleMaker: "Samsung", Part: "K4U6E3S4AA-MGCL",
	},
	"Samsung": {
		Maker: "SAMSUNG ELECTRONICS CO., LTD.", Model: "950XED", Serial: "0ABC9FBT500123", SKU: "SCAI-A5A5-TGL3-PAEH",
		FirmwareVendor: "American Megatrends International, LLC.", FirmwareVersion: "P10CFM.049.230531", Date: "05/31/2023",
		Board: "NP950XED-KA1FR", Chassis: 10, Slot: "DIMM 0", ModuleMaker: "Samsung", Part: "K3KL3L30CM-BGCT",
	},
	"Apple": {
		Maker: "Apple Inc.", Model: "MacBookPro14,1", Serial: "FVFXJ0ABHV22",
		FirmwareVendor: "Apple Inc.", FirmwareVersion: "499.0.0.0.0", Date: "09/07/2023",
		Board: "Mac-B4831CEBD52A0C4C", Chassis: 9, Slot: "DIMM0", ModuleMaker: "0x802C", Part: "0x4D5435324C3531324D3332",
	},
}
