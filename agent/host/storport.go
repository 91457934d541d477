package host

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// storageBuses are our words for STORAGE_BUS_TYPE (ntddstor.h). A RAID
// controller's or iSCSI's disk is none that can be asked of itself.
var storageBuses = map[uint32]string{
	1: "other", 3: "sata", 7: "usb", 8: "other", 9: "other", 10: "sas", 11: "sata", 12: "mmc", 13: "mmc", 14: "virtual", 15: "virtual", 16: "virtual", 17: "nvme",
}

// parseStorageDevice reads STORAGE_DEVICE_DESCRIPTOR (ntddstor.h): fixed fields,
// and where in it the texts stand.
func parseStorageDevice(raw []byte) (*constatv1.Disk, error) {
	const size = 36
	if len(raw) < size {
		return nil, errors.New("the storage device's descriptor is cut off")
	}
	text := func(at int) string {
		offset := binary.LittleEndian.Uint32(raw[at:])
		if offset == 0 || uint64(offset) >= uint64(len(raw)) {
			return ""
		}
		value, _, _ := strings.Cut(string(raw[offset:]), "\x00")
		return strings.TrimSpace(clean(value))
	}
	d := &constatv1.Disk{
		Vendor: filled(text(12)), Model: filled(text(16)), Firmware: filled(text(20)), Serial: diskSerial(text(24)), Removable: set(raw[10] != 0),
	}
	switch bus := binary.LittleEndian.Uint32(raw[28:]); {
	case storageBuses[bus] != "":
		d.Bus = set(storageBuses[bus])
	case bus != 0: // 0: not known
		d.Bus = set("other")
	}
	switch strings.ToUpper(d.GetVendor()) {
	case "ATA", "NVME": // the port driver's words, not makers
		d.Vendor = nil
	}
	return d, nil
}

// diskSerial is a serial number; drivers of before Windows 8 gave those of ATA
// disks as hexadecimal digits of swapped pairs of letters.
func diskSerial(text string) *string {
	text = strings.TrimSuffix(text, ".") // NVMe's port driver ends its own so
	if raw, err := hex.DecodeString(text); err == nil && len(raw) == 20 {
		for i := 0; i+1 < len(raw); i += 2 {
			raw[i], raw[i+1] = raw[i+1], raw[i]
		}
		if isClean(strings.TrimSpace(string(raw))) {
			return filled(strings.TrimSpace(string(raw)))
		}
	}
	return meaningful(text)
}

// parseStoragePenalty reads DEVICE_SEEK_PENALTY_DESCRIPTOR: what has to move its
// heads spins.
func parseStoragePenalty(raw []byte) *bool {
	if len(raw) < 9 {
		return nil
	}
	return set(raw[8] != 0)
}

// nvmeQuestion is the STORAGE_PROPERTY_QUERY for the health page of an NVMe disk,
// with room for the answer.
func nvmeQuestion() []byte {
	question := make([]byte, nvmeHeader+nvmePage)
	for i, word := range []uint32{
		50, 0, // StorageDeviceProtocolSpecificProperty, PropertyStandardQuery
		3, 2, 2, 0, // ProtocolTypeNvme, NVMeDataTypeLogPage, the page, its part
		nvmeSpecific, nvmePage,
	} {
		binary.LittleEndian.PutUint32(question[4*i:], word)
	}
	return question
}

// STORAGE_PROTOCOL_SPECIFIC_DATA has ten words; version and size stand before it.
const (
	nvmeSpecific = 40
	nvmeHeader   = 8 + nvmeSpecific
)

// parseNVMeAnswer reads STORAGE_PROTOCOL_DATA_DESCRIPTOR, and the health page in
// it.
func parseNVMeAnswer(raw []byte, h health) error {
	if len(raw) < nvmeHeader {
		return errors.New("the answer about the disk's health is cut off")
	}
	offset, length := uint64(binary.LittleEndian.Uint32(raw[24:])), uint64(binary.LittleEndian.Uint32(raw[28:]))
	start := 8 + offset
	if length < nvmePage || start+nvmePage > uint64(len(raw)) {
		return fmt.Errorf("a health page of %d bytes at %d of %d", length, start, len(raw))
	}
	return parseNVMeHealth(raw[start:start+nvmePage], h)
}

// parsePrediction reads STORAGE_PREDICT_FAILURE: whether an ATA disk expects to
// fail, and its attributes (ATA8-ACS, SMART READ DATA): thirty entries of twelve
// bytes behind a version.
func parsePrediction(raw []byte, h health) error {
	const (
		header  = 4
		first   = header + 2
		entry   = 12
		entries = 30
	)
	if len(raw) < first+entry*entries {
		return errors.New("the answer about the disk's health is cut off")
	}
	d := h.disk
	d.SmartPassed = set(binary.LittleEndian.Uint32(raw) == 0)
	for i := range entries {
		a := raw[first+i*entry:]
		value := int64(binary.LittleEndian.Uint32(a[5:])) | int64(a[9])<<32 | int64(a[10])<<40
		switch a[0] {
		case 5:
			d.ReallocatedSectors = &value
		case 9:
			h.reading.PowerOnHours = set(value & 0xffffffff) // some count parts of an hour above
		case 194:
			if celsius := float64(a[5]); celsius > 0 {
				h.reading.Celsius = sensible(celsius)
			}
		case 197:
			d.PendingSectors = &value
		case 198:
			d.OfflineUncorrectable = &value
		case 199:
			d.InterfaceCrcErrors = &value
		}
	}
	return nil
}

// parseGeometry reads the size behind the geometry in DISK_GEOMETRY_EX.
func parseGeometry(raw []byte) *int64 {
	if len(raw) < 32 {
		return nil
	}
	return natural(set(int64(binary.LittleEndian.Uint64(raw[24:]))))
}

// parseExtents reads the number of the first disk in VOLUME_DISK_EXTENTS; nil
// where the volume lies on none.
func parseExtents(raw []byte) *uint32 {
	if len(raw) < 12 || binary.LittleEndian.Uint32(raw) == 0 {
		return nil
	}
	return set(binary.LittleEndian.Uint32(raw[8:]))
}

// addExtents names the disk that a volume begins on.
func addExtents(m *constatv1.Mount, raw []byte) {
	if number := parseExtents(raw); number != nil {
		m.Device = set(fmt.Sprintf("PhysicalDrive%d", *number))
	}
}

// addDirty reads what FSCTL_IS_VOLUME_DIRTY says: one error at least, or none.
func addDirty(m *constatv1.Mount, raw []byte) {
	if len(raw) == 4 {
		m.ErrorCount = set(int64(raw[0] & 1))
	}
}

// batteryRelative: the battery counts in parts of itself, not in milliwatt
// hours; batterySystem: it runs the machine (poclass.h).
const (
	batterySystem   = 0x80000000
	batteryRelative = 0x40000000
	batteryUnknown  = 0xffffffff
)

// addBatteryInformation reads BATTERY_INFORMATION, and tells whether the battery
// is one of the machine and counts in milliwatt hours.
func addBatteryInformation(b *constatv1.Battery, raw []byte) (system, absolute bool, err error) {
	const size = 36
	if len(raw) < size {
		return false, false, errors.New("what the battery tells is cut off")
	}
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(raw[at:]) }
	capabilities, design, full, cycles := word(0), word(12), word(16), word(32)
	absolute = capabilities&batteryRelative == 0
	known := func(n uint32) bool { return n != 0 && n != batteryUnknown }
	if absolute && known(design) {
		b.DesignMwh = set(int64(design))
	}
	if absolute && known(full) {
		b.FullMwh = set(int64(full))
	}
	if known(design) && known(full) {
		b.HealthPercent = percent(uint64(full), uint64(design))
	}
	if cycles > 0 && cycles < 1<<31 { // 0: firmware that does not count says so too
		b.Cycles = set(int32(cycles))
	}
	return capabilities&batterySystem != 0, absolute, nil
}

// addBatteryTexts reads what the battery is called, by whom, and its serial number:
// texts in UTF-16, empty where it does not say.
func addBatteryTexts(b *constatv1.Battery, model, maker, serial []byte) {
	text := func(raw []byte) *string { return meaningful(strings.TrimSpace(utf16Text(raw))) }
	b.Model, b.Manufacturer, b.Serial = text(model), text(maker), text(serial)
}

// numberBatteries names them in the order in which Windows lists them.
func numberBatteries(list []*constatv1.Battery) {
	for i, b := range list {
		b.Name = set(fmt.Sprintf("BAT%d", i))
	}
}

// addBatteryStatus reads BATTERY_STATUS.
func addBatteryStatus(b *constatv1.Battery, raw []byte, absolute bool) error {
	const (
		size       = 16
		online     = 1
		discharges = 2
		charges    = 4
	)
	if len(raw) < size {
		return errors.New("the battery's state is cut off")
	}
	state, capacity := binary.LittleEndian.Uint32(raw), binary.LittleEndian.Uint32(raw[4:])
	if capacity != batteryUnknown {
		if absolute {
			b.NowMwh = set(int64(capacity))
			if b.FullMwh != nil {
				b.ChargePercent = percent(uint64(capacity), uint64(*b.FullMwh))
			}
		} else if capacity <= 100 {
			b.ChargePercent = set(int32(capacity))
		}
	}
	switch {
	case state&charges != 0:
		b.State = set("charging")
	case state&discharges != 0:
		b.State = set("discharging")
	case state&online != 0 && b.GetChargePercent() >= 99:
		b.State = set("full")
	case state&online != 0 && b.ChargePercent != nil:
		b.State = set("notCharging")
	default:
		b.State = set("unknown")
	}
	return nil
}

// powerSchemes are our words for the plans that Windows comes with, and for the
// slider over them (winnt.h; "Customize the Windows performance power slider").
// A plan that somebody made has no word.
var powerSchemes = map[string]string{
	"{381B4222-F694-41F0-9685-FF5BB260DF2E}": "balanced",
	"{8C5E7FDA-E8BF-4A96-9A85-A6E23A8C635C}": "performance",
	"{A1841308-3541-4FAB-BC81-F71556F20B4A}": "low-power",
	"{E9A42B02-D5DF-448D-AA00-03F14749EB61}": "performance",
	"{961CC777-2547-4F9D-8174-7D86181B8A7A}": "low-power",
	"{3AF9B8D9-7C97-431D-AD78-34A8BFEA439F}": "performance",
	"{DED574B5-45A0-4F42-8737-46345C09C238}": "performance",
}

// parseProcessorPower reads the list of PROCESSOR_POWER_INFORMATION: the fastest
// that any processor may run at, and could.
func parseProcessorPower(raw []byte) (limit, most *int32) {
	const size = 24
	higher := func(a *int32, mhz uint32) *int32 {
		if mhz == 0 || mhz >= 1<<20 || a != nil && *a >= int32(mhz) {
			return a
		}
		return set(int32(mhz))
	}
	for ; len(raw) >= size; raw = raw[size:] {
		most = higher(most, binary.LittleEndian.Uint32(raw[4:]))
		limit = higher(limit, binary.LittleEndian.Uint32(raw[12:]))
	}
	return limit, most
}

// acpiZone is MSAcpi_ThermalZoneTemperature of WMI: tenths of a kelvin.
type acpiZone struct {
	InstanceName                                            string
	CurrentTemperature, PassiveTripPoint, CriticalTripPoint *uint32
}

// heatOf are ACPI's thermal zones.
func heatOf(zones []acpiZone) (list []*constatv1.ThermalZone) {
	celsius := func(tenths *uint32) *float64 {
		if tenths == nil || *tenths == 0 {
			return nil
		}
		return sensible(float64(*tenths)/10 - 273.15)
	}
	for _, z := range zones[:min(len(zones), 128)] {
		name := z.InstanceName[strings.LastIndex(z.InstanceName, `\`)+1:]
		list = append(list, &constatv1.ThermalZone{
			Name: filled(strings.TrimSuffix(name, "_0")), Celsius: celsius(z.CurrentTemperature),
			PassiveCelsius: celsius(z.PassiveTripPoint), CriticalCelsius: celsius(z.CriticalTripPoint),
		})
	}
	nameApart(list)
	return list
}

// bitLockerVolume is Win32_EncryptableVolume of WMI.
type bitLockerVolume struct {
	DriveLetter      *string
	ConversionStatus *uint32
}

// encryptionOf tells of each letter how its volume is encrypted.
func encryptionOf(volumes []bitLockerVolume) map[string]string {
	const decrypted = 0
	kinds := map[string]string{}
	for _, v := range volumes {
		if v.DriveLetter == nil || v.ConversionStatus == nil {
			continue
		}
		kinds[*v.DriveLetter] = "bitlocker"
		if *v.ConversionStatus == decrypted {
			kinds[*v.DriveLetter] = "none"
		}
	}
	return kinds
}

// tpmOf is what the TPM base services answer: a result, and the version as they
// number it (TPM_DEVICE_INFO).
func tpmOf(result, version uint32) (*constatv1.Tpm, error) {
	const notFound = 0x8028400f // TBS_E_TPM_NOT_FOUND
	switch result {
	case 0:
		// They see no other than one that is on.
		return &constatv1.Tpm{Present: set(true), Enabled: set(true), Version: filled(map[uint32]string{1: "1.2", 2: "2.0"}[version])}, nil
	case notFound:
		return &constatv1.Tpm{Present: set(false)}, nil
	}
	return nil, fmt.Errorf("the TPM base services: 0x%08x", result)
}
