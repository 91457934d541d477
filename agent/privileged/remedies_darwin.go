package privileged

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// verbs are remedies, with the programs of macOS, and listening. They need root, as the agent's
// daemon is. None was executed yet: they are compiled, and their arguments tested.
var verbs = map[string]verb{
	"flush-dns":        flushNames,
	"renew-dhcp":       renewLease,
	"restart-wifi":     restartRadio,
	"restart-printing": restartPrinting,
	"resume-queue":     resumeQueue,
	"pause-queue":      pauseQueue,
	"clear-stuck-job":  cancelJob,
	"set-clock":        setClock,
	// No remedies, but what the service listens by and asks with:
	"dhcp":   hearOffers,
	"lldp":   hearNeighbours,
	"owners": findOwners,
	// No enable-device and reset-usb: the system has neither for programs. No
	// repair-package: applications are replaced as a whole.
}

// cupsSocket is where CUPS listens for this machine's programs.
const cupsSocket = "/private/var/run/cupsd"

// linkForm is a network interface's name.
var linkForm = form(`^[a-z]{1,8}[0-9]{1,3}$`)

// flushNames empties the directory service's cache and mDNSResponder's.
func flushNames(ctx context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("flush-dns takes no argument")
	}
	if err := execute(ctx, "/usr/bin/dscacheutil", "-flushcache"); err != nil {
		return nil, err
	}
	if err := execute(ctx, "/usr/bin/killall", "-HUP", "mDNSResponder"); err != nil {
		return nil, err
	}
	return []byte("the cache was emptied of mDNSResponder"), nil
}

func renewLease(ctx context.Context, link string) ([]byte, error) {
	if !linkForm().MatchString(link) {
		return nil, errors.New(`the argument must be the name of a link, "en0"`)
	}
	// A link whose address was written by hand has no lease, and would lose it.
	if err := execute(ctx, "/usr/sbin/ipconfig", "getpacket", link); err != nil {
		return nil, fmt.Errorf("%s has no address by DHCP to ask for anew: %w", link, err)
	}
	if err := execute(ctx, "/usr/sbin/ipconfig", "set", link, "DHCP"); err != nil {
		return nil, err
	}
	return []byte("the system asked for the address of " + link + " anew"), nil
}

// restartRadio switches Wi-Fi off and on. This process alone sees that it comes
// back: there is no watchdog of its own yet.
func restartRadio(ctx context.Context, link string) ([]byte, error) {
	if !linkForm().MatchString(link) {
		return nil, errors.New(`the argument must be the name of a link, "en0"`)
	}
	const program = "/usr/sbin/networksetup"
	// It ends well whatever happened, and only its words tell.
	state := func() string {
		words, _ := exec.CommandContext(context.WithoutCancel(ctx), program, "-getairportpower", link).Output()
		return string(words)
	}
	if !strings.Contains(state(), ": O") { // “Wi-Fi Power (en0): On”, or Off
		return nil, fmt.Errorf("%s is no Wi-Fi adapter: %w", link, errors.ErrUnsupported)
	}
	off := execute(ctx, program, "-setairportpower", link, "off")
	time.Sleep(2 * time.Second)
	if err := errors.Join(off, execute(context.WithoutCancel(ctx), program, "-setairportpower", link, "on")); err != nil {
		return nil, err
	}
	if !strings.Contains(state(), ": On") {
		return nil, fmt.Errorf("the radio of %s was switched off and did not come back: switch Wi-Fi on in the menu bar", link)
	}
	return []byte("the radio of " + link + " was switched off for two seconds, and on again"), nil
}

func restartPrinting(ctx context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("restart-printing takes no argument")
	}
	if err := execute(ctx, "/bin/launchctl", "kickstart", "-k", "system/org.cups.cupsd"); err != nil {
		return nil, err
	}
	return []byte("the print service was started anew"), nil
}

// setClock asks Apple's time servers, which are the system's own default.
func setClock(ctx context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("set-clock takes no argument")
	}
	before, since := time.Now().Round(0), time.Now()
	if err := execute(ctx, "/usr/bin/sntp", "-sS", "time.apple.com"); err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "the clock was set by %+.3f s", (time.Now().Round(0).Sub(before) - time.Since(since)).Seconds()), nil
}
