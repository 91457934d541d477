package host

import "time"

// sources are the groups read on Windows, sorted.
var sources = []source{
	{"counters", 3 * time.Second, readCounters},
	{"crashes", 5 * time.Second, readCrashes},
	{"host", 5 * time.Second, readHost},
	{"load", 3 * time.Second, readLoad},
	{"network", networkLimit, sharedNetwork},
	{"printing", 8 * time.Second, readPrinting},
	{"probes", 8 * time.Second, readProbes},
	{"services", 5 * time.Second, readServices},
	{"software", 8 * time.Second, readSoftware},
	{"space", 5 * time.Second, readSpace},
	{"updates", 5 * time.Second, readUpdates},
}
