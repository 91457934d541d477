package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

func readHost(ctx context.Context, _ *reader) (proto.Message, *constatv1.Observation) {
	o := observed("registry, remote desktop services, NetGetJoinInformation, event log System")
	h := &constatv1.Host{OsFamily: set("windows"), Architecture: set(runtime.GOARCH)}
	if name, err := os.Hostname(); err != nil {
		gap(o, "hostname", err)
	} else {
		h.Hostname = filled(name)
	}
	if version, err := registryValues(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Windows NT\CurrentVersion`, 0); err != nil {
		gap(o, "os_name", err)
	} else {
		if windowsVersion(h, version); h.OsVersion == nil {
			gap(o, "os_version", fmt.Errorf("the registry does not tell of this system: %w", errors.ErrUnsupported))
		}
	}
	if id, err := registryValues(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Cryptography`, 0); err != nil {
		gap(o, "machine_hash", err)
	} else {
		h.MachineHash = machineHash(strings.ToLower(id.text("MachineGuid")))
	}
	if boot, err := started(); err != nil {
		gap(o, "boot_time", err)
	} else {
		h.BootTime = timestamppb.New(boot.Truncate(time.Second))
	}
	if zone, err := registryValues(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Control\TimeZoneInformation`, 0); err != nil {
		gap(o, "timezone", err)
	} else if h.Timezone = windowsZone(zone.text("TimeZoneKeyName")); h.Timezone == nil {
		gap(o, "timezone", fmt.Errorf("%q has no name of IANA's: %w", zone.text("TimeZoneKeyName"), errors.ErrUnsupported))
	}
	for _, person := range people() {
		if settings, err := registryValues(registry.USERS, person+`\Control Panel\International`, 0); err == nil && h.Locale == nil {
			h.Locale = filled(settings.text("LocaleName"))
		}
	}
	if h.Locale == nil {
		gap(o, "locale", fmt.Errorf("each person has one, and nobody is signed in: %w", errors.ErrUnsupported))
	}
	h.Virtualization = windowsHypervisor()
	var err error
	if h.Sessions, err = windowsSessions(); err != nil {
		gap(o, "sessions", err)
	}
	if h.JoinKind, h.Domain, err = joinedTo(); err != nil {
		gap(o, "join_kind", err)
	}
	events, err := loggedEvents(ctx, wakeRows, 30*24*time.Hour)
	if err != nil {
		gap(o, "resumed_at", err)
	}
	h.ResumedAt = wokeAt(events)
	return h, o
}

// started is when the kernel started.
func started() (time.Time, error) {
	const systemTimeOfDay = 3
	var of struct{ boot, now, bias int64 }
	if err := windows.NtQuerySystemInformation(systemTimeOfDay, unsafe.Pointer(&of), uint32(unsafe.Sizeof(of)), nil); err != nil {
		return time.Time{}, fmt.Errorf("NtQuerySystemInformation: %w", err)
	}
	at := fileTime(uint64(max(of.boot, 0)))
	if at.IsZero() {
		return at, fmt.Errorf("the kernel does not tell when it started: %w", errors.ErrUnsupported)
	}
	return at, nil
}

// underWine tells whether this is Wine, which says so itself (wine_get_version, as its
// developers' FAQ tells programs to ask).
func underWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

// windowsHypervisor tells what the machine runs in; nil when nothing can be said.
func windowsHypervisor() *string {
	if underWine() {
		return set("wine")
	}
	firmware, err := registryValues(registry.LOCAL_MACHINE, `HARDWARE\DESCRIPTION\System\BIOS`, 0)
	if err != nil {
		return nil
	}
	maker, product, bios := firmware.text("SystemManufacturer"), firmware.text("SystemProductName"), firmware.text("BIOSVendor")
	if name := hypervisorOf(product, maker, bios); name != "" {
		return &name
	}
	if maker+product == "" {
		return nil
	}
	return set("none")
}

var wtsapi = windows.NewLazySystemDLL("wtsapi32.dll")

// windowsSessions are the sessions that persons have.
func windowsSessions() ([]*constatv1.Session, error) {
	if err := wtsapi.NewProc("WTSEnumerateSessionsW").Find(); err != nil {
		return nil, windowsError("WTSEnumerateSessions", windows.ERROR_PROC_NOT_FOUND)
	}
	var first *windows.WTS_SESSION_INFO
	var n uint32
	if err := windows.WTSEnumerateSessions(0, 0, 1, &first, &n); err != nil {
		return nil, windowsError("WTSEnumerateSessions", err)
	}
	defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(first)))
	var sessions []*constatv1.Session
	const userName, clientProtocol = 5, 16
	for _, info := range unsafe.Slice(first, min(n, 200)) {
		user, err := sessionInformation(info.SessionID, userName)
		if err != nil {
			return sessions, err
		}
		var protocol *uint16
		if raw, err := sessionInformation(info.SessionID, clientProtocol); err == nil && len(raw) >= 2 {
			protocol = set((winBuffer{data: raw}).u16(0))
		}
		if s := windowsSession(utf16Text(user), info.State, protocol); s != nil {
			sessions = append(sessions, s)
		}
	}
	sortSessions(sessions)
	return sessions, nil
}

// sessionInformation asks one thing about a session.
func sessionInformation(session, what uint32) ([]byte, error) {
	var answer *byte
	var n uint32
	ok, _, err := wtsapi.NewProc("WTSQuerySessionInformationW").Call(0, uintptr(session), uintptr(what), uintptr(unsafe.Pointer(&answer)), uintptr(unsafe.Pointer(&n)))
	if ok == 0 || answer == nil {
		return nil, windowsError("WTSQuerySessionInformation", err)
	}
	defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(answer)))
	return append([]byte(nil), unsafe.Slice(answer, min(n, 4096))...), nil
}

// joinedTo tells to what this machine belongs: a workgroup, a domain, Entra, or the
// last two.
func joinedTo() (kind, domain *string, err error) {
	const cloud = `SYSTEM\CurrentControlSet\Control\CloudDomainJoin\`
	joins, _ := registryBelow(registry.LOCAL_MACHINE, cloud+"JoinInfo", 0)
	var name *uint16
	var status uint32
	if err := windows.NetGetJoinInformation(nil, &name, &status); err != nil {
		return nil, nil, windowsError("NetGetJoinInformation", err)
	}
	text := windows.UTF16PtrToString(name)
	_ = windows.NetApiBufferFree((*byte)(unsafe.Pointer(name)))
	switch {
	case status == windows.NetSetupDomainName && len(joins) > 0:
		return set("hybrid"), filled(text), nil
	case status == windows.NetSetupDomainName:
		return set("domain"), filled(text), nil
	case len(joins) > 0:
		tenant, _ := registryValues(registry.LOCAL_MACHINE, cloud+`TenantInfo\`+joins[0].text("TenantId"), 0)
		return set("entra"), filled(tenant.text("DisplayName")), nil
	case status == windows.NetSetupWorkgroupName:
		return set("workgroup"), nil, nil
	case status == windows.NetSetupUnjoined:
		return set("none"), nil, nil
	}
	return nil, nil, fmt.Errorf("NetGetJoinInformation does not tell: %w", errors.ErrUnsupported)
}
