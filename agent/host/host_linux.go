package host

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

func readHost(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("/etc, /proc, org.freedesktop.login1")
	h := &constatv1.Host{
		OsFamily:       set("linux"),
		Architecture:   set(runtime.GOARCH),
		Hostname:       r.word("/proc/sys/kernel/hostname"),
		Kernel:         r.word("/proc/sys/kernel/osrelease"),
		Virtualization: virtualization(r),
	}
	release, err := r.file("/etc/os-release")
	if err != nil {
		release, err = r.file("/usr/lib/os-release")
	}
	if err != nil {
		gap(o, "os_name", err)
	}
	values := parseAssignments(release)
	h.OsName, h.OsVersion, h.OsBuild = filled(values["NAME"]), filled(values["VERSION_ID"]), filled(values["ID"])
	// Debian notes its point release here only.
	if point := r.word("/etc/debian_version"); values["ID"] == "debian" && point != nil && strings.HasPrefix(*point, values["VERSION_ID"]+".") {
		h.OsVersion = point
	}

	if stat, err := r.file("/proc/stat"); err != nil {
		gap(o, "boot_time", err)
	} else if h.BootTime, err = parseBootTime(stat); err != nil {
		gap(o, "boot_time", err)
	}

	events, err := r.kernelLog(ctx)
	if err != nil {
		gap(o, "resumed_at", err)
	}
	for _, e := range events {
		if e.kind == kernelResume { // of the last one the time is exact
			h.ResumedAt = timestamppb.New(e.at.Truncate(time.Minute))
		}
	}

	if target, err := r.link("/etc/localtime"); err == nil {
		h.Timezone = zoneOf(target)
	}
	if h.Timezone == nil {
		h.Timezone = r.word("/etc/timezone")
	}
	for _, name := range []string{"/etc/locale.conf", "/etc/default/locale"} {
		if content, err := r.file(name); err == nil {
			h.Locale = bcp47(parseAssignments(content)["LANG"])
			break
		}
	}
	if id, err := r.text("/etc/machine-id"); err != nil {
		gap(o, "machine_hash", err)
	} else {
		h.MachineHash = machineHash(id)
	}
	switch d, err := directory(r); {
	case err != nil:
		gap(o, "join_kind", err)
	case d != nil:
		h.JoinKind, h.Domain = set("domain"), d.Name
	default:
		h.JoinKind = set("none")
	}
	if h.Sessions, err = sessions(ctx, r); err != nil {
		gap(o, "sessions", err)
	}
	return h, o
}

// virtualization tells what the machine runs in; nil when nothing can be said.
func virtualization(r *reader) *string {
	for _, name := range []string{"/run/systemd/container", "/run/host/container-manager"} {
		if word := r.word(name); word != nil {
			return word
		}
	}
	for file, name := range map[string]string{"/.dockerenv": "docker", "/run/.containerenv": "other"} {
		if _, err := r.stat(file); err == nil {
			return &name
		}
	}
	const dmi = "/sys/class/dmi/id/"
	var texts []string
	for _, name := range []string{"product_name", "sys_vendor", "bios_vendor"} {
		if word := r.word(dmi + name); word != nil {
			texts = append(texts, *word)
		}
	}
	if name := hypervisorOf(texts...); name != "" {
		return &name
	}
	if word := r.word("/sys/hypervisor/type"); word != nil {
		return word
	}
	info, err := r.file("/proc/cpuinfo")
	flags := cpuFlags(info)
	switch {
	case flags["hypervisor"]:
		return set("other")
	case err == nil && len(flags) > 0 && runtime.GOARCH == "amd64", len(texts) > 0:
		return set("none")
	}
	return nil
}

// cpuFlags returns the feature flags of the first processor.
func cpuFlags(cpuinfo []byte) map[string]bool {
	flags := map[string]bool{}
	for line := range strings.Lines(string(cpuinfo)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "flags" {
			for _, flag := range strings.Fields(value) {
				flags[flag] = true
			}
			break
		}
	}
	return flags
}

// sessions asks logind, else reads utmp, which distributions are giving up.
func sessions(ctx context.Context, r *reader) ([]*constatv1.Session, error) {
	found, err := logindSessions(ctx, r)
	if err == nil {
		return found, nil
	}
	content, fileErr := r.file("/run/utmp")
	if fileErr != nil {
		return nil, fmt.Errorf("%w, and without logind: %w", err, fileErr)
	}
	return parseUtmp(content), nil
}
