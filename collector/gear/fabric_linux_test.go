package gear

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/storetest"
	constatv1 "constat/proto/constat/v1"
)

// fabric is a network of switches as their polls would show it: a tree of links,
// as the spanning tree leaves it, with stations at the edges.
type fabric struct {
	switches []*fabricNode
	stations map[string]place
}

type fabricNode struct {
	name  string
	gear  *constatv1.Gear
	ports int32
	// towards are the ports to the switches next to it, by their number.
	towards map[int]int32
}

type place struct {
	at   int
	port int32
}

func (f *fabric) add(name string, desks int) int {
	n := &fabricNode{name: name, towards: map[int]int32{}, gear: &constatv1.Gear{
		Identity:   &constatv1.GearIdentity{Vendor: proto.String("Cisco"), Name: proto.String(name), Serial: proto.String("S" + name)},
		PollResult: proto.String("ok"), SpanningTree: &constatv1.SpanningTree{Root: proto.String("80:00:00:00:00:00:00:01")},
	}}
	for range desks {
		n.port(false)
	}
	f.switches = append(f.switches, n)
	return len(f.switches) - 1
}

func (n *fabricNode) port(trunk bool) *constatv1.GearInterface {
	n.ports++
	p := &constatv1.GearInterface{
		IfIndex: proto.Int32(n.ports), Name: proto.String(fmt.Sprintf("Gi1/0/%d", n.ports)), AdminStatus: proto.String("up"), OperStatus: proto.String("up"),
		Trunk: proto.Bool(trunk), Kind: proto.String("ethernetCsmacd"),
	}
	if !trunk {
		p.Vlan = proto.Int32(10)
	}
	n.gear.Interfaces = append(n.gear.Interfaces, p)
	return p
}

// link joins two switches; said: they announce themselves to each other.
func (f *fabric) link(a, b int, said bool) (*constatv1.GearInterface, *constatv1.GearInterface) {
	pa, pb := f.switches[a].port(true), f.switches[b].port(true)
	f.switches[a].towards[b], f.switches[b].towards[a] = pa.GetIfIndex(), pb.GetIfIndex()
	if said {
		f.announce(a, pa.GetIfIndex(), f.switches[b].name, pb.GetName(), "switch")
		f.announce(b, pb.GetIfIndex(), f.switches[a].name, pa.GetName(), "switch")
	}
	return pa, pb
}

func (f *fabric) announce(at int, ifIndex int32, name, port, kind string) {
	g := f.switches[at].gear
	g.Neighbours = append(g.Neighbours, &constatv1.GearNeighbour{
		LocalIfIndex: proto.Int32(ifIndex), Protocol: proto.String("cdp"), RemoteSystem: proto.String(name), RemotePort: proto.String(port), Kind: proto.String(kind),
	})
}

// hop is the port of one switch towards another, over however many; 0 when it is
// the same.
func (f *fabric) hop(from, to int) int32 {
	type step struct {
		at    int
		first int32
	}
	seen, queue := map[int]bool{from: true}, []step{{from, 0}}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		if s.at == to {
			return s.first
		}
		for next, port := range f.switches[s.at].towards {
			if !seen[next] {
				seen[next] = true
				first := s.first
				if first == 0 {
					first = port
				}
				queue = append(queue, step{next, first})
			}
		}
	}
	return 0
}

// station puts a station at a desk; the switches for which heard is true learn it.
func (f *fabric) station(mac string, at int, port, vlan int32, heard func(at int) bool) {
	if f.stations == nil {
		f.stations = map[string]place{}
	}
	f.stations[mac] = place{at, port}
	for i := range f.switches {
		if i != at && !heard(i) {
			continue
		}
		ifIndex := f.hop(i, at)
		if i == at {
			ifIndex = port
		}
		f.learn(i, mac, ifIndex, vlan)
	}
}

func (f *fabric) learn(at int, mac string, ifIndex, vlan int32) {
	g := f.switches[at].gear
	for _, row := range g.Forwarding {
		if row.GetMac() == mac && row.GetVlan() == vlan {
			return // a switch learns a station at one port
		}
	}
	for _, p := range g.Interfaces { // at a port-channel, not at its cables
		if p.GetIfIndex() == ifIndex && p.Aggregate != nil {
			ifIndex = p.GetAggregate()
			break
		}
	}
	g.Forwarding = append(g.Forwarding, &constatv1.Forwarding{Mac: proto.String(mac), Vlan: proto.Int32(vlan), IfIndex: proto.Int32(ifIndex)})
}

// own has switches learn the addresses of other switches, as they do of those
// that somebody manages.
func (f *fabric) own(knowing float64, random *rand.Rand) {
	for i, n := range f.switches {
		mac := fmt.Sprintf("02:aa:00:%02x:00:00", i+1)
		n.gear.Identity.ChassisId = proto.String(mac)
		for j := range f.switches {
			if i != j && random.Float64() < knowing {
				f.learn(j, mac, f.hop(j, i), 1)
			}
		}
	}
}

// polled keeps what a fabric's switches show, as if they had been asked.
func (p *plant) polled(f *fabric) {
	p.Helper()
	p.community("fabric", "x")
	for _, n := range f.switches {
		p.add(n.name+".example.org", "fabric")
	}
	p.again(f)
}

func (p *plant) again(f *fabric) {
	p.Helper()
	// Two thirds of an hour later a lease has long ended.
	due, err := p.claim(p.Context(), 1000)
	if err != nil || len(due) != len(f.switches) {
		p.Fatalf("%d of %d are due: %v", len(due), len(f.switches), err)
	}
	for _, device := range due {
		i := slices.IndexFunc(f.switches, func(n *fabricNode) bool { return n.name+".example.org" == device.Address })
		read := &Result{
			Gear: proto.CloneOf(f.switches[i].gear), Counters: &constatv1.GearCounters{At: timestamppb.New(p.at)}, Plan: &constatv1.GearPlan{}, Stations: true,
		}
		v := &visited{kind: whole, state: "ok", News: &News{Result: read}}
		if v.before, err = p.store.Read().GearFacts(p.Context(), device.ID); err != nil {
			v.before.GearID = ""
		}
		if v.tracks, err = p.track(p.Context(), device.ID, v.Gear, nil, p.at); err != nil {
			p.Fatal(err)
		}
		if err := p.keep(p.Context(), device, v); err != nil {
			p.Fatal(err)
		}
	}
}

// ports checks that every station is found at its own port.
func (p *plant) ports(f *fabric, when string) (found int) {
	p.Helper()
	for mac, want := range f.stations {
		a, err := p.desk.Where(p.Context(), mac)
		if err != nil {
			p.Fatal(err)
		}
		n := f.switches[want.at]
		if a.GetGearName() != n.name || a.GetPort().GetIfIndex() != want.port {
			p.Errorf("%s: %s is at %s %s, want %s Gi1/0/%d", when, mac, a.GetGearName(), a.GetPort().GetName(), n.name, want.port)
			continue
		}
		found++
	}
	return found
}

func mac(n int) string { return fmt.Sprintf("02:00:5e:01:%02x:%02x", n>>8, n&255) }

// Networks of many shapes: every station is found at its own port and none at a
// link between switches, whoever announces himself and whichever address a switch
// has forgotten.
func TestFabrics(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for seed := range uint64(12) {
			random := rand.New(rand.NewPCG(seed, 7))
			f := &fabric{}
			count := 2 + random.IntN(6)
			for i := range count {
				f.add(fmt.Sprintf("s%d-%d", seed, i), 8+random.IntN(8))
				if i > 0 {
					f.link(i, random.IntN(i), random.Float64() < 0.6)
				}
			}
			f.own(0.4, random)
			for n := range 60 {
				at := random.IntN(count)
				port := int32(1 + random.IntN(7))
				f.station(mac(int(seed)<<8|n), at, port, 10, func(int) bool { return random.Float64() < 0.9 })
			}
			p := newPlant(t, s)
			p.polled(f)
			found := p.ports(f, fmt.Sprintf("seed %d, %d switches", seed, count))
			t.Logf("seed %d: %d of %d stations at %d switches", seed, found, len(f.stations), count)
			for _, d := range f.switches {
				device := p.device(d.name)
				if err := p.Remove(t.Context(), device.GetDevice().GetId()); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// What stands at desks and between: each case names who is asked for and what the
// answer must say.
func TestWhere(t *testing.T) {
	everywhere := func(int) bool { return true }
	cases := []struct {
		name  string
		build func(f *fabric)
		ask   string
		// want is "SWITCH PORT", empty: unknown.
		want string
		says func(a *constatv1.Attachment) string // empty: right
	}{
		{"a phone and a computer at one port", func(f *fabric) {
			f.switches[1].gear.Interfaces[2].VoiceVlan = proto.Int32(20)
			f.announce(1, 3, "SEP02005E010064", "Port 1", "phone")
			f.station(mac(100), 1, 3, 20, everywhere) // the phone
			f.station(mac(1), 1, 3, 10, everywhere)
		}, mac(1), "edge Gi1/0/3", func(a *constatv1.Attachment) string {
			if a.GetVia() != "SEP02005E010064" || a.GetViaKind() != "phone" || a.GetVlan() != 10 || a.GetStations() != 2 || a.GetPort().GetVoiceVlan() != 20 {
				return a.String()
			}
			return ""
		}},
		{"the phone itself", func(f *fabric) {
			f.announce(1, 3, "SEP02005E010064", "Port 1", "phone")
			f.station(mac(100), 1, 3, 20, everywhere)
			f.station(mac(1), 1, 3, 10, everywhere)
		}, mac(100), "edge Gi1/0/3", func(a *constatv1.Attachment) string { return a.GetVia() }},
		{"a station in two VLANs", func(f *fabric) {
			f.station(mac(1), 1, 4, 10, everywhere)
			f.station(mac(1), 1, 4, 20, everywhere)
		}, mac(1), "edge Gi1/0/4", nil},
		{"a small switch under a desk is no device", func(f *fabric) {
			for n := range 5 {
				f.station(mac(n+1), 1, 5, 10, everywhere)
			}
		}, mac(3), "edge Gi1/0/5", func(a *constatv1.Attachment) string {
			if a.Via != nil || a.GetStations() != 5 {
				return a.String()
			}
			return ""
		}},
		{"a wireless client behind an access point that switches itself", func(f *fabric) {
			f.announce(1, 6, "ap-floor-1", "GigabitEthernet0", "accessPoint")
			for n := range 40 {
				f.station(mac(n+1), 1, 6, 30, everywhere)
			}
		}, mac(17), "edge Gi1/0/6", func(a *constatv1.Attachment) string {
			if a.GetEvidence() != "wireless" || a.GetVia() != "ap-floor-1" || a.GetViaKind() != "accessPoint" {
				return a.String()
			}
			return ""
		}},
		{"a wireless client that a controller hears", func(f *fabric) {
			wlc := f.add("wlc", 0)
			up, _ := f.link(wlc, 0, true)
			_ = up
			g := f.switches[wlc].gear
			g.AccessPoints = []*constatv1.AccessPoint{{Name: proto.String("ap-2"), Mac: proto.String("02:00:5e:ee:00:00"), EthernetMac: proto.String(mac(200))}}
			g.Stations = []*constatv1.GearStation{{Mac: proto.String(mac(1)), Address: proto.String("192.0.2.31"), Evidence: proto.String("wireless"), AccessPoint: proto.String("ap-2")}}
			f.station(mac(200), 1, 7, 99, everywhere) // the access point's cable
			f.learn(0, mac(1), f.hop(0, wlc), 30)     // its clients come out of the controller
			f.learn(1, mac(1), f.hop(1, 0), 30)
		}, "192.0.2.31", "edge Gi1/0/7", func(a *constatv1.Attachment) string {
			if a.GetEvidence() != "wireless" || a.GetVia() != "ap-2" || a.GetMac() != mac(1) || a.GetAddress() != "192.0.2.31" {
				return a.String()
			}
			return ""
		}},
		{"a host of virtual machines", func(f *fabric) {
			f.announce(1, 2, "esx-7.example.org", "vmnic0", "switch")
			f.switches[1].gear.Neighbours[len(f.switches[1].gear.Neighbours)-1].Platform = proto.String("VMware ESXi Releasebuild-1")
			for n := range 6 {
				f.station(mac(n+1), 1, 2, 10, everywhere)
			}
		}, mac(2), "edge Gi1/0/2", func(a *constatv1.Attachment) string {
			if a.GetViaKind() != "hypervisor" || a.GetVia() != "esx-7.example.org" {
				return a.String()
			}
			return ""
		}},
		{"a switch of nobody's that announces itself", func(f *fabric) {
			f.announce(1, 2, "sw-unpolled", "Gi0/1", "switch")
			f.station(mac(1), 1, 2, 10, everywhere)
		}, mac(1), "", nil},
		{"seen on the ways between switches only", func(f *fabric) {
			third := f.add("third", 8)
			up, down := f.link(third, 1, true)
			f.learn(0, mac(1), f.hop(0, 1), 10)
			f.learn(1, mac(1), down.GetIfIndex(), 10)
			f.learn(third, mac(1), up.GetIfIndex(), 10) // sent back, by a table that is stale
		}, mac(1), "", nil},
		{"a switch that nobody manages between two that are polled", func(f *fabric) {
			far := f.add("far", 8)
			f.link(1, far, false) // its name passes no switch of another maker
			for n := range 3 {
				f.station(mac(50+n), far, int32(n+1), 10, everywhere)
				f.station(mac(60+n), 1, int32(n+1), 10, everywhere)
			}
			f.station(mac(1), far, 4, 10, everywhere)
		}, mac(1), "far Gi1/0/4", nil},
		{"a way of two cables of which each is announced", func(f *fabric) {
			far := f.add("far", 8)
			a, b := f.link(1, far, true)
			c, d := f.switches[1].port(true), f.switches[far].port(true)
			f.announce(1, c.GetIfIndex(), "far", d.GetName(), "switch")
			f.announce(far, d.GetIfIndex(), "edge", c.GetName(), "switch")
			for side, pair := range map[int][2]*constatv1.GearInterface{1: {a, c}, far: {b, d}} {
				bundle := f.switches[side].port(true)
				bundle.Name, bundle.Kind = proto.String("Po1"), proto.String("ieee8023adLag")
				pair[0].Aggregate, pair[1].Aggregate = bundle.IfIndex, bundle.IfIndex
			}
			f.station(mac(1), far, 4, 10, everywhere)
		}, mac(1), "far Gi1/0/4", nil},
		{"between two switches, at one that nobody manages", func(f *fabric) {
			far := f.add("far", 8)
			a, b := f.link(1, far, false)
			for n := range 3 {
				f.station(mac(50+n), far, int32(n+1), 10, everywhere)
				f.station(mac(60+n), 1, int32(n+1), 10, everywhere)
			}
			f.learn(1, mac(1), a.GetIfIndex(), 10)
			f.learn(far, mac(1), b.GetIfIndex(), 10)
			f.learn(0, mac(1), f.hop(0, 1), 10)
		}, mac(1), "", nil},
		{"a port-channel between switches leads on", func(f *fabric) {
			far := f.add("far", 8)
			a, b := f.link(1, far, true)
			for side, p := range map[int]*constatv1.GearInterface{1: a, far: b} {
				bundle := f.switches[side].port(true)
				bundle.Name, bundle.Kind = proto.String("Po1"), proto.String("ieee8023adLag")
				p.Aggregate = bundle.IfIndex
			}
			f.station(mac(1), far, 4, 10, everywhere)
		}, mac(1), "far Gi1/0/4", func(a *constatv1.Attachment) string {
			if a.GetUplink().GetName() != "Po1" {
				return a.GetUplink().String()
			}
			return ""
		}},
		{"a server at a port-channel", func(f *fabric) {
			bundle := f.switches[1].port(false)
			bundle.Name, bundle.Kind = proto.String("Po7"), proto.String("ieee8023adLag")
			f.switches[1].gear.Interfaces[0].Aggregate, f.switches[1].gear.Interfaces[1].Aggregate = bundle.IfIndex, bundle.IfIndex
			f.station(mac(1), 1, bundle.GetIfIndex(), 10, everywhere)
		}, mac(1), "edge Po7", nil},
		{"a ring, of which the spanning tree blocks one link", func(f *fabric) {
			third := f.add("third", 8)
			f.link(third, 0, false) // forwards
			pa, pb := f.switches[third].port(true), f.switches[1].port(true)
			pa.StpState, pb.StpState = proto.String("blocking"), proto.String("forwarding") // nothing is learnt there
			f.announce(third, pa.GetIfIndex(), "edge", pb.GetName(), "switch")
			f.announce(1, pb.GetIfIndex(), "third", pa.GetName(), "switch")
			for n := range 4 {
				f.station(mac(n+1), third, int32(n+1), 10, everywhere)
				f.station(mac(n+11), 1, int32(n+1), 10, everywhere)
			}
			f.switches[1].gear.SpanningTree.RootPort = proto.Int32(f.switches[1].towards[0])
		}, mac(12), "edge Gi1/0/2", func(a *constatv1.Attachment) string {
			if a.GetUplink().GetIfIndex() != 9 { // of the two towards others the one towards the root
				return a.GetUplink().String()
			}
			return ""
		}},
		{"by the address that a router knows", func(f *fabric) {
			f.station(mac(1), 1, 4, 10, everywhere)
			f.switches[0].gear.Stations = []*constatv1.GearStation{{Mac: proto.String(mac(1)), Address: proto.String("2001:db8::7"), Evidence: proto.String("arp")}}
		}, "2001:DB8:0::7", "edge Gi1/0/4", nil},
		{"signed on at a port whose switch shows no table", func(f *fabric) {
			f.switches[1].gear.Stations = []*constatv1.GearStation{{Mac: proto.String(mac(1)), Evidence: proto.String("dot1x"), IfIndex: proto.Int32(5), Vlan: proto.Int32(10)}}
			f.station(mac(77), 1, 1, 10, everywhere)
			f.learn(0, mac(1), f.hop(0, 1), 10)
		}, mac(1), "edge Gi1/0/5", func(a *constatv1.Attachment) string {
			if a.GetEvidence() != "dot1x" {
				return a.String()
			}
			return ""
		}},
		{"given an address there and silent since", func(f *fabric) {
			f.switches[1].gear.Stations = []*constatv1.GearStation{{Mac: proto.String(mac(1)), Address: proto.String("192.0.2.9"), Evidence: proto.String("dhcpSnooping"), IfIndex: proto.Int32(5), Vlan: proto.Int32(10)}}
		}, "192.0.2.9", "edge Gi1/0/5", func(a *constatv1.Attachment) string {
			if a.GetEvidence() != "dhcpSnooping" || a.GetCurrent() {
				return a.String()
			}
			return ""
		}},
	}
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				f := &fabric{}
				f.add("core", 8)
				f.add("edge", 8)
				f.link(0, 1, true)
				c.build(f)
				p := newPlant(t, s)
				p.polled(f)
				defer func() {
					for _, n := range f.switches {
						if err := p.Remove(t.Context(), p.device(n.name).GetDevice().GetId()); err != nil {
							t.Error(err)
						}
					}
				}()
				a, err := p.desk.Where(t.Context(), c.ask)
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.TrimSpace(a.GetGearName() + " " + a.GetPort().GetName()); got != c.want {
					t.Fatalf("it is at %q, want %q: %v", got, c.want, a)
				}
				if a != nil && c.says != nil {
					if wrong := c.says(a); wrong != "" {
						t.Errorf("the answer says %s", wrong)
					}
				}
			})
		}
	})
}

// A station that changes its port is counted, and only so long as it does not
// rest; switched off it keeps the last one.
func TestMoves(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPlant(t, s)
		f := &fabric{}
		f.add("edge", 8)
		f.station(mac(1), 0, 1, 10, nil)
		f.station(mac(2), 0, 5, 10, nil)
		p.polled(f)
		began := p.at
		moves := func() int32 {
			for _, row := range p.device("edge").GetGear().GetForwarding() {
				if row.GetMac() == mac(1) {
					return row.GetMoves()
				}
			}
			return -1
		}
		if n := moves(); n != 0 {
			t.Fatalf("%d moves at first sight", n)
		}
		for i, port := range []int32{2, 1, 2} {
			p.at = p.at.Add(6 * time.Minute)
			f.switches[0].gear.Forwarding[0].IfIndex = proto.Int32(port)
			p.again(f)
			if n := moves(); n != int32(i+1) {
				t.Errorf("%d moves, want %d", n, i+1)
			}
		}
		a, err := p.desk.Where(t.Context(), mac(1))
		if err != nil || a.GetPort().GetIfIndex() != 2 || !a.GetSince().AsTime().Equal(p.at.Truncate(time.Millisecond)) || !a.GetCurrent() {
			t.Errorf("it is at %v (%v)", a, err)
		}
		if a, _ := p.desk.Where(t.Context(), mac(2)); !a.GetSince().AsTime().Equal(began.Truncate(time.Millisecond)) {
			t.Errorf("the other is there since %v", a.GetSince().AsTime())
		}
		p.at = p.at.Add(40 * time.Minute)
		p.again(f)
		if n := moves(); n != 0 {
			t.Errorf("%d moves after a rest", n)
		}
		left := p.at
		f.switches[0].gear.Forwarding = f.switches[0].gear.Forwarding[1:]
		p.at = p.at.Add(6 * time.Minute)
		p.again(f)
		a, err = p.desk.Where(t.Context(), mac(1))
		if err != nil || a.GetPort().GetIfIndex() != 2 || a.GetCurrent() || !a.GetSeenAt().AsTime().Equal(left.Truncate(time.Millisecond)) {
			t.Errorf("switched off it is at %v (%v)", a, err)
		}
	})
}

// A machine is carried to another switch; the old one still lists it for a while.
func TestCarried(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPlant(t, s)
		f := &fabric{}
		for _, name := range []string{"core", "east", "west"} {
			f.add(name, 8)
		}
		f.link(0, 1, true)
		f.link(0, 2, true)
		f.station(mac(1), 1, 3, 10, func(int) bool { return false })
		p.polled(f)
		at := func(when, want string) {
			t.Helper()
			a, err := p.desk.Where(t.Context(), mac(1))
			if got := a.GetGearName() + " " + a.GetPort().GetName(); err != nil || got != want || !a.GetCurrent() {
				t.Errorf("%s it is at %s (%v), want %s", when, got, a, want)
			}
		}
		at("at first", "east Gi1/0/3")
		for _, way := range []struct {
			switchOf int
			port     int32
			want     string
		}{{2, 5, "west Gi1/0/5"}, {1, 6, "east Gi1/0/6"}} {
			p.at = p.at.Add(6 * time.Minute)
			g := f.switches[way.switchOf].gear
			g.Forwarding = nil
			f.learn(way.switchOf, mac(1), way.port, 10)
			p.again(f)
			at("carried, and still listed where it was,", way.want)
		}
		p.at = p.at.Add(6 * time.Minute)
		f.switches[2].gear.Forwarding = nil
		p.again(f)
		at("listed there alone", "east Gi1/0/6")
	})
}
