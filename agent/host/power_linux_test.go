package host

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

func TestPower(t *testing.T) {
	s := Observe(t.Context(), Config{Root: machine(t, "power")}, []string{"power"})
	want := &constatv1.Power{
		Batteries: []*constatv1.Battery{{
			Name: set("BAT0"), Manufacturer: set("LGC"), Model: set("5B10W51867"), Serial: set("1204"), DesignMwh: set(int64(51000)), FullMwh: set(int64(31620)),
			NowMwh: set(int64(25300)), Cycles: set(int32(612)), HealthPercent: set(int32(62)), ChargePercent: set(int32(80)), State: set("notCharging"),
			ChargeLimitPercent: set(int32(80)), ChargeStartPercent: set(int32(75)), Present: set(true), NotChargingReason: set("chargeLimit"),
		}, {Name: set("BAT1"), Present: set(false)}},
		Chargers: []*constatv1.Charger{
			{Name: set("AC"), Online: set(false)},
			{Name: set("ucsi-source-psy-USBC000:001"), Online: set(true), Watts: set(30.0), RequiredWatts: set(65.0)},
			{Name: set("ucsi-source-psy-USBC000:002"), Online: set(false)},
		},
		ThermalZones: []*constatv1.ThermalZone{
			{Name: set("acpitz 1"), Celsius: set(97.0), PassiveCelsius: set(95.0), CriticalCelsius: set(105.0)},
			{Name: set("acpitz 2")},
			{Name: set("x86_pkg_temp"), Celsius: set(96.5)},
		},
		Fans: []*constatv1.Fan{
			{Name: set("thinkpad fan1"), Rpm: set(int32(0))},
			{Name: set("thinkpad fan2")},
			{Name: set("nct6775 CPU Fan"), Rpm: set(int32(310)), MinRpm: set(int32(600)), Alarm: set(true)},
		},
		ThrottleEvents: set(int64(37)), ThrottleEventsDelta: set(int64(0)), Profile: set("low-power"), OnBattery: set(false),
		LimitMhz: set(int32(2400)), MaxMhz: set(int32(4400)),
	}
	if diff := cmp.Diff(want, s.Power, protocmp.Transform()); diff != "" {
		t.Errorf("power, %v (-want +got):\n%s", s.Manifest.Groups[0].Observation, diff)
	}
}

// TestPowerOfDesktop: classes that are there and empty say that there is
// nothing; what is not there says that it is not known.
func TestPowerOfDesktop(t *testing.T) {
	root := tree(t, map[string]string{"sys/class/power_supply/.keep": "", "sys/class/hwmon/hwmon0/name": "k10temp\n", "sys/class/hwmon/hwmon0/temp1_input": "45125\n", "sys/class/thermal/cooling_device0/type": "Fan\n"})
	s := Observe(t.Context(), Config{Root: root}, []string{"power"})
	want := &constatv1.Power{ThermalZones: []*constatv1.ThermalZone{{Name: set("k10temp"), Celsius: set(45.1)}}}
	if diff := cmp.Diff(want, s.Power, protocmp.Transform()); diff != "" {
		t.Errorf("power (-want +got):\n%s", diff)
	}
	if gaps := s.Manifest.Groups[0].Observation.Gaps; len(gaps) != 1 || gaps[0].Fact != "throttle_events" || gaps[0].Status != "unsupported" {
		t.Errorf("gaps %v", gaps)
	}
	s = Observe(t.Context(), Config{Root: t.TempDir()}, []string{"power"})
	if o := s.Manifest.Groups[0].Observation; o.Status != "unsupported" || s.Power != nil {
		t.Errorf("a kernel without any of it: %v", o)
	}
}

func TestEmptyBatterySlots(t *testing.T) {
	root := tree(t, map[string]string{
		"sys/class/power_supply/BAT0/type": "Battery\n", "sys/class/power_supply/BAT0/present": "1\n",
		"sys/bus/acpi/devices/PNP0C0A:00/status": "31\n", "sys/bus/acpi/devices/PNP0C0A:00/path": "\\_SB_.BAT0\n",
		"sys/bus/acpi/devices/PNP0C0A:01/status": "15\n", "sys/bus/acpi/devices/PNP0C0A:01/path": "\\_SB_.PCI0.LPCB.BAT1\n",
		"sys/bus/acpi/devices/PNP0C0A:02/status": "0\n", "sys/bus/acpi/devices/PNP0C0A:02/path": "\\_SB_.BAT2\n",
		"sys/bus/acpi/devices/PNP0C0D:00/status": "15\n",
	})
	var got []string
	for _, b := range Observe(t.Context(), Config{Root: root}, []string{"power"}).Power.GetBatteries() {
		got = append(got, b.GetName(), strconv.FormatBool(b.GetPresent()))
	}
	if want := []string{"BAT0", "true", "BAT1", "false"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestHostilePower: no content may break the reader or become a fact.
func TestHostilePower(t *testing.T) {
	files := map[string]string{}
	for _, name := range []string{
		"class/power_supply/BAT0/uevent", "class/power_supply/BAT0/charge_control_end_threshold", "class/power_supply/AC/online",
		"class/thermal/thermal_zone0/temp", "class/thermal/thermal_zone0/trip_point_0_temp", "class/hwmon/hwmon0/fan1_input",
		"devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "devices/system/cpu/cpufreq/policy0/scaling_max_freq",
	} {
		files["sys/"+name] = strings.Repeat("9", 40) + "\x00\xff-"
	}
	files["sys/class/power_supply/BAT0/type"] = "Battery"
	files["sys/class/power_supply/AC/type"] = "Mains"
	root := tree(t, files)
	s := Observe(t.Context(), Config{Root: root}, []string{"power"})
	want := &constatv1.Power{
		Batteries: []*constatv1.Battery{{Name: set("BAT0")}}, Chargers: []*constatv1.Charger{{Name: set("AC")}},
		ThermalZones: []*constatv1.ThermalZone{{}}, Fans: []*constatv1.Fan{{}},
	}
	if diff := cmp.Diff(want, s.Power, protocmp.Transform(), protocmp.IgnoreFields(&constatv1.ThermalZone{}, "name"), protocmp.IgnoreFields(&constatv1.Fan{}, "name")); diff != "" {
		t.Errorf("power, %v (-want +got):\n%s", s.Manifest.Groups[0].Observation, diff)
	}
}

func TestPortOf(t *testing.T) {
	for name, want := range map[string]string{
		"ucsi-source-psy-USBC000:001": "port0", "ucsi-source-psy-USBC000:010": "port9", "ucsi-source-psy-1-00081": "port80", "AC": "", "ucsi-source-psy-": "", "ucsi-source-psy-0": "",
	} {
		if got := portOf(name); got != want {
			t.Errorf("%s is behind %q, want %q", name, got, want)
		}
	}
}
