package host

import (
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// maxControllers is how many memory controllers, and modules of each, are
// looked at.
const maxControllers = 64

// readMemoryErrors adds the errors that the memory controllers counted since
// boot (Documentation/ABI/testing/sysfs-devices-edac). Most workstations have no
// ECC and no such driver: then nothing is known.
func readMemoryErrors(r *reader, h *constatv1.Hardware) {
	const dir = "/sys/devices/system/edac/mc/"
	controllers, _ := r.names(dir)
	for _, mc := range controllers[:min(len(controllers), maxControllers)] {
		modules, _ := r.names(dir + mc)
		for _, name := range modules[:min(len(modules), 2*maxControllers)] {
			if !strings.HasPrefix(name, "dimm") && !strings.HasPrefix(name, "rank") {
				continue
			}
			at := dir + mc + "/" + name + "/dimm_"
			corrected, uncorrected := natural(r.number(at+"ce_count")), natural(r.number(at+"ue_count"))
			if corrected == nil && uncorrected == nil {
				continue
			}
			m := moduleOf(h, r.value(at+"label"))
			if m == nil {
				// Of a slot that the firmware calls otherwise; without errors there
				// is nothing to tell of it.
				if counted(corrected)+counted(uncorrected) == 0 {
					continue
				}
				m = &constatv1.MemoryModule{Locator: filled(r.value(at + "label"))}
				h.MemoryModules = append(h.MemoryModules, m)
			}
			m.CorrectedErrors = set(m.GetCorrectedErrors() + counted(corrected))
			m.UncorrectedErrors = set(m.GetUncorrectedErrors() + counted(uncorrected))
		}
	}
}

func counted(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// moduleOf finds the module that a driver's label means: ghes_edac and users'
// tables have the firmware's locator in it. The only one there is, whatever its
// label.
func moduleOf(h *constatv1.Hardware, label string) *constatv1.MemoryModule {
	var only, found *constatv1.MemoryModule
	populated, matches := 0, 0
	for _, m := range h.MemoryModules {
		if m.GetSizeBytes() > 0 {
			populated++
			only = m
		}
		if m.GetLocator() != "" && strings.Contains(label, m.GetLocator()) {
			matches++
			found = m
		}
	}
	switch {
	case matches == 1:
		return found
	case populated == 1:
		return only
	}
	return nil
}
