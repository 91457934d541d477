package host

import "time"

// sources are the groups read on Linux, sorted.
var sources = []source{
	{"clock", 2 * time.Second, readClock},
	{"counters", 3 * time.Second, readCounters},
	{"crashes", 3 * time.Second, readCrashes},
	{"hardware", 3 * time.Second, readHardware},
	{"host", 3 * time.Second, readHost},
	{"load", 3 * time.Second, readLoad},
	{"network", networkLimit, sharedNetwork},
	{"power", 3 * time.Second, readPower},
	{"peripherals", 6 * time.Second, readPeripherals},
	{"printing", 6 * time.Second, readPrinting},
	{"probes", 8 * time.Second, readProbes},
	{"readings", 6 * time.Second, readReadings},
	{"security", 3 * time.Second, readSecurity},
	{"services", 3 * time.Second, readServices},
	{"sign_in", 3 * time.Second, readSignIn},
	{"software", 5 * time.Second, readSoftware},
	{"space", 2 * time.Second, readSpace},
	{"storage", 6 * time.Second, readStorage},
	{"updates", 5 * time.Second, readUpdates},
	{"usb", 3 * time.Second, readUSB},
	{"wifi", 3 * time.Second, readWifi},
}
