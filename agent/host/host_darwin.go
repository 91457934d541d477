package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// sysctl asks the kernel, see there.
func (r *reader) sysctl(name string) []byte {
	raw, err := unix.SysctlRaw(name)
	if err != nil {
		return nil
	}
	if r.Record != nil {
		r.Record("sysctl "+name, raw)
	}
	return raw
}

func readHost(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("sysctl, ioreg, who, dsconfigad")
	h := macHost(r.sysctl, runtime.GOARCH)
	if target, err := r.link("/etc/localtime"); err != nil {
		gap(o, "timezone", err)
	} else {
		h.Timezone = zoneOf(target)
	}
	platform, err := r.registryOf(ctx, "IOPlatformExpertDevice")
	if err != nil {
		gap(o, "machine_hash", err)
	}
	h.MachineHash = macMachine(platform)
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
			macActive(h.Sessions, owner)
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
