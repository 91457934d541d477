package host

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/shirou/gopsutil/v3/disk"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

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
