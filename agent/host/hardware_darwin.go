package host

import (
	"context"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readHardware(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("system_profiler, ioreg, sysctl")
	reports, err := r.profile(ctx, "SPHardwareDataType", "SPMemoryDataType", "SPDisplaysDataType", "SPiBridgeDataType")
	if err != nil {
		for _, fact := range []string{"memory_modules", "gpus", "monitors", "firmware", "system.family"} {
			gap(o, fact, err)
		}
	}
	platform, platformErr := r.registryOf(ctx, "IOPlatformExpertDevice")
	if platformErr != nil && err != nil {
		return nil, failed(o.Source, platformErr)
	}
	h := macHardware(reports, platform, r.sysctl)
	macGaps(o, "hardware")
	return h, o
}
