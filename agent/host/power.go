package host

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// supply is one entry of the kernel's power supply class: the property's name
// as its file has it ("energy_full"), and its text. Energies are µWh, charges
// µAh, voltages µV, currents µA (Documentation/ABI/testing/sysfs-class-power).
type supply map[string]string

// parseSupply reads the uevent file of a power supply, which has all of its
// properties but those that other drivers add to it.
func parseSupply(uevent []byte) supply {
	s := supply{}
	for line := range strings.Lines(string(uevent)) {
		key, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if name, ours := strings.CutPrefix(key, "POWER_SUPPLY_"); found && ours {
			s[strings.ToLower(name)] = value
		}
	}
	return s
}

// number is a property that is a count or a measure; nil when it is not there,
// negative or no number.
func (s supply) number(name string) *int64 {
	n, err := strconv.ParseInt(s[name], 10, 64)
	if err != nil {
		return nil
	}
	return natural(&n)
}

// positive is number, for what 0 can't be true of.
func (s supply) positive(name string) *int64 {
	if n := s.number(name); n != nil && *n > 0 {
		return n
	}
	return nil
}

// text is a property that is a word or a name; nil when it is not told.
func (s supply) text(name string) *string { return meaningful(s[name]) }

// isPeripheral tells whether the supply is that of a mouse or a headset.
func (s supply) isPeripheral() bool { return s["scope"] == "Device" }

// chargeStates are our words for the kernel's.
var chargeStates = map[string]string{
	"Charging": "charging", "Discharging": "discharging", "Full": "full", "Not charging": "notCharging", "Unknown": "unknown",
}

// batteryTroubles are our words for the health of a battery that keeps it from
// charging; others ("Good", "Unknown") tell nothing.
var batteryTroubles = map[string]string{
	"Overheat": "overheat", "Hot": "overheat", "Warm": "overheat", "Cold": "cold", "Cool": "cold", "Dead": "dead",
	"Over voltage": "overVoltage", "Over current": "overCurrent", "Unspecified failure": "failure",
	"Watchdog timer expire": "timer", "Safety timer expire": "timer", "Calibration required": "calibration", "No battery": "noBattery",
}

// batteryOf describes a battery of the machine. Conserving: the maker's own
// switch that holds the charge below full is on (ideapad's conservation_mode).
func batteryOf(name string, s supply, conserving bool) *constatv1.Battery {
	b := &constatv1.Battery{Name: &name}
	if present := s.number("present"); present != nil {
		b.Present = set(*present != 0)
		if *present == 0 {
			return b // what else its files hold is of one that was there
		}
	}
	b.Manufacturer, b.Model, b.Serial = s.text("manufacturer"), s.text("model_name"), s.text("serial_number")
	// Energies where the battery counts them, else charges at its design voltage.
	design, full, now := s.positive("energy_full_design"), s.positive("energy_full"), s.number("energy_now")
	scale := 1e-3
	if design == nil && full == nil {
		design, full, now = s.positive("charge_full_design"), s.positive("charge_full"), s.number("charge_now")
		scale = 0
		if volts := s.positive("voltage_min_design"); volts != nil {
			scale = float64(*volts) * 1e-9
		}
	}
	if scale > 0 {
		b.DesignMwh, b.FullMwh, b.NowMwh = scaled(design, scale), scaled(full, scale), scaled(now, scale)
	}
	if design != nil && full != nil {
		b.HealthPercent = percent(uint64(*full), uint64(*design))
	}
	if capacity := s.number("capacity"); capacity != nil && *capacity <= 100 {
		b.ChargePercent = set(int32(*capacity))
	} else if full != nil && now != nil {
		b.ChargePercent = percent(uint64(*now), uint64(*full))
	}
	if cycles := s.positive("cycle_count"); cycles != nil { // 0: firmware that does not count says so too
		b.Cycles = set(int32(min(*cycles, math.MaxInt32)))
	}
	b.State = filled(chargeStates[s["status"]])
	b.ChargeLimitPercent = share(cmp.Or(s.positive("charge_control_end_threshold"), s.positive("charge_stop_threshold")))
	b.ChargeStartPercent = share(cmp.Or(s.number("charge_control_start_threshold"), s.number("charge_start_threshold")))
	if b.GetState() == "notCharging" || b.GetState() == "unknown" {
		b.NotChargingReason = notChargingReason(b, s, conserving)
	}
	return b
}

// notChargingReason says why, where the system says so: overheat, cold, dead,
// …, inhibited (by a setting of now), chargeLimit (by a lasting one).
func notChargingReason(b *constatv1.Battery, s supply, conserving bool) *string {
	from := b.ChargeStartPercent // above it, charging does not start
	if from == nil || b.GetChargeStartPercent() == 0 {
		from = b.ChargeLimitPercent
	}
	limited := b.ChargeLimitPercent != nil && *b.ChargeLimitPercent < 100 && b.ChargePercent != nil && *b.ChargePercent >= *from
	switch {
	case batteryTroubles[s["health"]] != "":
		return set(batteryTroubles[s["health"]])
	case strings.Contains(s["charge_behaviour"], "[inhibit-charge]"), strings.Contains(s["charge_behaviour"], "[force-discharge]"):
		return set("inhibited")
	case limited, conserving:
		return set("chargeLimit")
	}
	return nil
}

// scaled is a measure in another unit, rounded; nil where it would not fit.
func scaled(n *int64, by float64) *int64 {
	if n == nil || float64(*n)*by > math.MaxInt32 { // no battery of a machine has 2 MWh
		return nil
	}
	return set(int64(math.Round(float64(*n) * by)))
}

// share is a percentage that was told; nil where it is none.
func share(n *int64) *int32 {
	if n == nil || *n < 0 || *n > 100 {
		return nil
	}
	return set(int32(*n))
}

// isCharger tells whether a supply's type is one that feeds the machine.
func isCharger(kind string) bool {
	return kind == "Mains" || kind == "Wireless" || kind == "USB" || strings.HasPrefix(kind, "USB_")
}

// chargerOf describes a charger. Its watts are what the source offers, from the
// limit it tells or its highest voltage at its highest current; AC adapters
// tell neither.
func chargerOf(name string, s supply) *constatv1.Charger {
	c := &constatv1.Charger{Name: &name}
	if online := s.number("online"); online != nil {
		c.Online = set(*online != 0) // 2: a programmable voltage
	}
	if !c.GetOnline() {
		return c
	}
	volts := cmp.Or(s.positive("voltage_max"), s.positive("voltage_now"))
	amperes := cmp.Or(s.positive("current_max"), s.positive("current_now"))
	if limit := s.positive("input_power_limit"); limit != nil {
		c.Watts = wattage(float64(*limit) * 1e-6)
	} else if volts != nil && amperes != nil {
		c.Watts = wattage(float64(*volts) * float64(*amperes) * 1e-12)
	}
	return c
}

// wattage is a power that a charger can have; nil for others.
func wattage(watts float64) *float64 {
	if watts <= 0 || watts > 2000 {
		return nil
	}
	return set(tenth(watts))
}

// onBattery tells whether the machine runs from its batteries: by its chargers
// where it has any, else by what the batteries do. nil: not known.
func onBattery(p *constatv1.Power) *bool {
	known := false
	for _, c := range p.Chargers {
		if c.GetOnline() {
			return set(false)
		}
		known = known || c.Online != nil
	}
	for _, b := range p.Batteries {
		switch b.GetState() {
		case "discharging":
			return set(true)
		case "charging":
			return set(false)
		}
		if known && b.GetPresent() {
			return set(true)
		}
	}
	return nil
}

// tripPoint is a limit of a thermal zone: the kernel's word and millidegrees.
type tripPoint struct {
	kind  string
	milli int64
}

// thermalZoneOf describes a thermal zone. Trip points that mean nothing, as firmwares
// have them (−274 °C, 0), are left out; of several of a kind the lowest counts.
func thermalZoneOf(name string, milli *int64, trips []tripPoint) *constatv1.ThermalZone {
	z := &constatv1.ThermalZone{Name: &name}
	if milli != nil {
		z.Celsius = sensible(float64(*milli) / 1000)
	}
	for _, trip := range trips {
		celsius := sensible(float64(trip.milli) / 1000)
		if celsius == nil || *celsius <= 0 {
			continue
		}
		switch trip.kind {
		case "passive":
			z.PassiveCelsius = lower(z.PassiveCelsius, celsius)
		case "critical":
			z.CriticalCelsius = lower(z.CriticalCelsius, celsius)
		}
	}
	return z
}

// lower is the lower of two facts; nil is none.
func lower(a, b *float64) *float64 {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}

// nameApart adds a number to names that several zones have.
func nameApart(zones []*constatv1.ThermalZone) {
	count := map[string]int{}
	for _, z := range zones {
		count[z.GetName()]++
	}
	number := map[string]int{}
	for _, z := range zones {
		if name := z.GetName(); count[name] > 1 {
			number[name]++
			z.Name = set(fmt.Sprintf("%s %d", name, number[name]))
		}
	}
}

// profiles are our words for the platform's (sysfs-platform_profile), and for
// the energy preference of processors where the platform has none.
var profiles = map[string]string{
	"low-power": "low-power", "cool": "low-power", "quiet": "low-power", "balanced": "balanced", "balanced-performance": "balanced",
	"performance": "performance", "max-power": "performance",
	"power": "low-power", "balance_power": "balanced", "balance_performance": "balanced", "default": "balanced",
}

// throttled is a processor thread's counts of being slowed for heat.
type throttled struct {
	pkg, core     string // where it sits
	byPkg, byCore *int64 // events of its package and of its core, since boot
}

// throttleEvents adds the events up, those of a package and of a core once, not
// once for each of its threads; nil when none counts.
func throttleEvents(threads []throttled) *int64 {
	events := map[string]int64{}
	for _, t := range threads {
		if t.byPkg != nil {
			events[t.pkg] = max(events[t.pkg], *t.byPkg)
		}
		if t.byCore != nil {
			core := t.pkg + "/" + t.core
			events[core] = max(events[core], *t.byCore)
		}
	}
	if len(events) == 0 {
		return nil
	}
	sum := int64(0)
	for _, n := range events {
		sum += n
	}
	return &sum
}

// capability is what a USB-C end says it can give or wants: the most watts of
// its power data objects, whose voltages are millivolts ("20000mV") and
// currents milliamperes ("3250mA") (sysfs-class-usb_power_delivery).
type capability struct{ voltage, current, power string }

func mostWatts(offers []capability) *float64 {
	var most *float64
	for _, o := range offers {
		watts := float64(unitNumber(o.voltage, "mV")) * float64(unitNumber(o.current, "mA")) * 1e-6
		if direct := unitNumber(o.power, "mW"); direct > 0 {
			watts = float64(direct) * 1e-3
		}
		if w := wattage(watts); w != nil && (most == nil || *w > *most) {
			most = w
		}
	}
	return most
}

// unitNumber reads "3250mA"; 0 when it is none.
func unitNumber(text, unit string) int64 {
	n, err := strconv.ParseInt(strings.TrimSuffix(text, unit), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
