package lab

import (
	"slices"
	"testing"

	"constat/internal/fault"
)

// notInOffice are the faults of printers, the system, programs, hardware and
// peripherals that no row of TestLabOffice injects, and why.
var notInOffice = map[string]string{
	// Facts that the agent does not read on Linux, or not without what is missing here.
	"audio-muted": noSession, "audio-wrong-default": noSession, "media-permission-denied": noSession, "sw-addin-fault": notRead,
	"sw-licence-expired": notRead, "sw-backend-down": notRead, "sw-outdated-known-fixed": notRead, "os-startup-bloat": notRead,
	"printer-false-offline-snmp": windows, "printer-server-policy": windows, "os-kerberos-skew": noDomain, "os-dc-unreachable": noDomain,
	"os-domain-trust-broken": noDomain, "printer-offline-panel": "a polled printer shows it: TestLabGear",
	// What would touch the system that the lab runs on.
	"os-memory-pressure": "it would take this system's memory", "os-io-saturation": "it would take this system's disk",
	// Devices.
	"printer-usb-disconnected": device, "usb-autosuspend-stall": device, "usb-device-absent": device, "usb-device-disabled": device,
	"usb-driver-failed": device, "usb-driver-missing": device, "usb-enumeration-failed": device, "usb-overcurrent": device,
	"usb-policy-blocked": device, "usb-power-budget": device, "usb-slow-or-bandwidth": device, "bt-adapter-off": device,
	"bt-device-unpaired": device, "cam-in-use": device, "display-not-detected": device, "peripheral-battery-low": device,
	"hw-battery-missing": device, "hw-charge-threshold": device, "hw-charger-not-detected": device, "hw-charger-underpowered": device,
	"hw-cmos-battery": device, "hw-cpu-thermal-throttle": device, "hw-disk-io-errors": device, "hw-disk-smart-failing": device,
	"hw-fan-failed": device, "hw-gpu-reset": device, "hw-nvme-worn-out": device, "hw-ram-errors": device, "hw-sata-link-crc": device,
	"hw-unexpected-poweroff": device, "os-kernel-crash": device, "os-power-saver-limits": device,
}

const (
	noSession = "it needs the sound server or the portal of a desktop session"
	notRead   = "nobody has found a way to inject it here yet, or the agent does not read what would show it"
	windows   = "Windows only"
	noDomain  = "it needs a domain and its server"
	device    = "it needs a device or a kernel of its own: virtual machines, or a replay"
)

// TestOfficeCoverage: each fault of the office's domains is injected, or said
// not to be.
func TestOfficeCoverage(t *testing.T) {
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	live, traces := map[string]bool{}, map[string]bool{}
	for _, r := range slices.Concat(printingRows, hostRows, programRows, replayedRows, doubleRows) {
		for _, id := range r.faults() {
			if r.replayed {
				traces[id] = true
			} else {
				live[id] = true
			}
			if catalog.Lookup(id) == nil {
				t.Errorf("%s is injected, and is no fault of the catalog", id)
			}
		}
	}
	for _, f := range catalog.Faults() {
		if slices.Contains([]string{"cisco", "network", "wifi"}, f.Domain) {
			continue
		}
		injected, why := live[f.ID] || traces[f.ID], notInOffice[f.ID]
		switch {
		case injected && why != "":
			t.Errorf("%s is injected, and said not to be: %s", f.ID, why)
		case !injected && why == "":
			t.Errorf("%s is not injected, and nothing says why", f.ID)
		}
	}
	t.Logf("injected live: %d faults, by their traces alone: %d, not at all: %d", len(live), len(traces), len(notInOffice))
}
