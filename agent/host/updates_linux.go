package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// packageManagers by the file that shows they keep this system.
var packageManagers = []struct{ kind, file string }{
	{"apt", "/var/lib/dpkg/status"}, {"dnf", "/usr/bin/dnf"}, {"dnf", "/usr/bin/dnf5"}, {"zypper", "/usr/bin/zypper"},
}

func readUpdates(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("/run/reboot-required, /boot, /var/lib/dpkg, /var/lib/apt, /var/log/apt")
	u := &constatv1.Updates{}
	for _, m := range packageManagers {
		if _, err := r.stat(m.file); err == nil {
			u.Kind = set(m.kind)
			break
		}
	}
	restartPending(r, u, o)
	if u.GetKind() != "apt" {
		for _, fact := range []string{"broken_packages", "failures", "locked", "pending", "security_pending"} {
			gap(o, fact, fmt.Errorf("read for apt and dpkg only: %w", errors.ErrUnsupported))
		}
		return u, o
	}
	for _, name := range []string{"/var/lib/apt/periodic/update-success-stamp", aptLists} {
		if info, err := r.stat(name); err == nil {
			u.LastCheckAt = timestamppb.New(info.ModTime())
			break
		}
	}
	atWork, _ := aptLocked(r)
	d, err := r.debian(ctx)
	if err != nil {
		for _, fact := range []string{"broken_packages", "pending", "security_pending"} {
			gap(o, fact, err)
		}
	} else {
		u.BrokenPackages = d.broken
		pendingUpdates(u, d, o)
	}
	aptLogs(r, u, o)
	if u.Locked, err = aptLocked(r); err != nil {
		gap(o, "locked", err)
	}
	if len(u.BrokenPackages) > 0 && (u.GetLocked() || atWork != nil && *atWork) {
		u.BrokenPackages = nil
		gap(o, "broken_packages", errAtWork)
	}
	return u, o
}

var errAtWork = errors.New("not told: the package manager is at work, and packages are not what they will be")

// pendingUpdates counts what apt would bring.
func pendingUpdates(u *constatv1.Updates, d *debian, o *constatv1.Observation) {
	if d.offered != nil {
		gap(o, "pending", d.offered)
		gap(o, "security_pending", d.offered)
		return
	}
	pending, security := int32(0), int32(0)
	for _, one := range d.packages {
		if one.available == "" || one.held {
			continue
		}
		pending++
		if one.security {
			security++
		}
	}
	u.Pending = &pending
	if !d.classified {
		gap(o, "security_pending", fmt.Errorf("apt has no list of a security archive: %w", errors.ErrUnsupported))
		return
	}
	u.SecurityPending = &security
}

// aptLogs tells what failed, and when updates last went in. apt's own log is
// for everybody; that of unattended-upgrades, where it may be read, adds runs
// that did not get as far as apt.
func aptLogs(r *reader, u *constatv1.Updates, o *constatv1.Observation) {
	log := newUpdateLog()
	zone := r.zone()
	f, err := os.Open(r.path("/var/log/apt/history.log"))
	if err == nil {
		defer f.Close()
		err = log.history(f, zone)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // no log: rotated, nothing failed since
		gap(o, "failures", err)
		return
	}
	if content, err := r.file("/var/log/unattended-upgrades/unattended-upgrades.log"); err == nil {
		log.unattended(content, zone)
	}
	u.Failures = log.sorted()
	if !log.lastSuccess.IsZero() {
		u.LastSuccessAt = timestamppb.New(log.lastSuccess)
	}
}

// zone is the machine's time zone, UTC where it cannot be read.
func (r *reader) zone() *time.Location {
	if content, err := r.file("/etc/localtime"); err == nil {
		if zone, err := time.LoadLocationFromTZData("", content); err == nil {
			return zone
		}
	}
	return time.UTC
}

// aptLocked tells whether a package manager is at work, by the locks that the
// kernel keeps: nothing is opened.
func aptLocked(r *reader) (*bool, error) {
	locks, err := r.file("/proc/locks")
	if err != nil {
		return nil, err
	}
	var files []string
	for _, name := range []string{"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock"} {
		info, err := r.stat(name)
		if err != nil {
			continue
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			files = append(files, fmt.Sprintf("%02x:%02x:%d", unix.Major(s.Dev), unix.Minor(s.Dev), s.Ino))
		}
	}
	return set(lockHeld(locks, files)), nil
}

// restartPending tells whether something waits for a restart: a package said so
// (the file of Debian's packages), or the newest kernel is not the running one.
func restartPending(r *reader, u *constatv1.Updates, o *constatv1.Observation) {
	const mark = "/run/reboot-required"
	info, err := r.stat(mark)
	if err == nil {
		u.RestartPending, u.RestartPendingSince = set(true), timestamppb.New(info.ModTime())
		if names := strings.Fields(r.value(mark + ".pkgs")); len(names) > 0 {
			slices.Sort(names)
			u.RestartReasons = slices.Compact(names)
		}
		return
	}
	boot, err := r.names("/boot")
	if err != nil {
		gap(o, "restart_pending", err)
		return
	}
	newest, known := newerKernel(boot, r.value("/proc/sys/kernel/osrelease"))
	switch {
	case !known:
		gap(o, "restart_pending", fmt.Errorf("the running kernel is not one of /boot, and no package asks for a restart: %w", errors.ErrUnsupported))
	case newest != "":
		u.RestartPending, u.RestartReasons = set(true), []string{"linux-image-" + newest}
	default:
		u.RestartPending = set(false)
	}
}
