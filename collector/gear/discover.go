package gear

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

const (
	// maxSwept bounds the addresses of the ranges of one discovery, and maxFound the
	// devices: a site has fewer.
	maxSwept = 4096
	maxFound = 1000
	// maxDepth is how far from a seed neighbours are followed.
	maxDepth     = 16
	defaultDepth = 4
	// Packets a second, in all: a sweep must not be felt.
	defaultPace = 50
	maxPace     = 500
	// looking is how many devices are asked at the same time, and maxLook how long
	// one discovery may take.
	looking = 8
	maxLook = 15 * time.Minute
	// once is how long an address may take to answer one credential; there is no
	// second try, which an agent would count as another attempt.
	once = time.Second
	// perTry is what an attempt costs in packets; SNMPv3 asks for the engine first.
	perTry = 2
)

// pace lets packets out evenly.
type pace struct {
	mu   sync.Mutex
	each time.Duration
	free time.Time
}

// spend waits until n more packets may be sent.
func (p *pace) spend(ctx context.Context, n int) error {
	p.mu.Lock()
	now := time.Now()
	if p.free.Before(now) {
		p.free = now
	}
	wait := p.free.Sub(now)
	p.free = p.free.Add(time.Duration(n) * p.each)
	p.mu.Unlock()
	if wait <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// lead is an address where a device may be.
type lead struct {
	address netip.Addr
	depth   int32
	by      string
	// swept: of a range, where nobody need be.
	swept bool
}

// discovery is one under way.
type discovery struct {
	watch   *Watch
	request *deskv1.DiscoverGearRequest
	opens   []snmp.Credentials
	allow   []netip.Prefix
	port    string
	pace    *pace

	mu       sync.Mutex
	tried    map[netip.Addr]bool
	response *deskv1.DiscoverGearResponse
	known    []knownGear
	next     []lead
}

// knownGear is a device by what tells it from others.
type knownGear struct {
	name, serial, mac, engine string
	addresses                 []string
}

// Discover looks for devices: from seeds outward by whom they hear over CDP and
// LLDP, and at every address of ranges. It asks each device once with each
// credential until one fits, keeps to a pace, and stays within what is allowed. It
// adds what it found only where that is asked for.
func (w *Watch) Discover(ctx context.Context, r *deskv1.DiscoverGearRequest) (*deskv1.DiscoverGearResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, maxLook)
	defer cancel()
	d := &discovery{watch: w, request: r, tried: map[netip.Addr]bool{}, response: &deskv1.DiscoverGearResponse{}}
	leads, err := d.begin(ctx)
	if err != nil {
		return nil, err
	}
	for len(leads) > 0 && ctx.Err() == nil {
		d.next = nil
		d.round(ctx, leads)
		leads = d.next
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		d.response.Stopped = proto.String(fmt.Sprintf("after %v; ask for less at once", maxLook))
	} else if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	slices.SortFunc(d.response.Devices, func(a, b *deskv1.DiscoveredGear) int {
		x, _ := netip.ParseAddr(a.GetAddress())
		y, _ := netip.ParseAddr(b.GetAddress())
		return x.Compare(y)
	})
	return d.response, nil
}

// begin checks what is asked for and gives the first leads.
func (d *discovery) begin(ctx context.Context) ([]lead, error) {
	r := d.request
	if len(r.GetSeeds()) == 0 && len(r.GetRanges()) == 0 {
		return nil, refuse("name a seed or a range to begin with")
	}
	if len(r.GetCredentials()) == 0 || len(r.GetCredentials()) > maxCredentials {
		return nil, refuse("name the credentials to ask with: one to %d", maxCredentials)
	}
	for _, name := range r.GetCredentials() {
		opens, err := d.watch.credential(ctx, name)
		if err != nil {
			return nil, err
		}
		d.opens = append(d.opens, opens)
	}
	if r.GetDepth() == 0 {
		r.Depth = defaultDepth
	}
	if r.GetPacketsPerSecond() == 0 {
		r.PacketsPerSecond = defaultPace
	}
	if r.GetDepth() < 0 || r.GetDepth() > maxDepth {
		return nil, refuse("the depth is 1 to %d", maxDepth)
	}
	if r.GetPacketsPerSecond() < 1 || r.GetPacketsPerSecond() > maxPace {
		return nil, refuse("the pace is 1 to %d packets a second", maxPace)
	}
	d.pace = &pace{each: time.Second / time.Duration(r.GetPacketsPerSecond())}
	for _, text := range r.GetAllow() {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, refuse("%q is no network: give ADDRESS/BITS", text)
		}
		d.allow = append(d.allow, p.Masked())
	}
	d.port = "161"
	var leads []lead
	for _, seed := range r.GetSeeds() {
		address, err := checkAddress(seed)
		if err != nil {
			return nil, err
		}
		if _, port, err := net.SplitHostPort(address); err == nil {
			d.port = port
		}
		found := addressesOf(ctx, address)
		if len(found) == 0 {
			return nil, refuse("the seed %s has no address", seed)
		}
		leads = append(leads, lead{address: found[0], by: "seed"})
		if len(r.GetAllow()) == 0 {
			d.allow = append(d.allow, around(found[0])...)
		} else if !d.allowed(found[0]) {
			return nil, refuse("the seed %s is outside of what is allowed", seed)
		}
	}
	swept := 0
	for _, text := range r.GetRanges() {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, refuse("%q is no range: give ADDRESS/BITS", text)
		}
		p = p.Masked()
		if p.Addr().BitLen()-p.Bits() > 12 {
			return nil, refuse("%s is too large: sweep at most %d addresses at once", p, maxSwept)
		}
		if len(r.GetAllow()) == 0 {
			d.allow = append(d.allow, p)
		}
		for a := range hosts(p) {
			if swept++; swept > maxSwept {
				return nil, refuse("these ranges are too large: sweep at most %d addresses at once", maxSwept)
			}
			if !d.allowed(a) {
				return nil, refuse("%s reaches beyond what is allowed", p)
			}
			leads = append(leads, lead{address: a, by: "range " + p.String(), swept: true})
		}
	}
	return leads, d.ownGear(ctx)
}

// around is what neighbours of a seed may be in where nobody says: the private
// networks for a private seed, else its own.
func around(seed netip.Addr) []netip.Prefix {
	if seed.IsPrivate() {
		var all []netip.Prefix
		for _, text := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"} {
			all = append(all, netip.MustParsePrefix(text))
		}
		return all
	}
	bits := 24
	if seed.Is6() {
		bits = 64
	}
	p, _ := seed.Prefix(bits)
	return []netip.Prefix{p}
}

// hosts gives the addresses of a network that a device may have.
func hosts(p netip.Prefix) func(func(netip.Addr) bool) {
	return func(yield func(netip.Addr) bool) {
		first := p.Addr()
		for a := first; p.Contains(a); a = a.Next() {
			if p.Bits() < a.BitLen()-1 && (a == first || a.Is4() && !p.Contains(a.Next())) {
				continue // the network's own, and that of all in it
			}
			if !yield(a) {
				return
			}
		}
	}
}

func (d *discovery) allowed(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast() &&
		slices.ContainsFunc(d.allow, func(p netip.Prefix) bool { return p.Contains(a) })
}

// ownGear lists what is polled already.
func (d *discovery) ownGear(ctx context.Context) error {
	q := d.watch.store.Read()
	rows, err := q.ListGear(ctx)
	if err != nil {
		return err
	}
	own, err := q.GearIPs(ctx)
	if err != nil {
		return err
	}
	macs, err := q.GearMACs(ctx)
	if err != nil {
		return err
	}
	at := map[string]int{}
	for _, g := range rows {
		k := knownGear{name: g.Address, serial: g.Serial}
		for _, a := range addressesOf(ctx, g.Address) {
			if _, port, err := net.SplitHostPort(g.Address); err != nil || port == d.port {
				k.addresses = append(k.addresses, a.String())
			}
		}
		at[g.ID] = len(d.known)
		d.known = append(d.known, k)
	}
	for _, row := range own {
		if i, ok := at[row.GearID]; ok {
			d.known[i].addresses = append(d.known[i].addresses, row.Address)
		}
	}
	for _, row := range macs {
		if i, ok := at[row.GearID]; ok && d.known[i].mac == "" {
			d.known[i].mac = row.Mac
		}
	}
	return nil
}

// round asks at leads that are as far from the seeds.
func (d *discovery) round(ctx context.Context, leads []lead) {
	free := make(chan struct{}, looking)
	var asked sync.WaitGroup
	for _, l := range leads {
		if d.tried[l.address] || ctx.Err() != nil {
			continue
		}
		d.tried[l.address] = true
		if len(d.response.Devices) >= maxFound {
			d.response.Stopped = proto.String(fmt.Sprintf("at %d devices", maxFound))
			break
		}
		free <- struct{}{}
		asked.Go(func() {
			defer func() { <-free }()
			d.look(ctx, l)
		})
	}
	asked.Wait()
}

// look asks at one address, with each credential once.
func (d *discovery) look(ctx context.Context, l lead) {
	found := &deskv1.DiscoveredGear{Address: proto.String(l.address.String()), By: proto.String(l.by), Depth: proto.Int32(l.depth)}
	address := net.JoinHostPort(l.address.String(), d.port)
	for i, name := range d.request.GetCredentials() {
		if d.pace.spend(ctx, perTry) != nil {
			return
		}
		p, err := d.greet(ctx, address, d.opens[i])
		if err == nil {
			found.Credential = proto.String(name)
			d.meet(ctx, l, found, p)
			p.session.Close()
			return
		}
		if errors.Is(err, snmp.ErrRefused) {
			found.Refused = append(found.Refused, name)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.response.Asked = proto.Int32(d.response.GetAsked() + 1)
	switch {
	case len(found.Refused) > 0:
		found.Result = proto.String("refused")
	case l.swept:
		d.response.Silent = proto.Int32(d.response.GetSilent() + 1)
		return
	default:
		found.Result = proto.String("silent")
	}
	d.response.Devices = append(d.response.Devices, found)
}

// greet opens a device and reads who it is; the caller closes it.
func (d *discovery) greet(ctx context.Context, address string, opens snmp.Credentials) (*poll, error) {
	session, err := snmp.Open(ctx, address, opens, snmp.Patience{Timeout: once, Retries: -1})
	if err != nil {
		return nil, err
	}
	p := newPoll(session, d.watch.now())
	if _, err := session.Get(ctx, sysObjectID); err != nil {
		session.Close()
		return nil, err
	}
	return p, nil
}

// meet reads a device that answers, tells whether it is a known one, and follows
// its neighbours.
func (d *discovery) meet(ctx context.Context, l lead, found *deskv1.DiscoveredGear, p *poll) {
	before := p.session.Stats().PDUs
	for _, read := range []func(context.Context) error{p.identify, p.ownAddresses, p.interfaces, p.neighbours} {
		err := read(ctx)
		after := p.session.Stats().PDUs
		if d.pace.spend(ctx, after-before) != nil {
			break
		}
		if before = after; err != nil {
			found.Partial = proto.String(word(err.Error(), maxWord))
			if p.out.GetIdentity() == nil {
				break
			}
		}
	}
	id := p.out.GetIdentity()
	found.Identity = id
	d.mu.Lock()
	defer d.mu.Unlock()
	d.response.Asked = proto.Int32(d.response.GetAsked() + 1)
	d.response.Devices = append(d.response.Devices, found)
	if other := d.same(l.address, id); other != "" {
		found.Result, found.SameAs = proto.String("same"), proto.String(other)
	} else {
		found.Result = proto.String("found")
		d.known = append(d.known, knownGear{
			name: l.address.String(), serial: id.GetSerial(), mac: id.GetChassisId(), engine: id.GetEngineId(), addresses: append(id.GetAddresses(), l.address.String()),
		})
		if d.request.GetAdd() {
			d.add(ctx, l, found)
		}
	}
	for _, n := range p.out.GetNeighbours() {
		d.follow(l, found, n)
	}
}

func (d *discovery) add(ctx context.Context, l lead, found *deskv1.DiscoveredGear) {
	address := l.address.String()
	if d.port != "161" {
		address = net.JoinHostPort(address, d.port)
	}
	if err := d.watch.Add(ctx, address, found.GetCredential(), d.request.GetSite()); err != nil {
		found.Partial = proto.String(word("not added: "+err.Error(), maxWord))
		return
	}
	found.Added = proto.Bool(true)
}

// same names the known device that this one is: by an address both have, or by
// serial number, base address or engine, the surer first. Of what both tell and
// that differs, two devices are two though their engines' ids were copied.
func (d *discovery) same(a netip.Addr, id *constatv1.GearIdentity) string {
	for _, k := range d.known {
		switch {
		case k.serial != "" && id.GetSerial() != "":
			if k.serial == id.GetSerial() {
				return k.name
			}
			continue
		case slices.Contains(k.addresses, a.String()):
			return k.name
		case k.mac != "" && id.GetChassisId() != "":
			if k.mac == id.GetChassisId() {
				return k.name
			}
		case k.engine != "" && k.engine == id.GetEngineId():
			return k.name
		}
	}
	return ""
}

// follow makes a lead of a neighbour that may be gear.
func (d *discovery) follow(l lead, found *deskv1.DiscoveredGear, n *constatv1.GearNeighbour) {
	a, err := netip.ParseAddr(n.GetAddress())
	if err != nil || n.Kind != nil && n.GetKind() != "switch" && n.GetKind() != "router" && n.GetKind() != "other" {
		return
	}
	a = a.Unmap().WithZone("")
	switch {
	case d.tried[a] || slices.ContainsFunc(d.next, func(o lead) bool { return o.address == a }):
	case !d.allowed(a):
		if d.tried[a] = true; len(d.response.Devices) < maxFound {
			d.response.Devices = append(d.response.Devices, &deskv1.DiscoveredGear{
				Address: proto.String(a.String()), Result: proto.String("notAllowed"), Depth: proto.Int32(l.depth + 1), By: proto.String(heardBy(found, n)),
			})
		}
	case l.depth+1 > d.request.GetDepth():
		d.response.Beyond = proto.Int32(d.response.GetBeyond() + 1)
	default:
		d.next = append(d.next, lead{address: a, depth: l.depth + 1, by: heardBy(found, n)})
	}
}

func heardBy(found *deskv1.DiscoveredGear, n *constatv1.GearNeighbour) string {
	who := found.GetIdentity().GetName()
	if who == "" {
		who = found.GetAddress()
	}
	return strings.ToUpper(n.GetProtocol()) + " of " + word(who, 100)
}
