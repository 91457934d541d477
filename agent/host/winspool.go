package host

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// Sizes of the print spooler's structures on 64 bits (winspool.h).
const (
	printerRowSize = 136 // PRINTER_INFO_2W
	jobRowSize     = 160 // JOB_INFO_2W
	portRowSize    = 32  // PORT_INFO_2W
	driverRowSize  = 8   // DRIVER_INFO_1W
)

// PRINTER_STATUS_…: what each bit says in the words of RFC 8011 5.4.12.
var printerStatusReasons = []struct {
	bit    uint32
	reason string
}{
	{0x1, "paused"},
	{0x8, "media-jam-error"},
	{0x10, "media-empty-error"},
	{0x20, "media-needed"},
	{0x80, "offline-report"},
	{0x800, "output-area-full-error"},
	{0x20000, "toner-low-warning"},
	{0x40000, "toner-empty-error"},
	{0x400000, "door-open-error"},
	// An error, a paper problem, a page that can't be printed, somebody who is
	// needed, too little memory: it does not say which.
	{0x2 | 0x40 | 0x80000 | 0x100000 | 0x200000, "other-error"},
}

// Other bits of a queue's status and attributes.
const (
	printerPaused          = 0x1
	printerPendingDeletion = 0x4
	printerOffline         = 0x80
	printerBusy            = 0x100 | 0x200 | 0x400 | 0x4000 | 0x10000
	attributeShared        = 0x8
	attributeNetwork       = 0x10
	attributeWorkOffline   = 0x400
	attributeFax           = 0x4000
)

// winQueue is a queue of Windows' spooler, and the port it prints to.
type winQueue struct {
	*constatv1.Queue
	port    string
	remote  bool
	waiting uint32 // jobs in it
}

// decodeQueues reads the answer of EnumPrintersW at level 2.
func decodeQueues(b winBuffer, n uint32) []winQueue {
	var list []winQueue
	for _, at := range b.rows(n, printerRowSize) {
		status, attributes := b.u32(at+124), b.u32(at+104)
		q := winQueue{port: b.text(at + 24), waiting: b.u32(at + 128), remote: attributes&attributeNetwork != 0, Queue: &constatv1.Queue{
			Name: filled(b.text(at + 8)), Driver: filled(b.text(at + 32)), Shared: set(attributes&attributeShared != 0),
			State: set("idle"), AcceptingJobs: set(status&printerPendingDeletion == 0),
			Offline: set(attributes&attributeWorkOffline != 0 || status&printerOffline != 0),
		}}
		if q.Name == nil {
			continue
		}
		switch {
		case status&printerPaused != 0:
			q.State = set("stopped")
		case status&printerBusy != 0:
			q.State = set("processing")
		}
		for _, row := range printerStatusReasons {
			if status&row.bit != 0 {
				q.StateReasons = append(q.StateReasons, row.reason)
			}
		}
		slices.Sort(q.StateReasons)
		if attributes&attributeFax != 0 {
			q.Physical = set(false)
		}
		list = append(list, q)
	}
	return list
}

// JOB_STATUS_… (winspool.h).
const (
	jobPaused   = 0x1
	jobError    = 0x2
	jobDeleting = 0x4
	jobSpooling = 0x8
	jobPrinting = 0x10
	jobOffline  = 0x20
	jobPaperOut = 0x40
	jobPrinted  = 0x80
	jobDeleted  = 0x100
	jobBlocked  = 0x200
	jobUser     = 0x400
	jobComplete = 0x1000
	jobRetained = 0x2000
	jobRenders  = 0x4000
)

// decodeJobs reads the answer of EnumJobsW at level 2, without titles and owners.
func decodeJobs(b winBuffer, n uint32) []*constatv1.Job {
	var jobs []*constatv1.Job
	for _, at := range b.rows(n, jobRowSize) {
		status := b.u32(at + 104)
		j := &constatv1.Job{Id: set(int32(b.u32(at))), State: set("pending"), CreatedAt: systemTime(b, at+132), ImpressionsCompleted: set(int32(b.u32(at + 152)))}
		if bytes := b.u32(at + 128); bytes > 0 {
			j.SizeKbytes = set(int32((uint64(bytes) + 1023) / 1024))
		}
		reason := func(bits uint32, word string) {
			if status&bits != 0 {
				j.StateReasons = append(j.StateReasons, word)
			}
		}
		reason(jobBlocked, "document-format-error")
		reason(jobSpooling, "job-incoming")
		reason(jobOffline|jobPaperOut|jobUser, "printer-stopped")
		reason(jobDeleting, "processing-to-stop-point")
		switch {
		case status&jobDeleted != 0:
			j.State = set("canceled")
		case status&(jobPrinted|jobComplete|jobRetained) != 0 && status&(jobError|jobDeleting|jobPrinting) == 0:
			j.State = set("completed")
		case status&(jobError|jobBlocked|jobPaperOut|jobUser) != 0:
			j.State = set("processingStopped")
		case status&jobPaused != 0:
			j.State = set("pendingHeld")
		case status&(jobPrinting|jobDeleting|jobRenders) != 0:
			j.State = set("processing")
			if ms := b.u32(at + 148); ms > 0 {
				j.ProcessingSeconds = set(int32(ms / 1000))
			}
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// systemTime reads a SYSTEMTIME in UTC; nil for one that is none.
func systemTime(b winBuffer, at int) *timestamppb.Timestamp {
	year, month, day := int(b.u16(at)), int(b.u16(at+2)), int(b.u16(at+6))
	if year < 1990 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 {
		return nil
	}
	return timestamppb.New(time.Date(year, time.Month(month), day, int(b.u16(at+8)), int(b.u16(at+10)), int(b.u16(at+12)), 0, time.UTC))
}

// addWinJobs hands a queue its jobs: those that wait, and the last ones that are
// done with and still kept.
func addWinJobs(q *constatv1.Queue, jobs []*constatv1.Job, now time.Time) {
	slices.SortFunc(jobs, newerJob)
	var waiting, done []*constatv1.Job
	for _, j := range jobs {
		if j.GetState() == "completed" || j.GetState() == "canceled" {
			done = append(done, j)
			continue
		}
		waiting = append(waiting, j)
		if j.CreatedAt != nil {
			age := int32(max(0, now.Sub(j.CreatedAt.AsTime()).Seconds()))
			q.OldestJobSeconds = set(max(q.GetOldestJobSeconds(), age))
		}
	}
	q.PendingJobs = set(int32(len(waiting)))
	done = done[:min(len(done), maxFinished)]
	q.Jobs = append(done, waiting[:min(len(waiting), maxJobs-len(done))]...)
	slices.SortFunc(q.Jobs, newerJob)
}

// spoolerFellOver is the library that the print service fell over last, by events
// that are the newest first; nil where it did not.
func spoolerFellOver(events []loggedEvent) *string {
	for _, e := range events {
		if c := programCrash(e); c != nil && strings.EqualFold(c.GetProgram(), "spoolsv.exe") {
			return c.Module
		}
	}
	return nil
}

// decodePorts reads the answer of EnumPortsW at level 2: the monitor behind each
// port.
func decodePorts(b winBuffer, n uint32) map[string]string {
	ports := map[string]string{}
	for _, at := range b.rows(n, portRowSize) {
		ports[b.text(at)] = b.text(at + 8)
	}
	return ports
}

// decodeDriverNames reads the answer of EnumPrinterDriversW at level 1.
func decodeDriverNames(b winBuffer, n uint32) []string {
	var names []string
	for _, at := range b.rows(n, driverRowSize) {
		names = append(names, b.text(at))
	}
	return names
}

// Ports that lead to a file, or ask for one.
var filePorts = []string{"FILE:", "PORTPROMPT:", "NUL:", "XPSPORT:", "NUL", "SHRFAX:"}

// winPorts is what the registry knows of the ports: those of the standard TCP/IP
// monitor by their name, where WSD printers are by their port, and what USB ports
// lead to.
type winPorts struct {
	tcp map[string]registryKey
	wsd map[string]string
	usb map[string]usbPort
}

// usbPort is the device behind "USB001".
type usbPort struct {
	instance string
	present  *bool
}

// device is where a queue's documents go, by its port.
func (p winPorts) device(q winQueue) printDevice {
	tcp, isTCP := p.tcp[strings.ToLower(q.port)]
	wsd, isWSD := p.wsd[strings.ToLower(q.port)]
	usb, isUSB := p.usb[strings.ToUpper(q.port)]
	switch {
	case q.remote || strings.HasPrefix(q.GetName(), `\\`):
		server, _, _ := strings.Cut(strings.TrimPrefix(q.GetName(), `\\`), `\`)
		d := parsePrintDevice("smb://" + server)
		d.physical = nil
		return d
	case isTCP:
		return tcpPort(tcp)
	case isWSD || strings.HasPrefix(q.port, "WSD-"):
		d := printDevice{shown: "wsd://", connection: "wsd", physical: set(true)}
		if u, err := url.Parse(wsd); err == nil && u.Hostname() != "" && u.Scheme == "http" {
			port := u.Port()
			if port == "" {
				port = "80"
			}
			d.address = net.JoinHostPort(u.Hostname(), port)
			d.shown += d.address
		}
		return d
	case isUSB || strings.HasPrefix(q.port, "USB0"):
		return printDevice{shown: "usb://" + q.port, connection: "usb", id: serialOf(usb.instance), physical: set(true)}
	case strings.HasPrefix(q.port, "http://"), strings.HasPrefix(q.port, "https://"), strings.HasPrefix(q.port, "ipp://"), strings.HasPrefix(q.port, "ipps://"):
		return parsePrintDevice(q.port)
	case slices.ContainsFunc(filePorts, func(name string) bool { return strings.EqualFold(name, q.port) }), strings.Contains(q.port, `:\`):
		return printDevice{shown: "file://", connection: "file", physical: set(false)}
	}
	return printDevice{connection: "other"}
}

// tcpPort is where a port of the standard TCP/IP monitor leads. Its community for
// SNMP is not looked at.
func tcpPort(key registryKey) printDevice {
	host := key.text("HostName")
	if host == "" {
		host = key.text("IPAddress")
	}
	const lpr = 2
	scheme, port := "socket", uint64(9100)
	if key.is("Protocol", lpr) {
		scheme, port = "lpd", 515
	} else if n := key.number("PortNumber"); n != nil && *n > 0 && *n < 1<<16 {
		port = *n
	}
	if host == "" {
		return printDevice{connection: scheme, physical: set(true)}
	}
	return parsePrintDevice(scheme + "://" + net.JoinHostPort(host, strconv.FormatUint(port, 10)))
}

// serialOf is the serial number in a device's instance, "USB\VID_03F0&PID_0C17\CN1234";
// Windows makes up one with "&" where the device has none.
func serialOf(instance string) string {
	serial := instance[strings.LastIndexByte(instance, '\\')+1:]
	if strings.Contains(serial, "&") {
		return ""
	}
	return serial
}

// interfaceInstance is the device's instance in the name of an interface's key:
// "##?#USB#VID_03F0&PID_0C17#CN1234#{28d78fad-…}".
func interfaceInstance(name string) string {
	parts := strings.Split(strings.TrimPrefix(name, "##?#"), "#")
	if len(parts) < 4 || !strings.EqualFold(parts[0], "USB") {
		return ""
	}
	return strings.Join(parts[:3], `\`)
}

// chosenDefault is the queue in a user's "Device" value: "name,winspool,port".
func chosenDefault(device string) string {
	parts := strings.Split(device, ",")
	if len(parts) < 3 {
		return ""
	}
	return strings.Join(parts[:len(parts)-2], ",")
}
