package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/windows/registry"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readCrashes(ctx context.Context, _ *reader) (proto.Message, *constatv1.Observation) {
	o := observed("event logs Application, System, AppLocker and CodeIntegrity, Windows Error Reporting")
	c := &constatv1.Crashes{}
	var l crashLog
	err := programCrashes(ctx, &l)
	if err != nil {
		gap(o, "programs", err)
	}
	for fact, provider := range map[string][]string{
		"launch_failures": {"SideBySide"},
		"refusals":        {"Microsoft-Windows-AppLocker", "Microsoft-Windows-CodeIntegrity"},
		"system":          {"Display", "EventLog", "Microsoft-Windows-Kernel-Power", "Microsoft-Windows-WER-SystemErrorReporting", "Microsoft-Windows-WHEA-Logger"},
	} {
		events, err := loggedEvents(ctx, rowsOf(provider...), maxCrashAge)
		l.windowsEvents(events)
		if err != nil {
			gap(o, fact, err)
		}
	}
	slices.SortFunc(o.Gaps, func(a, b *constatv1.Gap) int { return strings.Compare(a.GetFact(), b.GetFact()) })
	l.addIns(addInModules())
	l.fill(c, time.Now())
	return c, o
}

// ProgramCrashes are the crashes of programs alone that are on record, newest
// first; an error where none can be.
func ProgramCrashes(ctx context.Context, _ Config) ([]*constatv1.Crash, error) {
	var l crashLog
	if err := programCrashes(ctx, &l); err != nil {
		return nil, err
	}
	c := &constatv1.Crashes{}
	l.fill(c, time.Now())
	return c.Programs, nil
}

// programCrashes adds the crashes of programs. One of both places is enough: the
// event log, or the reports.
func programCrashes(ctx context.Context, l *crashLog) error {
	reports, err := reportsOfWER(ctx)
	l.programs = append(l.programs, reports...)
	events, eventsErr := loggedEvents(ctx, rowsOf("Application Error", "Application Hang"), maxCrashAge)
	l.windowsEvents(events)
	if err != nil && eventsErr != nil {
		return errors.Join(err, eventsErr)
	}
	return nil
}

// rowsOf are the rows of these providers.
func rowsOf(providers ...string) (rows []eventRow) {
	for _, row := range crashRows {
		if slices.Contains(providers, row.provider) {
			rows = append(rows, row)
		}
	}
	return rows
}

// reportsOfWER are the crashes and hangs that Windows Error Reporting keeps, of
// the machine and of each person who has a profile.
func reportsOfWER(ctx context.Context) ([]*constatv1.Crash, error) {
	var found []*constatv1.Crash
	var denied error
	there := false
	for _, dir := range placesOfWER() {
		entries, err := os.ReadDir(dir)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				denied = err
			}
			continue
		}
		there = true
		for _, entry := range entries[:min(len(entries), maxReports)] {
			if ctx.Err() != nil {
				return found, ctx.Err()
			}
			// What is old is not opened.
			info, err := entry.Info()
			if err != nil || !info.IsDir() || time.Since(info.ModTime()) > maxCrashAge {
				continue
			}
			if crash := reportOfWER(filepath.Join(dir, entry.Name(), "Report.wer")); crash != nil {
				found = append(found, crash)
			}
		}
	}
	switch {
	case denied != nil:
		return found, denied
	case !there:
		return nil, fmt.Errorf("Windows Error Reporting keeps no reports: %w", errors.ErrUnsupported)
	}
	return found, nil
}

// placesOfWER are the directories that may have reports, of the machine and of each
// person who has a profile.
func placesOfWER() (places []string) {
	const below = `Microsoft\Windows\WER`
	roots := []string{filepath.Join(os.Getenv("ProgramData"), below)}
	profiles, _ := registryBelow(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList`, 0)
	for _, p := range profiles {
		if home := p.text("ProfileImagePath"); home != "" {
			roots = append(roots, filepath.Join(home, `AppData\Local`, below))
		}
	}
	for _, root := range roots {
		places = append(places, filepath.Join(root, "ReportArchive"), filepath.Join(root, "ReportQueue"))
	}
	return places
}

func reportOfWER(name string) *constatv1.Crash {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxReport))
	if err != nil {
		return nil
	}
	return parseWER(raw)
}
