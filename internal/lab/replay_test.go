package lab

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

// fixtures are the catalog's composed cases.
const fixtures = "../fault/testdata"

// benign is a change of a healthy computer that no fault is: what people ask
// the help desk about, and what it answers "that is so on purpose" to.
type benign struct {
	what   string
	change func(*rand.Rand, *constatv1.Snapshot)
}

var benigns = []benign{
	{"toner is low", func(r *rand.Rand, s *constatv1.Snapshot) {
		for _, p := range s.GetPrinting().GetPrinters() {
			for _, m := range p.GetSupplies() {
				m.Percent, m.State = proto.Int32(int32(3+r.IntN(12))), proto.String("low")
			}
			p.StateReasons = append(p.StateReasons, "toner-low-warning")
		}
	}},
	{"the printer saves energy", func(_ *rand.Rand, s *constatv1.Snapshot) {
		for _, p := range s.GetPrinting().GetPrinters() {
			p.StateReasons = append(p.StateReasons, "hibernate-report")
		}
	}},
	{"a document is printed at this moment", func(_ *rand.Rand, s *constatv1.Snapshot) {
		for _, q := range s.GetPrinting().GetQueues()[:min(1, len(s.GetPrinting().GetQueues()))] {
			q.State = proto.String("processing")
		}
	}},
	{"the charge is held at 80 %", laptop(func(_ *rand.Rand, b *constatv1.Battery) {
		b.ChargePercent, b.State, b.ChargeLimitPercent, b.ChargeStartPercent = proto.Int32(80), proto.String("notCharging"), proto.Int32(80), proto.Int32(75)
	})},
	{"the battery is full", laptop(func(_ *rand.Rand, b *constatv1.Battery) {
		b.ChargePercent, b.State = proto.Int32(100), proto.String("full")
	})},
	{"the battery has some years behind it", laptop(func(r *rand.Rand, b *constatv1.Battery) {
		b.HealthPercent, b.Cycles = proto.Int32(int32(72+r.IntN(15))), proto.Int32(int32(400+r.IntN(300)))
	})},
	{"the fan stands still", func(_ *rand.Rand, s *constatv1.Snapshot) {
		if s.Power != nil {
			s.Power.Fans = []*constatv1.Fan{{Name: proto.String("fan1"), Rpm: proto.Int32(0), Alarm: proto.Bool(false)}}
		}
	}},
	{"a few packages wait", func(r *rand.Rand, s *constatv1.Snapshot) {
		if s.Updates != nil {
			s.Updates.Pending, s.Updates.SecurityPending = proto.Int32(int32(1+r.IntN(40))), proto.Int32(int32(r.IntN(4)))
		}
	}},
	{"the disk is well filled", func(r *rand.Rand, s *constatv1.Snapshot) {
		for _, f := range s.GetSpace().GetFilesystems() {
			if f.TotalBytes != nil && f.GetTotalBytes() > 100<<30 {
				used := 75 + r.IntN(14)
				f.UsedPercent, f.FreeBytes = proto.Int32(int32(used)), proto.Int64(f.GetTotalBytes()/100*int64(100-used))
			}
		}
	}},
	{"something computes", func(r *rand.Rand, s *constatv1.Snapshot) {
		if c := s.GetLoad().GetCpu(); c != nil {
			c.BusyPercent = proto.Float64(float64(40 + r.IntN(45)))
		}
	}},
	{"half the memory is in use", func(r *rand.Rand, s *constatv1.Snapshot) {
		if m := s.GetLoad().GetMemory(); m != nil {
			m.AvailablePercent = proto.Int32(int32(30 + r.IntN(40)))
		}
	}},
	{"a VPN for some networks only", func(_ *rand.Rand, s *constatv1.Snapshot) {
		s.Network.Links = append(s.Network.Links, &constatv1.Link{
			Index: proto.Int32(90), Name: proto.String("wg0"), Kind: proto.String("tunnel"), AdminStatus: proto.String("up"), OperStatus: proto.String("unknown"),
			Carrier:   proto.Bool(true),
			Addresses: []*constatv1.Address{{Cidr: proto.String("10.200.0.7/32"), Family: proto.Int32(4), Scope: proto.String("global"), Origin: proto.String("manual")}},
		})
		s.Network.Vpns = []*constatv1.Vpn{{Name: proto.String("office"), Kind: proto.String("wireguard"), State: proto.String("connected"), Link: proto.String("wg0")}}
	}},
	{"a VPN that is not connected", func(_ *rand.Rand, s *constatv1.Snapshot) {
		s.Network.Vpns = []*constatv1.Vpn{{Name: proto.String("home"), Kind: proto.String("openvpn"), State: proto.String("disconnected")}}
	}},
	{"names take their time", func(r *rand.Rand, s *constatv1.Snapshot) {
		for _, d := range s.GetProbes().GetDns() {
			d.Ms = proto.Float64(200 + float64(r.IntN(500)))
		}
		for _, l := range s.GetProbes().GetLookups() {
			l.Ms = proto.Float64(200 + float64(r.IntN(1200)))
		}
	}},
	{"the router does not answer ping", func(_ *rand.Rand, s *constatv1.Snapshot) {
		for _, g := range s.GetProbes().GetGateways() {
			g.Ping, g.PingMs, g.Received, g.LossPercent = proto.String("timeout"), nil, proto.Int32(0), nil
		}
	}},
	{"a cable changed a few times today", func(r *rand.Rand, s *constatv1.Snapshot) {
		for _, c := range s.GetCounters().GetLinks() {
			c.CarrierChanges = proto.Int64(int64(2 + r.IntN(8)))
		}
	}},
	{"some frames were bad, of very many", func(r *rand.Rand, s *constatv1.Snapshot) {
		for _, c := range s.GetCounters().GetLinks() {
			c.InPackets, c.InErrors, c.CrcErrors = proto.Int64(40_000_000), proto.Int64(int64(r.IntN(30))), proto.Int64(int64(r.IntN(20)))
		}
	}},
	{"weak Wi-Fi that works", radio(func(r *rand.Rand, w *constatv1.Radio) { w.SignalDbm = proto.Int32(-74 + int32(r.IntN(6))) })},
	{"guest Wi-Fi without a sign-in", radio(func(_ *rand.Rand, w *constatv1.Radio) {
		w.Ssid, w.Security = proto.String("Guests"), proto.String("open")
	})},
	{"Wi-Fi among many others", radio(func(r *rand.Rand, w *constatv1.Radio) {
		w.NetworksHeard, w.NetworksOnChannel, w.ChannelBusyPercent = proto.Int32(int32(20+r.IntN(30))), proto.Int32(int32(3+r.IntN(4))), proto.Float64(float64(20+r.IntN(30)))
	})},
	{"the clock is a second off", func(r *rand.Rand, s *constatv1.Snapshot) {
		if h := s.GetProbes().GetHttp(); h != nil {
			h.ClockOffsetSeconds = proto.Float64(r.Float64()*8 - 4)
		}
	}},
	{"the system started a minute ago", func(_ *rand.Rand, s *constatv1.Snapshot) {
		if s.Host != nil {
			s.Host.BootTime = timestamppb.New(s.GetManifest().GetTakenAt().AsTime().Add(-70 * time.Second))
		}
	}},
	{"the system has run for months", func(r *rand.Rand, s *constatv1.Snapshot) {
		if s.Host != nil {
			s.Host.BootTime = timestamppb.New(s.GetManifest().GetTakenAt().AsTime().Add(-time.Duration(60+r.IntN(200)) * 24 * time.Hour))
		}
	}},
}

// laptop changes the battery of a computer that runs on its charger.
func laptop(change func(*rand.Rand, *constatv1.Battery)) func(*rand.Rand, *constatv1.Snapshot) {
	return func(r *rand.Rand, s *constatv1.Snapshot) {
		if s.Power == nil || s.Hardware == nil {
			return
		}
		s.Hardware.Chassis = proto.String("laptop")
		b := &constatv1.Battery{
			Name: proto.String("BAT0"), DesignMwh: proto.Int64(57000), FullMwh: proto.Int64(51000), HealthPercent: proto.Int32(89),
			Cycles: proto.Int32(210), ChargePercent: proto.Int32(94), State: proto.String("charging"),
		}
		change(r, b)
		b.FullMwh = proto.Int64(b.GetDesignMwh() / 100 * int64(b.GetHealthPercent()))
		s.Power.OnBattery, s.Power.Batteries = proto.Bool(false), []*constatv1.Battery{b}
		s.Power.Chargers = []*constatv1.Charger{{Name: proto.String("AC"), Online: proto.Bool(true), Watts: proto.Float64(65), RequiredWatts: proto.Float64(65)}}
	}
}

// radio makes the link in use one of Wi-Fi, and changes how it is heard.
func radio(change func(*rand.Rand, *constatv1.Radio)) func(*rand.Rand, *constatv1.Snapshot) {
	return func(r *rand.Rand, s *constatv1.Snapshot) {
		if len(s.GetNetwork().GetRoutes()) == 0 {
			return
		}
		name := s.Network.Routes[0].GetLink()
		for _, l := range s.Network.Links {
			if l.GetName() == name {
				l.Kind, l.Duplex, l.SpeedMbps = proto.String("wifi"), nil, nil
			}
		}
		w := &constatv1.Radio{
			Link: proto.String(name), SoftBlocked: proto.Bool(false), HardBlocked: proto.Bool(false), State: proto.String("connected"), Ssid: proto.String("Office"),
			Security: proto.String("wpa2"), SignalDbm: proto.Int32(-55), TxMbps: proto.Float64(300), RxMbps: proto.Float64(400), RetryPercent: proto.Float64(4),
			NetworksHeard: proto.Int32(9), NetworksOnChannel: proto.Int32(2), ChannelBusyPercent: proto.Float64(30), SsidHeard: proto.Bool(true),
		}
		change(r, w)
		s.Wifi = &constatv1.Wifi{Radios: []*constatv1.Radio{w}}
	}
}

// replays are healthy computers that cost no world: the network of one that was
// seen live, and seen to be well, in the rest of a computer as the catalog's fixtures have it, both
// changed by what is benign.
func replays(t testing.TB, live []Run, seed string, count int) (runs []Run) {
	t.Helper()
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	world, err := fixture.World(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	full, _ := diagnosis.Lookup("full")
	live = slices.DeleteFunc(slices.Clone(live), func(r Run) bool {
		// Whoever asked about a program was told nothing of the network: it may be
		// none at all.
		looked := slices.Contains([]string{"internet", "full"}, r.Procedure)
		return !looked || r.Fault != "" || r.wrong() != "" || r.Snapshot.GetNetwork() == nil || r.Snapshot.GetProbes() == nil
	})
	for n := range count {
		if len(live) == 0 {
			return nil
		}
		r := drawing(seed, "replay", n)
		from := pick(r, live...)
		s := proto.Clone(world).(*constatv1.Snapshot)
		s.Network, s.Probes, s.Counters = clone(from.Snapshot.Network), clone(from.Snapshot.Probes), clone(from.Snapshot.Counters)
		s.Gear, s.Attachment, s.Fleet = nil, nil, nil
		s.Manifest.Groups = slices.DeleteFunc(s.Manifest.Groups, func(g *constatv1.GroupEntry) bool {
			return slices.Contains([]string{"gear", "attachment", "fleet", "network", "probes", "counters"}, g.Group)
		})
		for _, g := range from.Snapshot.GetManifest().GetGroups() {
			if slices.Contains([]string{"network", "probes", "counters"}, g.Group) {
				s.Manifest.Groups = append(s.Manifest.Groups, clone(g))
			}
		}
		how := from.How
		for _, i := range r.Perm(len(benigns))[:1+r.IntN(4)] {
			benigns[i].change(r, s)
			how += ", " + benigns[i].what
		}
		runs = append(runs, Run{
			How: how, Procedure: full.ID, At: fixture.Now, Snapshot: s, Diagnosis: diagnosis.Judge(catalog, full, s, fixture.Now, "en"),
		})
	}
	return runs
}

func clone[M proto.Message](m M) M { return proto.Clone(m).(M) }
