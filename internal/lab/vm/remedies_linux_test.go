package vm

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	constatv1 "constat/proto/constat/v1"
)

// mend is a fault in the laptop, the remedy for it, and what must come of it.
type mend struct {
	verb, component, fault, procedure, how string
	inject, undo                           func(*Machine)
	outcome, says                          string
}

var mends = []mend{
	{"enable-device", "DataTraveler 3.0", "usb-device-disabled", "peripheral", "a stick is not authorized",
		sh("echo 0 >$(devices 0951:1666)/authorized"), sh("await present 0951:1666"), "fixed", "DataTraveler 3.0 is on; before: DataTraveler 3.0 is switched off."},
	{"enable-device", "DataTraveler 3.0", "", "peripheral", "no new device is let in, by policy",
		sh("for u in /sys/bus/usb/devices/usb*; do echo 0 >$u/authorized_default; done; unplug stick; await absent 0951:1666; plug stick 1; await refused 0951:1666"),
		sh("for u in /sys/bus/usb/devices/usb*; do echo 1 >$u/authorized_default; done; unplug stick; await absent 0951:1666; plug stick 1; await present 0951:1666"), "refused", "not needed"},
	{"reset-usb", "", "usb-driver-failed", "peripheral", "the firmware of a headset is out of order, and its driver gives up",
		plugIn("'lost headset'", `await sh -c 'dmesg | grep -q "failed with error"'`), pullOut, "fixed", " is on, and a part of it has no driver."},
	{"reset-usb", "", "usb-driver-failed", "peripheral", "the firmware of a headset is lost for good",
		plugIn("'dumb headset'", `await sh -c 'dmesg | grep -q "failed with error"'`), pullOut, "notFixed", "still there"},
	{"restart-wifi", "wlan1", "wifi-radio-off", "wifi", "Wi-Fi is switched off in software",
		sh("for f in /sys/class/net/wlan1/phy80211/rfkill*/soft; do echo 1 >$f; done"), sh("leave; enter"), "fixed", "before: wlan1 is switched off."},
}

// playMends has the remedies done, one after the other in one machine.
func playMends(t *testing.T, m *Machine, rows []mend) {
	var table strings.Builder
	for _, r := range rows {
		if only := os.Getenv("FAULT"); only != "" && only != r.fault {
			continue
		}
		t.Run(r.verb+"/"+r.how, func(t *testing.T) {
			m.In(t)
			defer func() { r.undo(m) }()
			r.inject(m)
			has := func() bool {
				return slices.ContainsFunc(diagnose(m, r.procedure).Diagnosis.GetRootCauses(), func(c *constatv1.RootCause) bool { return c.GetFault() == r.fault })
			}
			if r.fault != "" && !has() {
				t.Fatalf("%s is not there", r.fault)
			}
			out := m.Run(fmt.Sprintf(`constat-agent remedy run %s '%s' --yes --json --config /etc/agent.yaml 2>/tmp/error || true; cat /tmp/error >&2`, r.verb, r.component))
			result := &constatv1.RemedyResult{}
			if err := protojson.Unmarshal([]byte(out), result); err != nil {
				t.Fatalf("%v: %s%s", err, out, m.Run("cat /tmp/error"))
			}
			said := strings.Join([]string{result.GetProof().GetEn(), result.GetAction(), result.GetReason()}, " | ")
			if result.GetOutcome() != r.outcome || !strings.Contains(said, r.says) {
				t.Errorf("outcome %s, want %s with %q: %s", result.GetOutcome(), r.outcome, r.says, protojson.Format(result))
			}
			if took := result.GetElapsedMs(); took <= 0 || took > int32(stepTime.Milliseconds()) {
				t.Errorf("it took %d ms, by a clock that was set meanwhile", took)
			}
			if r.fault != "" && has() == (r.outcome == "fixed") {
				t.Errorf("afterwards %s is there: %t", r.fault, r.outcome == "fixed")
			}
			fmt.Fprintf(&table, "| %s | %s | %s | %s | %d ms |\n", r.verb, r.how, result.GetOutcome(), said, result.GetElapsedMs())
		})
	}
	t.Logf("\n| remedy | fault | outcome | said | time |\n|---|---|---|---|---|\n%s", &table)
}

// TestLabMends has remedies done in the laptop that need its hardware.
func TestLabMends(t *testing.T) {
	if !whole() {
		t.Skip("runs with make lab")
	}
	m := newLaptop(t)
	m.Run("modprobe -a vhci-hcd snd-usb-audio; await test -e /sys/devices/platform/vhci_hcd.0/attach; dmesg -c >/dev/null")
	playMends(t, m, mends)
	const blocked, free = "for f in /sys/class/net/wlan1/phy80211/rfkill*/soft; do echo 1 >$f; done; ", "await grep -q 0 /sys/class/net/wlan1/phy80211/rfkill*/soft"
	t.Run("the watchdog switches the radio on when the one that armed it is gone", func(t *testing.T) {
		m.In(t)
		m.Run(blocked + "constat-agent privileged watchdog wlan1 </dev/null; grep -q 0 /sys/class/net/wlan1/phy80211/rfkill*/soft")
	})
	t.Run("the watchdog switches the radio on when its time is over", func(t *testing.T) {
		m.In(t)
		m.Run(blocked + "sleep 100 | constat-agent privileged watchdog wlan1 & " + `n=0; until ` + strings.TrimPrefix(free, "await ") + `; do n=$((n+1)); [ $n -lt 90 ]; sleep 1; done; [ $n -ge 20 ]`)
	})
	t.Run("a watchdog that is told so does nothing", func(t *testing.T) {
		m.In(t)
		m.Run(blocked + "printf x | constat-agent privileged watchdog wlan1; grep -q 1 /sys/class/net/wlan1/phy80211/rfkill*/soft")
	})
}
