package host

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// Limits of asking printers themselves: one that is off must not hold up the
// rest, and a print server's hundred queues must not make a scan.
const (
	maxPrintersAsked = 16
	spoolerLimit     = 4 * time.Second         // one that is started by the question takes a second or two
	reachLimit       = 1300 * time.Millisecond // one lost SYN is repeated after 1 s
	printerLimit     = 1500 * time.Millisecond
)

// Printers answer everybody who reads on SNMP's port with this word, CUPS'
// backends use it as well.
const snmpPort, snmpCommunity = "161", "public"

// askedDevice is a device behind queues, and what asking it gave.
type askedDevice struct {
	device  printDevice
	printer *constatv1.Printer
	// result is how its port was reached; pings is nil where nobody asked.
	result string
	pings  *bool
	err    error // why nothing can be said
}

// networkPrinters asks the devices behind the queues, each once, all at the
// same time: whether they answer, and how they are.
func networkPrinters(ctx context.Context, p *constatv1.Printing, devices map[*constatv1.Queue]printDevice, o *constatv1.Observation) {
	byAddress := map[string]*askedDevice{}
	var all []*askedDevice
	for _, q := range p.Queues {
		d := devices[q]
		if d.address == "" || byAddress[d.address] != nil || len(all) == maxPrintersAsked {
			continue
		}
		a := &askedDevice{device: d}
		byAddress[d.address] = a
		all = append(all, a)
	}
	var wg sync.WaitGroup
	for _, a := range all {
		wg.Go(func() { a.ask(ctx, snmpPort) })
	}
	wg.Wait()
	for _, a := range all {
		if a.printer != nil {
			p.Printers = append(p.Printers, a.printer)
		}
	}
	for _, q := range p.Queues {
		d := devices[q]
		switch a := byAddress[d.address]; {
		case a != nil:
			q.DeviceResult, q.DeviceAnswersPing = filled(a.result), a.pings
			if a.err != nil {
				gap(o, "queues.device_reachable", a.err)
				continue
			}
			q.DeviceReachable, q.PrinterId = a.printer.Reachable, a.printer.Id
		case d.address != "":
			gap(o, "queues.device_reachable", errTooManyPrinters)
		case strings.HasPrefix(d.shown, "dnssd:"):
			gap(o, "queues.device_reachable", errDiscoveredOnly)
		}
	}
}

var (
	errTooManyPrinters = errors.New("not asked: there are more network printers than are asked in one go")
	errDiscoveredOnly  = errors.New("not asked: the printer is known by its service name only, which needs multicast DNS")
)

// ask asks one device on its port, by IPP and by SNMP, which also answers where
// the port is closed. An error means that nothing can be said: its name could
// not be resolved, which is not the printer's silence.
func (a *askedDevice) ask(ctx context.Context, snmpPort string) {
	d := a.device
	host, _, _ := net.SplitHostPort(d.address)
	lookupCtx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(lookupCtx, "ip", host)
	if err != nil || len(addresses) == 0 {
		a.result, a.err = "nameNotResolved", cmp.Or(err, fs.ErrNotExist)
		return
	}
	address := addresses[0].Unmap()
	a.printer = &constatv1.Printer{Connection: set("network"), Address: set(d.address), Id: set(d.address)}
	told := make(chan *constatv1.Printer, 1)
	go func() { told <- askMIB(ctx, net.JoinHostPort(address.String(), snmpPort)) }()
	dialCtx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(dialCtx, "tcp", d.address)
	if kept := keptFromNeighbours(err, address); kept != nil {
		a.result, a.printer, a.err = "", nil, kept
		return
	}
	a.result, a.printer.Reachable = resultOf(err), set(err == nil)
	if err == nil {
		_ = conn.Close()
		a.askIPP(ctx, host)
	} else {
		a.ping(ctx, address)
	}
	if t := <-told; t != nil {
		addFromMIB(a.printer, t)
		a.printer.Sources = append(a.printer.Sources, "snmp")
	}
	a.printer.IdentityChanged = identityChanged(d.id, a.printer)
}

// askIPP asks the printer itself: most speak IPP whatever protocol the queue
// uses.
func (a *askedDevice) askIPP(ctx context.Context, host string) {
	d := a.device
	client := printerClient(d.address, d.path, d.secure)
	if d.connection != "ipp" && d.connection != "ipps" {
		client = printerClient(net.JoinHostPort(host, "631"), "", false)
	}
	defer client.close()
	ctx, cancel := context.WithTimeout(ctx, printerLimit)
	defer cancel()
	answer, err := client.do(ctx, ippGetPrinterAttributes, ippGroupPrinter, printerAttributes)
	if err == nil && len(answer) > 0 {
		describePrinter(a.printer, answer[0])
		a.printer.Sources = append(a.printer.Sources, "ipp")
	}
}

// ping asks whether the device is there at all.
func (a *askedDevice) ping(ctx context.Context, address netip.Addr) {
	ctx, cancel := context.WithTimeout(ctx, gatewayLimit)
	defer cancel()
	var g constatv1.GatewayProbe
	switch ping(ctx, address, &g); g.GetPing() {
	case "ok":
		a.pings = set(true)
	case "timeout":
		a.pings = set(false)
	}
}

// usbPrinter is a printer as the bus describes it.
func usbPrinter(d *constatv1.UsbDevice) *constatv1.Printer {
	p := &constatv1.Printer{
		Manufacturer: d.Ieee1284Make, Model: d.Ieee1284Model, Brand: d.Brand, Serial: d.Serial,
		Connection: set("usb"), Address: d.Path, Id: d.Path, Reachable: set(true), Sources: []string{"usb"},
	}
	if p.Manufacturer == nil {
		p.Manufacturer = d.Vendor
	}
	if p.Model == nil {
		p.Model = d.Product
	}
	if d.Serial != nil && *d.Serial != "" {
		p.Id = d.Serial
	}
	return p
}
