package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// healthTime is how long disks may take to tell their health, within the limit
// of the group: what hangs costs these facts only.
const healthTime = 5 * time.Second

// maxAsked is how many disks are asked for their health.
const maxAsked = 32

// readHealth asks all disks at the same time and adds what they tell of their
// health. It returns what they tell that changes by itself, and why one told
// nothing.
func readHealth(ctx context.Context, r *reader, disks []*constatv1.Disk) (readings []*constatv1.DiskReading, silent []error) {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	errs := make([]error, len(disks))
	told := make([]health, len(disks))
	var asked sync.WaitGroup
	for i, d := range disks[:min(len(disks), maxAsked)] {
		told[i] = health{&constatv1.Disk{}, &constatv1.DiskReading{Name: d.Name}}
		asked.Go(func() { errs[i] = askHealth(ctx, r, d, told[i]) })
	}
	asked.Wait()
	for i, d := range disks {
		switch {
		case i >= maxAsked:
			silent = append(silent, fmt.Errorf("%s: more than %d disks", d.GetName(), maxAsked))
		case errs[i] != nil:
			silent = append(silent, fmt.Errorf("%s: %w", d.GetName(), errs[i]))
		default:
			proto.Merge(d, told[i].disk)
			readings = append(readings, told[i].reading)
		}
	}
	return readings, silent
}

// askHealth asks one disk, over the half that holds the rights.
func askHealth(ctx context.Context, r *reader, d *constatv1.Disk, told health) error {
	way, known := healthVerbs[d.GetBus()]
	switch {
	case !known:
		return fmt.Errorf("disks of the kind %q are not asked for their health: %w", d.GetBus(), errors.ErrUnsupported)
	case r.Privileged == nil:
		return fmt.Errorf("not started with the rights for it: %w", fs.ErrPermission)
	}
	content, err := r.Privileged(ctx, way.verb, d.GetName())
	if err != nil {
		return err
	}
	return way.parse(content, told)
}
