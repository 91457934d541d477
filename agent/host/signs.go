package host

import (
	"slices"
	"strings"
	"time"
)

// Signs are what a minute shows besides its numbers: what may be a reason to look
// for a cause although nobody asked. A field that is unset or nil was not seen.
type Signs struct {
	// Routed is whether some link has a default route and is connected.
	Routed *bool
	// DNS is whether the resolver answered, in a minute in which it was asked.
	DNS *bool
	// OnBattery and Charge, in percent, are of a machine with a battery.
	OnBattery *bool
	Charge    *int
	// FailedQueues are print queues with jobs that can't go on, sorted; empty: all
	// go on.
	FailedQueues []string
	// CrashFiles is when a program's crash was last written down; zero: never.
	CrashFiles time.Time
}

// queueStopped is IPP's printer-state `stopped` (RFC 8011 5.4.11).
const queueStopped = 5

// failedQueues are the queues among these printers that have jobs and can't print
// them: they are stopped, or give a reason of severity `error` (RFC 8011 5.4.12).
// A queue that takes no jobs on purpose, or has none, is none of them.
func failedQueues(printers [][]ippAttribute) []string {
	failed := []string{}
	for _, attributes := range printers {
		name, jobs := ippValue[string](attributes, "printer-name"), ippValue[int32](attributes, "queued-job-count")
		if name == nil || jobs == nil || *jobs == 0 {
			continue
		}
		state := ippValue[int32](attributes, "printer-state")
		stopped := state != nil && *state == queueStopped
		if stopped || slices.ContainsFunc(ippValues[string](attributes, "printer-state-reasons"), func(reason string) bool {
			return strings.HasSuffix(reason, "-error")
		}) {
			failed = append(failed, *name)
		}
	}
	slices.Sort(failed)
	return failed
}
