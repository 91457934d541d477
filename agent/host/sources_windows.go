package host

import "time"

// sources are the groups read on Windows, sorted.
var sources = []source{
	{"counters", 3 * time.Second, readCounters},
	{"host", 5 * time.Second, readHost},
	{"load", 3 * time.Second, readLoad},
	{"network", networkLimit, sharedNetwork},
	{"probes", 8 * time.Second, readProbes},
	{"space", 5 * time.Second, readSpace},
}
