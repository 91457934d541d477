package host

import (
	"testing"

	constatv1 "constat/proto/constat/v1"
)

func TestBatteryByCharge(t *testing.T) {
	b := batteryOf("BAT0", supply{"charge_full_design": "4000000", "charge_full": "3980000", "charge_now": "1990000", "voltage_min_design": "11400000", "cycle_count": "0", "present": "1"}, false)
	if b.GetDesignMwh() != 45600 || b.GetFullMwh() != 45372 || b.GetHealthPercent() != 100 || b.GetChargePercent() != 50 || b.Cycles != nil {
		t.Errorf("battery that counts charge: %v", b)
	}
	b = batteryOf("BAT0", supply{"charge_full_design": "4000000", "charge_full": "2000000", "charge_now": "0", "charge_control_end_threshold": "300"}, false)
	if b.DesignMwh != nil || b.GetHealthPercent() != 50 || b.ChargePercent == nil || b.GetChargePercent() != 0 || b.ChargeLimitPercent != nil || b.State != nil {
		t.Errorf("battery whose voltage is not told: %v", b)
	}
	if b := batteryOf("BAT0", supply{"energy_full_design": "0", "energy_full": "0", "energy_now": "0"}, false); b.HealthPercent != nil || b.ChargePercent != nil || b.FullMwh != nil {
		t.Errorf("battery that tells nothing: %v", b)
	}
}

func TestNotChargingReason(t *testing.T) {
	for want, s := range map[string]supply{
		"overheat":    {"status": "Not charging", "health": "Overheat", "capacity": "90", "charge_control_end_threshold": "80"},
		"inhibited":   {"status": "Not charging", "health": "Good", "charge_behaviour": "auto [inhibit-charge]"},
		"chargeLimit": {"status": "Not charging", "capacity": "60", "charge_control_start_threshold": "50", "charge_control_end_threshold": "80"},
	} {
		if got := batteryOf("BAT0", s, false).GetNotChargingReason(); got != want {
			t.Errorf("%v: %q, want %q", s, got, want)
		}
	}
	if got := batteryOf("BAT0", supply{"status": "Unknown", "capacity": "59"}, true).GetNotChargingReason(); got != "chargeLimit" {
		t.Errorf("conservation mode: %q", got)
	}
	for _, s := range []supply{
		{"status": "Not charging", "capacity": "40", "charge_control_start_threshold": "50", "charge_control_end_threshold": "80"},
		{"status": "Not charging", "capacity": "100", "charge_control_end_threshold": "100"},
		{"status": "Charging", "health": "Overheat"}, {"status": "Not charging"},
	} {
		if b := batteryOf("BAT0", s, false); b.NotChargingReason != nil {
			t.Errorf("%v: made-up reason %q", s, *b.NotChargingReason)
		}
	}
}

func TestChargers(t *testing.T) {
	if c := chargerOf("AC", supply{"online": "1"}); c.Watts != nil || !c.GetOnline() {
		t.Errorf("an AC adapter: %v", c)
	}
	if c := chargerOf("usb", supply{"online": "2", "input_power_limit": "45000000", "voltage_now": "5000000", "current_now": "1"}); c.GetWatts() != 45 || !c.GetOnline() {
		t.Errorf("a charger with a limit: %v", c)
	}
	for _, kind := range []string{"Battery", "UPS", "", "BMS"} {
		if isCharger(kind) {
			t.Errorf("%s is a charger", kind)
		}
	}
}

func TestOnBattery(t *testing.T) {
	battery := func(state string) []*constatv1.Battery {
		return []*constatv1.Battery{{Present: set(true), State: &state}}
	}
	charger := func(online bool) []*constatv1.Charger { return []*constatv1.Charger{{Online: &online}} }
	for name, test := range map[string]struct {
		power *constatv1.Power
		want  *bool
	}{
		"plugged in":             {&constatv1.Power{Batteries: battery("discharging"), Chargers: charger(true)}, set(false)},
		"not plugged in":         {&constatv1.Power{Batteries: battery("notCharging"), Chargers: charger(false)}, set(true)},
		"no charger known":       {&constatv1.Power{Batteries: battery("discharging")}, set(true)},
		"neither":                {&constatv1.Power{}, nil},
		"full, no charger known": {&constatv1.Power{Batteries: battery("full")}, nil},
		"charger, no battery":    {&constatv1.Power{Chargers: charger(false)}, nil},
	} {
		if got := onBattery(test.power); (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestMostWatts(t *testing.T) {
	if w := mostWatts([]capability{{voltage: "5000mV", current: "3000mA"}, {voltage: "20000mV", current: "4700mA"}, {power: "60000mW"}, {voltage: "x"}}); w == nil || *w != 94 {
		t.Errorf("most watts %v, want 94", w)
	}
	if w := mostWatts([]capability{{}, {voltage: "9223372036854775807mV", current: "9223372036854775807mA"}}); w != nil {
		t.Errorf("watts out of nothing: %v", *w)
	}
}

func FuzzSupply(f *testing.F) {
	f.Add([]byte("POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_STATUS=Not charging\nPOWER_SUPPLY_PRESENT=1\nPOWER_SUPPLY_ENERGY_FULL=31620000\nPOWER_SUPPLY_ENERGY_FULL_DESIGN=51000000\nPOWER_SUPPLY_CAPACITY=80\n"), int64(97000))
	f.Add([]byte("POWER_SUPPLY_CHARGE_NOW=9223372036854775807\nPOWER_SUPPLY_CHARGE_FULL=1\nPOWER_SUPPLY_VOLTAGE_MIN_DESIGN=9223372036854775807\nPOWER_SUPPLY_ONLINE=1\nPOWER_SUPPLY_VOLTAGE_MAX=1\nPOWER_SUPPLY_CURRENT_MAX=1\n"), int64(-274000))
	f.Fuzz(func(t *testing.T, uevent []byte, milli int64) {
		s := parseSupply(uevent)
		b := batteryOf("BAT0", s, false)
		for _, share := range []*int32{b.HealthPercent, b.ChargePercent, b.ChargeLimitPercent, b.ChargeStartPercent} {
			if share != nil && (*share < 0 || *share > 100) {
				t.Errorf("impossible share: %v", b)
			}
		}
		if b.GetFullMwh() < 0 || b.GetNowMwh() < 0 || b.GetDesignMwh() < 0 || b.GetCycles() < 0 {
			t.Errorf("impossible battery: %v", b)
		}
		if c := chargerOf("AC", s); c.Watts != nil && !(*c.Watts >= 0 && *c.Watts <= 2000) {
			t.Errorf("impossible charger: %v", c)
		}
		if z := thermalZoneOf("z", &milli, []tripPoint{{"passive", milli}, {"critical", -milli}}); z.Celsius != nil && !(*z.Celsius >= -60 && *z.Celsius <= 200) {
			t.Errorf("impossible zone: %v", z)
		}
	})
}
