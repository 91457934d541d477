package host

import "time"

// sources are the groups read on Windows, sorted.
var sources = []source{
	{"clock", 4 * time.Second, readClock},
	{"counters", 3 * time.Second, readCounters},
	{"crashes", 5 * time.Second, readCrashes},
	{"host", 5 * time.Second, readHost},
	{"load", 3 * time.Second, readLoad},
	{"network", networkLimit, sharedNetwork},
	{"printing", 8 * time.Second, readPrinting},
	{"probes", 8 * time.Second, readProbes},
	{"security", 3 * time.Second, readSecurity},
	{"services", 5 * time.Second, readServices},
	{"sign_in", 5 * time.Second, readSignIn},
	{"software", 8 * time.Second, readSoftware},
	{"space", 5 * time.Second, readSpace},
	{"updates", 5 * time.Second, readUpdates},
}
