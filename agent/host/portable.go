//go:build windows

package host

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/disk"
	"github.com/shirou/gopsutil/v3/host"
	"github.com/shirou/gopsutil/v3/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// What gopsutil reads on Windows and macOS alike. Root is not looked at: there
// are no files of these systems to re-root.

func readHost(ctx context.Context, _ *reader) (proto.Message, *constatv1.Observation) {
	const source = "gopsutil"
	info, err := host.InfoWithContext(ctx)
	if err != nil {
		return nil, failed(source, err)
	}
	o := observed(source)
	h := &constatv1.Host{
		Hostname:     filled(info.Hostname),
		OsFamily:     set(runtime.GOOS),
		OsName:       filled(info.Platform),
		OsVersion:    filled(info.PlatformVersion),
		Kernel:       filled(info.KernelVersion),
		Architecture: set(runtime.GOARCH),
		MachineHash:  machineHash(info.HostID),
	}
	if info.BootTime > 0 {
		h.BootTime = timestamppb.New(time.Unix(int64(info.BootTime), 0))
	}
	if runtime.GOOS == "windows" {
		// "10.0.22631.3447 Build 22631.3447": the second half is the build.
		version, build, _ := strings.Cut(info.PlatformVersion, " Build ")
		h.OsVersion, h.OsBuild = filled(version), filled(build)
	}
	for _, fact := range []string{"locale", "sessions", "timezone", "virtualization"} {
		gap(o, fact, notYet())
	}
	return h, o
}

func readLoad(ctx context.Context, _ *reader) (proto.Message, *constatv1.Observation) {
	const source = "gopsutil"
	memory, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return nil, failed(source, err)
	}
	o := observed(source)
	l := &constatv1.Load{Memory: &constatv1.Memory{
		TotalBytes:       set(int64(memory.Total)),
		AvailableBytes:   set(int64(memory.Available)),
		AvailablePercent: percent(memory.Available, memory.Total),
	}}
	if swap, err := mem.SwapMemoryWithContext(ctx); err != nil {
		gap(o, "memory.swap_total_bytes", err)
	} else {
		l.Memory.SwapTotalBytes, l.Memory.SwapFreeBytes = set(int64(swap.Total)), set(int64(swap.Free))
	}
	for _, fact := range []string{"cpu", "processes"} {
		gap(o, fact, notYet())
	}
	return l, o
}

func readSpace(ctx context.Context, _ *reader) (proto.Message, *constatv1.Observation) {
	const source = "gopsutil"
	partitions, err := disk.PartitionsWithContext(ctx, false)
	if err != nil {
		return nil, failed(source, err)
	}
	o := observed(source)
	s := &constatv1.Space{}
	for _, p := range partitions {
		if slices.Contains(p.Opts, "ro") && !systemVolumes[p.Mountpoint] {
			continue // an image or a disc: full by nature
		}
		usage, err := disk.UsageWithContext(ctx, p.Mountpoint)
		if err != nil {
			gap(o, "filesystems", fmt.Errorf("%s: %w", discreet(p.Mountpoint), err))
			continue
		}
		f := fsUse{total: usage.Total, free: usage.Free, available: usage.Free, inodes: usage.InodesTotal, freeInodes: usage.InodesFree}.facts()
		f.MountPoint, f.Type, f.System = set(discreet(p.Mountpoint)), filled(p.Fstype), set(systemVolumes[p.Mountpoint])
		s.Filesystems = append(s.Filesystems, f)
	}
	slices.SortFunc(s.Filesystems, func(a, b *constatv1.FileSystemUse) int {
		return strings.Compare(a.GetMountPoint(), b.GetMountPoint())
	})
	return s, o
}
