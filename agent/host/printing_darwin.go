package host

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// cupsSocket is where CUPS listens for programs of this machine.
const cupsSocket = "/private/var/run/cupsd"

// silentSpooler tells a print server that is not there from one that is stopped;
// nil when the error means neither. launchd listens for it and starts it when
// somebody asks.
func silentSpooler(r *reader, err error, local bool) *string {
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if _, err := r.stat("/usr/sbin/cupsd"); err != nil && local && r.CUPS == "" {
		return set("absent")
	}
	return set("stopped")
}

// keptFromNeighbours tells that a printer is not silent, but kept from this program.
func keptFromNeighbours(err error, to netip.Addr) error {
	addresses, _ := net.InterfaceAddrs()
	var own []netip.Prefix
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, p.Masked())
		}
	}
	return macKept(os.Geteuid() == 0, err, to, own)
}

// discoveryState tells whether the service runs that finds printers.
func discoveryState(ctx context.Context, r *reader) (*string, error) {
	for _, label := range []string{"com.apple.mDNSResponder.reloaded", "com.apple.mDNSResponder"} {
		content, err := r.run(ctx, programLimit, launchctlProgram, "print", "system/"+label)
		if err != nil {
			continue
		}
		return macDiscovery(content), nil
	}
	return nil, errMacSilent
}
