package host

import (
	"slices"
	"strings"
)

// askedUnits are the systemd units that faults ask about, also when nothing is
// wrong with them: printing, network, Wi-Fi, Bluetooth, time, names, sound,
// sign-in, smart cards, Constat itself.
var askedUnits = []string{
	"avahi-daemon.service", "bluetooth.service", "chrony.service", "chronyd.service", "constat-agent.service", "cups-browsed.service",
	"cups.service", "display-manager.service", "ipp-usb.service", "iwd.service", "ModemManager.service", "NetworkManager.service",
	"ntp.service", "ntpd.service", "ntpsec.service", "openntpd.service", "pcscd.service", "sssd.service", "systemd-networkd.service",
	"systemd-resolved.service", "systemd-timesyncd.service", "udisks2.service", "upower.service", "winbind.service",
	"wpa_supplicant.service",
}

// unit is one line of systemd's list of units.
type unit struct {
	name, description, load, active, sub string
}

// maxNotable is how many units beyond the asked ones a snapshot tells of.
const maxNotable = 50

// notable picks the units worth telling: the asked ones that are installed, and
// services that failed or are being restarted. Sorted by name.
func notable(units []unit) []unit {
	var picked []unit
	others := 0
	for _, u := range units {
		asked := slices.Contains(askedUnits, u.name)
		wrong := strings.HasSuffix(u.name, ".service") && (u.active == "failed" || u.sub == "auto-restart")
		switch {
		case u.load == "not-found" && !wrong, !asked && !wrong:
			continue
		case !asked:
			if others++; others > maxNotable {
				continue
			}
		}
		picked = append(picked, u)
	}
	slices.SortFunc(picked, func(a, b unit) int { return strings.Compare(a.name, b.name) })
	return picked
}

// serviceState folds systemd's active and sub state into the schema's word.
func serviceState(active, sub string) *string {
	if sub == "auto-restart" || sub == "auto-restart-queued" {
		return set("restarting")
	}
	return filled(map[string]string{
		"active": "running", "reloading": "running", "refreshing": "running", "inactive": "stopped", "failed": "failed",
		"activating": "starting", "deactivating": "stopping", "maintenance": "starting",
	}[active])
}

// startTypes fold systemd's unit file states (systemctl(1), is-enabled).
var startTypes = map[string]string{
	"enabled": "automatic", "enabled-runtime": "automatic", "alias": "automatic", "generated": "automatic",
	"static": "manual", "indirect": "manual", "disabled": "manual", "linked": "manual", "linked-runtime": "manual", "transient": "manual",
	"masked": "disabled", "masked-runtime": "disabled",
}

// serviceResults spell systemd's results (systemd.exec(5), $SERVICE_RESULT) as
// the schema does.
var serviceResults = map[string]string{
	"success": "success", "exit-code": "exitCode", "signal": "signal", "core-dump": "coreDump", "watchdog": "watchdog",
	"timeout": "timeout", "start-limit-hit": "startLimitHit", "oom-kill": "oomKill",
}
