package host

import (
	"context"
	"os"
	"path"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// Limits of the software group: the report of applications looks into each.
const (
	softwareLimit     = 50 * time.Second
	applicationsLimit = 45 * time.Second
)

const installHistory = "/Library/Receipts/InstallHistory.plist"

func readSoftware(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("system_profiler, " + installHistory + ", launchd, Homebrew")
	s := &constatv1.Software{}
	reports, err := r.tree(ctx, applicationsLimit, profilerProgram, "-json", "SPApplicationsDataType")
	if err != nil {
		gap(o, "programs", err)
	}
	applications := macPrograms(reports)
	history, historyErr := r.plist(installHistory)
	if historyErr != nil && err != nil {
		return nil, failed(o.Source, err)
	}
	packages, _ := macInstalls(history)
	s.Programs = sortedPrograms(withPackages(applications, packages), r.brews())
	var files []string
	for _, dir := range []string{"/Library/LaunchAgents", "/Library/LaunchDaemons"} {
		names, err := r.names(dir)
		if err != nil {
			gap(o, "startup_items", err)
			continue
		}
		files = append(files, names...)
	}
	var items []string
	if os.Geteuid() != 0 {
		gap(o, "startup_items", os.ErrPermission) // items of people; those of the machine are there
	} else if content, err := r.run(ctx, programLimit, sfltoolProgram, "dumpbtm"); err != nil {
		gap(o, "startup_items", err)
	} else {
		items = macLoginItems(content)
	}
	s.StartupItems = macStartup(files, items)
	macGaps(o, "software")
	return s, o
}

// brews are what Homebrew installed: a directory for each, and one for its version.
func (r *reader) brews() (programs []*constatv1.Program) {
	for _, dir := range []string{"/opt/homebrew/Cellar", "/usr/local/Cellar"} {
		names, err := r.names(dir)
		if err != nil {
			continue
		}
		for _, name := range names[:min(len(names), maxPackages)] {
			versions, err := r.names(path.Join(dir, name))
			if err != nil || len(versions) == 0 {
				continue
			}
			p := &constatv1.Program{Name: set(name), Version: set(versions[len(versions)-1]), Source: set("brew")}
			if info, err := r.stat(path.Join(dir, name, p.GetVersion())); err == nil {
				p.InstalledAt = timestamppb.New(info.ModTime())
			}
			programs = append(programs, p)
		}
	}
	return programs
}

func readUpdates(_ context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	const settingsFile = "/Library/Preferences/com.apple.SoftwareUpdate.plist"
	o := observed(settingsFile + ", " + installHistory)
	settings, err := r.plist(settingsFile)
	if err != nil {
		return nil, failed(o.Source, err)
	}
	u := macUpdates(settings)
	if history, err := r.plist(installHistory); err != nil {
		gap(o, "last_success_at", err)
	} else if _, updated := macInstalls(history); !updated.IsZero() {
		u.LastSuccessAt = timestamppb.New(updated)
	}
	macGaps(o, "updates")
	return u, o
}
