package host

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readWifi(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("system_profiler, log")
	go r.kernelLog(ctx) // both take seconds
	reports, err := r.profile(ctx, "SPAirPortDataType")
	if err != nil {
		return nil, failed(o.Source, err)
	}
	w, withheld := macWifi(reports)
	if withheld {
		for _, fact := range []string{"radios.ssid", "radios.bssid"} {
			gap(o, fact, fmt.Errorf("macOS names the network only to programs that may know the place: %w", errWithheld))
		}
	}
	if content, err := r.run(ctx, programLimit, launchctlProgram, "print", "system/com.apple.airportd"); err == nil {
		w.ServiceState = macWifiService(content)
	}
	if events, err := r.kernelLog(ctx); err != nil {
		gap(o, "radios.last_reason", err)
	} else {
		macParted(w.Radios, events)
	}
	for _, fact := range []string{"radios.last_failure", "radios.last_status", "radios.channel_busy_percent", "radios.retry_percent", "radios.rx_mbps", "radios.better_access_points", "radios.firmware_crashes"} {
		gap(o, fact, errMacSilent)
	}
	return w, o
}
