package host

import "time"

// sources are the groups read on macOS, sorted.
var sources = []source{
	{"counters", 3 * time.Second, readCounters},
	{"network", networkLimit, sharedNetwork},
	{"probes", 8 * time.Second, readProbes},
}
