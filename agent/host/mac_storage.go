package host

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// macDiskNames are the disks of a list of diskutil(8) that are made of something:
// images and the containers that APFS lays over disks are not. Their names are put
// behind other words of a program, so nothing else is let through.
func macDiskNames(list node) []string {
	var names []string
	for _, one := range list.at("AllDisksAndPartitions").list() {
		if name := one.at("DeviceIdentifier").text(); macDiskName(name) && !one.at("APFSPhysicalStores").there() && len(names) < 64 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// macDiskName tells whether a text is the name of a whole disk.
func macDiskName(name string) bool {
	digits, found := strings.CutPrefix(name, "disk")
	return found && len(digits) > 0 && len(digits) < 5 && strings.Trim(digits, "0123456789") == ""
}

// macBuses are our words for diskutil's.
var macBuses = map[string]string{
	"Apple Fabric": "nvme", "PCI-Express": "nvme", "PCI": "nvme", "SATA": "sata", "ATA": "sata", "USB": "usb", "SAS": "sas",
	"Secure Digital": "mmc", "Disk Image": "virtual", "Virtual Interface": "virtual", "Virtio": "virtual", "Thunderbolt": "other",
}

// appleSpareThreshold is what Apple's own drives give as threshold of their spare:
// one percent below full, where others give ten. By it a drive would count as
// worn after its first bad block, so it is not told.
const appleSpareThreshold = 99

// macDisk describes a disk by what diskutil info tells of it, and by its entry in
// the reports SPNVMe and SPSerialATA; nil for what is an image.
func macDisk(info, reports node) (*constatv1.Disk, *constatv1.DiskReading) {
	name := info.at("DeviceIdentifier").text()
	if !macDiskName(name) || info.at("VirtualOrPhysical").text() == "Virtual" {
		return nil, nil
	}
	d := &constatv1.Disk{Name: &name, Model: meaningful(info.at("MediaName").text()), SizeBytes: firstOfKeys(info, "TotalSize", "Size").within(1, math.MaxInt64)}
	bus := info.at("BusProtocol").text()
	if bus == "Disk Image" {
		return nil, nil
	}
	if d.Bus = filled(macBuses[bus]); d.Bus == nil && bus != "" {
		d.Bus = set("other")
	}
	if solid := info.at("SolidState").flag(); solid != nil {
		d.Rotational = set(!*solid)
	}
	if internal := info.at("Internal").flag(); internal != nil {
		d.Removable = set(!*internal || info.at("RemovableMedia").is())
	}
	switch info.at("SMARTStatus").text() {
	case "Verified":
		d.SmartPassed = set(true)
	case "Failing":
		d.SmartPassed = set(false)
	}
	if entry := reportedDisk(reports, name); entry.there() {
		d.Model = cmp.Or(meaningful(entry.at("device_model").text()), d.Model)
		d.Serial, d.Firmware = meaningful(entry.at("device_serial").text()), meaningful(entry.at("device_revision").text())
	}
	if strings.HasPrefix(strings.ToUpper(d.GetModel()), "APPLE") {
		d.Vendor = set("Apple")
	}
	smart := info.at("SMARTDeviceSpecificKeysMayVaryNotGuaranteed")
	d.CriticalWarning = smart.at("CRITICAL_WARNING").small(0, 255)
	d.PercentageUsed = smart.at("PERCENTAGE_USED").small(0, 255)
	d.AvailableSparePercent = smart.at("AVAILABLE_SPARE").small(0, 100)
	if threshold := smart.at("AVAILABLE_SPARE_THRESHOLD").small(0, 100); threshold != nil && *threshold != appleSpareThreshold {
		d.SpareThresholdPercent = threshold
	}
	d.MediaErrors = wide(smart, "MEDIA_ERRORS")
	r := &constatv1.DiskReading{Name: &name, PowerOnHours: wide(smart, "POWER_ON_HOURS")}
	if kelvin := smart.at("TEMPERATURE").within(200, 450); kelvin != nil {
		r.Celsius = set(float64(*kelvin - 273))
	}
	// The drive counts thousands of 512 bytes (NVMe base specification, 5.14.1.2).
	if units := wide(smart, "DATA_UNITS_WRITTEN"); units != nil && *units < math.MaxInt64/512_000 {
		r.WrittenBytes = set(*units * 512_000)
	}
	if r.Celsius == nil && r.PowerOnHours == nil && r.WrittenBytes == nil {
		r = nil
	}
	return d, r
}

// macTransfers are what a disk's driver counted since it started: requests, the time
// that each of them took, all added up, and errors.
type macTransfers struct {
	requests, errors int64
	took             time.Duration
}

// macTransferred reads the registry's entries IOBlockStorageDriver with their Statistics
// (IOBlockStorageDriver.h), by the name of the whole disk below them.
func macTransferred(tree node) map[string]macTransfers {
	all := map[string]macTransfers{}
	ioEntries(tree, func(entry node) {
		counts := entry.at("Statistics")
		if !counts.at("Operations (Read)").there() || len(all) == 64 {
			return
		}
		name := ""
		ioEntries(entry.at("IORegistryEntryChildren"), func(medium node) {
			if own := medium.at("BSD Name").text(); name == "" && medium.at("Whole").is() && macDiskName(own) {
				name = own
			}
		})
		both := func(what string) (sum int64) {
			for _, way := range []string{" (Read)", " (Write)"} {
				if n := counts.at(what+way).within(0, 1<<61); n != nil {
					sum += *n
				}
			}
			return sum
		}
		if name != "" {
			all[name] = macTransfers{both("Operations"), both("Errors"), time.Duration(both("Total Time"))}
		}
	})
	return all
}

// macDiskLoads are what disks did between two looks. How much of the time they had
// anything to do is not told: requests that run beside each other are counted each.
func macDiskLoads(before, after map[string]macTransfers, sample time.Duration) (list []*constatv1.DiskLoad) {
	for _, name := range sortedNames(after) {
		was, known := before[name]
		requests, took := after[name].requests-was.requests, after[name].took-was.took
		if !known || requests < 0 || took < 0 || sample <= 0 {
			continue
		}
		d := &constatv1.DiskLoad{Disk: &name, Queue: set(tenth(took.Seconds() / sample.Seconds()))}
		if requests > 0 {
			d.AwaitMs = set(tenth(took.Seconds() * 1000 / float64(requests)))
		}
		list = append(list, d)
	}
	return list
}

// withErrors notes how many requests of disks failed.
func withErrors(disks []*constatv1.Disk, all map[string]macTransfers) {
	for _, d := range disks {
		if one, known := all[d.GetName()]; known {
			d.IoErrors = set(one.errors)
		}
	}
}

// wide is a number of 128 bits in two halves, NAME_0 and NAME_1; nil of what does
// not fit, and where there is none.
func wide(n node, name string) *int64 {
	if high := n.at(name + "_1").number(); high != nil && *high != 0 {
		return nil
	}
	return n.at(name+"_0").within(0, math.MaxInt64)
}

// reportedDisk finds a disk in the reports of the buses.
func reportedDisk(reports node, name string) (found node) {
	for _, dataType := range []string{"SPNVMeDataType", "SPSerialATADataType"} {
		for _, controller := range profiled(reports, dataType) {
			for _, entry := range controller.at("_items").list() {
				if entry.at("bsd_name").text() == name {
					return entry
				}
			}
		}
	}
	return node{}
}

// macEncrypted tells of each volume of APFS how it is encrypted, by diskutil apfs
// list, and whether the volume of people's files is.
func macEncrypted(list node) (byDevice map[string]string, data *bool) {
	byDevice = map[string]string{}
	for _, container := range list.at("Containers").list() {
		for _, volume := range container.at("Volumes").list() {
			vault, encrypted := volume.at("FileVault").flag(), volume.at("Encryption").flag()
			word := ""
			switch {
			case vault != nil && *vault:
				word = "filevault"
			case encrypted != nil && *encrypted:
				word = "other"
			case encrypted != nil || vault != nil:
				word = "none"
			default:
				continue
			}
			byDevice[volume.at("DeviceIdentifier").text()] = word
			for _, role := range volume.at("Roles").list() {
				if role.text() == "Data" && (data == nil || !*data) {
					data = set(word != "none")
				}
			}
		}
	}
	return byDevice, data
}

// macVault reads fdesetup status: whether FileVault is on. While it encrypts or
// decrypts, the disk is not encrypted as a whole.
func macVault(content []byte) *bool {
	text := string(content[:min(len(content), 1000)])
	switch {
	case strings.Contains(text, "Encryption in progress"), strings.Contains(text, "Decryption in progress"):
		return set(false)
	case strings.Contains(text, "FileVault is On"):
		return set(true)
	case strings.Contains(text, "FileVault is Off"):
		return set(false)
	}
	return nil
}

// macMount is one mounted file system, as getfsstat(2) tells it.
type macMount struct {
	point, device, kind       string
	readOnly, local, snapshot bool
	use                       fsUse
}

// pseudoMac are file systems with no storage behind them.
var pseudoMac = map[string]bool{"devfs": true, "autofs": true, "volfs": true, "fdesc": true, "nullfs": true, "lifs": true}

// hiddenMac are volumes of the system that nobody fills, and that are not to be
// seen as full or read-only.
var hiddenMac = []string{"/System/Volumes/VM", "/System/Volumes/Preboot", "/System/Volumes/Update", "/System/Volumes/xarts", "/System/Volumes/iSCPreboot", "/System/Volumes/Hardware", "/private/var/vm", "/System/Volumes/BaseSystem", "/System/Volumes/FieldService"}

// told tells whether a mount is one that people know of.
func (m macMount) told() bool {
	hidden := slices.ContainsFunc(hiddenMac, func(point string) bool { return m.point == point || strings.HasPrefix(m.point, point+"/") })
	return !pseudoMac[m.kind] && !hidden && !strings.HasPrefix(m.point, "/private/var/run/") && !strings.Contains(m.point, "/com.apple.") &&
		(!strings.HasPrefix(m.point, "/Library/Developer/CoreSimulator/"))
}

// macMounts tells of mounts as the schema does, sorted. The volume of the system is
// a sealed snapshot, mounted to be read only.
func macMounts(mounts []macMount, encrypted map[string]string) (list []*constatv1.Mount) {
	for _, m := range mounts {
		if !m.told() {
			continue
		}
		one := &constatv1.Mount{
			MountPoint: set(discreet(m.point)), Type: filled(m.kind), ReadOnly: set(m.readOnly), Remote: set(!m.local),
		}
		switch device := strings.TrimPrefix(m.device, "/dev/"); {
		case !m.local:
			one.Device = filled(remoteHost(m.device))
		default:
			one.Device = filled(device)
			if one.Encryption = filled(encrypted[device]); one.Encryption == nil { // "disk3s1s1" is a snapshot of disk3s1
				if i := strings.LastIndex(device, "s"); i > len("disk") {
					one.Encryption = filled(encrypted[device[:i]])
				}
			}
		}
		switch m.point {
		case "/":
			one.ExpectedWritable = set(!m.snapshot)
		case "/System/Volumes/Data":
			one.ExpectedWritable = set(true)
		}
		list = append(list, one)
	}
	slices.SortStableFunc(list, func(a, b *constatv1.Mount) int { return strings.Compare(a.GetMountPoint(), b.GetMountPoint()) })
	return list
}

// macSpace tells how full mounts are. On APFS, volumes share what is free: the
// system's, which nobody can write to, is left out where the other is there.
func macSpace(mounts []macMount) (list []*constatv1.FileSystemUse) {
	split := slices.ContainsFunc(mounts, func(m macMount) bool { return m.point == "/System/Volumes/Data" })
	for _, m := range mounts {
		system := m.point == "/System/Volumes/Data" || m.point == "/" && !split
		if !m.told() || !m.local || m.point == "/" && split || m.readOnly && !system {
			continue
		}
		f := m.use.facts()
		f.MountPoint, f.Type, f.System, f.Spool = set(discreet(m.point)), filled(m.kind), set(system), set(system)
		list = append(list, f)
	}
	slices.SortStableFunc(list, func(a, b *constatv1.FileSystemUse) int { return strings.Compare(a.GetMountPoint(), b.GetMountPoint()) })
	return list
}
