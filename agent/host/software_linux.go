package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// unreadDatabases are package databases that this agent knows and cannot read:
// the file that shows one, and why.
var unreadDatabases = []struct{ file, why string }{
	{"/var/lib/pacman/local", "pacman's packages are not read"},
	{"/lib/apk/db/installed", "apk's packages are not read"},
}

func readSoftware(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("/var/lib/dpkg, rpm, /var/lib/apt/lists, /var/cache/dnf, /var/cache/libdnf5, /var/cache/zypp, /var/lib/flatpak, /snap, /etc/xdg/autostart")
	s := &constatv1.Software{}
	sources := 0
	var uncompared error // why not all programs were compared with their packages
	if !r.Verify {
		uncompared = errNotCompared
	}
	if apps := flatpaks(r); apps != nil {
		sources++
		if len(apps) > 0 {
			if err := offerFlatpaks(r, apps); err != nil {
				gap(o, "programs.available_version", err)
			}
		}
		for _, a := range apps {
			s.Programs = append(s.Programs, a.Program)
		}
	}
	if apps := snaps(r); apps != nil {
		sources++
		if len(apps) > 0 {
			if err := offerSnaps(ctx, r, apps); err != nil {
				gap(o, "programs.available_version", err)
			}
		}
		s.Programs = append(s.Programs, apps...)
	}
	switch d, err := r.debian(ctx); {
	case err == nil:
		sources++
		programs := d.programs()
		s.Programs = append(s.Programs, programs...)
		if r.Verify {
			if err := r.verify(ctx, d, programs); err != nil {
				gap(o, "programs.damaged", err)
				uncompared = err
			}
		}
		if d.offered != nil {
			gap(o, "programs.available_version", d.offered)
		}
	case !errors.Is(err, fs.ErrNotExist):
		gap(o, "programs", err)
		uncompared = err
	}
	switch found, stamp, err := r.rpms(ctx); {
	case err == nil:
		sources++
		if len(found) > 0 {
			if found, err = r.offerRPMs(ctx, found, stamp); err != nil {
				gap(o, "programs.available_version", err)
			}
		}
		var programs []*constatv1.Program
		for _, p := range found {
			programs = append(programs, p.Program)
		}
		if r.Verify && len(programs) > 0 {
			for i, p := range programs {
				programs[i] = proto.CloneOf(p) // what is kept knows nothing of damage
			}
			if err := r.verifyRPM(ctx, programs); err != nil {
				gap(o, "programs.damaged", err)
				uncompared = err
			}
		}
		s.Programs = append(s.Programs, programs...)
	case !errors.Is(err, fs.ErrNotExist):
		sources++
		gap(o, "programs", err)
		uncompared = err
	}
	for _, database := range unreadDatabases {
		if _, err := r.stat(database.file); err == nil {
			sources++
			uncompared = fmt.Errorf("%s: %w", database.why, errors.ErrUnsupported)
			gap(o, "programs", uncompared)
			break
		}
	}
	if sources == 0 && len(o.Gaps) == 0 {
		return nil, failed(o.Source, fmt.Errorf("no package database was found: %w", errors.ErrUnsupported))
	}
	if r.Verify && r.VerifyProgram != "" { // the answer is of this one
		s.Programs = slices.DeleteFunc(s.Programs, func(p *constatv1.Program) bool { return p.GetName() != r.VerifyProgram })
	}
	s.DamagedPrograms = damagedPrograms(s.Programs)
	if uncompared != nil {
		gap(o, "damaged_programs", uncompared)
	}
	s.Programs = sortPrograms(s.Programs)
	items, err := startupItems(r)
	if err != nil {
		gap(o, "startup_items", err)
	}
	s.StartupItems = items
	return s, o
}

// flatpaks are the applications that flatpak installed for all users; nil where
// there is no flatpak.
func flatpaks(r *reader) []flatpakApp {
	const dir = "/var/lib/flatpak/app/"
	names, err := r.names(dir)
	if err != nil {
		return nil
	}
	programs := []flatpakApp{}
	for _, name := range names[:min(len(names), maxPackages)] {
		current, err := r.link(dir + name + "/current") // "x86_64/stable"
		if err != nil {
			continue
		}
		p := flatpakApp{
			Program:   &constatv1.Program{Name: set(name), Source: set("flatpak"), Channel: filled(path.Base(current))},
			reference: "app/" + name + "/" + current,
		}
		active := dir + name + "/current/active"
		if info, err := r.stat(active + "/deploy"); err == nil {
			p.InstalledAt = timestamppb.New(info.ModTime())
		}
		if deploy, err := r.file(active + "/deploy"); err == nil {
			p.origin = flatpakOrigin(deploy)
		}
		for _, file := range []string{"metainfo/" + name + ".metainfo.xml", "metainfo/" + name + ".appdata.xml", "appdata/" + name + ".appdata.xml"} {
			if content, err := r.file(active + "/files/share/" + file); err == nil {
				p.Version, p.metainfo = flatpakVersion(content), content
				break
			}
		}
		programs = append(programs, p)
	}
	return programs
}

// snaps are the installed snaps; nil where there is no snapd. One that is not
// mounted has no version.
func snaps(r *reader) []*constatv1.Program {
	files, err := r.names("/var/lib/snapd/snaps")
	if err != nil {
		return nil
	}
	programs := []*constatv1.Program{}
	last := ""
	for _, file := range files[:min(len(files), maxPackages)] { // "firefox_4173.snap", one per revision
		name, _, found := strings.Cut(file, "_")
		if !found || !strings.HasSuffix(file, ".snap") || name == last {
			continue
		}
		last = name
		p := &constatv1.Program{Name: set(name), Source: set("snap")}
		for _, dir := range []string{"/snap/", "/var/lib/snapd/snap/"} {
			current := dir + name + "/current"
			if meta, err := r.file(current + "/meta/snap.yaml"); err == nil {
				p.Version = snapVersion(meta)
				break
			}
		}
		programs = append(programs, p)
	}
	return programs
}

// startupItems are what starts with any user's desktop, by name; what single
// users chose is in their homes, and not looked at.
func startupItems(r *reader) ([]string, error) {
	const dir = "/etc/xdg/autostart"
	names, err := r.names(dir)
	if err != nil {
		return nil, err
	}
	var items []string
	for _, name := range names[:min(len(names), maxStartup)] {
		if !strings.HasSuffix(name, ".desktop") {
			continue
		}
		if content, err := r.file(dir + "/" + name); err == nil {
			if item := startupItem(name, content); item != "" {
				items = append(items, item)
			}
		}
	}
	slices.Sort(items)
	return slices.Compact(items), nil
}
