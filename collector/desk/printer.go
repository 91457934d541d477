package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

const (
	// A printer is polled every minute. What it told then counts for a complaint,
	// but not beside what it told the endpoint itself later on.
	tellsFor       = 10 * time.Minute
	tellsBesideIPP = 90 * time.Second
	// maxPrinters bounds whose ports are looked for: an endpoint has a few queues.
	maxPrinters = 16
)

// Printer is a network printer behind an endpoint's queues, as the collector knows
// it.
type Printer struct {
	// Queues are the endpoint's names for it.
	Queues []string
	// Own is what the endpoint knows of it.
	Own *constatv1.Printer
	// Device is the polled device that it is, nil where it is not polled, with what
	// it told last, at ReadAt.
	Device *deskv1.Device
	Polled *constatv1.Printer
	ReadAt *timestamppb.Timestamp
	// Socket is the switch port it is at, nil where that is not known.
	Socket *Socket
}

// Printers tells what is known of the network printers behind an endpoint's
// queues: those that are polled, and those whose port a switch tells.
func (d *Desk) Printers(ctx context.Context, endpointID string) ([]*Printer, error) {
	q := d.store.Read()
	endpoint, err := findEndpoint(ctx, q, endpointID)
	if err != nil {
		return nil, err
	}
	fact, err := q.LatestFact(ctx, endpoint.ID, "printing")
	if errors.Is(err, sql.ErrNoRows) || err == nil && len(fact.Hash) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := payload(ctx, q, endpoint.ID, "printing", fact.Hash)
	if err != nil {
		return nil, err
	}
	s, err := decode("printing", fact.Hash, p.GetContent())
	if err != nil {
		return nil, err
	}
	return printersBehind(ctx, q, s.GetPrinting())
}

// printersBehind finds the network printers behind queues.
func printersBehind(ctx context.Context, q *query.Queries, printing *constatv1.Printing) ([]*Printer, error) {
	var known []*Printer
	for _, own := range printing.GetPrinters() {
		if own.GetConnection() != "network" || own.GetId() == "" || len(known) == maxPrinters {
			continue
		}
		p := &Printer{Own: own}
		for _, queue := range printing.GetQueues() {
			if queue.GetPrinterId() == own.GetId() {
				p.Queues = append(p.Queues, queue.GetName())
			}
		}
		if err := p.find(ctx, q); err != nil {
			return nil, err
		}
		if p.Device != nil || p.Socket != nil {
			known = append(known, p)
		}
	}
	return known, nil
}

// find looks for a printer among the polled devices, and for its port.
func (p *Printer) find(ctx context.Context, q *query.Queries) error {
	row, gear, err := p.device(ctx, q)
	if err != nil {
		return err
	}
	who := &whose{}
	if mac := macOfUUID(p.Own.GetUuid()); mac != "" {
		who.macs = append(who.macs, mac)
	}
	if gear != nil {
		p.Device, p.Polled = deviceMessage(*row), gear.GetPrinter()
		who.hostname = row.Name
		for _, i := range gear.GetInterfaces() {
			if mac := parseMAC(i.GetMac()); mac != "" && !slices.Contains(who.macs, mac) {
				who.macs = append(who.macs, mac)
			}
		}
		facts, err := q.GearFacts(ctx, row.ID)
		if err != nil {
			return err
		}
		p.ReadAt = timestamp(facts.TakenAt)
	}
	if a, err := netip.ParseAddr(p.host()); err == nil {
		rows, err := q.StationsByAddress(ctx, a.Unmap().WithZone("").String())
		if err != nil {
			return err
		}
		for _, row := range rows {
			if !slices.Contains(who.macs, row.Mac) && gear == nil { // of one that is polled its own word is surer
				who.macs = append(who.macs, row.Mac)
				break // whoever had it last
			}
		}
	}
	if len(who.macs) == 0 {
		return nil
	}
	seen, err := bestSighting(ctx, q, who)
	if err != nil || seen == nil || seen.attachment.GetPort() == nil {
		return err
	}
	p.Socket = seen.socket()
	p.Socket.PrinterId = p.Own.Id
	return nil
}

// host is where the endpoint's queue looks for it.
func (p *Printer) host() string {
	address := p.Own.GetAddress()
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// device is the polled device that a printer is: by its serial number, which is
// its own, else by its address, or a name that only one has. A device that is no
// printer is none.
func (p *Printer) device(ctx context.Context, q *query.Queries) (*query.Gear, *constatv1.Gear, error) {
	host := strings.TrimSuffix(strings.ToLower(p.host()), ".")
	looks := []func() ([]query.Gear, error){
		func() ([]query.Gear, error) { return q.GearBySerial(ctx, p.Own.GetSerial()) },
		func() ([]query.Gear, error) { return q.GearByAddress(ctx, host) },
		func() ([]query.Gear, error) { return q.GearByIP(ctx, host) },
	}
	if mac := macOfUUID(p.Own.GetUuid()); mac != "" {
		looks = append(looks, func() ([]query.Gear, error) {
			addresses, err := q.AddressesOfStation(ctx, mac)
			if err != nil || len(addresses) == 0 {
				return nil, err
			}
			rows, err := q.GearByAddress(ctx, addresses[0].Address)
			if err != nil || len(rows) > 0 {
				return rows, err
			}
			return q.GearByIP(ctx, addresses[0].Address)
		})
	}
	if _, err := netip.ParseAddr(host); err != nil {
		for _, name := range systemNames(host) {
			looks = append(looks, func() ([]query.Gear, error) { return q.GearByName(ctx, name) })
		}
	}
	for _, look := range looks {
		rows, err := look()
		if err != nil {
			return nil, nil, err
		}
		if len(rows) != 1 {
			continue
		}
		facts, err := q.GearFacts(ctx, rows[0].ID)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		gear, err := gearOf(facts)
		if err != nil {
			return nil, nil, err
		}
		// Another one that took its address since has another serial number.
		told, own := gear.GetPrinter().GetSerial(), p.Own.GetSerial()
		if gear.Printer == nil || told != "" && own != "" && !strings.EqualFold(told, own) {
			continue
		}
		return &rows[0], gear, nil
	}
	return nil, nil, nil
}

// macOfUUID is the address of the network adapter in a UUID that was made of it
// (RFC 9562, version 1); empty where it was made otherwise.
func macOfUUID(text string) string {
	id, err := uuid.Parse(strings.TrimPrefix(text, "urn:uuid:"))
	if err != nil || id.Version() != 1 || id[10]&1 != 0 { // drawn by lot
		return ""
	}
	return parseMAC(net.HardwareAddr(id[10:]).String())
}

// polledOf is what polls tell of printers for a snapshot that was taken at a time,
// when that was, and which facts of them nobody knows; nil where they tell
// nothing.
func polledOf(printers []*Printer, taken time.Time) (polled *constatv1.Polled, at time.Time, gaps []*constatv1.Gap) {
	for _, p := range printers {
		told := &constatv1.Printer{
			Brand: p.Own.Brand, Model: p.Own.Model, Serial: p.Own.Serial, Address: p.Own.Address, Connection: p.Own.Connection, Reachable: p.Own.Reachable,
		}
		if p.fresh(taken) {
			told = proto.CloneOf(p.Polled)
			told.Reachable = cmp.Or(p.Own.Reachable, told.Reachable)
			told.Brand = cmp.Or(told.Brand, p.Own.Brand)
			told.Address = p.Own.Address
			if read := p.ReadAt.AsTime(); at.IsZero() || read.Before(at) {
				at = read
			}
		} else {
			for _, fact := range []string{"state_reasons", "supplies", "trays", "alerts"} {
				gaps = append(gaps, &constatv1.Gap{Fact: "printers[" + p.Own.GetId() + "]." + fact, Status: "failed", Reason: "no poll tells it of this time"})
			}
		}
		told.Id = p.Own.Id
		if polled == nil {
			polled = &constatv1.Polled{}
		}
		polled.Printers = append(polled.Printers, told)
		if p.Socket != nil {
			polled.Ports = append(polled.Ports, p.Socket.Attachment)
			if read := p.Socket.ReadAt.AsTime(); at.IsZero() || read.Before(at) {
				at = read
			}
		}
	}
	if at.IsZero() {
		at = taken
	}
	return polled, at, gaps
}

// fresh tells that what a printer told the poll is of the time, and not what it
// told the endpoint itself later on.
func (p *Printer) fresh(taken time.Time) bool {
	if p.Polled == nil || p.Device.GetState() != "ok" {
		return false
	}
	age := taken.Sub(p.ReadAt.AsTime())
	asked := p.Own.GetSources()
	switch {
	case !p.Own.GetReachable():
		return age <= tellsFor
	case slices.Contains(asked, "snmp"):
		return age <= 0
	case slices.Contains(asked, "ipp"):
		return age <= tellsBesideIPP
	}
	return age <= tellsFor
}
