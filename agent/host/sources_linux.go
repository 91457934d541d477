package host

import "time"

// sources are the groups read on Linux, sorted.
var sources = []source{
	{"counters", 3 * time.Second, readCounters},
	{"host", 2 * time.Second, readHost},
	{"load", 3 * time.Second, readLoad},
	{"network", networkLimit, sharedNetwork},
	{"probes", 8 * time.Second, readProbes},
	{"space", 2 * time.Second, readSpace},
	{"storage", 2 * time.Second, readStorage},
}
