package host

import (
	"context"

	"golang.org/x/sys/unix"
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
	number := func(name string) int32 {
		n, err := unix.SysctlUint32(name)
		if err != nil || n > 4096 {
			return 0
		}
		return int32(n)
	}
	large := func(name string) int64 {
		n, err := unix.SysctlUint64(name)
		if err != nil || n > 1<<60 {
			return 0
		}
		return int64(n)
	}
	h := macHardware(reports, platform, macCPU{
		model: deref(sysctlWord("machdep.cpu.brand_string")), packages: number("hw.packages"), cores: number("hw.physicalcpu"), thread: number("hw.logicalcpu"),
		hertz: large("hw.cpufrequency_max"), memory: large("hw.memsize"),
	})
	if model := sysctlWord("hw.model"); h.System.Model == nil {
		h.System.Model = model
	}
	for _, fact := range []string{"bus_devices", "tpm", "baseboard", "memory_modules.corrected_errors"} {
		gap(o, fact, errMacSilent)
	}
	return h, o
}
