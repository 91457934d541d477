//go:build linux || darwin

package host

import (
	"context"
	"errors"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readPrinting(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	address, local := cupsAddress(r)
	o := observed("IPP, " + address)
	p := &constatv1.Printing{Spooler: &constatv1.Spooler{Kind: set("cups")}}
	server := cupsClient(address)
	defer server.close()

	var announced *discovered
	var announcedErr error
	heard := make(chan struct{})
	go func() { // while the queues are read
		defer close(heard)
		if r.Root == "" { // fixtures have no network
			announced, announcedErr = discoverPrinters(ctx)
		}
	}()

	firstCtx, cancel := context.WithTimeout(ctx, spoolerLimit)
	listed, err := server.do(firstCtx, cupsGetPrinters, ippGroupPrinter, queueAttributes)
	cancel()
	if err != nil && !errors.Is(err, errIPPNotFound) { // not found: there is no queue
		if p.Spooler.State = silentSpooler(r, err, local); p.Spooler.State == nil {
			return nil, failed(o.Source, err)
		}
		return p, o
	}
	p.Spooler.State = set("running")
	if version, found := strings.CutPrefix(server.server, "CUPS/"); found {
		version, _, _ = strings.Cut(version, " ")
		p.Spooler.Version = &version
	}
	devices := map[*constatv1.Queue]printDevice{}
	for _, attributes := range listed {
		q, device := queueOf(attributes)
		devices[q] = device
		p.Queues = append(p.Queues, q)
	}
	slices.SortFunc(p.Queues, func(a, b *constatv1.Queue) int { return strings.Compare(a.GetName(), b.GetName()) })

	switch found, err := server.do(ctx, cupsGetDefault, ippGroupPrinter, wanted("printer-name")); {
	case errors.Is(err, errIPPNotFound):
		p.DefaultQueue = set("")
	case err != nil:
		gap(o, "default_queue", err)
	case len(found) > 0:
		p.DefaultQueue = ippValue[string](found[0], "printer-name")
	}
	if name := r.chosenQueue(); slices.ContainsFunc(p.Queues, func(q *constatv1.Queue) bool { return q.GetName() == name }) {
		p.DefaultQueue = &name // programs ask these files before the server
	}
	now := time.Now()
	jobs := func(which string, limit int32) ([][]ippAttribute, error) {
		found, err := server.do(ctx, ippGetJobs, ippGroupJob, ippAttribute{"which-jobs", ippKeyword, []any{which}},
			ippAttribute{"limit", ippInteger, []any{limit}}, jobAttributes)
		if errors.Is(err, errIPPNotFound) {
			err = nil
		}
		return found, err
	}
	finished, err := jobs("completed", 100)
	if err != nil {
		gap(o, "last_used_queue", err)
	} else {
		p.LastUsedQueue = lastQueue(finished, now)
	}
	if waiting, err := jobs("not-completed", 1000); err != nil {
		gap(o, "queues.jobs", err)
	} else {
		addJobs(p.Queues, waiting, finished, now)
	}
	networkPrinters(ctx, p, devices, o)
	recallPrinters(p.Printers, r.Printers)
	usbPrinters(ctx, r, p, devices, o)
	<-heard
	switch {
	case announcedErr != nil:
		gap(o, "discovered_printers", announcedErr)
	case announced != nil:
		p.DiscoveredPrinters = set(int32(len(announced.names)))
		wanted := map[string]string{}
		for _, d := range devices {
			wanted[d.address] = d.id
		}
		announced.locate(p.Printers, wanted)
	}
	p.Printers = joinPrinters(p.Printers)
	for _, q := range p.Queues {
		q.BrokenHop = brokenHop(q, p.Printers)
	}
	if p.DiscoveryState, err = discoveryState(ctx, r); err != nil {
		gap(o, "discovery_state", err)
	}
	slices.SortFunc(p.Printers, func(a, b *constatv1.Printer) int { return strings.Compare(a.GetId(), b.GetId()) })
	return p, o
}

// chosenQueue is the default that lpoptions(1) was given by this person, or else
// for all of this machine; "" where it was given none.
func (r *reader) chosenQueue() string {
	var files []string
	if person, err := user.Current(); err == nil && r.Root == "" {
		files = append(files, person.HomeDir+"/.cups/lpoptions")
	}
	for _, name := range append(files, "/etc/cups/lpoptions") {
		if content, err := r.file(name); err == nil {
			if queue := parseLpoptions(content); queue != "" {
				return queue
			}
		}
	}
	return ""
}

// cupsAddress is where the print server listens, and whether that is this
// machine's own.
func cupsAddress(r *reader) (address string, local bool) {
	if r.CUPS != "" {
		return r.CUPS, strings.HasPrefix(r.CUPS, "/")
	}
	if server := os.Getenv("CUPS_SERVER"); server != "" && r.Root == "" {
		return server, strings.HasPrefix(server, "/")
	}
	socket := r.path(cupsSocket)
	if _, err := os.Stat(socket); err == nil || r.Root != "" {
		return socket, true
	}
	return "localhost:631", true
}

// usbPrinters joins USB queues with the printers on the bus. Where the bus
// cannot be seen nothing is said of them.
func usbPrinters(ctx context.Context, r *reader, p *constatv1.Printing, devices map[*constatv1.Queue]printDevice, o *constatv1.Observation) {
	present, err := printersBus(ctx, r)
	if err != nil {
		if slices.ContainsFunc(p.Queues, func(q *constatv1.Queue) bool { return q.GetConnection() == "usb" }) {
			gap(o, "printers", err)
		}
		return
	}
	seen := map[string]bool{}
	for _, device := range present {
		if slices.Contains(device.InterfaceClasses, "printer") {
			printer := usbPrinter(device)
			seen[printer.GetId()] = true
			p.Printers = append(p.Printers, printer)
		}
	}
	for _, q := range p.Queues {
		// Without a serial nothing tells which device the queue means.
		if d := devices[q]; d.connection == "usb" && d.id != "" && !seen[d.id] {
			seen[d.id] = true
			p.Printers = append(p.Printers, &constatv1.Printer{
				Id: set(d.id), Serial: set(d.id), Connection: set("usb"), Reachable: set(false), Sources: []string{"usb"},
			})
		}
	}
}
