package desk

import (
	"context"
	"time"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// ErrTwin refuses a machine that carries a copy of another one's identity, while
// that one lives: its disk was copied after it had enrolled.
var ErrTwin = problem(ErrForbidden, "this machine carries a copy of another one's identity (a copied disk?): enrol it, and it gets its own")

const (
	// twinsFor is how long after its last turn a machine counts as alive.
	twinsFor = 7 * 24 * time.Hour
	// maxInstances bounds how many runs of agents are remembered of an endpoint.
	maxInstances = 8
)

// noteInstance remembers that a run of an agent connected with an endpoint's
// identity. Runs of one machine follow each other: who is gone does not come
// back. Two that both came back after the other one are two live machines. (A
// virtual machine that is set back to a snapshot takes one former turn again,
// and never both.)
//
// It refuses, with ErrTwin, the one whose firmware is not that of the machine
// that was enrolled.
func noteInstance(ctx context.Context, q *query.Queries, e query.Endpoint, from string, hello *constatv1.Hello, now time.Time) error {
	instance, hardware := line(hello.GetInstance(), maxName), line(hello.GetHardwareHash(), maxName)
	if instance == "" {
		return nil // an older agent
	}
	runs, err := q.EndpointInstances(ctx, e.ID)
	if err != nil {
		return err
	}
	if e.HardwareHash == "" && hardware != "" && len(runs) == 0 {
		// Enrolled by an older agent, and nobody else has shown its identity yet.
		e.HardwareHash = hardware
		if err := q.SetEndpointHardware(ctx, e.ID, hardware); err != nil {
			return err
		}
	}
	mine := query.EndpointInstance{
		EndpointID: e.ID, Instance: instance, HardwareHash: hardware,
		Hostname: line(hello.GetHostname(), maxName), Address: from, ConnectedAt: store.Millis(now),
	}
	former := -1
	for i, run := range runs {
		if run.Instance == instance {
			former = i
		}
	}
	switch {
	case former < 0:
		err = q.AddEndpointInstance(ctx, query.AddEndpointInstanceParams{
			EndpointID: mine.EndpointID, Instance: mine.Instance, HardwareHash: mine.HardwareHash,
			Hostname: mine.Hostname, Address: mine.Address, ConnectedAt: mine.ConnectedAt,
		})
	default:
		mine.ReturnedAt = runs[former].ReturnedAt
		if former > 0 {
			mine.ReturnedAt = mine.ConnectedAt
		}
		err = q.SeeEndpointInstance(ctx, query.SeeEndpointInstanceParams{
			EndpointID: mine.EndpointID, Instance: mine.Instance, Address: mine.Address,
			ConnectedAt: mine.ConnectedAt, ReturnedAt: mine.ReturnedAt,
		})
		runs[former] = mine
	}
	if err != nil {
		return err
	}
	for i := maxInstances - 1; i < len(runs); i++ {
		if err := q.ForgetEndpointInstance(ctx, e.ID, runs[i].Instance); err != nil {
			return err
		}
	}
	if isEnrolled := sameHardware(hardware, e.HardwareHash); isEnrolled == nil || *isEnrolled {
		return nil
	}
	for _, run := range alive(runs, now) {
		if run.Instance != instance && run.HardwareHash == e.HardwareHash {
			return ErrTwin
		}
	}
	return nil
}

// alive gives the runs that take turns, none when there are not two of them.
func alive(runs []query.EndpointInstance, now time.Time) []query.EndpointInstance {
	var turns []query.EndpointInstance
	for _, run := range runs {
		if run.ReturnedAt != 0 && run.ReturnedAt > store.Millis(now.Add(-twinsFor)) {
			turns = append(turns, run)
		}
	}
	if len(turns) < 2 {
		return nil
	}
	return turns
}

// sameHardware compares hashes of firmware; nil when one is not known.
func sameHardware(a, b string) *bool {
	if a == "" || b == "" {
		return nil
	}
	same := a == b
	return &same
}

// twins gives the machines that show an endpoint's identity in turn.
func (d *Desk) twins(ctx context.Context, q *query.Queries, e query.Endpoint) ([]*deskv1.Endpoint_Twin, error) {
	runs, err := q.EndpointInstances(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	var twins []*deskv1.Endpoint_Twin
	for _, run := range alive(runs, d.now()) {
		twins = append(twins, &deskv1.Endpoint_Twin{
			Hostname: run.Hostname, Address: run.Address, ConnectedAt: timestamp(run.ConnectedAt),
			Enrolled: sameHardware(run.HardwareHash, e.HardwareHash),
		})
	}
	return twins, nil
}
