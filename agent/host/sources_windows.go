package host

import "time"

// sources are the groups read on Windows, sorted.
var sources = sayingGaps([]source{
	{"clock", 4 * time.Second, readClock},
	{"counters", 3 * time.Second, readCounters},
	{"crashes", 5 * time.Second, readCrashes},
	{"hardware", 5 * time.Second, readHardware},
	{"host", 5 * time.Second, readHost},
	{"load", 3 * time.Second, readLoad},
	{"network", networkLimit, sharedNetwork},
	{"peripherals", 6 * time.Second, readPeripherals},
	{"power", 4 * time.Second, readPower},
	{"printing", 8 * time.Second, readPrinting},
	{"probes", 8 * time.Second, readProbes},
	{"readings", 6 * time.Second, readReadings},
	{"security", 3 * time.Second, readSecurity},
	{"services", 5 * time.Second, readServices},
	{"sign_in", 5 * time.Second, readSignIn},
	{"software", 8 * time.Second, readSoftware},
	{"space", 5 * time.Second, readSpace},
	{"storage", 6 * time.Second, readStorage},
	{"updates", 5 * time.Second, readUpdates},
	{"usb", 5 * time.Second, readUSB},
	{"wifi", 3 * time.Second, readWifi},
})
