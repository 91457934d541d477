package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readSecurity(_ context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("units and control groups of systemd, /etc/ufw, device mapper, directories of added roots")
	s := &constatv1.Security{Products: protectionProducts(r)}
	var err error
	if s.DiskEncrypted, err = rootEncrypted(r); err != nil {
		gap(o, "disk_encrypted", err)
	}
	if s.AddedRoots, err = addedRoots(r); err != nil {
		gap(o, "added_roots", err)
	}
	if s.Certificates, err = readCertificates(r); err != nil {
		gap(o, "certificates", err)
	}
	silent := false
	for _, p := range s.Products {
		if p.GetName() == "ClamAV" {
			p.UpToDate = clamUpToDate(r, time.Now())
		}
		silent = silent || p.UpToDate == nil
	}
	if silent {
		gap(o, "products.up_to_date", fmt.Errorf("the products do not tell it to others: %w", errors.ErrUnsupported))
	}
	return s, o
}

// clamUpToDate tells whether ClamAV's daily signatures are new enough; nil where
// there are none to read.
func clamUpToDate(r *reader, now time.Time) *bool {
	for _, name := range []string{"/var/lib/clamav/daily.cld", "/var/lib/clamav/daily.cvd"} {
		f, err := os.Open(r.path(name))
		if err != nil {
			continue
		}
		var head [512]byte
		n, _ := io.ReadFull(f, head[:])
		f.Close()
		if built := clamBuilt(head[:n]); !built.IsZero() {
			return set(now.Sub(built) <= signaturesGood)
		}
	}
	return nil
}

// protectionProducts are the known products that are installed, sorted by name,
// and whether their processes run.
func protectionProducts(r *reader) []*constatv1.SecurityProduct {
	var products []*constatv1.SecurityProduct
	for _, known := range protections {
		installed := slices.ContainsFunc([]string{"/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"}, func(dir string) bool {
			file := known.unit
			if template, _, found := strings.Cut(file, "@"); found {
				file = template + "@.service"
			}
			_, err := r.stat(dir + file)
			return err == nil
		})
		if installed {
			products = append(products, &constatv1.SecurityProduct{Name: set(known.name), Kind: set(known.kind), Enabled: unitRuns(r, known.unit)})
		}
	}
	if content, err := r.file("/etc/ufw/ufw.conf"); err == nil {
		enabled := filled(strings.ToLower(parseAssignments(content)["ENABLED"]))
		p := &constatv1.SecurityProduct{Name: set("ufw"), Kind: set("firewall")}
		if enabled != nil {
			p.Enabled = set(*enabled == "yes")
		}
		products = append(products, p)
	}
	slices.SortFunc(products, func(a, b *constatv1.SecurityProduct) int { return strings.Compare(a.GetName(), b.GetName()) })
	return slices.CompactFunc(products, func(a, b *constatv1.SecurityProduct) bool { return a.GetName() == b.GetName() })
}

// unitRuns tells whether a service has processes, by its control group; nil
// where that cannot be seen: another init, or control groups of version 1.
func unitRuns(r *reader, unit string) *bool {
	const dir = "/sys/fs/cgroup/"
	if _, err := r.stat(dir + "system.slice/cgroup.events"); err != nil {
		return nil
	}
	if _, err := r.stat(dir + unitGroup(unit)); errors.Is(err, fs.ErrNotExist) {
		return set(false)
	}
	events := r.value(dir + unitGroup(unit) + "/cgroup.events")
	for line := range strings.Lines(events) {
		switch strings.TrimSpace(line) {
		case "populated 1":
			return set(true)
		case "populated 0":
			return set(false)
		}
	}
	return nil // unreadable, or strange
}

// rootEncrypted tells whether the file system that the system runs from lies on
// an encrypted device.
func rootEncrypted(r *reader) (*bool, error) {
	mounts, err := r.mounts()
	if err != nil {
		return nil, err
	}
	root := holder(mounts, "/")
	if root == nil || !strings.HasPrefix(root.source, "/dev/") {
		return nil, fmt.Errorf("the root file system lies on no device that is seen here: %w", errors.ErrUnsupported)
	}
	kind := encryption(r, "/sys/dev/block/"+root.device, 4)
	if kind == nil { // file systems of several devices have a number of their own
		kind = encryption(r, "/sys/class/block/"+path.Base(root.source), 4)
	}
	if name := mapped(r, root.source); kind == nil && name != "" {
		kind = encryption(r, "/sys/class/block/"+name, 4)
	}
	if kind == nil {
		return nil, fmt.Errorf("the device of the root file system is not in /sys: %w", errors.ErrUnsupported)
	}
	return set(*kind != "none"), nil
}

// mapped finds the kernel's name of a device of the device mapper:
// "/dev/mapper/NAME" to "dm-0"; "" when there is none.
func mapped(r *reader, source string) string {
	want, found := strings.CutPrefix(source, "/dev/mapper/")
	names, _ := r.names("/sys/class/block")
	for _, name := range names {
		if found && strings.HasPrefix(name, "dm-") && r.value("/sys/class/block/"+name+"/dm/name") == want {
			return name
		}
	}
	return ""
}

// rootDirectories are where administrators put certificates that the system is
// to trust: Debian's, Fedora's and SUSE's.
var rootDirectories = []string{"/usr/local/share/ca-certificates", "/etc/pki/ca-trust/source/anchors", "/etc/pki/trust/anchors"}

// addedRoots names the certificates that someone made this machine trust,
// sorted.
func addedRoots(r *reader) ([]string, error) {
	var roots []string
	there := false
	for _, dir := range rootDirectories {
		names, err := r.names(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		there = true
		for _, name := range names[:min(len(names), maxRootFiles)] {
			info, err := r.stat(dir + "/" + name)
			if err != nil || info.Size() > maxRootFile {
				continue
			}
			inside := []string{name}
			if info.IsDir() { // update-ca-certificates(8) looks one level down, too
				inside = nil
				more, _ := r.names(dir + "/" + name)
				for _, file := range more[:min(len(more), maxRootFiles)] {
					inside = append(inside, name+"/"+file)
				}
			}
			for _, file := range inside {
				if content, err := r.file(dir + "/" + file); err == nil {
					roots = append(roots, rootSubjects(content)...)
				}
			}
		}
	}
	if !there {
		return nil, fmt.Errorf("no directory of added certificates: %w", errors.ErrUnsupported)
	}
	slices.Sort(roots)
	roots = slices.Compact(roots)
	return roots[:min(len(roots), maxRoots)], nil
}
