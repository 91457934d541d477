package host

import (
	"slices"
	"testing"

	"github.com/godbus/dbus/v5"

	constatv1 "constat/proto/constat/v1"
)

func TestBootOverBus(t *testing.T) {
	root := tree(t, map[string]string{"/run/systemd/system/keep": "", "proc/stat": "cpu  1 0 1 8 0 0 0 0 0 0\ncpu0 1 0 1 8 0 0 0 0 0 0\n"})
	conn := startBus(t, root)
	export(t, conn, "/org/freedesktop/systemd1", fakeSystemd{[]systemdUnit{
		{Name: "quick.service", Load: "loaded", Path: "/quick", JobPath: "/"},
		{Name: "slow.service", Load: "loaded", Path: "/slow", JobPath: "/"},
		{Name: "later.service", Load: "loaded", Path: "/later", JobPath: "/"},
		{Name: "never.service", Load: "loaded", Path: "/never", JobPath: "/"},
		{Name: "slow.mount", Load: "loaded", Path: "/slow", JobPath: "/"},
	}}, map[string]map[string]any{systemd + ".Manager": {
		"FirmwareTimestampMonotonic": uint64(9_500_000), "LoaderTimestampMonotonic": uint64(3_000_000),
		"UserspaceTimestampMonotonic": uint64(4_000_000), "FinishTimestampMonotonic": uint64(66_250_000),
	}})
	for path, times := range map[dbus.ObjectPath][2]uint64{
		"/quick": {5_000_000, 5_100_000}, "/slow": {5_000_000, 60_000_000}, "/later": {6_000_000, 8_000_000}, "/never": {0, 0},
	} {
		export(t, conn, path, nil, map[string]map[string]any{
			systemd + ".Unit": {"InactiveExitTimestampMonotonic": times[0], "ActiveEnterTimestampMonotonic": times[1]},
		})
	}
	if _, err := conn.RequestName(systemd, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	s := Observe(t.Context(), Config{Root: root}, []string{"load"})
	told(t, s)
	b := s.GetLoad().GetBoot()
	if b.GetFirmwareSeconds() != 6.5 || b.GetLoaderSeconds() != 3 || b.GetKernelSeconds() != 4 || b.GetUserspaceSeconds() != 62.3 ||
		!slices.Equal(b.GetSlowestUnits(), []string{"slow.service 55.0 s", "later.service 2.0 s"}) {
		t.Errorf("start: %v", b)
	}
}

// Without EFI nobody knows of the firmware, and in a container of the kernel.
func TestBootOfLittle(t *testing.T) {
	if b := bootOf(0, 0, 2_000_000, 3_000_000); b.FirmwareSeconds != nil || b.LoaderSeconds != nil || b.GetKernelSeconds() != 2 {
		t.Errorf("without EFI: %v", b)
	}
	if b := bootOf(0, 0, 0, 3_000_000); b.KernelSeconds != nil || b.GetUserspaceSeconds() != 3 {
		t.Errorf("a container: %v", b)
	}
	if b := bootOf(0, 0, 5, 3); b.UserspaceSeconds != nil {
		t.Errorf("times that run backwards: %v", b)
	}
}

func TestMemoryErrors(t *testing.T) {
	root := tree(t, map[string]string{
		"sys/devices/system/edac/mc/mc0/dimm0/dimm_label": "CPU_SrcID#0_MC#0_Chan#0_DIMM A", "sys/devices/system/edac/mc/mc0/dimm0/dimm_ce_count": "12",
		"sys/devices/system/edac/mc/mc0/dimm0/dimm_ue_count": "0",
		"sys/devices/system/edac/mc/mc0/dimm1/dimm_label":    "DIMM B", "sys/devices/system/edac/mc/mc0/dimm1/dimm_ce_count": "0",
		"sys/devices/system/edac/mc/mc0/rank4/dimm_label": "mc#0csrow#2", "sys/devices/system/edac/mc/mc0/rank4/dimm_ce_count": "0",
		"sys/devices/system/edac/mc/mc0/rank4/dimm_ue_count": "3",
		"sys/devices/system/edac/mc/mc0/rank5/dimm_label":    "mc#0csrow#3", "sys/devices/system/edac/mc/mc0/rank5/dimm_ce_count": "0",
	})
	h := &constatv1.Hardware{MemoryModules: []*constatv1.MemoryModule{
		{Locator: set("DIMM A"), SizeBytes: set(int64(8 << 30))}, {Locator: set("DIMM B"), SizeBytes: set(int64(8 << 30))},
	}}
	readMemoryErrors(newReader(t.Context(), Config{Root: root}), h)
	told(t, &constatv1.Snapshot{Hardware: h})
	if len(h.MemoryModules) != 3 {
		t.Fatalf("modules %v", h.MemoryModules)
	}
	a, b, other := h.MemoryModules[0], h.MemoryModules[1], h.MemoryModules[2]
	if a.GetCorrectedErrors() != 12 || a.UncorrectedErrors == nil || b.CorrectedErrors == nil || *b.CorrectedErrors != 0 ||
		other.GetLocator() != "mc#0csrow#2" || other.GetUncorrectedErrors() != 3 || other.SizeBytes != nil {
		t.Errorf("modules %v", h.MemoryModules)
	}
}
