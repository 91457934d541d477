package gear

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/storetest"
	"constat/internal/lab"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// life is a device whose objects change while it is polled: snmpsim's writecache,
// written by SNMP sets.
type life struct {
	*plant
	to     *gosnmp.GoSNMP
	uptime uint32
}

// changing makes objects of a recording writable.
func (d device) changing(oids ...string) device {
	for _, oid := range oids {
		parts := strings.SplitN(d[oid], "|", 3)
		d[oid] = fmt.Sprintf("%s|%s:writecache|value=%s", parts[0], parts[1], parts[2])
	}
	return d
}

func newLife(p *plant, address, community string) *life {
	p.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		p.Fatal(err)
	}
	number, _ := strconv.Atoi(port)
	l := &life{plant: p, uptime: 864000000, to: &gosnmp.GoSNMP{
		Target: host, Port: uint16(number), Transport: "udp", Version: gosnmp.Version2c, Community: community, Timeout: 10 * time.Second, Retries: 2,
	}}
	if err := l.to.Connect(); err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { l.to.Conn.Close() })
	return l
}

func (l *life) set(oid string, kind gosnmp.Asn1BER, value any) {
	l.Helper()
	answer, err := l.to.Set([]gosnmp.SnmpPDU{{Name: "." + oid, Type: kind, Value: value}})
	if err != nil || answer.Error != gosnmp.NoError {
		l.Fatalf("setting %s: %v, %v", oid, err, answer)
	}
}

// passes lets time pass, for the device too, and polls what is due.
func (l *life) passes(d time.Duration) *deskv1.GetGearResponse {
	l.Helper()
	l.uptime += uint32(d.Milliseconds() / 10)
	l.set("1.3.6.1.2.1.1.3.0", gosnmp.TimeTicks, l.uptime)
	l.turn(d)
	return l.device("sw-floor-2")
}

// until lets time pass in steps in which the status is polled.
func (l *life) until(d time.Duration) (last *deskv1.GetGearResponse) {
	l.Helper()
	for left := d; left > 0; left -= time.Minute {
		last = l.passes(time.Minute)
	}
	return last
}

func named(r *deskv1.GetGearResponse) []string { return r.GetDevice().GetFaults() }

// A day in the life of a switch: frames are damaged slowly, the processor is busy,
// a line is full, a plug makes bad contact, a port fails. What takes time to see is
// seen over time, and told since when.
func TestLifeOfASwitch(t *testing.T) {
	column := func(oid string, ifIndex int) string { return fmt.Sprintf("%s.%d", oid, ifIndex) }
	var (
		packets, crc = column("1.3.6.1.2.1.31.1.1.1.7", desk5), column("1.3.6.1.2.1.10.7.2.1.3", desk5)
		oper, change = column(operStatus, desk5), column(lastChange, desk5)
		octets       = column("1.3.6.1.2.1.31.1.1.1.10", uplink)
		drops        = column("1.3.6.1.2.1.2.2.1.19", uplink)
		cpu          = "1.3.6.1.4.1.9.9.109.1.1.1.1.8.1"
	)
	d := switchOf(8).set(packets, counterType, 1000).set(crc, "65", 40).set(change, ticksType, 500).set(octets, counterType, 1<<41).set(drops, "65", 4294967000)
	text := d.changing("1.3.6.1.2.1.1.3.0", packets, crc, oper, change, octets, drops, cpu).recording()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		played := lab.Play(t, lab.Recording{Community: "floors", Text: text})
		l := newLife(newPlant(t, s), played.Address, "floors")
		l.community("floors", "floors")
		l.add(played.Address, "floors")
		if r := l.passes(time.Second); len(named(r)) != 0 || len(r.GetGear().GetInterfaces()) != 9 {
			t.Fatalf("at first: %v", r)
		}
		began := l.at
		if r := l.until(5 * time.Minute); len(named(r)) != 0 || portOf(r.GetGear()).GetDeltaSeconds() != 300 || r.GetTakenAt().AsTime().UnixMilli() != l.at.UnixMilli() {
			t.Fatalf("after five minutes: %v, %v", named(r), portOf(r.GetGear()))
		}

		// Six damaged frames in five minutes are too few to say so, until they go on.
		var r *deskv1.GetGearResponse
		for n := range 2 {
			l.set(crc, gosnmp.Counter32, uint32(40+6*(n+1)))
			l.set(packets, gosnmp.Counter64, uint64(1000+20_000*(n+1)))
			r = l.until(5 * time.Minute)
			if got := slices.Contains(named(r), "cisco-port-crc-errors"); got != (n == 1) {
				t.Errorf("after %d damaged frames: %v, %v", 6*(n+1), named(r), portOf(r.GetGear()))
			}
		}
		if p := portOf(r.GetGear()); p.GetCrcErrors() != 12 || p.GetDeltaSeconds() < 600 || !p.GetErrorsSince().AsTime().Equal(began.Add(5*time.Minute).Truncate(time.Second)) {
			t.Errorf("damaged frames since %v (began %v): %v", p.GetErrorsSince().AsTime(), began, p)
		}
		if r = l.until(5 * time.Minute); len(named(r)) != 0 {
			t.Errorf("after a new cable: %v", named(r))
		}
		if r = l.until(15 * time.Minute); portOf(r.GetGear()).ErrorsSince != nil {
			t.Errorf("long after: %v", portOf(r.GetGear()))
		}

		// The processor is busy, and the uplink full: its counter of drops begins
		// again meanwhile.
		l.set(cpu, gosnmp.Gauge32, uint32(95))
		l.set(octets, gosnmp.Counter64, uint64(1<<41+950_000_000/8*300))
		l.set(drops, gosnmp.Counter32, uint32(500))
		busy := l.until(5 * time.Minute)
		for _, want := range []string{"cisco-high-cpu", "cisco-uplink-saturated"} {
			if !slices.Contains(named(busy), want) {
				t.Errorf("a busy switch: %v, want %s", named(busy), want)
			}
		}
		since := busy.GetGear().GetCpuHighSince()
		if r = l.until(5 * time.Minute); !slices.Contains(named(r), "cisco-high-cpu") || slices.Contains(named(r), "cisco-uplink-saturated") ||
			!r.GetGear().GetCpuHighSince().AsTime().Equal(since.AsTime()) || since == nil {
			t.Errorf("five minutes later: %v, since %v, was %v", named(r), r.GetGear().GetCpuHighSince(), since)
		}
		l.set(cpu, gosnmp.Gauge32, uint32(12))
		if r = l.until(5 * time.Minute); len(named(r)) != 0 || r.GetGear().CpuHighSince != nil {
			t.Errorf("at rest: %v", named(r))
		}

		// A plug with bad contact: each poll finds the port up, but not since the same
		// time.
		for range 6 {
			l.set(change, gosnmp.TimeTicks, l.uptime-200)
			r = l.passes(time.Minute)
		}
		if !slices.Contains(named(r), "cisco-port-flapping") {
			r = l.until(4 * time.Minute)
		}
		if !slices.Contains(named(r), "cisco-port-flapping") {
			t.Errorf("flapping: %v, %v", named(r), portOf(r.GetGear()))
		}
		// It fails for good, which the next status shows.
		l.set(oper, gosnmp.Integer, 2)
		l.set(change, gosnmp.TimeTicks, l.uptime)
		r = l.passes(time.Minute)
		if p := portOf(r.GetGear()); p.GetOperStatus() != "down" || p.GetAdminStatus() != "up" || l.at.Sub(p.GetLastChangeAt().AsTime()).Round(time.Minute) != time.Minute {
			t.Errorf("failed: %v", p)
		}
		if r = l.until(20 * time.Minute); len(named(r)) != 0 {
			t.Errorf("an empty socket has %v", named(r))
		}

		// All of it is in the series.
		kept, err := s.Samples(t.Context(), r.GetDevice().GetId(), began, l.at.Add(time.Minute), nil)
		if err != nil {
			t.Fatal(err)
		}
		sum := func(kind string, ifIndex int) (n int64) {
			for _, x := range kept[store.Measure{Kind: kind, Part: strconv.Itoa(ifIndex)}] {
				n += x.Value
			}
			return n
		}
		if sum("crc", desk5) != 12 || sum("outDiscards", uplink) != 796 || sum("changes", desk5) < 10 {
			t.Errorf("in the series: %d damaged, %d dropped, %d changes", sum("crc", desk5), sum("outDiscards", uplink), sum("changes", desk5))
		}
	})
}

// Another switch stands at the address of the first, as if somebody had swapped it:
// the next status poll sees it by its serial number and reads all of it at once.
// What was measured, told and learnt of the first is never taken for its own: not
// its counters, not its damaged frames of the last minutes, not its events, not who
// was seen at ports that are gone. The event says what was there before.
func TestReplacedSwitch(t *testing.T) {
	crc, packets, uptime := fmt.Sprintf("1.3.6.1.2.1.10.7.2.1.3.%d", desk5), fmt.Sprintf("1.3.6.1.2.1.31.1.1.1.7.%d", desk5), "1.3.6.1.2.1.1.3.0"
	bad := switchOf(8).set(crc, "65", 5000).set(packets, counterType, 90_000).changing(crc, packets, uptime)
	bad.station("02:00:5e:00:00:07", 7).station("02:00:5e:00:00:05", 5)
	next := switchOf(6).set("1.3.6.1.2.1.47.1.1.1.1.11.1001", textType, "FOC9999NEW").set("1.3.6.1.2.1.47.1.1.1.1.13.1001", textType, "C9200L-24P-4G").
		set(uptime, ticksType, 900000000).set("1.3.6.1.2.1.99.1.1.1.1.1006", integerType, 8).set("1.3.6.1.2.1.99.1.1.1.2.1006", integerType, 9).
		set("1.3.6.1.2.1.99.1.1.1.3.1006", integerType, 0).set("1.3.6.1.2.1.99.1.1.1.4.1006", integerType, 31).set("1.3.6.1.2.1.99.1.1.1.5.1006", integerType, 1).
		set(crc, "65", 10).set(packets, counterType, 5_000).changing(crc, packets, uptime)
	for _, d := range []device{bad, next} {
		for n := 1; n <= 8; n++ {
			d.set(fmt.Sprintf("1.3.6.1.2.1.17.1.4.1.2.%d", n), integerType, 10100+n)
		}
	}
	next.station("02:00:5e:00:00:09", 5)
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		played := lab.Play(t, lab.Recording{Community: "first", Text: bad.recording()}, lab.Recording{Community: "second", Text: next.recording()})
		p := newPlant(t, s)
		l := newLife(p, played.Address, "first")
		p.community("floors", "first")
		p.add(played.Address, "floors")
		l.passes(time.Second)
		for n := range 2 {
			l.set(crc, gosnmp.Counter32, uint32(5000+900*(n+1)))
			l.set(packets, gosnmp.Counter64, uint64(90_000+20_000*(n+1)))
			l.until(5 * time.Minute)
		}
		before := p.device(played.Address)
		if !slices.Equal(named(before), []string{"cisco-port-crc-errors"}) {
			t.Fatalf("the one before: %v", named(before))
		}
		if _, err := p.Notice(t.Context(), before.GetDevice().GetId(), &constatv1.GearEvent{
			Source: proto.String("syslog"), Kind: proto.String("errDisable"), Mnemonic: proto.String("PM-4-ERR_DISABLE"), Cause: proto.String("bpduGuard"),
			IfIndex: proto.Int32(desk5 + 1), At: timestamppb.New(p.at),
		}); err != nil {
			t.Fatal(err)
		}

		// What is written holds for whatever recording is played.
		l.set(crc, gosnmp.Counter32, uint32(10))
		l.set(packets, gosnmp.Counter64, uint64(5_000))
		p.seal("floors", "second")
		p.turn(time.Minute)
		r := p.device(played.Address)
		if d := r.GetDevice(); d.GetSerial() != "FOC9999NEW" || d.GetState() != "ok" || len(named(r)) != 0 || d.GetReplacedAt().AsTime().Sub(p.at).Abs() > sampleTime {
			t.Errorf("device %v", d)
		}
		if g := r.GetGear(); len(g.GetInterfaces()) != 7 || g.Restarted != nil || portOf(g).DeltaSeconds != nil || portOf(g).ErrorsSince != nil || len(g.GetEvents()) != 0 || len(g.GetSensors()) != 3 {
			t.Errorf("gear %v", g)
		}
		if n := strings.Count(p.log.String(), "another device answers"); n != 1 {
			t.Errorf("said %d times:\n%s", n, p.log.String())
		}
		if e := r.GetEvents()[0]; e.GetKind() != "replaced" || e.GetReplacedSerial() != "FOC0000TEST" || e.GetReplacedModel() != "WS-C2960X-24PS-L" || e.GetSerial() != "FOC9999NEW" || e.GetModel() != "C9200L-24P-4G" {
			t.Errorf("event %v", e)
		}
		// A port that is gone knows nobody; one that stayed knows who was there last,
		// and who is there now.
		for mac, want := range map[string]string{"02:00:5e:00:00:07": "", "02:00:5e:00:00:05": "Gi1/0/5", "02:00:5e:00:00:09": "Gi1/0/5"} {
			a, err := p.desk.Where(t.Context(), mac)
			if err != nil || a.GetPort().GetName() != want || want != "" && a.GetCurrent() != strings.HasSuffix(mac, "9") {
				t.Errorf("%s is at %v, want %q (%v)", mac, a, want, err)
			}
		}

		// One damaged frame of the new one's is no thousand of the old one's.
		l = newLife(p, played.Address, "second")
		l.uptime = 900000000
		l.until(5 * time.Minute)
		l.set(crc, gosnmp.Counter32, uint32(11))
		l.set(packets, gosnmp.Counter64, uint64(25_000))
		r = l.until(5 * time.Minute)
		if n := portOf(r.GetGear()).GetCrcErrors(); n != 1 || len(named(r)) != 0 {
			t.Errorf("%d damaged frames, %v: %v", n, named(r), portOf(r.GetGear()))
		}
		if n := len(r.GetGear().GetEvents()); n != 1 || strings.Count(p.log.String(), "another device answers") != 1 {
			t.Errorf("%d events, and\n%s", n, p.log.String())
		}
	})
}

// What is another device, and what is the same in another shape.
func TestAnother(t *testing.T) {
	known := func(object, serial, chassis string, all ...string) (*constatv1.Gear, *constatv1.GearPlan) {
		id := &constatv1.GearIdentity{}
		if serial != "" {
			id.Serial, all = &serial, append(all, serial)
		}
		if chassis != "" {
			id.ChassisId = &chassis
		}
		return &constatv1.Gear{Identity: id}, &constatv1.GearPlan{TakenAt: 1, Software: object + " some words", Serials: all}
	}
	const (
		stack, single = "1.3.6.1.4.1.9.1.516", "1.3.6.1.4.1.9.1.1208"
		one, two      = "02:00:5e:00:00:01", "02:00:5e:00:00:02"
	)
	for _, c := range []struct {
		name       string
		was, is    [3]string // object, serial, chassis
		also, more []string
		want       bool
	}{
		{"the same", [3]string{single, "A", one}, [3]string{single, "A", one}, nil, nil, false},
		{"another of the same kind", [3]string{single, "A", one}, [3]string{single, "B", two}, nil, nil, true},
		{"a stack with another master", [3]string{stack, "A", one}, [3]string{stack, "B", two}, []string{"B"}, []string{"A"}, false},
		{"a stack that lost its first", [3]string{stack, "A", one}, [3]string{single, "B", two}, []string{"B"}, nil, false},
		{"two that do not tell their number", [3]string{single, "", one}, [3]string{single, "", two}, nil, nil, true},
		{"one that tells no number, with other firmware", [3]string{single, "", one}, [3]string{stack, "", one}, nil, nil, false},
		{"a number that is told since", [3]string{single, "", one}, [3]string{single, "A", one}, nil, nil, false},
		{"nothing but what it is", [3]string{single, "", ""}, [3]string{stack, "", ""}, nil, nil, true},
		{"nothing at all", [3]string{"", "", ""}, [3]string{single, "A", one}, nil, nil, false},
	} {
		var last Known
		last.Gear, last.Plan = known(c.was[0], c.was[1], c.was[2], c.also...)
		now := &Result{}
		now.Gear, now.Plan = known(c.is[0], c.is[1], c.is[2], c.more...)
		if got := another(last, now); got != c.want {
			t.Errorf("%s: another device %v, want %v", c.name, got, c.want)
		}
	}
}

// Passwords that a device refuses are tried once an hour, not every minute, and
// said once.
func TestRefusedCredentials(t *testing.T) {
	played := lab.Play(t, lab.Recording{Community: "one", Text: switchOf(2).recording()})
	right := played.V3("one")
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPlant(t, s)
		put := func(password string) {
			err := p.PutCredential(t.Context(), &deskv1.PutCredentialRequest{
				Name: "v3", User: right.User, Auth: right.Auth, AuthPassword: password, Privacy: right.Privacy, PrivacyPassword: right.PrivacyPassword, Context: right.Context,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		put("certainly not this one")
		p.add(played.Address, "v3")
		asked := 0
		for range 150 {
			asked += p.turn(time.Minute)
		}
		d := p.device(played.Address).GetDevice()
		if n := strings.Count(p.log.String(), "can't be read"); asked > 3 || n != 1 || d.GetState() != "authFailed" {
			t.Errorf("asked %d times, said %d times, %v\n%s", asked, n, d, p.log.String())
		}
		if strings.Contains(p.log.String()+d.GetReason(), "certainly not") {
			t.Error("the password is told")
		}
		put(right.AuthPassword) // asks at once again
		p.turn(0)
		if d := p.device(played.Address).GetDevice(); d.GetState() != "ok" {
			t.Errorf("with the right one: %v", d)
		}
	})
}

// What is due again keeps its pace, and a device that answers slowly is asked less
// often.
func TestPace(t *testing.T) {
	w := &Watch{spread: func(d time.Duration) time.Duration { return d + time.Second }}
	now := time.Date(2026, 3, 2, 10, 0, 2, 0, time.UTC)
	due := now.Add(-2 * time.Second)
	for _, c := range []struct {
		name string
		due  time.Time
		took time.Duration
		want time.Time
	}{
		{"on time", due, time.Second, due.Add(time.Minute)},
		{"the first", time.Time{}, time.Second, now.Add(61 * time.Second)},
		{"late by hours", due.Add(-3 * time.Hour), time.Second, now.Add(61 * time.Second)},
		{"slow", due, 20 * time.Second, due.Add(400 * time.Second)},
		{"due far ahead, by a clock that was wrong", now.Add(time.Hour), time.Second, now.Add(61 * time.Second)},
	} {
		if next := store.Time(w.again(store.Millis(c.due), time.Minute, c.took, now)); !next.Equal(c.want) {
			t.Errorf("%s: %v, want %v", c.name, next, c.want)
		}
	}
}

// A switch that only counts refusals of power: it refuses a port while its count
// rises.
func TestRefusedPower(t *testing.T) {
	denials := "1.3.6.1.2.1.105.1.1.1.12.1.5"
	text := switchOf(8).set(denials, "65", 3).changing(denials, "1.3.6.1.2.1.1.3.0").recording()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		played := lab.Play(t, lab.Recording{Community: "floors", Text: text})
		l := newLife(newPlant(t, s), played.Address, "floors")
		l.community("floors", "floors")
		l.add(played.Address, "floors")
		if r := l.passes(time.Second); portOf(r.GetGear()).GetPoe().Denied != nil || len(named(r)) != 0 {
			t.Errorf("at first: %v", portOf(r.GetGear()).GetPoe())
		}
		l.set(denials, gosnmp.Counter32, uint32(7))
		if r := l.until(5 * time.Minute); !slices.Equal(named(r), []string{"cisco-poe-denied"}) {
			t.Errorf("refused: %v, %v", named(r), portOf(r.GetGear()).GetPoe())
		}
		if r := l.until(5 * time.Minute); len(named(r)) != 0 || portOf(r.GetGear()).GetPoe().Denied == nil {
			t.Errorf("afterwards: %v, %v", named(r), portOf(r.GetGear()).GetPoe())
		}
	})
}

// Counters that begin again, are set back, or count faster than anybody looks.
func TestCounterDeltas(t *testing.T) {
	number := func(n int64) *int64 { return &n }
	at := func(n int64) *constatv1.PortCounters {
		return &constatv1.PortCounters{InOctets: number(n), InErrors: number(n)}
	}
	for _, c := range []struct {
		name         string
		mbps         int32
		narrow       bool
		before, now  int64
		rate, errors float64 // -1: not known
	}{
		{"64 bits", 1000, false, 1 << 40, 1<<40 + 300_000, 8000, 300_000},
		{"64 bits set back", 1000, false, 1 << 40, 5, -1, -1},
		{"32 bits", 100, true, 1000, 301_000, 8000, 300_000},
		{"32 bits begin again", 100, true, 1<<32 - 1000, 299_000, 8000, 300_000},
		{"32 bits at a speed that goes round", 1000, true, 1000, 301_000, -1, 300_000},
		{"32 bits at an unknown speed", 0, true, 1000, 301_000, -1, 300_000},
	} {
		i := &constatv1.GearInterface{SpeedMbps: &c.mbps}
		before, now := at(c.before), at(c.now)
		now.Narrow, before.Narrow = c.narrow, c.narrow
		comparePort(i, now, before, 300*time.Second)
		rate, errors := -1.0, -1.0
		if i.InBitsPerSecond != nil {
			rate = i.GetInBitsPerSecond()
		}
		if i.InErrors != nil {
			errors = float64(i.GetInErrors())
		}
		if rate != c.rate || errors != c.errors {
			t.Errorf("%s: %v bit/s and %v errors, want %v and %v", c.name, rate, errors, c.rate, c.errors)
		}
	}
}
