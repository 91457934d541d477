package host

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

func words(list ...uint32) (raw []byte) {
	for _, n := range list {
		raw = binary.LittleEndian.AppendUint32(raw, n)
	}
	return raw
}

// The answers below are composed from the documentation of the Windows driver
// kit, not recorded.

func storageDescriptor(bus uint32, removable byte, vendor, product, revision, serial string) []byte {
	raw := words(40, 0, 0, 0, 0, 0, 0, bus, 0, 0)
	raw[10] = removable
	for i, text := range []string{vendor, product, revision, serial} {
		if text != "" {
			binary.LittleEndian.PutUint32(raw[12+4*i:], uint32(len(raw)))
			raw = append(append(raw, text...), 0)
		}
	}
	return raw
}

func TestStorageDevice(t *testing.T) {
	for name, c := range map[string]struct {
		raw  []byte
		want *constatv1.Disk
	}{
		"nvme": {storageDescriptor(17, 0, "NVMe    ", "Samsung SSD 980 PRO 1TB ", "5B2QGXA7", "0025_3855_01B1_2C3D."), &constatv1.Disk{
			Model: set("Samsung SSD 980 PRO 1TB"), Firmware: set("5B2QGXA7"), Serial: set("0025_3855_01B1_2C3D"), Bus: set("nvme"), Removable: set(false),
		}},
		"a stick": {storageDescriptor(7, 1, "Kingston", "DataTraveler 3.0", "PMAP", "E0D55EA57401"), &constatv1.Disk{
			Vendor: set("Kingston"), Model: set("DataTraveler 3.0"), Firmware: set("PMAP"), Serial: set("E0D55EA57401"), Bus: set("usb"), Removable: set(true),
		}},
		"an old driver's serial": {storageDescriptor(11, 0, "", "ST1000LM035", "SDM2", "2020202020202020202020204c57364a4d575030"), &constatv1.Disk{
			Model: set("ST1000LM035"), Firmware: set("SDM2"), Serial: set("WLJ6WM0P"), Bus: set("sata"), Removable: set(false),
		}},
		"unknown":      {storageDescriptor(0, 0, "", "", "", ""), &constatv1.Disk{Removable: set(false)}},
		"nothing told": {storageDescriptor(99, 0, "", "", "", ""), &constatv1.Disk{Bus: set("other"), Removable: set(false)}},
	} {
		got, err := parseStorageDevice(c.raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(c.want, got, protocmp.Transform()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if _, err := parseStorageDevice(make([]byte, 35)); err == nil {
		t.Error("a cut one was understood")
	}
}

func TestNVMeAnswer(t *testing.T) {
	page := make([]byte, nvmePage)
	page[0], page[1], page[2], page[3], page[4], page[5] = 4, 0x3b, 0x01, 100, 10, 7 // 315 K
	answer := append(words(48, 48+512, 3, 2, 2, 0, nvmeSpecific, nvmePage, 0, 0, 0, 0), page...)
	h := health{&constatv1.Disk{}, &constatv1.DiskReading{}}
	if err := parseNVMeAnswer(answer, h); err != nil || h.disk.GetCriticalWarning() != 4 || h.disk.GetSmartPassed() || h.reading.GetCelsius() != 42 {
		t.Errorf("%v: %v %v", err, h.disk, h.reading)
	}
	for _, cut := range [][]byte{nil, answer[:47], answer[:500], append(words(48, 0, 3, 2, 2, 0, 1<<31, nvmePage), answer[32:]...)} {
		if err := parseNVMeAnswer(cut, health{&constatv1.Disk{}, &constatv1.DiskReading{}}); err == nil {
			t.Errorf("%d bytes were understood", len(cut))
		}
	}
	if q := nvmeQuestion(); len(q) != 48+512 || q[0] != 50 || q[8] != 3 || q[24] != 40 {
		t.Errorf("question %v", q[:48])
	}
}

func TestPrediction(t *testing.T) {
	raw := make([]byte, 4+512)
	raw[0] = 1
	for i, a := range [][2]byte{{5, 12}, {9, 200}, {194, 38}, {197, 3}, {198, 2}, {199, 1}} {
		raw[4+2+12*i], raw[4+2+12*i+5] = a[0], a[1]
	}
	h := health{&constatv1.Disk{}, &constatv1.DiskReading{}}
	if err := parsePrediction(raw, h); err != nil {
		t.Fatal(err)
	}
	want := &constatv1.Disk{
		SmartPassed: set(false), ReallocatedSectors: set(int64(12)), PendingSectors: set(int64(3)), OfflineUncorrectable: set(int64(2)), InterfaceCrcErrors: set(int64(1)),
	}
	if d := cmp.Diff(want, h.disk, protocmp.Transform()); d != "" || h.reading.GetCelsius() != 38 || h.reading.GetPowerOnHours() != 200 {
		t.Errorf("%s %v", d, h.reading)
	}
}

func TestBatteryRequests(t *testing.T) {
	b := &constatv1.Battery{}
	information := words(batterySystem, 1, 0x4e4f494c, 60000, 42000, 3000, 1000, 0, 311)
	system, absolute, err := addBatteryInformation(b, information)
	if err != nil || !system || !absolute {
		t.Fatal(system, absolute, err)
	}
	if err := addBatteryStatus(b, words(2, 21000, 11400, 0), absolute); err != nil {
		t.Fatal(err)
	}
	want := &constatv1.Battery{
		DesignMwh: set(int64(60000)), FullMwh: set(int64(42000)), NowMwh: set(int64(21000)), Cycles: set(int32(311)), HealthPercent: set(int32(70)),
		ChargePercent: set(int32(50)), State: set("discharging"),
	}
	if d := cmp.Diff(want, b, protocmp.Transform()); d != "" {
		t.Error(d)
	}
	relative := &constatv1.Battery{}
	if _, absolute, _ = addBatteryInformation(relative, words(batterySystem|batteryRelative, 1, 0, 100, 100, 0, 0, 0, 0)); absolute || relative.DesignMwh != nil {
		t.Errorf("parts of itself are no energy: %v", relative)
	}
	if err := addBatteryStatus(relative, words(1, 100, batteryUnknown, 0), false); err != nil || relative.GetState() != "full" || relative.GetChargePercent() != 100 || relative.NowMwh != nil {
		t.Errorf("full: %v %v", relative, err)
	}
}

func TestProcessorPower(t *testing.T) {
	limit, most := parseProcessorPower(append(words(0, 2800, 900, 1400, 0, 0), words(1, 2800, 900, 1500, 0, 0)...))
	if limit == nil || most == nil || *limit != 1500 || *most != 2800 {
		t.Errorf("limit %v, most %v", limit, most)
	}
	if limit, most = parseProcessorPower(make([]byte, 24)); limit != nil || most != nil {
		t.Error("0 MHz is known")
	}
}

func TestExtents(t *testing.T) {
	if n := parseExtents(words(1, 0, 2, 0, 0, 0, 0, 0)); n == nil || *n != 2 {
		t.Errorf("disk %v", n)
	}
	if parseExtents(words(0, 0, 2)) != nil || parseExtents(nil) != nil {
		t.Error("a volume on no disk has one")
	}
}

func FuzzWindowsStorage(f *testing.F) {
	f.Add(storageDescriptor(17, 0, "NVMe", "X", "1", "2."))
	f.Add(append(words(48, 48+512, 3, 2, 2, 0, nvmeSpecific, nvmePage, 0, 0, 0, 0), make([]byte, 512)...))
	f.Add(words(batterySystem, 1, 0, 60000, 42000, 0, 0, 0, 311))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = parseStorageDevice(raw)
		h := health{&constatv1.Disk{}, &constatv1.DiskReading{}}
		_ = parseNVMeAnswer(raw, h)
		_ = parsePrediction(raw, h)
		b := &constatv1.Battery{}
		_, absolute, _ := addBatteryInformation(b, raw)
		if err := addBatteryStatus(b, raw, absolute); err == nil && b.ChargePercent != nil && (*b.ChargePercent < 0 || *b.ChargePercent > 100) {
			t.Errorf("charged by %d %%", *b.ChargePercent)
		}
		parseExtents(raw)
		parseGeometry(raw)
		parseStoragePenalty(raw)
		parseProcessorPower(raw)
		_, _ = tableOfWindows(raw)
	})
}
