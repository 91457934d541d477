package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// statfsLimit is how long one file system may take to answer.
const statfsLimit = time.Second

// statfsCalls are the questions under way. One that hangs (a dead NFS server)
// cannot be ended, so it must not be asked a second time beside it.
var statfsCalls singleflight.Group

func readSpace(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	mounts, err := r.mounts()
	if err != nil {
		return nil, failed("/proc/self/mountinfo", err)
	}
	o := observed("statfs")
	spool := holder(mounts, spoolDirectory)
	mounts = distinct(mounts)
	answers := make([]<-chan singleflight.Result, len(mounts))
	for i, m := range mounts {
		point := r.path(m.point)
		answers[i] = statfsCalls.DoChan(point, func() (any, error) { return statfs(point) })
	}
	s := &constatv1.Space{}
	timer := time.NewTimer(statfsLimit)
	defer timer.Stop()
	late := false
	for i, m := range mounts {
		var a singleflight.Result
		if late {
			select {
			case a = <-answers[i]:
			default:
				a.Err = fmt.Errorf("no answer after %s", statfsLimit)
			}
		} else {
			select {
			case a = <-answers[i]:
			case <-timer.C:
				late, a.Err = true, fmt.Errorf("no answer after %s", statfsLimit)
			case <-ctx.Done():
				late, a.Err = true, ctx.Err()
			}
		}
		if a.Err != nil {
			gap(o, "filesystems", fmt.Errorf("%s: %w", discreet(m.point), a.Err))
			continue
		}
		use, ok := a.Val.(fsUse)
		if !ok || use.total == 0 {
			continue // nothing to fill: an automounter, a FUSE without storage
		}
		// Not statfs' word for it: to a service that is shut in, all is read-only.
		use.readOnly = m.readOnly
		f := use.facts()
		f.MountPoint, f.Type = set(discreet(m.point)), set(m.fsType)
		f.System = set(systemPoints[m.point])
		if spool != nil {
			f.Spool = set(spool.device == m.device)
		}
		s.Filesystems = append(s.Filesystems, f)
	}
	return s, o
}

// distinct keeps the storage among mounts, each file system once, at its
// shortest mount point: bind mounts and subvolumes share their space.
func distinct(mounts []mountPoint) []mountPoint {
	at := map[string]int{}
	var kept []mountPoint
	for _, m := range mounts {
		if !isStorage(m) {
			continue
		}
		i, seen := at[m.device]
		switch {
		case !seen:
			at[m.device] = len(kept)
			kept = append(kept, m)
		case len(m.point) < len(kept[i].point):
			kept[i] = m
		}
	}
	slices.SortFunc(kept, func(a, b mountPoint) int { return strings.Compare(a.point, b.point) })
	return kept
}

// statfs asks one file system. It may hang for good.
func statfs(point string) (fsUse, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(point, &s); err != nil {
		return fsUse{}, err
	}
	size := uint64(s.Frsize)
	if size == 0 {
		size = uint64(s.Bsize)
	}
	return fsUse{
		total: s.Blocks * size, free: s.Bfree * size, available: s.Bavail * size,
		inodes: s.Files, freeInodes: s.Ffree,
	}, nil
}
