package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	constatv1 "constat/proto/constat/v1"
)

// Peripheral is a device that people plug in or print on, known by what it keeps
// from one machine to the next.
type Peripheral struct {
	ID, Kind, Brand, Model, Serial string
	// Facts are those of the machine that are about it, as evidence names them.
	Facts []string
}

// peripheralGroups are the groups that tell of peripherals.
var peripheralGroups = []string{"peripherals", "printing", "usb"}

// peripherals is the namespace of their ids.
var peripherals = uuid.MustParse("6f0c1a52-2f0e-5a3b-9d38-5b8f1f0b7a11")

// PeripheralsOf gives the peripherals in a snapshot that can be told from all
// others of their kind. A printer is the same one by cable and by network.
func PeripheralsOf(s *constatv1.Snapshot) []*Peripheral {
	known := map[string]*Peripheral{}
	add := func(kind, maker, brand, model, serial string, facts ...string) *Peripheral {
		if !telling(serial) {
			return nil
		}
		scope := "usb"
		if kind == "printer" {
			scope = "printer"
		}
		key := strings.ToLower(strings.Join([]string{scope, maker, serial}, "\n"))
		id := uuid.NewSHA1(peripherals, []byte(key)).String()
		p := known[id]
		if p == nil {
			p = &Peripheral{ID: id, Kind: kind, Brand: line(brand, maxName), Model: line(model, maxName), Serial: line(serial, maxName)}
			known[id] = p
		}
		p.Facts = append(p.Facts, facts...)
		return p
	}
	for _, own := range s.GetPrinting().GetPrinters() {
		facts := []string{"printing.printers[" + own.GetId() + "]", "polled.printers[" + own.GetId() + "]", "polled.ports[" + own.GetId() + "]"}
		for _, queue := range s.GetPrinting().GetQueues() {
			if own.GetId() != "" && queue.GetPrinterId() == own.GetId() {
				facts = append(facts, "printing.queues["+queue.GetName()+"]")
			}
		}
		add("printer", own.GetBrand(), own.GetBrand(), own.GetModel(), cmp.Or(own.GetSerial(), own.GetUuid()), facts...)
	}
	onPath := map[string]*Peripheral{}
	for _, d := range s.GetUsb().GetDevices() {
		if d.GetClass() == "hub" {
			continue
		}
		kind, maker := d.GetClass(), d.GetId()
		if d.GetClass() == "printer" || slices.Contains(d.GetInterfaceClasses(), "printer") {
			kind, maker = "printer", d.GetBrand()
		}
		facts := []string{"usb.devices[" + d.GetPath() + "]"}
		if d.GetProduct() != "" {
			facts = append(facts, absentFact+d.GetProduct()+"]")
		}
		if p := add(kind, maker, cmp.Or(d.GetBrand(), d.GetVendor()), d.GetProduct(), d.GetSerial(), facts...); p != nil && d.GetPath() != "" {
			onPath[d.GetPath()] = p
		}
	}
	for _, d := range s.GetPeripherals().GetDevices() {
		own := "peripherals.devices[" + d.GetId() + "]"
		if p := onPath[d.GetUsbPath()]; p != nil {
			if p.Facts = append(p.Facts, own); d.GetKind() != "" && d.GetKind() != "other" && p.Kind != "printer" {
				p.Kind = d.GetKind()
			}
		} else if d.GetConnection() == "bluetooth" || d.GetConnection() == "receiver" {
			add(cmp.Or(d.GetKind(), "other"), d.GetBrand(), d.GetBrand(), d.GetModel(), d.GetSerial(), own)
		}
	}
	all := make([]*Peripheral, 0, len(known))
	for _, p := range known {
		slices.Sort(p.Facts)
		p.Facts = slices.Compact(p.Facts)
		all = append(all, p)
	}
	// By id: who writes several takes them in the same order.
	slices.SortFunc(all, func(a, b *Peripheral) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// absentFact begins what is said of a device that is there no more.
const absentFact = "peripherals.absent["

// minTelling is the shortest serial number that tells a device from others.
const minTelling = 4

// telling tells whether a serial number can be one device's alone. Makers give all
// of a model the same filler: zeros, one sign again and again, 0123456789ABCDEF.
func telling(serial string) bool {
	serial = strings.ToLower(strings.TrimSpace(serial))
	signs := map[rune]bool{}
	for _, r := range serial {
		signs[r] = true
	}
	const counted = "0123456789abcdef"
	return len(serial) >= minTelling && len(signs) > 2 && !strings.HasPrefix(counted, serial) && !strings.HasPrefix(counted[1:], serial)
}

// About tells whether a fact of evidence is one of a peripheral's.
func (p *Peripheral) About(fact string) bool {
	return slices.ContainsFunc(p.Facts, func(own string) bool { return fact == own || strings.HasPrefix(fact, own+".") })
}

// maxPeripherals bounds what is kept of one machine.
const maxPeripherals = 50

// notePeripherals keeps which peripherals an endpoint has by its newest facts.
func notePeripherals(ctx context.Context, q *query.Queries, endpointID string, now time.Time) error {
	s := &constatv1.Snapshot{}
	for _, group := range peripheralGroups {
		fact, err := q.LatestFact(ctx, endpointID, group)
		if errors.Is(err, sql.ErrNoRows) || err == nil && len(fact.Hash) == 0 {
			continue
		}
		if err != nil {
			return err
		}
		p, err := payload(ctx, q, endpointID, group, fact.Hash)
		if err != nil {
			return err
		}
		part, err := decode(group, fact.Hash, p.GetContent())
		if err != nil {
			return err
		}
		switch group {
		case "peripherals":
			s.Peripherals = part.GetPeripherals()
		case "printing":
			s.Printing = part.GetPrinting()
		case "usb":
			s.Usb = part.GetUsb()
		}
	}
	here := map[string]bool{}
	all := PeripheralsOf(s)
	for _, p := range all[:min(len(all), maxPeripherals)] {
		here[p.ID] = true
		err := q.PutPeripheral(ctx, query.PutPeripheralParams{
			ID: p.ID, Kind: p.Kind, Brand: p.Brand, Model: p.Model, Serial: p.Serial, SerialKey: strings.ToLower(p.Serial), FirstAt: store.Millis(now),
		})
		if err != nil {
			return err
		}
		err = q.PutPeripheralPlace(ctx, query.PutPeripheralPlaceParams{EndpointID: endpointID, PeripheralID: p.ID, Facts: strings.Join(p.Facts, "\n"), Since: store.Millis(now)})
		if err != nil {
			return err
		}
	}
	known, err := q.PeripheralsOfEndpoint(ctx, endpointID)
	if err != nil {
		return err
	}
	for _, row := range known {
		if row.PeripheralPlace.GoneAt != 0 || here[row.Peripheral.ID] {
			continue
		}
		if err := q.EndPeripheralPlace(ctx, endpointID, row.Peripheral.ID, store.Millis(now)); err != nil {
			return err
		}
	}
	return nil
}

// Kinds of what a ticket is about beside its machine.
const (
	aboutPeripheral = "peripheral"
	aboutGear       = "gear"
	aboutEndpoint   = "endpoint" // another than its own
)

// noteSubjects keeps which peripherals and which gear a ticket is about, by the
// evidence of the root causes that were found.
func (d *Desk) noteSubjects(ctx context.Context, q *query.Queries, t query.Ticket, found ...*constatv1.Diagnosis) error {
	var facts []string
	for _, one := range found {
		for _, cause := range one.GetRootCauses() {
			for _, e := range cause.GetEvidence() {
				facts = append(facts, e.GetFact())
			}
		}
	}
	if t.EndpointID == "" || len(facts) == 0 {
		return nil
	}
	of := func(groups ...string) bool {
		return slices.ContainsFunc(facts, func(fact string) bool {
			group, _, _ := strings.Cut(fact, ".")
			return slices.Contains(groups, group)
		})
	}
	if of("peripherals", "printing", "usb", "polled") {
		if err := notePeripherals(ctx, q, t.EndpointID, d.now()); err != nil {
			return err
		}
		rows, err := q.PeripheralsOfEndpoint(ctx, t.EndpointID)
		if err != nil {
			return err
		}
		for _, fact := range facts {
			var about []string
			for _, row := range rows {
				if p := (&Peripheral{Facts: list(row.PeripheralPlace.Facts)}); p.About(fact) {
					about = append(about, row.Peripheral.ID)
				}
			}
			if strings.HasPrefix(fact, absentFact) && len(about) > 1 {
				continue // which of the two is missing, nobody knows
			}
			for _, id := range about {
				if err := q.PutSubject(ctx, aboutPeripheral, id, t.Number); err != nil {
					return err
				}
			}
		}
	}
	if !of("attachment") {
		return nil
	}
	endpoint, err := q.EndpointByID(ctx, t.EndpointID)
	if err != nil {
		return err
	}
	socket, err := d.socket(ctx, q, endpoint)
	if err != nil || socket.GetGearId() == "" {
		return err
	}
	return q.PutSubject(ctx, aboutGear, socket.GetGearId(), t.Number)
}

// MachineOf is a machine that has or had a peripheral.
type MachineOf struct {
	ID, Name string
	Since    *timestamppb.Timestamp
	// Gone is when it was there no more; nil: it is.
	Gone *timestamppb.Timestamp
}

// Peripheral gives a peripheral and the machines that have or had it, those that
// have it first, as far as the reader may see them. Who sees neither one of its
// machines nor a ticket about it, does not see it.
func (d *Desk) Peripheral(ctx context.Context, id string) (*Peripheral, []MachineOf, error) {
	missing := problem(ErrNotFound, "there is no device %s", line(id, 64))
	if err := staffOnly(ctx, "look at devices"); err != nil {
		return nil, nil, missing
	}
	q := d.store.Read()
	row, err := q.PeripheralByID(ctx, line(id, 64))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, missing
	}
	if err != nil {
		return nil, nil, err
	}
	rows, err := q.MachinesOfPeripheral(ctx, row.ID)
	if err != nil {
		return nil, nil, err
	}
	var machines []MachineOf
	for _, m := range rows {
		if seesEndpoint(ctx, m.Endpoint) == nil {
			machines = append(machines, MachineOf{ID: m.Endpoint.ID, Name: m.Endpoint.Hostname, Since: timestamp(m.Since), Gone: timestamp(m.GoneAt)})
		}
	}
	if len(machines) == 0 {
		tickets, err := d.ticketsAbout(ctx, Subject{Peripheral: row.ID}, 0, 1)
		if err != nil {
			return nil, nil, err
		}
		if len(tickets) == 0 {
			return nil, nil, missing
		}
	}
	return peripheralOf(row), machines, nil
}

func peripheralOf(row query.Peripheral) *Peripheral {
	return &Peripheral{ID: row.ID, Kind: row.Kind, Brand: row.Brand, Model: row.Model, Serial: row.Serial}
}

// PeripheralsAt gives what an endpoint has now and can be told from others.
func (d *Desk) PeripheralsAt(ctx context.Context, endpointID string) ([]*Peripheral, error) {
	q := d.store.Read()
	if err := seesEndpointID(ctx, q, endpointID); err != nil {
		return nil, err
	}
	rows, err := q.PeripheralsOfEndpoint(ctx, endpointID)
	var all []*Peripheral
	for _, row := range rows {
		if row.PeripheralPlace.GoneAt == 0 {
			all = append(all, peripheralOf(row.Peripheral))
		}
	}
	return all, err
}

// PeripheralsIn gives those that a ticket is about.
func (d *Desk) PeripheralsIn(ctx context.Context, number int32) ([]*Peripheral, error) {
	if err := staffOnly(ctx, "look at devices"); err != nil {
		return nil, err
	}
	q := d.store.Read()
	number, err := target(ctx, q, number)
	if err != nil {
		return nil, err
	}
	rows, err := q.PeripheralsOfTicket(ctx, number)
	var all []*Peripheral
	for _, row := range rows {
		all = append(all, peripheralOf(row))
	}
	return all, err
}

// PeripheralOfPrinter gives the printer that a polled device is, where a machine
// knows it by the same serial number.
func (d *Desk) PeripheralOfPrinter(ctx context.Context, printer *constatv1.Printer) (*Peripheral, error) {
	s := &constatv1.Snapshot{Printing: &constatv1.Printing{Printers: []*constatv1.Printer{printer}}}
	known := PeripheralsOf(s)
	if len(known) == 0 {
		return nil, nil // without a serial number it is nothing one could find again
	}
	found, _, err := d.Peripheral(ctx, known[0].ID)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return found, err
}
