package host

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// joinPrinters makes one printer of what was seen of it in several ways: on the
// bus and on the network, by two queues under two names. The serial tells.
func joinPrinters(seen []*constatv1.Printer) []*constatv1.Printer {
	var joined []*constatv1.Printer
	for _, p := range seen {
		i := slices.IndexFunc(joined, func(other *constatv1.Printer) bool { return sameDevice(other, p) })
		if i < 0 {
			joined = append(joined, p)
			continue
		}
		// What answers tells more of itself than what is only configured.
		one, other := joined[i], p
		if other.GetReachable() && !one.GetReachable() {
			one, other = other, one
		}
		whole := proto.CloneOf(other)
		whole.StateReasons, whole.Supplies, whole.Trays, whole.Alerts, whole.Sources = nil, nil, nil, nil, nil
		proto.Merge(whole, one)
		if len(whole.Supplies) == 0 {
			whole.Supplies = other.Supplies
		}
		if len(whole.Trays) == 0 {
			whole.Trays = other.Trays
		}
		if len(whole.Alerts) == 0 {
			whole.Alerts = other.Alerts
		}
		whole.StateReasons = withReasons(whole.StateReasons, other.StateReasons)
		for _, source := range other.Sources {
			if !slices.Contains(whole.Sources, source) {
				whole.Sources = append(whole.Sources, source)
			}
		}
		joined[i] = whole
	}
	return joined
}

// withReasons adds reasons that are not known already, whatever their severity.
func withReasons(known, more []string) []string {
	stem := func(reason string) string {
		for _, end := range []string{"-report", "-warning", "-error"} {
			reason = strings.TrimSuffix(reason, end)
		}
		return reason
	}
	for _, reason := range more {
		if !slices.ContainsFunc(known, func(k string) bool { return stem(k) == stem(reason) }) {
			known = append(known, reason)
		}
	}
	slices.Sort(known)
	return known
}

// recallPrinters gives printers that do not answer the UUID that was at their
// address when they did, so that they are known again elsewhere.
func recallPrinters(printers []*constatv1.Printer, known map[string]string) {
	for _, p := range printers {
		if p.Reachable != nil && !*p.Reachable && p.Uuid == nil {
			p.Uuid = filled(known[p.GetAddress()])
		}
	}
}

// sameDevice tells by the serial number, which makers print on the device, or
// by the UUID.
func sameDevice(a, b *constatv1.Printer) bool {
	same := func(x, y string) bool { return x != "" && strings.EqualFold(x, y) }
	return same(a.GetSerial(), b.GetSerial()) || same(a.GetUuid(), b.GetUuid())
}

// identityChanged tells whether another device answers than the one that a
// queue was made for, by the serial or UUID in the queue's address; nil where
// either is not known.
func identityChanged(known string, p *constatv1.Printer) *bool {
	told := slices.DeleteFunc([]string{p.GetSerial(), p.GetUuid()}, func(id string) bool { return id == "" })
	if known == "" || len(told) == 0 {
		return nil
	}
	return set(!slices.ContainsFunc(told, func(id string) bool { return strings.EqualFold(id, known) }))
}

// blocking are stems of the reasons for which a printer does not print.
var blocking = []string{"media-jam", "media-empty", "media-needed", "cover-open", "door-open", "interlock-open", "toner-empty", "marker-supply-empty", "marker-supply-missing",
	"marker-waste-full", "output-area-full", "input-tray-missing", "output-tray-missing", "shutdown", "fuser-over-temp", "fuser-under-temp", "opc-life-over", "developer-empty"}

// brokenHop names the first hop of a queue that is seen not to work. The hops
// stand in the order of a document's way; see Queue.broken_hop for the words.
func brokenHop(q *constatv1.Queue, printers []*constatv1.Printer) *string {
	var printer *constatv1.Printer
	for _, p := range printers {
		if q.PrinterId != nil && (p.GetId() == q.GetPrinterId() || strings.EqualFold(p.GetSerial(), q.GetPrinterId()) || strings.EqualFold(p.GetUuid(), q.GetPrinterId())) {
			printer = p
		}
	}
	stops := func(reason string) bool {
		return !strings.HasSuffix(reason, "-warning") && slices.ContainsFunc(blocking, func(stem string) bool { return strings.HasPrefix(reason, stem) })
	}
	asked := printer != nil && printer.State != nil
	silent := q.DeviceReachable != nil && !*q.DeviceReachable
	there := q.GetDeviceAnswersPing() || q.GetDeviceResult() == "refused" || printer != nil && slices.Contains(printer.GetSources(), "snmp")
	switch {
	case q.GetState() == "stopped" && !silent, q.AcceptingJobs != nil && !*q.AcceptingJobs:
		return set("queue")
	case q.DriverPresent != nil && !*q.DriverPresent:
		return set("filter")
	case q.GetDeviceResult() == "nameNotResolved":
		return set("name")
	case silent && there:
		return set("port")
	case silent:
		return set("path")
	case q.GetConnection() == "usb" && printer != nil && printer.Reachable != nil && !*printer.Reachable:
		return set("usb")
	case asked && (printer.GetState() == "stopped" || slices.ContainsFunc(printer.GetStateReasons(), stops)):
		return set("printer")
	case asked:
		return set("none")
	}
	return nil
}
