package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readStorage(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("/sys/block, /proc/self/mountinfo, /etc/fstab")
	s := &constatv1.Storage{}
	seen := r.disks(ctx)
	if s.Disks = seen.disks; seen.listErr != nil {
		gap(o, "disks", seen.listErr)
	}
	for _, err := range seen.silent {
		gap(o, "disks.smart_passed", err)
	}
	loggedErrors(ctx, r, s.Disks)

	mounts, err := r.mounts()
	if err != nil {
		gap(o, "mounts", err)
		return s, o
	}
	fstab, err := r.file("/etc/fstab")
	if err != nil {
		gap(o, "mounts.expected_writable", err)
	}
	wanted := parseFstab(fstab)
	for _, m := range mounts {
		if !isStorage(m) {
			continue
		}
		mount := &constatv1.Mount{
			MountPoint: set(discreet(m.point)),
			Device:     set(discreet(m.source)),
			Type:       set(m.fsType),
			ReadOnly:   set(m.readOnly),
			Remote:     set(natures[m.fsType] == remote),
		}
		if mount.GetRemote() {
			mount.Device = set(remoteHost(m.source))
		}
		if writable, known := wanted[m.point]; known {
			mount.ExpectedWritable = &writable
		}
		if strings.HasPrefix(m.source, "/dev/") {
			mount.Encryption = encryption(r, "/sys/dev/block/"+m.device, 4)
			mount.ErrorCount = r.number("/sys/fs/ext4/" + r.blockName(m) + "/errors_count")
		}
		s.Mounts = append(s.Mounts, mount)
	}
	return s, o
}

// blockName is the kernel's name of the block device of a mount: "dm-0" where
// the mount says /dev/mapper/vg-root.
func (r *reader) blockName(m mountPoint) string {
	if target, err := r.link("/sys/dev/block/" + m.device); err == nil {
		return path.Base(target)
	}
	return path.Base(m.source)
}

// mountsVariable names where the machine's mounts are read instead of
// /proc/self/mountinfo: a service manager that shuts a service in shows it a
// table of its own, in which nothing can be written.
const mountsVariable = "CONSTAT_MOUNTS"

// mounts reads what is mounted.
func (r *reader) mounts() ([]mountPoint, error) {
	name := "/proc/self/mountinfo"
	if other := os.Getenv(mountsVariable); other != "" && r.Root == "" {
		name = other
	}
	m := &r.mounted
	m.Do(func() {
		content, err := r.file(name)
		if err != nil {
			m.err = err
			return
		}
		m.points, m.err = parseMountinfo(content)
	})
	return m.points, m.err
}

// unreal are the prefixes of block devices without a device: made by the
// kernel on top of others, or of memory; and of drives for discs.
var unreal = []string{"dm-", "fd", "loop", "md", "nbd", "ram", "sr", "zram"}

// isDisk tells whether a name in /sys/block is a device of its own.
func isDisk(name string) bool {
	for _, prefix := range unreal {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return true
}

// disk reads one disk; nil when the name is no disk with a device behind it.
func disk(r *reader, name string) *constatv1.Disk {
	if !isDisk(name) {
		return nil
	}
	dir := "/sys/block/" + name
	d := &constatv1.Disk{
		Name:       &name,
		Vendor:     r.word(dir + "/device/vendor"),
		Model:      r.word(dir + "/device/model"),
		Serial:     r.word(dir + "/device/serial"),
		Firmware:   r.word(dir + "/device/firmware_rev"),
		Rotational: r.flag(dir + "/queue/rotational"),
		Removable:  r.flag(dir + "/removable"),
	}
	if sectors := r.number(dir + "/size"); sectors != nil {
		d.SizeBytes = set(*sectors * 512) // always 512, whatever the disk's sectors are
	}
	// The SCSI layer also counts each question about an ATA disk's health or
	// sleep, which is answered by CHECK CONDITION (CK_COND of SAT's ATA
	// pass-through). So 0 tells that there were no errors, and more tells
	// nothing: errors are told by the kernel's log.
	if count := r.hex(dir + "/device/ioerr_cnt"); count != nil && *count == 0 {
		d.IoErrors = count
	}
	if d.Firmware == nil {
		d.Firmware = r.word(dir + "/device/rev")
	}
	if d.Serial == nil {
		if page, err := r.file(dir + "/device/vpd_pg80"); err == nil {
			d.Serial = parseVPDSerial(page)
		}
	}
	if target, err := r.link(dir); err == nil {
		d.Bus = set(busOf(target))
	}
	if d.GetBus() == "virtual" {
		d.Rotational = nil // the driver's default, and no word of the disk behind it
	}
	switch strings.TrimSpace(d.GetVendor()) {
	case "ATA": // the SCSI layer's word for any SATA disk, not a maker
		d.Vendor = nil
	default:
		// virtio and NVMe give the PCI id here: no name.
		if strings.HasPrefix(d.GetVendor(), "0x") {
			d.Vendor = nil
		}
	}
	return d
}

// plainMappings are what the device mapper's tools write before the number of a
// mapping that encrypts nothing by itself: LVM, a partition (kpartx), several
// paths to one disk, a RAID of the firmware, a snapshot of Stratis, a disk whose
// integrity or content is checked.
var plainMappings = []string{"LVM-", "part", "mpath-", "DMRAID-", "stratis-", "CRYPT-VERITY-", "CRYPT-INTEGRITY-"}

// mapping tells how the device mapper encrypts a block device, as
// Mount.encryption does; nil where that is not known.
func mapping(r *reader, dir string) *string {
	if _, err := r.stat(dir + "/dm"); errors.Is(err, fs.ErrNotExist) {
		return set("none")
	}
	uuid := r.value(dir + "/dm/uuid")
	switch {
	case strings.HasPrefix(uuid, "CRYPT-LUKS"):
		return set("luks")
	case slices.ContainsFunc(plainMappings, func(prefix string) bool { return strings.HasPrefix(uuid, prefix) }):
		return set("none")
	case strings.HasPrefix(uuid, "CRYPT-BITLK"):
		return set("bitlocker")
	case strings.HasPrefix(uuid, "CRYPT-"):
		return set("other")
	}
	return nil
}

// encryption follows the block devices below one, and tells whether one of
// them is encrypted; nil when that cannot be seen.
func encryption(r *reader, dir string, depth int) *string {
	if _, err := r.stat(dir); err != nil || depth == 0 {
		return nil
	}
	own := mapping(r, dir)
	if own != nil && *own != "none" {
		return own
	}
	below, err := r.names(dir + "/slaves")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, name := range below {
		if kind := encryption(r, dir+"/slaves/"+name, depth-1); kind == nil || *kind != "none" {
			return kind
		}
	}
	return own
}
