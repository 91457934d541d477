package desk

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/snmp"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// Devices lists the gear that is polled, by name.
func (d *Desk) Devices(ctx context.Context) (*deskv1.ListGearResponse, error) {
	if err := staffOnly(ctx, "look at devices"); err != nil {
		return nil, err
	}
	q := d.store.Read()
	rows, err := q.ListGear(ctx)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(g query.Gear) bool { return !reader(ctx).sees(g.Site) })
	judged, err := q.GearDiagnoses(ctx)
	if err != nil {
		return nil, err
	}
	faults := map[string][]string{}
	for _, row := range judged {
		found := &constatv1.Diagnosis{}
		if err := store.UnpackMessage(row.Diagnosis, found); err != nil {
			return nil, fmt.Errorf("the diagnosis of device %s: %w", row.GearID, err)
		}
		faults[row.GearID] = causes(found)
	}
	answer := &deskv1.ListGearResponse{}
	for _, row := range rows {
		device := deviceMessage(row)
		device.Faults = faults[row.ID]
		answer.Devices = append(answer.Devices, device)
	}
	store.ByName(answer.Devices, func(g *deskv1.Device) string { return cmp.Or(g.GetName(), g.GetAddress()) })
	return answer, nil
}

// Device gives a device, by its id, address or name, with what it said last and
// what is wrong with it.
func (d *Desk) Device(ctx context.Context, idOrName string) (*deskv1.GetGearResponse, error) {
	q := d.store.Read()
	row, err := findGear(ctx, q, idOrName)
	if err != nil {
		return nil, err
	}
	answer := &deskv1.GetGearResponse{Device: deviceMessage(row)}
	if answer.Events, err = told(ctx, q, row.ID); err != nil {
		return nil, err
	}
	facts, err := q.GearFacts(ctx, row.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return answer, nil
	}
	if err != nil {
		return nil, err
	}
	answer.TakenAt, answer.Diagnosis = timestamp(facts.TakenAt), &constatv1.Diagnosis{}
	if answer.Gear, err = gearOf(facts); err != nil {
		return nil, err
	}
	if err := store.UnpackMessage(facts.Diagnosis, answer.Diagnosis); err != nil {
		return nil, fmt.Errorf("the diagnosis of device %s: %w", row.ID, err)
	}
	answer.Device.Faults = causes(answer.Diagnosis)
	return answer, nil
}

// maxTold is how many events of a device are shown.
const maxTold = 100

// told is what a device told by itself, the latest first.
func told(ctx context.Context, q *query.Queries, gearID string) ([]*constatv1.GearEvent, error) {
	rows, err := q.EventsOf(ctx, gearID, 0, maxTold)
	if err != nil {
		return nil, err
	}
	var events []*constatv1.GearEvent
	for _, row := range rows {
		e := &constatv1.GearEvent{}
		if err := store.UnpackMessage(row.Content, e); err != nil {
			return nil, fmt.Errorf("the event %s: %w", row.ID, err)
		}
		e.At, e.Count = timestamp(row.At), proto.Int32(row.Count)
		events = append(events, e)
	}
	return events, nil
}

// Credentials lists what opens devices, without what it holds.
func (d *Desk) Credentials(ctx context.Context) (*deskv1.ListCredentialsResponse, error) {
	if err := staffOnly(ctx, "look at what opens devices"); err != nil {
		return nil, err
	}
	rows, err := d.store.Read().Credentials(ctx)
	if err != nil {
		return nil, err
	}
	answer := &deskv1.ListCredentialsResponse{}
	for _, row := range rows {
		answer.Credentials = append(answer.Credentials, &deskv1.SnmpCredential{
			Name: row.Name, Version: row.Version, ChangedAt: timestamp(row.ChangedAt), Devices: int32(row.Devices),
		})
	}
	store.ByName(answer.Credentials, (*deskv1.SnmpCredential).GetName)
	return answer, nil
}

func causes(found *constatv1.Diagnosis) []string {
	var ids []string
	for _, cause := range found.GetRootCauses() {
		if !slices.Contains(ids, cause.GetFault()) {
			ids = append(ids, cause.GetFault())
		}
	}
	return ids
}

func deviceMessage(g query.Gear) *deskv1.Device {
	return &deskv1.Device{
		Id: g.ID, Address: g.Address, Site: g.Site, Credential: g.Credential, Enabled: g.Enabled != 0, Name: g.Name, Vendor: g.Vendor,
		Model: g.Model, Serial: g.Serial, Os: g.Os, Version: g.Version, State: g.State, Reason: g.Reason,
		StateSince: timestamp(g.StateSince), AnsweredAt: timestamp(g.AnsweredAt), ReplacedAt: timestamp(g.ReplacedAt),
	}
}

func gearOf(facts query.GearFact) (*constatv1.Gear, error) {
	g := &constatv1.Gear{}
	if err := store.UnpackMessage(facts.Content, g); err != nil {
		return nil, fmt.Errorf("the facts of device %s: %w", facts.GearID, err)
	}
	return g, nil
}

// findGear finds a device by its id, its address, or a name that only one has.
func findGear(ctx context.Context, q *query.Queries, idOrName string) (query.Gear, error) {
	wanted := strings.ToLower(line(strings.TrimSpace(idOrName), maxName))
	row, err := q.GearByID(ctx, wanted)
	if err == nil && reader(ctx).sees(row.Site) {
		return row, nil
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return row, err
	}
	for _, look := range []func(context.Context, string) ([]query.Gear, error){q.GearByAddress, q.GearByName} {
		rows, err := look(ctx, wanted)
		rows = slices.DeleteFunc(rows, func(g query.Gear) bool { return !reader(ctx).sees(g.Site) })
		switch {
		case err != nil:
			return query.Gear{}, err
		case len(rows) > 1:
			return query.Gear{}, problem(ErrInvalid, "several devices are named %q: give the address, of %s or of another", wanted, rows[0].Address)
		case len(rows) == 1:
			return rows[0], nil
		}
	}
	return query.Gear{}, problem(ErrNotFound, "there is no device %q: `constat-collector gear list` names them", wanted)
}

// Where tells at which port a machine is: by its MAC address, its IP address, or
// the endpoint's id or hostname. nil: it is not known.
func (d *Desk) Where(ctx context.Context, who string) (*constatv1.Attachment, error) {
	if err := staffOnly(ctx, "look at devices"); err != nil {
		return nil, err
	}
	q := d.store.Read()
	found, err := d.where(ctx, q, who)
	if err != nil || found == nil {
		return nil, err
	}
	if seen, err := seesGear(ctx, q, found.GetGearId()); err != nil || !seen {
		return nil, err
	}
	return found, nil
}

func (d *Desk) where(ctx context.Context, q *query.Queries, who string) (*constatv1.Attachment, error) {
	if mac := parseMAC(who); mac != "" {
		return whereMAC(ctx, q, mac, "")
	}
	if a, err := netip.ParseAddr(strings.TrimSpace(who)); err == nil {
		return whereAddress(ctx, q, a.Unmap().WithZone(""))
	}
	endpoint, err := findEndpoint(ctx, q, who)
	if err != nil {
		return nil, err
	}
	socket, err := d.socket(ctx, q, endpoint)
	if err != nil || socket == nil {
		return nil, err
	}
	return socket.Attachment, nil
}

// Socket is both ends of an endpoint's cable.
type Socket struct {
	*constatv1.Attachment
	// Link is the endpoint's own end, nil where that is not known.
	Link *constatv1.Link
	// Neighbours are who announces himself at the port.
	Neighbours []*constatv1.GearNeighbour
	// ReadAt is when the device was read.
	ReadAt *timestamppb.Timestamp
	// State is the device's.
	State string
	// ReplacedAt is since when another device than before stands there; nil: it is the
	// first. What was measured before was measured of that one.
	ReplacedAt *timestamppb.Timestamp
	// LentTo is the machine that has reported the network adapter since, as with a
	// dock that several use; empty: none has.
	LentTo string
	LentAt *timestamppb.Timestamp
}

// Socket tells where an endpoint is plugged in and how both ends are; nil when
// that is not known.
func (d *Desk) Socket(ctx context.Context, endpointID string) (*Socket, error) {
	q := d.store.Read()
	endpoint, err := findEndpoint(ctx, q, endpointID)
	if err != nil {
		return nil, err
	}
	socket, err := d.socket(ctx, q, endpoint)
	if err != nil || socket == nil {
		return nil, err
	}
	if seen, err := seesGear(ctx, q, socket.GetGearId()); err != nil || !seen {
		return nil, err
	}
	return socket, nil
}

// witness tells what the port's facts come from, and of when they are: the device
// may have told by itself what no poll has looked after yet.
func (s *Socket) witness() (source string, at time.Time) {
	e := s.GetPort().GetLastEvent()
	if e == nil || !e.GetAt().AsTime().After(s.ReadAt.AsTime()) {
		return "snmp", s.ReadAt.AsTime()
	}
	return "snmp, " + strings.TrimPrefix(strings.ToLower(e.GetSource()), "snmp"), e.GetAt().AsTime()
}

// NotNow tells that the machine was there and is not any more, as far as the
// device knows.
func (s *Socket) NotNow() bool { return s.Attachment.Current != nil && !s.GetCurrent() }

func (d *Desk) socket(ctx context.Context, q *query.Queries, endpoint query.Endpoint) (*Socket, error) {
	fact, err := q.LatestFact(ctx, endpoint.ID, "network")
	if errors.Is(err, sql.ErrNoRows) || err == nil && len(fact.Hash) == 0 {
		return locateSocket(ctx, q, endpoint, nil, time.Time{})
	}
	if err != nil {
		return nil, err
	}
	p, err := payload(ctx, q, endpoint.ID, "network", fact.Hash)
	if err != nil {
		return nil, err
	}
	s, err := decode("network", fact.Hash, p.GetContent())
	if err != nil {
		return nil, err
	}
	return locateSocket(ctx, q, endpoint, s.GetNetwork(), store.Time(fact.OrderedAt))
}

// whose tells whose port is looked for.
type whose struct {
	hostname string
	macs     []string
}

// sighting is a port where the machine was seen.
type sighting struct {
	attachment *constatv1.Attachment
	gear       *constatv1.Gear
	device     query.Gear
	facts      query.GearFact
	at         time.Time
}

// locateSocket finds an endpoint's port. What it hears itself comes first: a
// frame of LLDP or CDP passes no switch. Then the newest of where its address
// was seen and of what it heard before; after a port is shut nobody sees or hears
// anything there, so the last known stays.
func locateSocket(ctx context.Context, q *query.Queries, endpoint query.Endpoint, n *constatv1.Network, at time.Time) (*Socket, error) {
	who := &whose{hostname: endpoint.Hostname}
	wired := wired(n)
	lent := map[string]*query.MacHolderRow{} // by link
	for _, name := range slices.Sorted(maps.Keys(wired)) {
		mac := parseMAC(wired[name].GetMac())
		if mac == "" {
			continue
		}
		holder, err := q.MacHolder(ctx, mac)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		if err == nil && holder.EndpointID != endpoint.ID {
			lent[name] = &holder // whoever reported it last has it: a dock goes from hand to hand
			continue
		}
		who.macs = append(who.macs, mac)
	}
	heard, link, current, err := heardBy(ctx, q, n, wired, at)
	if err != nil || current && heard == nil {
		return nil, err // it is at a switch that nobody polls
	}
	if !current {
		seen, err := bestSighting(ctx, q, who)
		if err != nil {
			return nil, err
		}
		kept, err := keptPlace(ctx, q, endpoint.ID)
		if err != nil {
			return nil, err
		}
		for _, other := range []*sighting{kept, seen} {
			if other != nil && (heard == nil || other.at.After(heard.at)) {
				heard, link = other, nil
			}
		}
	}
	if heard == nil {
		return nil, nil
	}
	if link == nil && len(wired) == 1 {
		for _, l := range wired {
			link = l
		}
	}
	if link == nil {
		link = defaultLink(n, wired)
	}
	if err := heard.expect(ctx, q, endpoint.ID); err != nil {
		return nil, err
	}
	socket := heard.socket()
	socket.Link = link
	// Another adapter of the machine's may be with somebody else, and this one not.
	var other *query.MacHolderRow
	for name, holder := range lent {
		if (link == nil || link.GetName() == name) && (other == nil || holder.SeenAt > other.SeenAt) {
			other = holder
		}
	}
	if other != nil && store.Time(other.SeenAt).After(heard.at) {
		socket.LentTo, socket.LentAt = other.Hostname, timestamp(other.SeenAt)
		no := false
		socket.Current = &no
	}
	return socket, nil
}

// socket is the device's end of the cable.
func (s *sighting) socket() *Socket {
	socket := &Socket{Attachment: s.attachment, ReadAt: timestamp(s.facts.TakenAt), State: s.device.State, ReplacedAt: timestamp(s.device.ReplacedAt)}
	for _, neighbour := range s.gear.GetNeighbours() {
		if s.attachment.GetPort() != nil && neighbour.LocalIfIndex != nil && neighbour.GetLocalIfIndex() == s.attachment.Port.GetIfIndex() {
			socket.Neighbours = append(socket.Neighbours, neighbour)
		}
	}
	return socket
}

// defaultLink is the wired link of the default route, nil when it is another.
func defaultLink(n *constatv1.Network, wired map[string]*constatv1.Link) *constatv1.Link {
	for _, r := range n.GetRoutes() {
		if r.GetGateway() != "" && r.GetLink() != "" {
			return wired[r.GetLink()]
		}
	}
	return nil
}

// heardBy is the port that announces itself on a wired link, that of the default
// route first. A device says it twice, by LLDP and by CDP, and may name its port
// in one of them only: that one counts. current: it does so now, whether or not
// the device is known.
func heardBy(ctx context.Context, q *query.Queries, n *constatv1.Network, wired map[string]*constatv1.Link, at time.Time) (found *sighting, link *constatv1.Link, current bool, err error) {
	first := defaultLink(n, wired)
	neighbours := slices.Clone(n.GetNeighbours())
	rank := func(l *constatv1.LinkNeighbour) int {
		switch {
		case l.HeardAt != nil:
			return 2
		case first != nil && l.GetLink() == first.GetName():
			return 0
		}
		return 1
	}
	slices.SortStableFunc(neighbours, func(a, b *constatv1.LinkNeighbour) int { return cmp.Compare(rank(a), rank(b)) })
	for _, l := range neighbours {
		if wired[l.GetLink()] == nil {
			continue
		}
		when := at
		if l.HeardAt != nil {
			when = l.GetHeardAt().AsTime()
		}
		if link != nil && (link != wired[l.GetLink()] || current && l.HeardAt != nil) {
			break // the link before it has told; or it tells now, and this is of before
		}
		heard, err := announced(ctx, q, l.GetChassisId(), l.GetSystemName(), l.GetProtocol(), when, l.GetPortId(), l.GetPortDescription())
		if err != nil {
			return nil, nil, false, err
		}
		now := l.HeardAt == nil && (l.Current == nil || l.GetCurrent())
		if heard == nil && !now {
			continue
		}
		link, current = wired[l.GetLink()], current || now
		if found == nil || heard != nil && heard.attachment.GetPort() != nil {
			found = heard
		}
		if found != nil && found.attachment.GetPort() != nil {
			break
		}
	}
	return found, link, current, nil
}

// keptPlace is the port that the endpoint heard when it last had a network.
func keptPlace(ctx context.Context, q *query.Queries, endpointID string) (*sighting, error) {
	place, err := q.Place(ctx, endpointID)
	if errors.Is(err, sql.ErrNoRows) || err == nil && place.SwitchID == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return announced(ctx, q, place.SwitchID, place.SwitchName, "lldp", store.Time(place.SeenAt), place.SwitchPort)
}

// announced is the device and port that announced themselves; nil when no such
// device is polled, or when several could be it.
func announced(ctx context.Context, q *query.Queries, chassis, name, protocol string, at time.Time, ports ...string) (*sighting, error) {
	var rows []query.Gear
	var err error
	if mac := parseMAC(chassis); mac != "" {
		if rows, err = q.GearByMAC(ctx, mac); err != nil {
			return nil, err
		}
	}
	for _, key := range systemNames(name, chassis) {
		if len(rows) > 0 {
			break
		}
		if rows, err = q.GearByName(ctx, key); err != nil {
			return nil, err
		}
	}
	if len(rows) != 1 {
		return nil, nil
	}
	found, err := seenAt(ctx, q, rows[0], cmp.Or(protocol, "lldp"), at)
	if err != nil || found == nil {
		return nil, err
	}
	for _, port := range ports {
		if found.attachment.Port = portNamed(found.gear, port); found.attachment.Port != nil {
			break
		}
	}
	found.attachment.Uplink = uplinkOf(found.gear, found.attachment.Port)
	return found, nil
}

// systemNames are the keys under which a device that announces this name may be
// known: CDP adds the serial number or the domain to it.
func systemNames(names ...string) (keys []string) {
	for _, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		plain, _, _ := strings.Cut(name, "(")
		short, _, _ := strings.Cut(plain, ".")
		for _, key := range []string{name, plain, short} {
			if key != "" && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// seenAt begins a sighting at a device that was read.
func seenAt(ctx context.Context, q *query.Queries, device query.Gear, evidence string, at time.Time) (*sighting, error) {
	facts, err := q.GearFacts(ctx, device.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	g, err := gearOf(facts)
	if err != nil {
		return nil, err
	}
	a := &constatv1.Attachment{
		GearId: proto.String(device.ID), GearName: proto.String(cmp.Or(device.Name, device.Address)), Evidence: proto.String(evidence),
	}
	if !at.IsZero() {
		a.SeenAt = timestamppb.New(at)
	}
	// A device that refuses us answers, and one silent once may have been busy.
	if device.Failures == 0 {
		a.GearReachable = proto.Bool(true)
	} else if device.State == "timeout" && device.Failures > 1 {
		a.GearReachable = proto.Bool(false)
	}
	return &sighting{attachment: a, gear: g, device: device, facts: facts, at: at}, nil
}

// portNamed is the port that announced itself so: by its name, long or short, by
// its address or its index. A name that several could have is nobody's.
func portNamed(g *constatv1.Gear, said string) *constatv1.GearInterface {
	said = strings.TrimSpace(said)
	if said == "" {
		return nil
	}
	mac := parseMAC(said)
	for _, same := range []func(*constatv1.GearInterface) bool{
		func(p *constatv1.GearInterface) bool { return strings.EqualFold(p.GetName(), said) },
		func(p *constatv1.GearInterface) bool { return mac != "" && parseMAC(p.GetMac()) == mac },
		func(p *constatv1.GearInterface) bool { return snmp.SamePort(p.GetName(), said) },
		func(p *constatv1.GearInterface) bool { return fmt.Sprint(p.GetIfIndex()) == said },
	} {
		var found []*constatv1.GearInterface
		for _, port := range g.GetInterfaces() {
			if same(port) {
				found = append(found, port)
			}
		}
		if len(found) > 0 {
			if len(found) == 1 {
				return found[0]
			}
			return nil
		}
	}
	return nil
}

// parseMAC reads an address in any usual notation, and writes it as the store
// does; empty when it is none.
func parseMAC(text string) string {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune(":-. ", r) {
			return -1
		}
		return r
	}, strings.ToLower(text))
	raw, err := hex.DecodeString(plain)
	if err != nil || len(raw) != 6 || slices.Max(raw) == 0 {
		return ""
	}
	parts := make([]string, 6)
	for i := range raw {
		parts[i] = plain[2*i : 2*i+2]
	}
	return strings.Join(parts, ":")
}
