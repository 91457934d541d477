package host

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// mountPoint is one line of /proc/self/mountinfo, see proc_pid_mountinfo(5).
type mountPoint struct {
	device   string // "8:1"
	root     string // of the mount within its file system
	point    string
	readOnly bool
	fsType   string
	source   string
}

// maxMounts is how many mounts are looked at; container hosts have thousands.
const maxMounts = 4096

// parseMountinfo reads mountinfo. What was mounted over is left out: the last
// mount on a point is the one that programs see.
func parseMountinfo(content []byte) ([]mountPoint, error) {
	byPoint := map[string]mountPoint{}
	for line := range strings.Lines(string(content)) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		before, after, found := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !found || len(left) < 6 || len(right) < 2 {
			return nil, fmt.Errorf("mountinfo: not a mount: %.80q", line)
		}
		m := mountPoint{device: left[2], root: octal(left[3]), point: octal(left[4]), fsType: right[0], source: octal(right[1])}
		super := ""
		if len(right) > 2 {
			super = right[2]
		}
		// An ext4 that met an error stays "rw" by its flags on newer kernels (seen on
		// 6.18), and says this instead.
		m.readOnly = hasOption(left[5], "ro") || hasOption(super, "ro") || hasOption(super, "emergency_ro")
		byPoint[m.point] = m
		if len(byPoint) > maxMounts {
			return nil, fmt.Errorf("more than %d mounts: %w", maxMounts, errors.ErrUnsupported)
		}
	}
	mounts := make([]mountPoint, 0, len(byPoint))
	for _, m := range byPoint {
		mounts = append(mounts, m)
	}
	slices.SortFunc(mounts, func(a, b mountPoint) int { return strings.Compare(a.point, b.point) })
	return mounts, nil
}

// octal undoes the kernel's escapes for space, tab, line end and backslash.
func octal(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+4 <= len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func hasOption(options, want string) bool {
	return slices.Contains(strings.Split(options, ","), want)
}

// parseFstab tells of each mount point in fstab(5) whether it is wanted
// writable.
func parseFstab(content []byte) map[string]bool {
	writable := map[string]bool{}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || strings.HasPrefix(fields[0], "#") || fields[2] == "swap" {
			continue
		}
		writable[octal(fields[1])] = len(fields) < 4 || !hasOption(fields[3], "ro")
	}
	return writable
}

// A file system's nature decides whether it is told of at all.
const (
	pseudo = "pseudo" // the kernel's own: no storage behind it
	image  = "image"  // full by nature and read-only
	remote = "remote" // behind a network
)

// natures of the file system types that are not local storage.
var natures = map[string]string{
	"autofs": pseudo, "binder": pseudo, "binfmt_misc": pseudo, "bpf": pseudo, "cgroup": pseudo, "cgroup2": pseudo,
	"configfs": pseudo, "debugfs": pseudo, "devpts": pseudo, "devtmpfs": pseudo, "efivarfs": pseudo, "fuse.gvfsd-fuse": pseudo,
	"fuse.lxcfs": pseudo, "fuse.portal": pseudo, "fuse.snapfuse": image, "fusectl": pseudo, "hugetlbfs": pseudo, "mqueue": pseudo, "nsfs": pseudo,
	"proc": pseudo, "pstore": pseudo, "ramfs": pseudo, "rpc_pipefs": pseudo, "securityfs": pseudo, "selinuxfs": pseudo,
	"sysfs": pseudo, "tmpfs": pseudo, "tracefs": pseudo,
	"cramfs": image, "erofs": image, "iso9660": image, "squashfs": image, "udf": image,
	"9p": remote, "afs": remote, "ceph": remote, "cifs": remote, "davfs": remote, "fuse.davfs2": remote, "fuse.glusterfs": remote,
	"fuse.rclone": remote, "fuse.sshfs": remote, "glusterfs": remote, "lustre": remote, "ncpfs": remote, "nfs": remote,
	"nfs4": remote, "smb3": remote, "smbfs": remote, "virtiofs": remote,
}

// systemPoints are where a Linux system starts from, works in, or keeps users'
// files. A tmpfs counts as storage on these points only.
var systemPoints = map[string]bool{
	"/": true, "/boot": true, "/boot/efi": true, "/efi": true, "/home": true, "/opt": true, "/root": true, "/run": true, "/srv": true,
	"/tmp": true, "/usr": true, "/usr/local": true, "/var": true, "/var/cache": true, "/var/lib": true, "/var/log": true,
	"/var/spool": true, "/var/spool/cups": true, "/var/tmp": true,
}

// isStorage tells whether a mount keeps files that people or programs put
// there.
func isStorage(m mountPoint) bool {
	switch natures[m.fsType] {
	case pseudo:
		return m.fsType == "tmpfs" && systemPoints[m.point]
	case image:
		return false
	}
	return true
}

// holder returns the mount that a path lies on: the one with the longest
// matching mount point.
func holder(mounts []mountPoint, name string) *mountPoint {
	var best *mountPoint
	for i, m := range mounts {
		inside := m.point == "/" || name == m.point || strings.HasPrefix(name, m.point+"/")
		if inside && (best == nil || len(m.point) > len(best.point)) {
			best = &mounts[i]
		}
	}
	return best
}

// discreet cuts a path where it begins to tell of a person: their name, and
// what they called things. What lies in a home becomes "~", a stick in
// somebody's media folder "/media/~".
func discreet(name string) string {
	for prefix, shown := range personal {
		if rest, found := strings.CutPrefix(name, prefix); found && rest != "" {
			return shown
		}
	}
	return name
}

// personal are the directories whose entries are people's.
var personal = map[string]string{"/home/": "~", "/media/": "/media/~", "/run/media/": "/run/media/~", "/run/user/": "/run/user/~", "/Users/": "~", "/Volumes/": "/Volumes/~"}

// remoteHost reduces the source of a remote mount to its server: share names
// and accounts stay here. "user@nas:/export/ann" and "//nas/ann" become "nas".
func remoteHost(source string) string {
	if u, err := url.Parse(source); err == nil && u.Host != "" {
		return u.Host
	}
	if at := strings.LastIndex(source, "@"); at >= 0 {
		source = source[at+1:]
	}
	if strings.HasPrefix(source, "[") { // an IPv6 address
		host, _, _ := strings.Cut(source[1:], "]")
		return host
	}
	host, _, _ := strings.Cut(strings.TrimLeft(source, "/"), ":")
	host, _, _ = strings.Cut(host, "/")
	return host
}

// buses tell a disk's bus by the device path the kernel gives it, most telling
// first.
var buses = []struct{ in, bus string }{
	{"/usb", "usb"}, {"/nvme/", "nvme"}, {"/mmc_host/", "mmc"}, {"/virtio", "virtual"}, {"/vmbus", "virtual"}, {"/xen", "virtual"},
	{"/vbd-", "virtual"}, {"/ata", "sata"}, {"/end_device-", "sas"}, {"/host", "other"},
}

func busOf(devicePath string) string {
	for _, b := range buses {
		if strings.Contains(devicePath, b.in) {
			return b.bus
		}
	}
	return "other"
}

// parseVPDSerial reads the unit serial number page (SPC-5, page 80h).
func parseVPDSerial(page []byte) *string {
	if len(page) < 4 || page[1] != 0x80 {
		return nil
	}
	length := int(page[2])<<8 | int(page[3])
	if length > len(page)-4 {
		return nil
	}
	return filled(clean(string(page[4 : 4+length])))
}
