package diagnosis

import (
	"slices"

	"constat/internal/fault"
)

// Procedure is the written way from a complaint to its cause: what to observe,
// which faults concern the complaint, and what shows that all is well.
type Procedure struct {
	// ID is the word on the command line: "internet".
	ID string
	// Title is the complaint as its user puts it.
	Title fault.Text
	// Groups are the fact groups to observe on the machine, sorted. What a
	// collector adds (its switch port, the fleet) is judged where it is there.
	Groups []string
	// Domains are the domains whose faults concern the complaint, and Faults
	// further ones by id; none of both: every fault does, but for what somebody
	// may have chosen: nobody complained of that.
	Domains, Faults []string
	// Works is the term of the catalog (terms.yaml) that holds where what the
	// user complains about was seen to work: without a fault and without it,
	// nobody can say that all is well.
	Works string
}

// Concerns tells whether a fault has to do with the complaint.
func (p *Procedure) Concerns(f *fault.Fault) bool {
	if len(p.Domains) == 0 && len(p.Faults) == 0 {
		return !f.ByChoice
	}
	return slices.Contains(p.Domains, f.Domain) || slices.Contains(p.Faults, f.ID)
}

// Procedures lists the built-in procedures in the order a person would look
// for them.
func Procedures() []*Procedure { return builtin }

// Gear is how a poll of a switch, a router, an access point or a printer is judged
// by itself. It is no complaint of a user, so Procedures does not list it.
func Gear() *Procedure { return gear }

var gear = &Procedure{
	ID:      "gear",
	Title:   fault.Text{EN: "A check of a network device", FR: "Un contrôle d’un équipement réseau"},
	Groups:  []string{"gear"},
	Domains: []string{"cisco", "printer"},
	Works:   "gear_works",
}

// Lookup finds a built-in procedure by id.
func Lookup(id string) (*Procedure, bool) {
	for _, p := range builtin {
		if p.ID == id {
			return p, true
		}
	}
	return nil, false
}

var builtin = []*Procedure{
	{
		ID:      "internet",
		Title:   fault.Text{EN: "The Internet does not work", FR: "Internet ne marche pas"},
		Groups:  []string{"clock", "counters", "hardware", "host", "network", "probes", "sign_in", "vitals", "wifi"},
		Domains: []string{"cisco", "network", "wifi"},
		Faults:  []string{"os-time-sync-stopped"},
		Works:   "internet_works",
	},
	{
		ID:      "wifi",
		Title:   fault.Text{EN: "Wi-Fi does not work", FR: "Le Wi-Fi ne marche pas"},
		Groups:  []string{"clock", "counters", "hardware", "host", "network", "probes", "services", "sign_in", "vitals", "wifi"},
		Domains: []string{"cisco", "network", "wifi"},
		Faults:  []string{"os-time-sync-stopped"},
		Works:   "wifi_works",
	},
	{
		ID:      "printing",
		Title:   fault.Text{EN: "I can’t print", FR: "Je n’arrive pas à imprimer"},
		Groups:  []string{"host", "network", "printing", "probes", "services", "sign_in", "space", "usb"},
		Domains: []string{"printer"},
		Works:   "printing_works",
	},
	{
		ID:      "peripheral",
		Title:   fault.Text{EN: "A device that is plugged in does not work", FR: "Un appareil branché ne marche pas"},
		Groups:  []string{"hardware", "host", "peripherals", "usb"},
		Domains: []string{"usb"},
		Works:   "devices_seen",
	},
	{
		ID:    "software",
		Title: fault.Text{EN: "A program does not work", FR: "Un logiciel ne marche pas"},
		Groups: []string{
			"clock", "crashes", "hardware", "host", "load", "network", "power", "probes", "services", "sign_in", "software", "space", "storage", "updates",
		},
		Domains: []string{"software", "os"},
		Faults:  []string{"hw-gpu-reset"},
		Works:   "software_works",
	},
	{
		ID:     "slow",
		Title:  fault.Text{EN: "The computer is slow", FR: "L’ordinateur est lent"},
		Groups: []string{"hardware", "host", "load", "power", "services", "space", "storage", "updates"},
		Faults: []string{
			"hw-charger-underpowered", "hw-cpu-thermal-throttle", "hw-disk-io-errors", "hw-disk-smart-failing", "hw-fan-failed", "hw-nvme-worn-out",
			"hw-sata-link-crc", "os-disk-full", "os-filesystem-readonly", "os-io-saturation", "os-memory-pressure", "os-pending-reboot",
			"os-power-saver-limits", "os-runaway-process", "os-service-crashloop", "os-startup-bloat",
		},
		Works: "computer_seen",
	},
	{
		ID:     "power",
		Title:  fault.Text{EN: "Battery or power trouble", FR: "Un problème de batterie ou d’alimentation"},
		Groups: []string{"crashes", "hardware", "host", "load", "power"},
		Faults: []string{
			"hw-battery-missing", "hw-battery-worn", "hw-charge-threshold", "hw-charger-not-detected", "hw-charger-underpowered", "hw-cpu-thermal-throttle", "hw-fan-failed",
			"hw-unexpected-poweroff", "os-kernel-crash", "os-runaway-process",
		},
		Works: "power_works",
	},
	{
		ID:      "sign-in",
		Title:   fault.Text{EN: "I can’t sign in", FR: "Je n’arrive pas à ouvrir ma session"},
		Groups:  []string{"clock", "counters", "hardware", "host", "network", "probes", "sign_in", "space", "vitals"},
		Domains: []string{"cisco", "network"},
		Faults: []string{
			"hw-cmos-battery", "os-account-locked", "os-dc-unreachable", "os-disk-full", "os-domain-trust-broken", "os-kerberos-skew", "os-password-expired",
			"os-temp-profile", "os-time-sync-stopped",
		},
		Works: "sign_in_works",
	},
	{
		ID:    "full",
		Title: fault.Text{EN: "A check of everything", FR: "Un contrôle complet"},
		Groups: []string{
			"clock", "counters", "crashes", "hardware", "host", "load", "network", "peripherals", "power", "printing", "probes",
			"security", "services", "sign_in", "software", "space", "storage", "updates", "usb", "vitals", "wifi",
		},
		Works: "all_works",
	},
}
