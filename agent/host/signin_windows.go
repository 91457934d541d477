package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

var netapi = windows.NewLazySystemDLL("netapi32.dll")

func readSignIn(ctx context.Context, _ *reader) (proto.Message, *constatv1.Observation) {
	o := observed("remote desktop services, NetUserGetInfo, NetUserModalsGet, NetGetJoinInformation, netlogon, registry")
	s := &constatv1.SignIn{}
	kind, domain, err := joinedTo()
	if err != nil {
		gap(o, "directory", err)
	}
	sessions, err := windowsSessions()
	if err != nil {
		gap(o, "accounts", err)
	}
	profiles, profilesErr := registryBelow(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList`, 0)
	if profilesErr != nil {
		gap(o, "accounts.temporary_profile", profilesErr)
	}
	maxAge, ageErr := passwordLife()
	if ageErr != nil {
		gap(o, "accounts.password_expires_at", ageErr)
	}
	now := time.Now()
	var seen []string
	for _, session := range sessions {
		user := session.GetUser()
		if slices.Contains(seen, user) || len(seen) == maxAccounts {
			continue
		}
		seen = append(seen, user)
		a := &constatv1.Account{User: set(user), Kind: set("domain")}
		sid, local := accountOf(user)
		if local {
			a.Kind = set("local")
			info, err := userInformation(user)
			if err != nil {
				gap(o, "accounts.locked", err)
			} else if ageErr == nil {
				localAccount(a, info, maxAge, now)
			}
		} else {
			gap(o, "accounts.locked", errDirectoryLocks)
		}
		for _, profile := range profiles {
			if sid != "" && profile.name == sid {
				a.TemporaryProfile = temporaryProfile(profile)
			}
		}
		s.Accounts = append(s.Accounts, a)
	}
	if kind == nil || *kind == "workgroup" || *kind == "none" {
		return s, o
	}
	s.Directory = &constatv1.Directory{Name: domain, Kind: set("activeDirectory")}
	if *kind == "entra" {
		s.Directory.Kind = set("entra")
		gap(o, "directory.state", fmt.Errorf("Windows does not keep a connection to Entra: %w", errors.ErrUnsupported))
		return s, o
	}
	// It may wait for a domain that does not answer.
	channel, err := bounded(ctx, "netlogon", 3*time.Second, func(context.Context) (secured, error) { return secureChannel(*domain) })
	if err != nil {
		gap(o, "directory.trust_ok", err)
	} else {
		trust(s.Directory, channel.status, channel.server)
	}
	return s, o
}

// accountOf finds the security id of an account, and whether it is one of this
// machine's own: then their domain is the machine's name.
func accountOf(user string) (id string, local bool) {
	sid, domain, _, err := windows.LookupSID("", user)
	if err != nil {
		return "", false
	}
	name, err := windows.ComputerName()
	return sid.String(), err == nil && strings.EqualFold(domain, name)
}

// passwordLife is how long passwords live on this machine, in seconds.
func passwordLife() (uint32, error) {
	get := netapi.NewProc("NetUserModalsGet")
	if get.Find() != nil {
		return 0, windowsError("NetUserModalsGet", windows.ERROR_PROC_NOT_FOUND)
	}
	var modals *struct{ shortest, maxAge uint32 }
	if status, _, _ := get.Call(0, 0, uintptr(unsafe.Pointer(&modals))); status != 0 || modals == nil {
		return 0, windowsError("NetUserModalsGet", windows.Errno(status))
	}
	defer func() { _ = windows.NetApiBufferFree((*byte)(unsafe.Pointer(modals))) }()
	return modals.maxAge, nil
}

// userInformation is USER_INFO_3 of an account of this machine, without its texts.
func userInformation(user string) (winBuffer, error) {
	name, err := windows.UTF16PtrFromString(user)
	if err != nil {
		return winBuffer{}, err
	}
	var info *byte
	if err := windows.NetUserGetInfo(nil, name, 3, &info); err != nil {
		return winBuffer{}, windowsError("NetUserGetInfo", err)
	}
	defer func() { _ = windows.NetApiBufferFree(info) }()
	return winBuffer{data: slices.Clone(unsafe.Slice(info, userInfoSize))}, nil
}

// secured is how this machine's own account stands with a domain, and who says so.
type secured struct {
	status uint32
	server string
}

// secureChannel asks the netlogon service how this machine's own account stands
// with its domain.
func secureChannel(domain string) (secured, error) {
	const query, level = 6, 2 // NETLOGON_CONTROL_TC_QUERY
	control := netapi.NewProc("I_NetLogonControl2")
	if control.Find() != nil {
		return secured{}, windowsError("I_NetLogonControl2", windows.ERROR_PROC_NOT_FOUND)
	}
	name, err := windows.UTF16PtrFromString(domain)
	if err != nil {
		return secured{}, err
	}
	var info *struct {
		flags, pdc uint32
		server     *uint16
		channel    uint32
	}
	if result, _, _ := control.Call(0, query, level, uintptr(unsafe.Pointer(&name)), uintptr(unsafe.Pointer(&info))); result != 0 || info == nil {
		return secured{}, windowsError("I_NetLogonControl2", windows.Errno(result))
	}
	defer func() { _ = windows.NetApiBufferFree((*byte)(unsafe.Pointer(info))) }()
	return secured{info.channel, windows.UTF16PtrToString(info.server)}, nil
}
