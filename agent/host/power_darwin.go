package host

import (
	"context"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readPower(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("ioreg, pmset, notifyutil")
	p := &constatv1.Power{}
	tree, err := r.registryOf(ctx, "AppleSmartBattery")
	if err != nil {
		gap(o, "batteries", err)
	}
	p.Batteries, p.Chargers = macBatteries(tree)
	if content, settingsErr := r.run(ctx, programLimit, pmsetProgram, "-g"); settingsErr != nil {
		if err != nil {
			return nil, failed(o.Source, err)
		}
		gap(o, "profile", settingsErr)
	} else {
		p.Profile = macPowerSettings(content)
	}
	if content, err := r.run(ctx, programLimit, pmsetProgram, "-g", "batt"); err != nil {
		gap(o, "on_battery", err)
	} else {
		p.OnBattery = macOnBattery(content)
	}
	therm, _ := r.run(ctx, programLimit, pmsetProgram, "-g", "therm")
	p.MaxMhz, p.LimitMhz = macSpeed(r.sysctl, therm)
	if content, err := r.run(ctx, programLimit, notifyutilProgram, "-g", "com.apple.system.thermalpressurelevel"); err != nil {
		gap(o, "thermal_pressure", err)
	} else {
		p.ThermalPressure = macThermalPressure(content)
	}
	macGaps(o, "power")
	return p, o
}
