package host

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// disks lists the disks and asks them for their health, once.
func (r *reader) disks(ctx context.Context) *diskState {
	r.health.Do(func() { r.health.seen = readDisks(ctx, r) })
	return r.health.seen
}

// readDisks lists the disks and asks them for their health.
func readDisks(ctx context.Context, r *reader) *diskState {
	var s diskState
	names, err := r.names("/sys/block")
	if err != nil {
		return &diskState{listErr: err}
	}
	for _, name := range names {
		if d := disk(r, name); d != nil {
			s.disks = append(s.disks, d)
		}
	}
	s.readings, s.silent = readHealth(ctx, r, s.disks)
	return &s
}

func readReadings(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("/sys/block, health pages of the disks")
	s := r.disks(ctx)
	if s.listErr != nil {
		return nil, failed("/sys/block", fmt.Errorf("no disk can be seen: %w", s.listErr))
	}
	for _, err := range s.silent {
		gap(o, "disks", err)
	}
	return &constatv1.Readings{Disks: s.readings}, o
}
