package host

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"syscall"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// cupsSocket is where CUPS listens for programs of this machine.
const cupsSocket = "/run/cups/cups.sock"

// printersBus lists the USB devices, among which printers are.
func printersBus(_ context.Context, r *reader) ([]*constatv1.UsbDevice, error) { return usbDevices(r) }

// silentSpooler tells a print server that is not there from one that is
// stopped; nil when the error means neither.
func silentSpooler(r *reader, err error, local bool) *string {
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) && !(local && r.CUPS == "" && r.unserved("cupsd")) {
		return nil
	}
	installed := false
	for _, name := range []string{"/usr/sbin/cupsd", "/usr/bin/cupsd", "/snap/bin/cups.cupsd"} {
		if _, err := r.stat(name); err == nil {
			installed = true
		}
	}
	if _, err := r.stat("/usr"); err != nil && !installed {
		return nil // where programs are cannot be seen
	}
	masked, _ := r.link("/etc/systemd/system/cups.service")
	switch {
	case local && !installed && r.CUPS == "":
		return set("absent")
	case local && masked == "/dev/null":
		return set("disabled")
	}
	return set("stopped")
}

// unserved tells whether nobody serves a socket that takes connections, as
// systemd's do for a service that is not there: no process of that name runs, or
// it was stopped by a signal (proc(5), states T and t).
func (r *reader) unserved(process string) bool {
	_, processes, hidden, err := r.listProcesses()                   // a new look: the question may have started it
	if _, all := processes[1]; err != nil || hidden != nil || !all { // hidepid of proc(5)
		return false
	}
	for _, p := range processes {
		if p.name == process && p.state != 'T' && p.state != 't' {
			return false
		}
	}
	return true
}

// avahiTime is how long Avahi may take to let somebody in.
const avahiTime = time.Second

// discoveryState tells how the service stands that finds printers; nil and why when
// nothing tells. Its socket's file stays when it stops, so it is knocked at: one
// that systemd listens at for Avahi is as good, it starts when somebody asks.
func discoveryState(ctx context.Context, r *reader) (*string, error) {
	d := net.Dialer{Timeout: avahiTime}
	conn, err := d.DialContext(ctx, "unix", r.path("/run/avahi-daemon/socket"))
	switch {
	case err == nil:
		return set("running"), conn.Close()
	case !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	for _, program := range []string{"/usr/sbin/avahi-daemon", "/usr/bin/avahi-daemon"} {
		if _, err := r.stat(program); err == nil {
			return set("stopped"), nil
		}
	}
	if _, err := r.stat("/usr"); err != nil {
		return nil, err
	}
	return set("absent"), nil
}

// keptFromNeighbours: this system keeps no program from the local network.
func keptFromNeighbours(error, netip.Addr) error { return nil }
