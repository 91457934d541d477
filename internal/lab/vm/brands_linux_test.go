package vm

import (
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// TestLabBrands boots a machine of each maker, and wants to see it named as
// people name it, and else as the maker spells it.
func TestLabBrands(t *testing.T) {
	if !whole() {
		t.Skip("runs with make lab")
	}
	files := guestFiles(t)
	for brand, b := range Brands {
		t.Run(brand, func(t *testing.T) {
			t.Parallel()
			m := Boot(t, Hardware{BIOS: b, Files: files, Memory: 512})
			h := facts(t, m, "root").GetHardware()
			s := h.GetSystem()
			equal(t, "brand", s.GetBrand(), brand)
			equal(t, "maker", s.GetManufacturer(), b.Maker)
			equal(t, "model", s.GetModel(), b.Model)
			if b.Version != "" { // else it is QEMU's own
				equal(t, "version", s.GetVersion(), b.Version)
			}
			equal(t, "serial", s.GetSerial(), b.Serial)
			equal(t, "sku", s.GetSku(), b.SKU)
			equal(t, "asset tag", s.GetAssetTag(), b.Asset)
			equal(t, "firmware", h.GetFirmware().GetVendor()+" "+h.GetFirmware().GetVersion(), b.FirmwareVendor+" "+b.FirmwareVersion)
			equal(t, "board", h.GetBaseboard().GetModel(), b.Board)
			equal(t, "chassis", h.GetChassis(), map[byte]string{3: "desktop", 9: "laptop", 10: "laptop"}[b.Chassis])
			module := find(h.GetMemoryModules(), func(m *constatv1.MemoryModule) bool { return m.GetPartNumber() != "" })
			equal(t, "memory module", module.GetPartNumber(), b.Part)
		})
	}
}
