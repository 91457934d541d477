package host

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readWifi(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("system_profiler, wdutil, log")
	go r.kernelLog(ctx) // both take seconds
	reports, err := r.profile(ctx, "SPAirPortDataType")
	if err != nil {
		return nil, failed(o.Source, err)
	}
	w, withheld := macWifi(reports)
	if withheld {
		for _, fact := range []string{"radios.ssid", "radios.bssid"} {
			gap(o, fact, errMacPlace)
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
	if os.Geteuid() != 0 {
		gap(o, "radios.channel_busy_percent", fmt.Errorf("only root is told by wdutil: %w", os.ErrPermission))
	} else if content, err := r.run(ctx, programLimit, wdutilProgram, "info"); err != nil {
		gap(o, "radios.channel_busy_percent", err)
	} else {
		macBusy(w.Radios, content)
	}
	macGaps(o, "wifi")
	return w, o
}
