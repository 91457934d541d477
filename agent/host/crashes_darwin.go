package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// Bounds of crash reports: how many of a directory, how large, and how old.
const (
	maxMacReports = 60
	maxMacReport  = 4 << 20
	macReportAge  = 30 * 24 * time.Hour
)

func readCrashes(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("DiagnosticReports, log")
	dirs := reportDirs(r.Root)
	c := &constatv1.Crashes{}
	var unread error
	read := 0
	for _, dir := range dirs {
		names, err := r.names(dir)
		if err != nil {
			unread = errors.Join(unread, err)
			continue
		}
		read++
		r.macReports(dir, names, c)
	}
	switch {
	case read == 0:
		return nil, failed(o.Source, unread)
	case unread != nil && !errors.Is(unread, fs.ErrNotExist):
		gap(o, "programs", unread)
	}
	if events, err := r.kernelLog(ctx); err != nil {
		gap(o, "refusals", err)
	} else {
		var log crashLog
		log.kernel(events)
		c.Refusals, c.System = log.refusals, append(c.System, log.system...)
	}
	macGaps(o, "crashes")
	slices.SortStableFunc(c.Programs, func(a, b *constatv1.Crash) int { return b.GetAt().AsTime().Compare(a.GetAt().AsTime()) })
	slices.SortStableFunc(c.LaunchFailures, func(a, b *constatv1.LaunchFailure) int { return b.GetAt().AsTime().Compare(a.GetAt().AsTime()) })
	slices.SortStableFunc(c.System, func(a, b *constatv1.SystemCrash) int { return b.GetAt().AsTime().Compare(a.GetAt().AsTime()) })
	slices.SortStableFunc(c.OomKills, func(a, b *constatv1.OutOfMemoryKill) int { return b.GetAt().AsTime().Compare(a.GetAt().AsTime()) })
	return c, o
}

// reportDirs are where crashes are written down: the machine's, and those of who
// runs this.
func reportDirs(root string) []string {
	dirs := []string{"/Library/Logs/DiagnosticReports"}
	if home := os.Getenv("HOME"); home != "" && root == "" {
		dirs = append(dirs, home+"/Library/Logs/DiagnosticReports")
	}
	return dirs
}

// macReports adds what the newest reports of a directory tell.
func (r *reader) macReports(dir string, names []string, c *constatv1.Crashes) {
	type report struct {
		name string
		at   time.Time
	}
	var reports []report
	for _, name := range names {
		if !slices.ContainsFunc([]string{".ips", ".crash", ".panic", ".hang", ".spin", ".gpuRestart"}, func(end string) bool { return strings.HasSuffix(name, end) }) {
			continue
		}
		info, err := r.stat(dir + "/" + name)
		if err != nil || info.Size() > maxMacReport || time.Since(info.ModTime()) > macReportAge {
			continue
		}
		reports = append(reports, report{name, info.ModTime()})
	}
	slices.SortFunc(reports, func(a, b report) int { return b.at.Compare(a.at) })
	for _, one := range reports[:min(len(reports), maxMacReports)] {
		content, err := r.file(dir + "/" + one.name)
		if err != nil {
			continue
		}
		if told := macReport(one.name, content); told != nil {
			c.Programs, c.System, c.OomKills = append(c.Programs, told.Programs...), append(c.System, told.System...), append(c.OomKills, told.OomKills...)
			c.LaunchFailures = append(c.LaunchFailures, told.LaunchFailures...)
		}
	}
}
