package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"

	constatv1 "constat/proto/constat/v1"
)

// Bounds of a look at what the start waited for.
const (
	maxBootUnits = 1000
	slowestUnits = 5
	slowUnit     = 1.0 // seconds; quicker ones are not worth a word
)

// lastBoot keeps the times of the running system's start, which never change
// once it is over, by the moment that systemd gives for its end.
var lastBoot struct {
	sync.Mutex
	finished uint64
	boot     *constatv1.Boot
}

// readBoot asks systemd how long the start took, as systemd-analyze(1) does.
func readBoot(ctx context.Context, r *reader) (*constatv1.Boot, error) {
	if _, err := r.stat("/run/systemd/system"); err != nil {
		return nil, fmt.Errorf("this system was not started by systemd: %w", errors.ErrUnsupported)
	}
	conn, err := systemBus(ctx, r)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	manager := conn.Object(systemd, "/org/freedesktop/systemd1")
	values, err := properties(ctx, manager, systemd+".Manager")
	if err != nil {
		return nil, fmt.Errorf("systemd: %w", err)
	}
	at := func(name string) uint64 {
		if n := property[uint64](values, name+"TimestampMonotonic"); n != nil {
			return *n
		}
		return 0
	}
	if at("Finish") == 0 {
		return nil, errors.New("the start is not over yet")
	}
	lastBoot.Lock()
	defer lastBoot.Unlock()
	if lastBoot.finished == at("Finish") && r.Root == "" {
		return lastBoot.boot, nil
	}
	b := bootOf(at("Firmware"), at("Loader"), at("Userspace"), at("Finish"))
	b.SlowestUnits = slowestOf(ctx, conn, at("Userspace"))
	if ctx.Err() == nil {
		lastBoot.finished, lastBoot.boot = at("Finish"), b
	}
	return b, nil
}

// bootOf splits a start by systemd's timestamps, microseconds of the monotonic
// clock. Those of firmware and loader are told as how long before the kernel
// they began; 0: not known, as without EFI.
func bootOf(firmware, loader, userspace, finish uint64) *constatv1.Boot {
	seconds := func(from, to uint64) *float64 {
		if to < from {
			return nil
		}
		return set(tenth(float64(to-from) / 1e6))
	}
	b := &constatv1.Boot{UserspaceSeconds: seconds(userspace, finish)}
	if userspace > 0 { // 0: in a container there is no kernel to start
		b.KernelSeconds = seconds(0, userspace)
	}
	if loader > 0 {
		b.LoaderSeconds = seconds(0, loader)
	}
	if firmware > loader && loader > 0 {
		b.FirmwareSeconds = seconds(loader, firmware)
	}
	return b
}

// slowestOf names the services that took longest to start, slowest first, with
// their seconds: "fwupd.service 12.3 s".
func slowestOf(ctx context.Context, conn *dbus.Conn, userspace uint64) []string {
	var listed []systemdUnit
	if err := conn.Object(systemd, "/org/freedesktop/systemd1").CallWithContext(ctx, systemd+".Manager.ListUnits", dbus.FlagNoAutoStart).Store(&listed); err != nil {
		return nil
	}
	listed = slices.DeleteFunc(listed, func(u systemdUnit) bool {
		return u.Load != "loaded" || !strings.HasSuffix(u.Name, ".service")
	})
	listed = listed[:min(len(listed), maxBootUnits)]
	// Asked all at once: one after the other would take as many round trips.
	asked := make([][2]*dbus.Call, len(listed))
	for i, u := range listed {
		object := conn.Object(systemd, u.Path)
		for j, name := range []string{"InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic"} {
			asked[i][j] = object.GoWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart, make(chan *dbus.Call, 1), systemd+".Unit", name)
		}
	}
	type slow struct {
		name    string
		seconds float64
	}
	var all []slow
	for i, u := range listed {
		var times [2]uint64
		for j, call := range asked[i] {
			var v dbus.Variant
			select {
			case <-call.Done:
			case <-ctx.Done():
				return nil
			}
			if call.Store(&v) == nil {
				times[j], _ = v.Value().(uint64)
			}
		}
		took := float64(times[1]-min(times[0], times[1])) / 1e6
		if times[0] >= userspace && times[0] > 0 && took >= slowUnit {
			all = append(all, slow{u.Name, took})
		}
	}
	slices.SortFunc(all, func(a, b slow) int { return cmp.Or(cmp.Compare(b.seconds, a.seconds), strings.Compare(a.name, b.name)) })
	var names []string
	for _, s := range all[:min(len(all), slowestUnits)] {
		names = append(names, fmt.Sprintf("%s %.1f s", s.name, s.seconds))
	}
	return names
}
