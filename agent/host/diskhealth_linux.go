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

// readHealth asks all disks at the same time and adds what they tell.
func readHealth(ctx context.Context, r *reader, disks []*constatv1.Disk, o *constatv1.Observation) {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	errs := make([]error, len(disks))
	told := make([]*constatv1.Disk, len(disks))
	var asked sync.WaitGroup
	for i, d := range disks[:min(len(disks), maxAsked)] {
		told[i] = &constatv1.Disk{}
		asked.Go(func() { errs[i] = askHealth(ctx, r, d, told[i]) })
	}
	asked.Wait()
	for i, d := range disks {
		switch {
		case told[i] == nil:
			gap(o, "disks.smart_passed", fmt.Errorf("%s: more than %d disks", d.GetName(), maxAsked))
		case errs[i] != nil:
			gap(o, "disks.smart_passed", fmt.Errorf("%s: %w", d.GetName(), errs[i]))
		default:
			proto.Merge(d, told[i])
		}
	}
}

// askHealth asks one disk, over the half that holds the rights.
func askHealth(ctx context.Context, r *reader, d, told *constatv1.Disk) error {
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
