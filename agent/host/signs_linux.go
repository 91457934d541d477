package host

import (
	"context"
	"os"
)

// Signs are those of the minute that Sample looked at last. Of the print server
// one question is asked, where it runs anyway: a question would start one that
// waits on a socket, again every minute.
func (s *Sampler) Signs(ctx context.Context) Signs {
	signs := s.signs
	r := newReader(ctx, s.config)
	// A dump or a report that is written changes its directory.
	for _, dir := range []string{"/var/lib/systemd/coredump", "/var/crash"} {
		if info, err := r.stat(dir); err == nil && info.ModTime().After(signs.CrashFiles) {
			signs.CrashFiles = info.ModTime()
		}
	}
	if !r.printServerRuns() {
		return signs
	}
	address, _ := cupsAddress(r)
	server := cupsClient(address)
	defer server.close()
	ctx, cancel := context.WithTimeout(ctx, vitalPatience)
	defer cancel()
	attributes := wanted("printer-name", "printer-state", "printer-state-reasons", "queued-job-count")
	if printers, err := server.do(ctx, cupsGetPrinters, ippGroupPrinter, attributes); err == nil {
		signs.FailedQueues = failedQueues(printers)
	}
	return signs
}

// printServerRuns tells whether the print server can be asked without starting it.
func (r *reader) printServerRuns() bool {
	if r.CUPS != "" || os.Getenv("CUPS_SERVER") != "" {
		return true
	}
	if _, err := r.stat("/run/systemd/system"); err != nil {
		_, err = r.stat("/run/cups/cups.sock")
		return err == nil
	}
	// While a unit has processes it has a control group (cgroups(7)).
	for _, group := range []string{"/sys/fs/cgroup/system.slice/cups.service", "/sys/fs/cgroup/systemd/system.slice/cups.service"} {
		if _, err := r.stat(group); err == nil {
			return true
		}
	}
	return false
}

// Metered tells whether what goes over the network is paid for, as NetworkManager
// knows or guesses it (NMMetered); false where nobody knows.
func Metered(ctx context.Context, c Config) bool {
	ctx, cancel := context.WithTimeout(ctx, busTime)
	defer cancel()
	conn, err := systemBus(ctx, newReader(ctx, c))
	if err != nil {
		return false
	}
	defer conn.Close()
	const yes, guessYes = 1, 3
	values, err := properties(ctx, conn.Object("org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager"), "org.freedesktop.NetworkManager")
	metered := property[uint32](values, "Metered")
	return err == nil && metered != nil && (*metered == yes || *metered == guessYes)
}
