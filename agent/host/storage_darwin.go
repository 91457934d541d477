package host

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// macDisks asks about each disk; serials says whether its entry in the reports of
// the buses is wanted as well.
func (r *reader) macDisks(ctx context.Context, o *constatv1.Observation, serials bool) (disks []*constatv1.Disk, readings []*constatv1.DiskReading, err error) {
	list, err := r.tree(ctx, programLimit, diskutilProgram, "list", "-plist")
	if err != nil {
		return nil, nil, err
	}
	var reports node
	if serials {
		if reports, err = r.profile(ctx, "SPNVMeDataType", "SPSerialATADataType"); err != nil {
			gap(o, "disks.serial", err)
			gap(o, "disks.firmware", err)
		}
	}
	for _, name := range macDiskNames(list) {
		info, err := r.tree(ctx, programLimit, diskutilProgram, "info", "-plist", name)
		if err != nil {
			gap(o, "disks", fmt.Errorf("%s: %w", name, err))
			continue
		}
		disk, reading := macDisk(info, reports)
		if disk != nil {
			disks = append(disks, disk)
		}
		if reading != nil {
			readings = append(readings, reading)
		}
	}
	return disks, readings, nil
}

func readStorage(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("diskutil, system_profiler, getfsstat, ioreg, log")
	s := &constatv1.Storage{}
	mounts, err := macMounted()
	if err != nil {
		return nil, failed(o.Source, err)
	}
	encrypted := map[string]string{}
	if list, err := r.tree(ctx, programLimit, diskutilProgram, "apfs", "list", "-plist"); err != nil {
		gap(o, "mounts.encryption", err)
	} else {
		encrypted, _ = macEncrypted(list)
	}
	s.Mounts = macMounts(mounts, encrypted)
	if s.Disks, _, err = r.macDisks(ctx, o, true); err != nil {
		gap(o, "disks", err)
	}
	if drivers, err := r.registryOf(ctx, "IOBlockStorageDriver"); err == nil {
		withErrors(s.Disks, macTransferred(drivers))
	} else if events, err := r.kernelLog(ctx); err != nil {
		gap(o, "disks.io_errors", err)
	} else {
		countErrors(s.Disks, events)
	}
	macGaps(o, "storage")
	return s, o
}

func readReadings(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("diskutil")
	_, readings, err := r.macDisks(ctx, o, false)
	if err != nil {
		return nil, failed(o.Source, err)
	}
	return &constatv1.Readings{Disks: readings}, o
}

func readSpace(_ context.Context, _ *reader) (proto.Message, *constatv1.Observation) {
	o := observed("getfsstat")
	mounts, err := macMounted()
	if err != nil {
		return nil, failed(o.Source, err)
	}
	return &constatv1.Space{Filesystems: macSpace(mounts)}, o
}

// macMounted lists what is mounted, without waiting for servers that are silent.
func macMounted() ([]macMount, error) {
	n, err := unix.Getfsstat(nil, unix.MNT_NOWAIT)
	if err != nil {
		return nil, fmt.Errorf("getfsstat: %w", err)
	}
	all := make([]unix.Statfs_t, n+8)
	if n, err = unix.Getfsstat(all, unix.MNT_NOWAIT); err != nil {
		return nil, fmt.Errorf("getfsstat: %w", err)
	}
	var mounts []macMount
	for _, f := range all[:min(n, len(all), maxMounts)] {
		size := uint64(f.Bsize)
		mounts = append(mounts, macMount{
			point: unix.ByteSliceToString(f.Mntonname[:]), device: unix.ByteSliceToString(f.Mntfromname[:]), kind: unix.ByteSliceToString(f.Fstypename[:]),
			readOnly: f.Flags&unix.MNT_RDONLY != 0, local: f.Flags&unix.MNT_LOCAL != 0, snapshot: f.Flags&unix.MNT_SNAPSHOT != 0,
			use: fsUse{
				total: f.Blocks * size, free: f.Bfree * size, available: f.Bavail * size, inodes: f.Files, freeInodes: f.Ffree,
				readOnly: f.Flags&unix.MNT_RDONLY != 0,
			},
		})
	}
	return mounts, nil
}
