package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// packageManagers by the file that shows they keep this system.
var packageManagers = []struct{ kind, file string }{
	{"apt", "/var/lib/dpkg/status"}, {"dnf", "/usr/bin/dnf"}, {"dnf", "/usr/bin/dnf5"}, {"zypper", "/usr/bin/zypper"},
}

func readUpdates(_ context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("/run/reboot-required, /boot, /var/lib/dpkg")
	u := &constatv1.Updates{Kind: set("other")}
	for _, m := range packageManagers {
		if _, err := r.stat(m.file); err == nil {
			u.Kind = set(m.kind)
			break
		}
	}
	restartPending(r, u, o)
	if u.GetKind() != "apt" {
		gap(o, "broken_packages", fmt.Errorf("read for dpkg only: %w", errors.ErrUnsupported))
	} else if status, err := r.file("/var/lib/dpkg/status"); err != nil {
		gap(o, "broken_packages", err)
	} else {
		u.BrokenPackages = brokenPackages(append([]byte("\n"), status...))
	}
	for _, name := range []string{"/var/lib/apt/periodic/update-success-stamp", "/var/lib/apt/lists"} {
		if info, err := r.stat(name); err == nil && u.GetKind() == "apt" {
			u.LastCheckAt = timestamppb.New(info.ModTime())
			break
		}
	}
	gap(o, "pending", fmt.Errorf("pending updates are not counted yet: %w", errors.ErrUnsupported))
	return u, o
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
