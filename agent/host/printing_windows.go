package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

var winspool = windows.NewLazySystemDLL("winspool.drv")

func readPrinting(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("winspool, service control manager, registry, event log")
	p := &constatv1.Printing{Spooler: &constatv1.Spooler{Kind: set("windows")}}
	spoolerState(ctx, r, p.Spooler, o)
	if state := p.Spooler.GetState(); state != "" && state != "running" {
		return p, o
	}
	// A spooler that hangs holds up whoever calls it, for good.
	type told struct {
		queues []winQueue
		jobs   map[string][]*constatv1.Job
		ports  winPorts
		names  []string
		errs   [3]error
	}
	t, err := bounded(ctx, "the print service", spoolerLimit, func(context.Context) (t told, _ error) {
		t.queues, t.errs[0] = enumQueues(printersHere | printersConnected)
		t.names, t.errs[1] = driverNames()
		t.jobs, t.errs[2] = queueJobs(t.queues)
		t.ports = readPorts()
		return t, nil
	})
	if err != nil {
		return nil, failed(o.Source, err)
	}
	if t.errs[0] != nil {
		return nil, failed(o.Source, t.errs[0])
	}
	if t.errs[1] != nil {
		gap(o, "queues.driver_present", t.errs[1])
	}
	if t.errs[2] != nil {
		gap(o, "queues.jobs", t.errs[2])
	}
	now := time.Now()
	devices := map[*constatv1.Queue]printDevice{}
	add := func(q winQueue) {
		d := t.ports.device(q)
		q.DeviceUri, q.Connection = filled(d.shown), &d.connection
		q.PrinterId = filled(d.id)
		if q.Physical == nil {
			q.Physical = d.physical
		}
		devices[q.Queue] = d
		p.Queues = append(p.Queues, q.Queue)
	}
	for _, q := range t.queues {
		if t.errs[1] == nil && !q.remote && q.Driver != nil {
			q.DriverPresent = set(slices.ContainsFunc(t.names, func(name string) bool { return strings.EqualFold(name, q.GetDriver()) }))
		}
		if jobs, asked := t.jobs[q.GetName()]; asked {
			addWinJobs(q.Queue, jobs, now)
		}
		add(q)
	}
	for _, q := range connections(p.Queues) {
		add(q)
	}
	slices.SortFunc(p.Queues, func(a, b *constatv1.Queue) int { return strings.Compare(a.GetName(), b.GetName()) })
	p.DefaultQueue = defaultQueue(o)
	networkPrinters(ctx, p, devices, o)
	recallPrinters(p.Printers, r.Printers)
	for _, q := range p.Queues {
		port, known := t.ports.usb[strings.ToUpper(strings.TrimPrefix(q.GetDeviceUri(), "usb://"))]
		if q.GetConnection() == "usb" && known && port.present != nil {
			if q.PrinterId == nil {
				q.PrinterId = set(port.instance)
			}
			p.Printers = append(p.Printers, &constatv1.Printer{
				Id: q.PrinterId, Serial: filled(serialOf(port.instance)), Connection: set("usb"), Address: set(port.instance), Reachable: port.present, Sources: []string{"usb"},
			})
		}
	}
	p.Printers = joinPrinters(p.Printers)
	for _, q := range p.Queues {
		q.BrokenHop = brokenHop(q, p.Printers)
	}
	slices.SortFunc(p.Printers, func(a, b *constatv1.Printer) int { return strings.Compare(a.GetId(), b.GetId()) })
	// It starts when somebody looks for printers: only disabled does it not work.
	switch s, err := r.serviceNamed("fdPHost"); {
	case err != nil:
		gap(o, "discovery_state", err)
	case s == nil:
		p.DiscoveryState = set("absent")
	case s.facts().GetState() == "running":
		p.DiscoveryState = set("running")
	case s.facts().GetStartType() == "disabled":
		p.DiscoveryState = set("stopped")
	default:
		gap(o, "discovery_state", fmt.Errorf("Windows starts it when somebody looks for printers: %w", errors.ErrUnsupported))
	}
	return p, o
}

// spoolerState tells how the print service stands, and what it fell over.
func spoolerState(ctx context.Context, r *reader, s *constatv1.Spooler, o *constatv1.Observation) {
	service, err := r.serviceNamed("Spooler")
	shown := "Print Spooler"
	switch {
	case err != nil:
		gap(o, "spooler.state", err)
	case service == nil:
		s.State = set("absent")
		return
	default:
		shown = service.shown
		switch f := service.facts(); {
		case f.GetState() == "running":
			s.State = set("running")
		case f.GetStartType() == "disabled":
			s.State = set("disabled")
		case f.GetState() == "stopped", f.GetState() == "failed":
			s.State = set("stopped")
		}
	}
	if events, err := loggedEvents(ctx, scmRows, recently); err != nil {
		gap(o, "spooler.restarts", err)
	} else {
		s.Restarts = set(scmRestarts(events, time.Now().Add(-recently))[shown])
	}
	events, err := loggedEvents(ctx, crashRows[:1], 24*time.Hour)
	if err != nil {
		gap(o, "spooler.failing_module", err)
	}
	s.FailingModule = spoolerFellOver(events)
}

// enumeration is a call of the spooler that fills a buffer.
type enumeration func(buffer *uint64, size uint32, needed, n *uint32) (uintptr, error)

// enumerate calls with a buffer that is large enough.
func enumerate(name string, call enumeration) (winBuffer, uint32, error) {
	size := uint32(16 << 10)
	for range 4 {
		buffer := make([]uint64, size/8)
		var needed, n uint32
		ok, err := call(&buffer[0], size, &needed, &n)
		if ok != 0 {
			return bufferOf(buffer), n, nil
		}
		if !errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) || needed <= size || needed > 16<<20 {
			return winBuffer{}, 0, windowsError(name, err)
		}
		size = needed/8*8 + 4<<10
	}
	return winBuffer{}, 0, fmt.Errorf("%s: its answer grows", name)
}

// PRINTER_ENUM_…: the queues of this machine, and the connections to print servers
// of the account that this program runs as.
const (
	printersHere      = 0x2
	printersConnected = 0x4
)

func enumQueues(which uintptr) ([]winQueue, error) {
	const level = 2
	b, n, err := enumerate("EnumPrinters", func(buffer *uint64, size uint32, needed, n *uint32) (uintptr, error) {
		ok, _, err := winspool.NewProc("EnumPrintersW").Call(which, 0, level, uintptr(unsafe.Pointer(buffer)), uintptr(size),
			uintptr(unsafe.Pointer(needed)), uintptr(unsafe.Pointer(n)))
		return ok, err
	})
	return decodeQueues(b, n), err
}

func driverNames() ([]string, error) {
	everywhere, err := windows.UTF16PtrFromString("all")
	if err != nil {
		return nil, err
	}
	b, n, err := enumerate("EnumPrinterDrivers", func(buffer *uint64, size uint32, needed, n *uint32) (uintptr, error) {
		ok, _, err := winspool.NewProc("EnumPrinterDriversW").Call(0, uintptr(unsafe.Pointer(everywhere)), 1, uintptr(unsafe.Pointer(buffer)), uintptr(size),
			uintptr(unsafe.Pointer(needed)), uintptr(unsafe.Pointer(n)))
		return ok, err
	})
	return decodeDriverNames(b, n), err
}

// queueJobs are the jobs in this machine's own queues, by the queue's name; a
// queue that is missing could not be asked.
func queueJobs(queues []winQueue) (map[string][]*constatv1.Job, error) {
	all := map[string][]*constatv1.Job{}
	var failed error
	for _, q := range queues {
		if q.remote {
			continue // its server would be asked
		}
		jobs, err := jobsOf(q.GetName())
		if err != nil {
			failed = err
			continue
		}
		all[q.GetName()] = jobs
	}
	return all, failed
}

func jobsOf(queue string) ([]*constatv1.Job, error) {
	const maxJobsAsked, level = 1000, 2
	name, err := windows.UTF16PtrFromString(queue)
	if err != nil {
		return nil, err
	}
	var h windows.Handle
	if ok, _, err := winspool.NewProc("OpenPrinterW").Call(uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&h)), 0); ok == 0 {
		return nil, windowsError("OpenPrinter", err)
	}
	defer func() { _, _, _ = winspool.NewProc("ClosePrinter").Call(uintptr(h)) }()
	b, n, err := enumerate("EnumJobs", func(buffer *uint64, size uint32, needed, n *uint32) (uintptr, error) {
		ok, _, err := winspool.NewProc("EnumJobsW").Call(uintptr(h), 0, maxJobsAsked, level, uintptr(unsafe.Pointer(buffer)), uintptr(size),
			uintptr(unsafe.Pointer(needed)), uintptr(unsafe.Pointer(n)))
		return ok, err
	})
	return decodeJobs(b, n), err
}

// readPorts reads where the ports lead. What is not there tells nothing.
func readPorts() winPorts {
	p := winPorts{tcp: map[string]registryKey{}, wsd: map[string]string{}, usb: map[string]usbPort{}}
	const control = `SYSTEM\CurrentControlSet\Control\`
	tcp, _ := registryBelow(registry.LOCAL_MACHINE, control+`Print\Monitors\Standard TCP/IP Port\Ports`, 0)
	for _, key := range tcp {
		p.tcp[strings.ToLower(key.name)] = key
	}
	const devices = `SYSTEM\CurrentControlSet\Enum\SWD\DAFWSDProvider`
	wsd, _ := registryBelow(registry.LOCAL_MACHINE, control+`Print\Monitors\WSD Port\Ports`, 0)
	for _, key := range wsd {
		where := ""
		if id := key.text("Printer UUID"); id != "" {
			device, _ := registryValues(registry.LOCAL_MACHINE, devices+`\`+id, 0)
			where = device.text("LocationInformation")
		}
		p.wsd[strings.ToLower(key.name)] = where
	}
	// GUID_DEVINTERFACE_USBPRINT: which device is behind "USB001" (usbprint.h).
	const interfaces = control + `DeviceClasses\{28d78fad-5a12-11d1-ae5b-0000f803a8c2}`
	names, _ := registryNames(registry.LOCAL_MACHINE, interfaces, 0)
	for _, name := range names {
		settings, err := registryValues(registry.LOCAL_MACHINE, interfaces+`\`+name+`\#\Device Parameters`, 0)
		instance, number := interfaceInstance(name), settings.number("Port Number")
		if err != nil || instance == "" || number == nil {
			continue
		}
		base := settings.text("Base Name")
		if base == "" {
			base = "USB"
		}
		port := strings.ToUpper(fmt.Sprintf("%s%03d", base, *number))
		present := devicePresent(instance)
		if old, known := p.usb[port]; known && old.present != nil && *old.present && (present == nil || !*present) {
			continue // one that was at this port before
		}
		p.usb[port] = usbPort{instance, present}
	}
	return p
}

// devicePresent tells whether a device is there now; nil where that can't be
// asked.
func devicePresent(instance string) *bool {
	const success, noSuchDevice, normal = 0, 0xd, 0
	id, err := windows.UTF16PtrFromString(instance)
	locate := windows.NewLazySystemDLL("cfgmgr32.dll").NewProc("CM_Locate_DevNodeW")
	if err != nil || locate.Find() != nil {
		return nil
	}
	var node uint32
	switch result, _, _ := locate.Call(uintptr(unsafe.Pointer(&node)), uintptr(unsafe.Pointer(id)), normal); result {
	case success:
		return set(true)
	case noSuchDevice:
		return set(false)
	}
	return nil
}

// connections are the queues of print servers that the persons who are signed in
// have connected to: ",,server,queue" below each one's part of the registry.
func connections(known []*constatv1.Queue) []winQueue {
	var list []winQueue
	for _, person := range people() {
		names, _ := registryNames(registry.USERS, person+`\Printers\Connections`, 0)
		for _, key := range names {
			name := strings.ReplaceAll(key, ",", `\`)
			same := func(q *constatv1.Queue) bool { return strings.EqualFold(q.GetName(), name) }
			if !strings.HasPrefix(name, `\\`) || slices.ContainsFunc(known, same) || slices.ContainsFunc(list, func(q winQueue) bool { return same(q.Queue) }) {
				continue
			}
			list = append(list, winQueue{Queue: &constatv1.Queue{Name: set(name)}, remote: true})
		}
	}
	return list
}

// defaultQueue is the queue that the persons who are signed in print to when they
// choose none; unset where they differ.
func defaultQueue(o *constatv1.Observation) *string {
	const place = `\Software\Microsoft\Windows NT\CurrentVersion\Windows`
	var chosen []string
	asked := false
	for _, person := range people() {
		key, err := registryValues(registry.USERS, person+place, 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		asked = true
		if name := chosenDefault(key.text("Device")); name != "" && !slices.Contains(chosen, name) {
			chosen = append(chosen, name)
		}
	}
	switch {
	case !asked:
		gap(o, "default_queue", fmt.Errorf("each person has one, and nobody is signed in: %w", errors.ErrUnsupported))
		return nil
	case len(chosen) == 0:
		return set("")
	case len(chosen) > 1:
		gap(o, "default_queue", fmt.Errorf("the persons who are signed in have different ones: %w", errors.ErrUnsupported))
		return nil
	}
	return &chosen[0]
}

// keptFromNeighbours: this system keeps no program from the local network.
func keptFromNeighbours(error, netip.Addr) error { return nil }
