package host

import (
	"cmp"
	"strconv"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// macBatteries describes the battery of a Mac by its entry in the registry
// (AppleSmartBattery), and what charges it. A Mac without one has no such entry.
func macBatteries(tree node) (batteries []*constatv1.Battery, chargers []*constatv1.Charger) {
	ioEntries(tree, func(entry node) {
		if !entry.at("BatteryInstalled").there() || len(batteries) == 4 {
			return
		}
		batteries = append(batteries, macBattery(entry))
		plugged := entry.at("ExternalConnected").flag()
		if plugged == nil {
			return
		}
		c := &constatv1.Charger{Name: set("charger"), Online: plugged}
		if adapter := entry.at("AdapterDetails"); *plugged {
			c.Name = filled(cmp.Or(adapter.at("Name").text(), adapter.at("Description").text(), "charger"))
			if watts := adapter.at("Watts").within(1, 1000); watts != nil {
				c.Watts = set(float64(*watts))
			}
		}
		chargers = append(chargers, c)
	})
	return batteries, chargers
}

func macBattery(entry node) *constatv1.Battery {
	b := &constatv1.Battery{Name: set("InternalBattery"), Present: entry.at("BatteryInstalled").flag()}
	if b.Present != nil && !*b.Present {
		return b
	}
	b.Manufacturer = meaningful(entry.at("Manufacturer").text())
	b.Model = meaningful(entry.at("DeviceName").text())
	b.Serial = meaningful(firstOfKeys(entry, "Serial", "BatterySerialNumber").text())
	b.Cycles = entry.at("CycleCount").small(0, 100_000)
	// On Apple silicon the plain names are percentages, on Intel milliampere hours;
	// the raw ones are milliampere hours on both. Its voltage as designed is not
	// told, so energies are not known.
	full, now := firstOfKeys(entry, "AppleRawMaxCapacity", "NominalChargeCapacity", "MaxCapacity").within(1, 100_000), entry.at("CurrentCapacity").within(0, 100_000)
	if design := entry.at("DesignCapacity").within(500, 100_000); design != nil && full != nil && *full > 100 {
		b.HealthPercent = percent(uint64(*full), uint64(*design))
	}
	if most := entry.at("MaxCapacity").within(1, 100_000); most != nil && now != nil {
		b.ChargePercent = percent(uint64(*now), uint64(*most))
	}
	charging, plugged := entry.at("IsCharging").flag(), entry.at("ExternalConnected").flag()
	switch {
	case charging != nil && *charging:
		b.State = set("charging")
	case entry.at("FullyCharged").is():
		b.State = set("full")
	case charging != nil && plugged != nil && *plugged:
		b.State = set("notCharging")
	case charging != nil && plugged != nil:
		b.State = set("discharging")
	}
	if broken := entry.at("PermanentFailureStatus").number(); broken != nil {
		b.Failed = set(*broken != 0)
	}
	return b
}

// macPowerSettings reads what pmset(1) writes with -g: the settings in use, one a
// line. A profile is set by powermode, on older ones by lowpowermode.
func macPowerSettings(content []byte) (profile *string) {
	values := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if fields := strings.Fields(line); len(fields) >= 2 {
			values[fields[0]] = fields[1]
		}
	}
	switch {
	case values["powermode"] == "1", values["lowpowermode"] == "1":
		return set("low-power")
	case values["powermode"] == "2", values["highpowermode"] == "1":
		return set("performance")
	case values["powermode"] == "0", values["lowpowermode"] == "0":
		return set("balanced")
	}
	return nil
}

// macOnBattery reads the first line of pmset -g batt: “Now drawing from 'AC
// Power'”.
func macOnBattery(content []byte) *bool {
	first, _, _ := strings.Cut(string(content), "\n")
	switch {
	case strings.Contains(first, "'Battery Power'"):
		return set(true)
	case strings.Contains(first, "'AC Power'"), strings.Contains(first, "'UPS Power'"):
		return set(false)
	}
	return nil
}

// macSpeed is how fast the processor can be, and how fast the system lets it be now,
// by pmset -g therm.
func macSpeed(ask sysctl, therm []byte) (most, limit *int32) {
	most = macMhz(ask)
	if share := macSpeedLimit(therm); share != nil && most != nil {
		limit = set(int32(int64(*most) * int64(*share) / 100))
	}
	return most, limit
}

// macSpeedLimit reads pmset -g therm: how much of its speed the processor may use,
// in percent; nil where the system limits nothing, or does not tell. Only Macs with
// Intel's processors do.
func macSpeedLimit(content []byte) *int32 {
	for line := range strings.Lines(string(content)) {
		key, value, found := strings.Cut(line, "=")
		if !found || strings.TrimSpace(key) != "CPU_Speed_Limit" {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 32); err == nil && n > 0 && n <= 100 {
			return set(int32(n))
		}
	}
	return nil
}

// macThermalLevels are the words of OSThermalNotification.h for macOS.
var macThermalLevels = []string{"nominal", "moderate", "heavy", "trapping", "sleeping"}

// macThermalPressure reads what notifyutil(1) writes: the key, and a level.
func macThermalPressure(content []byte) *string {
	fields := strings.Fields(string(content[:min(len(content), 200)]))
	if len(fields) != 2 {
		return nil
	}
	n, err := strconv.Atoi(fields[1])
	if err != nil || n < 0 || n >= len(macThermalLevels) {
		return nil
	}
	return &macThermalLevels[n]
}
