package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// sysctlWord is one of the kernel's texts; nil where it has none of this name.
func sysctlWord(name string) *string {
	text, err := unix.Sysctl(name)
	if err != nil {
		return nil
	}
	return filled(text)
}

// sysctlOn tells whether one of the kernel's numbers is there and not 0.
func sysctlOn(name string) bool {
	n, err := unix.SysctlUint32(name)
	return err == nil && n != 0
}

// bootedAt is when the kernel started; the zero time where it does not tell.
func bootedAt() time.Time {
	at, err := unix.SysctlTimeval("kern.boottime")
	if err != nil || at.Sec <= 0 {
		return time.Time{}
	}
	return time.Unix(at.Sec, int64(at.Usec)*1000)
}

func readHost(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("sysctl, ioreg, who, dsconfigad")
	model := sysctlWord("hw.model")
	h := &constatv1.Host{
		OsFamily: set(runtime.GOOS), OsName: set("macOS"), OsVersion: sysctlWord("kern.osproductversion"), OsBuild: sysctlWord("kern.osversion"),
		Kernel: sysctlWord("kern.osrelease"), Architecture: set(runtime.GOARCH), Hostname: sysctlWord("kern.hostname"),
		Virtualization: set(macHypervisor(sysctlOn("kern.hv_vmm_present"), deref(model))),
	}
	if sysctlOn("hw.optional.arm64") {
		h.Architecture = set("arm64") // this program may be translated
	}
	if at := bootedAt(); !at.IsZero() {
		h.BootTime = timestamppb.New(at)
	}
	if at, err := unix.SysctlTimeval("kern.waketime"); err == nil && at.Sec > 0 {
		h.ResumedAt = timestamppb.New(time.Unix(at.Sec, 0))
	}
	if target, err := r.link("/etc/localtime"); err != nil {
		gap(o, "timezone", err)
	} else {
		h.Timezone = zoneOf(target)
	}
	platform, err := r.registryOf(ctx, "IOPlatformExpertDevice")
	if err != nil {
		gap(o, "machine_hash", err)
	}
	ioEntries(platform, func(entry node) {
		if id := entry.at("IOPlatformUUID").text(); id != "" && h.MachineHash == nil {
			h.MachineHash = machineHash(strings.ToLower(id))
		}
	})
	if content, err := r.locale(ctx); err != nil {
		gap(o, "locale", err)
	} else {
		h.Locale = macLocale(content)
	}
	if content, err := r.run(ctx, programLimit, whoProgram); err != nil {
		gap(o, "sessions", err)
	} else {
		h.Sessions = parseWho(content)
		if owner, err := consoleOwner(); err == nil {
			for _, s := range h.Sessions {
				if s.GetKind() == "local" {
					s.Active = set(s.GetUser() == owner)
				}
			}
		}
	}
	if tree, err := r.tree(ctx, programLimit, dsconfigadProgram, "-show", "-xml"); err != nil {
		gap(o, "join_kind", err)
	} else if domain, joined := macJoin(tree); joined {
		h.JoinKind, h.Domain = set("domain"), &domain
	} else {
		h.JoinKind = set("none")
	}
	return h, o
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// locale asks for the language of the person that this program runs as, else of
// the machine.
func (r *reader) locale(ctx context.Context) ([]byte, error) {
	if os.Geteuid() != 0 {
		if content, err := r.run(ctx, programLimit, defaultsProgram, "read", "-g", "AppleLocale"); err == nil {
			return content, nil
		}
	}
	content, err := r.run(ctx, programLimit, defaultsProgram, "read", "/Library/Preferences/.GlobalPreferences", "AppleLocale")
	if err != nil {
		return nil, fmt.Errorf("no language was set for the machine: %w", errors.Join(fs.ErrNotExist, err))
	}
	return content, nil
}
