package privileged

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// Times of a restart of Wi-Fi.
const (
	// offTime is how long the radio is off.
	offTime = 2 * time.Second
	// watchdogTime is when it is switched on again whatever became of this process.
	watchdogTime = 30 * time.Second
	// joinTime is how long it may take to find its network again.
	joinTime = 25 * time.Second
	// roamTime is how long it may take to find an access point that is nearer.
	roamTime = 20 * time.Second
	// scanTime is how long a look around takes, and what follows from it.
	scanTime = 5 * time.Second
)

// nearer is how much stronger another access point is that is worth a change, in dB.
const nearer = 10

// watchdogArgument starts this binary as the watchdog of a link.
const watchdogArgument = "watchdog"

// restartRadio switches the radio of a Wi-Fi link off and on, or only on where it
// was off. A watchdog of its own process switches it on where this one is ended
// in between. One that clung to an access point far away is made to listen until
// it left that: at its first look around it may have heard no other.
func restartRadio(ctx context.Context, link string) ([]byte, error) {
	soft, hard, err := radioBlocked("/sys", link)
	if err != nil {
		return nil, err
	}
	if hard {
		return nil, fmt.Errorf("a switch or a key of the computer keeps the radio of %s off; software can't switch it on: %w", link, fs.ErrPermission)
	}
	said := "the radio of " + link + " was switched on"
	up, routed := joined(link)
	far := clings(ctx, link)
	if !soft {
		disarm, err := armWatchdog(link)
		if err != nil {
			return nil, err
		}
		if err := switchRadio(ctx, link, false); err != nil {
			return nil, errors.Join(err, switchRadio(ctx, link, true))
		}
		off := time.NewTimer(offTime)
		select {
		case <-off.C:
		case <-ctx.Done(): // it is switched on all the same
		}
		err = switchRadio(context.WithoutCancel(ctx), link, true)
		if err != nil {
			return nil, fmt.Errorf("the radio does not come back; the watchdog tries again: %w", err)
		}
		disarm()
		said = "the radio of " + link + " was switched off for two seconds, and on again"
	} else if err := switchRadio(ctx, link, true); err != nil {
		return nil, err
	}
	rejoins := func(limit time.Duration) bool {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return until(ctx, func() bool {
			isUp, isRouted := joined(link)
			return isUp && (isRouted || !routed)
		})
	}
	again := rejoins(joinTime)
	if again && far != "" {
		leave(ctx, link, far)
		again = rejoins(joinTime / 2)
	}
	// Off its network nothing is wrong with how it is joined: that would pass for mended.
	if up && !again {
		return nil, fmt.Errorf("%s, and did not join its network again within %.0f s", said, joinTime.Seconds())
	}
	return []byte(said), nil
}

// joined tells whether a link is on a network, and whether a way out leads through it.
func joined(link string) (up, routed bool) {
	state, _ := os.ReadFile(filepath.Join("/sys/class/net", link, "operstate"))
	up = strings.TrimSpace(string(state)) == "up"
	// Name, destination, ... (proc_net_route of the kernel); the default way has none.
	routes, _ := os.ReadFile("/proc/net/route")
	for line := range strings.Lines(string(routes)) {
		words := strings.Fields(line)
		routed = routed || len(words) > 1 && words[0] == link && words[1] == "00000000"
	}
	return up, routed
}

// bss is an access point as wpa_supplicant hears it; one that is gone has no address.
type bss struct {
	address, network string
	signal           int16 // dBm
}

func readBSS(ctx context.Context, conn *dbus.Conn, at dbus.ObjectPath) bss {
	address, _ := property[[]byte](ctx, conn, supplicant, at, supplicant+".BSS", "BSSID")
	network, _ := property[[]byte](ctx, conn, supplicant, at, supplicant+".BSS", "SSID")
	signal, _ := property[int16](ctx, conn, supplicant, at, supplicant+".BSS", "Signal")
	return bss{string(address), string(network), signal}
}

// onAir asks wpa_supplicant where it keeps a link, and which access point that is on.
func onAir(ctx context.Context, conn *dbus.Conn, link string) (at dbus.ObjectPath, here bss) {
	if call(ctx, conn, supplicant, supplicantAt, supplicant+".GetInterface", link).Store(&at) != nil {
		return "", here
	}
	if current, err := property[dbus.ObjectPath](ctx, conn, supplicant, at, supplicant+".Interface", "CurrentBSS"); err == nil {
		here = readBSS(ctx, conn, current)
	}
	return at, here
}

// clings returns the address of the access point that a link is on while a nearer one
// of the same network is heard; else "".
func clings(ctx context.Context, link string) string {
	conn, err := bus(ctx)
	if err != nil {
		return ""
	}
	defer conn.Close()
	at, here := onAir(ctx, conn, link)
	heard, _ := property[[]dbus.ObjectPath](ctx, conn, supplicant, at, supplicant+".Interface", "BSSs")
	if slices.ContainsFunc(heard, func(one dbus.ObjectPath) bool {
		b := readBSS(ctx, conn, one)
		return b.network == here.network && b.signal >= here.signal+nearer
	}) {
		return here.address
	}
	return ""
}

// leave has wpa_supplicant listen until it left an access point for a better one. Which
// that is, and whether it may, it decides itself: it may be told to stay.
func leave(ctx context.Context, link, far string) {
	ctx, cancel := context.WithTimeout(ctx, roamTime)
	defer cancel()
	conn, err := bus(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	var asked time.Time
	until(ctx, func() bool {
		at, here := onAir(ctx, conn, link)
		if here.address != "" && here.address != far {
			return true
		}
		if at != "" && time.Since(asked) > scanTime {
			asked = time.Now()
			_ = call(ctx, conn, supplicant, string(at), supplicant+".Interface.Scan", map[string]dbus.Variant{"Type": dbus.MakeVariant("active")}).Err
		}
		return false
	})
}

// radioSwitch is the directory of the switch of a link's radio, in rfkill.
func radioSwitch(sys, link string) (string, error) {
	if !linkForm().MatchString(link) {
		return "", errors.New(`the argument must be the name of a link, "wlan0"`)
	}
	found, err := filepath.Glob(filepath.Join(sys, "class/net", link, "phy80211/rfkill[0-9]*"))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s is no Wi-Fi link with a switch: %w", link, fs.ErrNotExist)
	}
	return found[0], nil
}

func radioBlocked(sys, link string) (soft, hard bool, err error) {
	dir, err := radioSwitch(sys, link)
	if err != nil {
		return false, false, err
	}
	s, err1 := os.ReadFile(filepath.Join(dir, "soft"))
	h, err2 := os.ReadFile(filepath.Join(dir, "hard"))
	return strings.TrimSpace(string(s)) == "1", strings.TrimSpace(string(h)) == "1", errors.Join(err1, err2)
}

// switchRadio has NetworkManager do it, where it runs, so that it knows; and sees
// that the kernel's switch is as wanted.
func switchRadio(ctx context.Context, link string, on bool) error {
	if conn, err := bus(ctx); err == nil {
		defer conn.Close()
		if runs(ctx, conn, networkManager) {
			err := call(ctx, conn, networkManager, networkManagerAt, propertyInterface+".Set", networkManager, "WirelessEnabled", dbus.MakeVariant(on)).Err
			if err != nil {
				return fmt.Errorf("NetworkManager: %w", err)
			}
			settled, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if until(settled, func() bool { soft, _, err := radioBlocked("/sys", link); return err == nil && soft != on }) {
				return nil
			}
		}
	}
	dir, err := radioSwitch("/sys", link)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "index"))
	if err != nil {
		return err
	}
	index, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return err
	}
	f, err := os.OpenFile("/dev/rfkill", os.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	// struct rfkill_event (linux/rfkill.h): index, type, operation, soft, hard.
	const wlan, change = 1, 2
	event := append(binary.NativeEndian.AppendUint32(nil, uint32(index)), wlan, change, 1, 0)
	if on {
		event[6] = 0
	}
	_, err = f.Write(event)
	return err
}

// armWatchdog starts a process that switches the radio on after watchdogTime, or
// as soon as this one is gone. What it returns ends it.
func armWatchdog(link string) (disarm func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd := exec.Command(self, helperArgument, watchdogArgument, link)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stdin = read
	// Of a session of its own: what ends this one's does not end it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		write.Close()
		return nil, fmt.Errorf("without its watchdog it is not begun: %w", err)
	}
	go func() { _ = cmd.Wait() }()
	return func() {
		_, _ = write.Write([]byte{1})
		write.Close()
	}, nil
}

// watch is the watchdog: a byte on its standard input ends it.
func watch(link string, limit time.Duration) error {
	// A service manager that ends the unit waits for it.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	disarmed := make(chan bool, 1)
	go func() {
		var b [1]byte
		n, _ := io.ReadFull(os.Stdin, b[:])
		disarmed <- n == 1
	}()
	timer := time.NewTimer(limit)
	select {
	case done := <-disarmed:
		if done {
			return nil
		}
	case <-timer.C:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return switchRadio(ctx, link, true)
}
