package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// timeServices are the programs that set the clock: the name the kernel gives
// their process, where they are installed, and the links that mean "start it
// with the machine".
var timeServices = []struct {
	name, process string
	files, wanted []string
	// otherwise are files that tell that something else keeps the time here, and
	// that the service therefore does not start.
	otherwise []string
}{
	{
		"systemd-timesyncd", "systemd-timesyn", // the kernel cuts names at 15 bytes
		[]string{"/usr/lib/systemd/systemd-timesyncd", "/lib/systemd/systemd-timesyncd"},
		[]string{"/etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service", "/etc/systemd/system/dbus-org.freedesktop.timesync1.service"},
		// ConditionVirtualization=!container of its unit, and the tools of
		// VirtualBox of its drop-in disable-with-time-daemon.conf.
		[]string{"/run/systemd/container", "/usr/sbin/VBoxService"},
	},
	{
		"chrony", "chronyd",
		[]string{"/usr/sbin/chronyd", "/usr/bin/chronyd"},
		[]string{"/etc/systemd/system/multi-user.target.wants/chrony.service", "/etc/systemd/system/multi-user.target.wants/chronyd.service"},
		nil,
	},
	{
		"ntpd", "ntpd",
		[]string{"/usr/sbin/ntpd", "/usr/bin/ntpd"},
		[]string{
			"/etc/systemd/system/multi-user.target.wants/ntp.service", "/etc/systemd/system/multi-user.target.wants/ntpd.service",
			"/etc/systemd/system/multi-user.target.wants/ntpsec.service", "/etc/systemd/system/multi-user.target.wants/openntpd.service",
		},
		nil,
	},
}

func readClock(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("adjtimex, /proc, /etc/systemd, kernel log")
	c := &constatv1.Clock{Service: set("none"), ServiceState: set("absent")}
	running, hidden := r.processNames()
	if running == nil {
		return nil, failed("/proc", hidden)
	}
	// Links of systemd's say what is wanted only where systemd runs.
	_, err := r.stat("/run/systemd/system")
	booted := err == nil
	var unsure error // why it is not known what is wanted
	for _, s := range timeServices {
		if !r.anyExists(s.files) && !running[s.process] {
			continue
		}
		wanted, err := r.exists(s.wanted)
		enabled := booted && wanted && !r.anyExists(s.otherwise)
		if err != nil {
			unsure = err
		}
		// One that runs counts before one that should, and that before one that
		// is only installed.
		if c.GetServiceState() == "running" || (c.GetEnabled() && !running[s.process] && !enabled) {
			continue
		}
		c.Service, c.Enabled = set(s.name), &enabled
		c.ServiceState = set(map[bool]string{false: "stopped", true: "running"}[running[s.process]])
	}
	if hidden != nil && c.GetServiceState() != "running" {
		if c.ServiceState = nil; c.GetService() == "none" {
			c.Service = nil
		}
		gap(o, "service_state", hidden)
	}
	switch {
	case unsure != nil && !c.GetEnabled():
		c.Enabled = nil
		gap(o, "enabled", unsure)
	case !booted:
		c.Enabled = nil
		gap(o, "enabled", fmt.Errorf("systemd does not run here, so what it would start says nothing: %w", errors.ErrUnsupported))
	case c.Enabled == nil:
		c.Enabled = set(false)
	}
	c.Synchronized, err = synchronized(r)
	if err != nil {
		gap(o, "synchronized", err)
	}
	if c.GetService() == "systemd-timesyncd" && c.GetServiceState() == "running" {
		if c.Source, err = timesyncServer(ctx, r); err != nil {
			gap(o, "source", err)
		}
	}
	events, err := r.kernelLog(ctx)
	if err != nil {
		gap(o, "rtc_lost", err)
	}
	c.RtcLost = rtcLost(events)
	return c, o
}

// timesyncServer asks systemd-timesyncd which server it follows; nil where it has
// found none yet.
func timesyncServer(ctx context.Context, r *reader) (*string, error) {
	conn, err := systemBus(ctx, r)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	const service = "org.freedesktop.timesync1"
	values, err := properties(ctx, conn.Object(service, "/org/freedesktop/timesync1"), service+".Manager")
	if err != nil {
		return nil, fmt.Errorf("systemd-timesyncd: %w", err)
	}
	name := property[string](values, "ServerName")
	if name == nil {
		return nil, nil
	}
	return filled(*name), nil
}

// oldestStart is a day that no clock can rightly tell to this agent any more:
// it was not written yet. Clocks without power begin at 1970, 2000, or the day
// of their firmware.
var oldestStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// rtcLost tells whether the hardware clock had lost the time when the machine
// started; nil where the kernel's log does not reach back to that, or the kernel
// took the time from elsewhere.
func rtcLost(events []kernelEvent) *bool {
	for _, e := range events {
		if at, err := time.Parse("2006-01-02T15:04:05", e.detail); e.kind == kernelClock && err == nil {
			return set(at.Before(oldestStart))
		}
	}
	return nil
}

// synchronized asks the kernel whether its clock follows a source. The kernel's
// word belongs to the running machine, so it is not asked about another root.
func synchronized(r *reader) (*bool, error) {
	if r.anyExists([]string{"/run/systemd/timesync/synchronized"}) {
		return set(true), nil
	}
	if r.Root != "" {
		return nil, fmt.Errorf("the kernel can be asked about its own machine only: %w", errors.ErrUnsupported)
	}
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return nil, fmt.Errorf("adjtimex: %w", err)
	}
	const timeError = 5 // TIME_ERROR: not synchronised
	return set(state != timeError && t.Status&unix.STA_UNSYNC == 0), nil
}

// exists tells whether one of the files is there; a link counts by itself, also
// when what it points to lies outside the root. An error says why none is seen
// that may be there.
func (r *reader) exists(names []string) (bool, error) {
	var unseen error
	for _, name := range names {
		if _, err := r.link(name); err == nil {
			return true, nil
		}
		_, err := r.stat(name)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			unseen = err
		}
	}
	return false, unseen
}

// anyExists is exists where it is enough to have seen one.
func (r *reader) anyExists(names []string) bool {
	found, _ := r.exists(names)
	return found
}

// processNames returns the names of all processes that are seen, without
// arguments. The error says why one may run that is not among them; without any
// names, why nothing is known.
func (r *reader) processNames() (map[string]bool, error) {
	_, processes, err := r.firstProcesses()
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool, len(processes))
	for _, p := range processes {
		names[p.name] = true
	}
	return names, r.processes.hidden
}
