package host

import "time"

// sources are the groups read on macOS, sorted. Those that ask system_profiler have
// time for it to look at devices.
var sources = []source{
	{"clock", 9 * time.Second, readClock},
	{"counters", 3 * time.Second, readCounters},
	{"crashes", 16 * time.Second, readCrashes},
	{"hardware", 14 * time.Second, readHardware},
	{"host", 12 * time.Second, readHost},
	{"load", 12 * time.Second, readLoad},
	{"network", networkLimit, sharedNetwork},
	{"peripherals", 20 * time.Second, readPeripherals},
	{"power", 14 * time.Second, readPower},
	{"printing", 10 * time.Second, readPrinting},
	{"probes", 8 * time.Second, readProbes},
	{"readings", 20 * time.Second, readReadings},
	{"security", 14 * time.Second, readSecurity},
	{"services", 20 * time.Second, readServices},
	{"sign_in", 18 * time.Second, readSignIn},
	{"software", softwareLimit, readSoftware},
	{"space", 5 * time.Second, readSpace},
	{"storage", 25 * time.Second, readStorage},
	{"updates", 5 * time.Second, readUpdates},
	{"usb", 18 * time.Second, readUSB},
	{"wifi", 18 * time.Second, readWifi},
}
