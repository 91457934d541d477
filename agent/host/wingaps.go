package host

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// Why a fact that a machine with Windows has is not told of it.
var (
	// errWindowsSilent: there is no documented way for programs to ask.
	errWindowsSilent = fmt.Errorf("Windows does not tell: %w", errors.ErrUnsupported)
	// errWindowsUnasked: there is a way, which this agent does not go yet.
	errWindowsUnasked = fmt.Errorf("not read on Windows yet: %w", errors.ErrUnsupported)
)

// windowsUntold are the facts that no Windows tells this agent, by group. A whole
// message is named by its path. Of what Windows has no such thing of at all there is
// no gap.
var windowsUntold = untold{
	{"clock", "rtc_lost", fmt.Errorf("Windows does not say with which time it started: %w", errors.ErrUnsupported)},
	{"counters", "links.carrier_changes links.collisions links.crc_errors", errWindowsUnasked}, // counts of NDIS, driver by driver
	{"crashes", "oom_kills", fmt.Errorf("Windows ends no program for want of memory: %w", errors.ErrUnsupported)},
	{"hardware", "bus_devices.missing_firmware memory_modules.corrected_errors memory_modules.uncorrected_errors monitors.link_failures", errWindowsSilent},
	{"load", "cpu.current_mhz", errWindowsSilent},                                      // what the power manager tells is the limit
	{"load", "boot.firmware_seconds processes.io_bytes_per_second", errWindowsUnasked}, // FwPOSTTime; SYSTEM_PROCESS_INFORMATION
	{"network", "firewall.verdicts", errWindowsUnasked},                                // rules are counted, not judged
	{"network", "links.dot1x vpns.failure vpns.gateway", errWindowsUnasked},            // wired AutoConfig; RasEnumEntries and its log
	{"network", "links.partner_mbps", fmt.Errorf("Windows does not tell what the other end offers: %w", errors.ErrUnsupported)},
	{"network", "networking_enabled", fmt.Errorf("Windows has no switch for all of its network: %w", errors.ErrUnsupported)},
	{"peripherals", "audio.in_use", fmt.Errorf("Windows tells it to the session that plays only: %w", errors.ErrUnsupported)},
	{"peripherals", "bluetooth_adapters.blocked bluetooth_devices.last_failure cameras.covered devices.firmware", errWindowsSilent},
	{"power", "batteries.charge_limit_percent batteries.charge_start_percent batteries.not_charging_reason chargers.required_watts chargers.watts fans throttle_events", errWindowsSilent},
	{"printing", "discovered_printers", fmt.Errorf("not asked: the packet filter lets answers to this program through for few: %w", errors.ErrUnsupported)},
	{"printing", "last_used_queue queues.jobs.completed_at", fmt.Errorf("the spooler does not keep it: %w", errors.ErrUnsupported)},
	{"printing", "queues.server_refusal", fmt.Errorf("not tried: the server would be asked with this service's account, not with the person's: %w", errors.ErrUnsupported)},
	{"services", "services.restarts services.since system_state", errWindowsSilent},
	{"sign_in", "accounts.last_refusal", fmt.Errorf("the security log is not read: %w", errors.ErrUnsupported)},
	{"sign_in", "accounts.ticket_expires_at", fmt.Errorf("the tickets of other persons' sessions are not asked for: %w", errors.ErrUnsupported)},
	{"sign_in", "directory.clock_offset_seconds", fmt.Errorf("the domain's clock is not asked for: %w", errors.ErrUnsupported)},
	{"software", "add_ins.version", errWindowsUnasked},
	{"updates", "broken_packages", fmt.Errorf("Windows is not asked to look through its component store: %w", errors.ErrUnsupported)},
	{"updates", "security_pending", fmt.Errorf("the event log does not tell which are for security: %w", errors.ErrUnsupported)},
	{"usb", "devices.ieee1284_make devices.ieee1284_model", errWindowsUnasked}, // usbprint's GET_1284_ID
	{"usb", "devices.available_ma devices.runtime_status failures.error", errWindowsSilent},
	{"wifi", "radios.channel_busy_percent radios.failed_percent radios.firmware_crashes radios.noise_dbm radios.retry_percent radios.width_mhz", errWindowsSilent},
	{"wifi", "radios.last_disconnect_at radios.last_failure radios.last_reason radios.last_status radios.random_mac", errWindowsUnasked}, // the log of WLAN-AutoConfig
}

// windowsGaps notes what no Windows tells of a group that was observed, but for what
// its reader has a word of its own for.
func windowsGaps(o *constatv1.Observation, group string) {
	if o.GetStatus() != statusObserved {
		return
	}
	windowsUntold.tell(o, group)
}

// sayingGaps are readers that say what no Windows tells of their groups, too.
func sayingGaps(list []source) []source {
	for i, s := range list {
		list[i].read = func(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
			m, o := s.read(ctx, r)
			windowsGaps(o, s.group)
			return m, o
		}
	}
	return list
}
