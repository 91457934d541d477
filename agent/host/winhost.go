package host

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// windowsZones has one time zone of Windows a line, and the IANA zone after a tab.
//
//go:embed data/windowszones.tsv
var windowsZones string

// windowsZone finds the IANA name of a time zone of Windows; nil where it has none.
func windowsZone(name string) *string {
	name = strings.TrimRight(name, "\x00")
	for line := range strings.Lines(windowsZones) {
		if zone, iana, found := strings.Cut(strings.TrimSpace(line), "\t"); found && zone == name {
			return &iana
		}
	}
	return nil
}

// wakeRows: the event that tells what woke the machine has the time that it woke at.
var wakeRows = []eventRow{{"System", "Microsoft-Windows-Power-Troubleshooter", []int{1}}}

// wokeAt is when the machine woke last, by events that are the newest first.
func wokeAt(events []loggedEvent) *timestamppb.Timestamp {
	for _, e := range events {
		if at, err := time.Parse(time.RFC3339Nano, e.field("WakeTime")); err == nil {
			return timestamppb.New(at.Truncate(time.Minute))
		}
	}
	return nil
}

// windowsVersion tells of the system what its key CurrentVersion does. Windows 11
// still writes that it is Windows 10; its builds begin at 22000.
func windowsVersion(h *constatv1.Host, key registryKey) {
	const windows11 = 22000
	name, build := key.text("ProductName"), key.text("CurrentBuildNumber")
	number, _ := strconv.Atoi(build)
	if rest, found := strings.CutPrefix(name, "Windows 10"); found && number >= windows11 && key.text("InstallationType") != "Server" {
		name = "Windows 11" + rest
	}
	h.OsName = filled(name)
	for _, value := range []string{"DisplayVersion", "ReleaseId"} {
		if h.OsVersion == nil {
			h.OsVersion = filled(key.text(value))
		}
	}
	if build == "" {
		return
	}
	h.OsBuild = &build
	if revision := key.number("UBR"); revision != nil {
		h.OsBuild = set(fmt.Sprintf("%s.%d", build, *revision))
	}
	if major, minor := key.number("CurrentMajorVersionNumber"), key.number("CurrentMinorVersionNumber"); major != nil && minor != nil {
		h.Kernel = set(fmt.Sprintf("%d.%d.%s", *major, *minor, build))
	} else if version := key.text("CurrentVersion"); version != "" {
		h.Kernel = set(version + "." + build)
	}
}

// States and protocols of a session (wtsapi32.h).
const (
	sessionActive       = 0
	sessionDisconnected = 4
	sessionRemote       = 2
)

// windowsSession is a session that a person has; nil for one that nobody is signed
// in at.
func windowsSession(user string, state uint32, protocol *uint16) *constatv1.Session {
	if user == "" || state != sessionActive && state != sessionDisconnected {
		return nil
	}
	s := &constatv1.Session{User: &user, Active: set(state == sessionActive)}
	if protocol != nil {
		s.Kind = set("local")
		if *protocol == sessionRemote {
			s.Kind = set("remote")
		}
	}
	return s
}
