package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	constatv1 "constat/proto/constat/v1"
)

// Why a fact that a Mac has is not told of it.
var (
	// errMacSilent: there is no documented way for programs to ask.
	errMacSilent = fmt.Errorf("macOS does not tell it to programs: %w", errors.ErrUnsupported)
	// errMacUnasked: there is a way, which this agent does not go yet.
	errMacUnasked = fmt.Errorf("not read on macOS yet: %w", errors.ErrUnsupported)
	// Kept from programs by the system's privacy settings.
	errMacPrivacy = fmt.Errorf("the privacy settings are not shown to programs: %w", errWithheld)
	errMacPlace   = fmt.Errorf("macOS names networks only to programs that may know the place: %w", errWithheld)

	errMacDot1x   = fmt.Errorf("only a private framework of macOS tells of 802.1X: %w", errors.ErrUnsupported)
	errMacRestart = fmt.Errorf("macOS notes a restart that is waited for where no program may look: %w", errors.ErrUnsupported)
	errMacTrust   = fmt.Errorf("only the domain can tell whether this Mac's account is good, and it is not asked: %w", errors.ErrUnsupported)
	errMacSMC     = fmt.Errorf("macOS tells it of Macs with Intel's processors only, and there it is not read yet: %w", errors.ErrUnsupported)
	errMacReach   = fmt.Errorf("macOS tells that there is a way out, not whether it leads anywhere: %w", errors.ErrUnsupported)
)

// errMacLAN: since macOS 15 a person allows each program to speak to the local network;
// daemons, root and what a terminal started are always (Apple's TN3179).
var errMacLAN = fmt.Errorf("macOS keeps this program from the local network: %w", errWithheld)

// macKept tells whether an error is the system's refusal to let a program speak to its
// neighbours: a neighbour that is silent is down (EHOSTDOWN), and no way out is known
// (EHOSTUNREACH) only of what lies beyond a router. Own are the prefixes of this Mac.
func macKept(root bool, err error, to netip.Addr, own []netip.Prefix) error {
	near := slices.ContainsFunc(own, func(p netip.Prefix) bool { return p.Contains(to) && !p.IsSingleIP() })
	if root || !near || !errors.Is(err, syscall.EHOSTUNREACH) {
		return nil
	}
	return errMacLAN
}

// macUntold are the facts that no Mac tells this agent, by group. A whole message is
// named by its path. Of what a Mac has no such thing of at all there is no gap.
var macUntold = untold{
	{"clock", "synchronized rtc_lost", errMacSilent},
	{"crashes", "launch_failures", errMacSilent}, // but for what the dynamic linker stopped
	{"hardware", "bus_devices", errMacUnasked},   // ioreg has them; a Mac has no driver to miss
	{"hardware", "baseboard gpus.driver memory_modules.corrected_errors memory_modules.uncorrected_errors tpm", errMacSilent},
	{"load", "boot cpu.iowait_percent cpu.steal_percent disks.busy_percent pressure", errMacSilent},
	{"load", "cpu.current_mhz processes.io_bytes_per_second", errMacUnasked}, // powermetrics, as root
	{"network", "firewall.verdicts", errMacUnasked},                          // rules of pf
	{"network", "links.bus_address links.driver links.partner_mbps networking_enabled routes.metric vpns.leftovers", errMacSilent},
	{"network", "vpns.failure", errMacUnasked}, // LastCause of scutil --nc status has no time
	{"network", "links.dot1x", errMacDot1x},
	{"peripherals", "bluetooth_devices.last_failure cameras.used_by", errMacSilent},
	{"peripherals", "audio.in_use devices.firmware", errMacUnasked}, // CoreAudio, IOKit
	{"peripherals", "audio.permission cameras.permission", errMacPrivacy},
	{"power", "batteries.charge_limit_percent batteries.design_mwh batteries.full_mwh batteries.not_charging_reason batteries.now_mwh throttle_events", errMacSilent},
	{"power", "fans thermal_zones", errMacSMC},
	{"security", "products.up_to_date", errMacSilent},
	{"services", "services.recent_restarts system_state", errMacSilent},
	{"services", "services.since", errMacUnasked}, // of the process, by ps
	{"sign_in", "accounts.last_refusal directory.server", errMacSilent},
	{"sign_in", "directory.trust_ok", errMacTrust},
	{"software", "add_ins damaged_programs programs.available_version programs.damaged", errMacUnasked}, // codesign, a minute and more; each maker's own updater
	{"storage", "mounts.error_count", errMacSilent},
	{"storage", "disks.interface_crc_errors disks.offline_uncorrectable disks.pending_sectors disks.reallocated_sectors", errMacUnasked}, // IOATASMARTInterface, of SATA alone
	{"updates", "broken_packages failures locked", errMacSilent},
	{"updates", "restart_pending", errMacRestart},
	{"usb", "devices.runtime_status policy_active", errMacSilent},
	{"wifi", "radios.failed_percent radios.firmware_crashes radios.last_failure radios.last_status radios.retry_percent radios.rx_mbps", errMacSilent},
	{"wifi", "radios.better_access_points", errMacPlace},
}

// macGaps notes what no Mac tells of a group.
func macGaps(o *constatv1.Observation, group string) {
	macUntold.tell(o, group)
}
