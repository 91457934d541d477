package console

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/diagnosis"
	constatv1 "constat/proto/constat/v1"
)

// switchWith polls a switch on which a port is switched off, and gives its id.
func (b *bench) switchWith(port string) (id string) {
	b.Helper()
	now := b.now()
	read := func(name, state string) *constatv1.GearInterface {
		return &constatv1.GearInterface{
			Name: proto.String(name), AdminStatus: proto.String("up"), OperStatus: proto.String(state), SpeedMbps: proto.Int32(1000), Duplex: proto.String("full"),
			Vlan: proto.Int32(10), VoiceVlan: proto.Int32(20), DeltaSeconds: proto.Int32(300), InErrors: proto.Int64(0), CrcErrors: proto.Int64(0),
			LastChangeAt: timestamppb.New(now.Add(-3 * time.Hour)), Poe: &constatv1.Poe{State: proto.String("deliveringPower"), Watts: proto.Float64(6.3)},
		}
	}
	g := &constatv1.Gear{
		Identity:   &constatv1.GearIdentity{Vendor: proto.String("Cisco"), Model: proto.String("WS-C2960X-24PS-L"), Name: proto.String("sw-floor-2")},
		Interfaces: []*constatv1.GearInterface{read("Gi1/0/4", "up"), read(port, "down"), read("Gi1/1/1", "up")},
		Neighbours: []*constatv1.GearNeighbour{{LocalIfIndex: proto.Int32(1), Protocol: proto.String("cdp"), RemoteSystem: proto.String("SEP001122334455"), RemotePort: proto.String("Port 1"), Kind: proto.String("phone")}},
		PollResult: proto.String("ok"),
	}
	for i, p := range g.Interfaces {
		p.IfIndex = proto.Int32(int32(i))
	}
	off, up := g.Interfaces[1], g.Interfaces[2]
	off.ErrDisableCause, off.CrcErrors, off.LateCollisions, off.Alias = proto.String("bpduGuard"), proto.Int64(1204), proto.Int64(17), proto.String("Compta, bureau 214")
	off.Poe, off.LastChangeAt = &constatv1.Poe{State: proto.String("searching")}, timestamppb.New(now.Add(-11*time.Minute))
	up.Trunk, up.NativeVlan, up.SpeedMbps, up.Vlan, up.VoiceVlan, up.Poe = proto.Bool(true), proto.Int32(1), proto.Int32(10000), nil, nil, nil
	s := &constatv1.Snapshot{Gear: g, Manifest: &constatv1.Manifest{Groups: []*constatv1.GroupEntry{{Group: "gear", Observation: &constatv1.Observation{Status: "observed", At: timestamppb.New(now)}}}}}
	content, err := store.PackMessage(g)
	if err != nil {
		b.Fatal(err)
	}
	judged, err := store.PackMessage(diagnosis.Judge(b.catalog, diagnosis.Gear(), s, now, "en"))
	if err != nil {
		b.Fatal(err)
	}
	id, at := newID(), store.Millis(now.Add(-40*time.Second))
	err = b.store.Write(b.Context(), func(ctx context.Context, q *query.Queries) error {
		if _, err := q.AddGear(ctx, query.AddGearParams{ID: id, Address: "192.0.2.2", Site: "Lyon", Credential: "floors", AddedAt: at}); err != nil {
			return err
		}
		if _, err := q.ClaimGear(ctx, query.ClaimGearParams{Owner: "x", Until: at + 1, Now: at, MaxRows: 1}); err != nil {
			return err
		}
		if _, err := q.FinishGear(ctx, query.FinishGearParams{
			ID: id, LeaseOwner: "x", Name: "sw-floor-2", NameKey: "sw-floor-2", Vendor: "Cisco", Model: "WS-C2960X-24PS-L", Serial: "FOC1729X0AB", Os: "IOS",
			Version: "15.2(7)E4", State: "ok", StateSince: at, AnsweredAt: at, DueAt: at,
		}); err != nil {
			return err
		}
		return q.PutGearFacts(ctx, query.PutGearFactsParams{GearID: id, TakenAt: at, WholeAt: at, Content: content, Counters: []byte{}, Diagnosis: judged, Plan: []byte{}})
	})
	if err != nil {
		b.Fatal(err)
	}
	return id
}

// measured keeps what a switch would have been measured in three days: a working
// day's load, and damaged frames at one port since this morning.
func (b *bench) measured(id string) {
	b.Helper()
	now := b.now().Truncate(10 * time.Second)
	for at := now.Add(-72 * time.Hour); at.Before(now); at = at.Add(5 * time.Minute) {
		if quiet := now.Sub(at); quiet > 9*time.Hour && quiet < 10*time.Hour {
			continue // it did not answer
		}
		day := math.Sin(float64(at.Unix()%86400) / 86400 * 2 * math.Pi)
		busy := int64(2e6 * (1.1 + day))
		values := map[store.Measure]int64{
			{Kind: "in", Part: "1"}: busy, {Kind: "out", Part: "1"}: busy * 3, {Kind: "span", Part: "1"}: 300, {Kind: "crc", Part: "1"}: 0,
			{Kind: "inErrors", Part: "1"}: 0, {Kind: "outDiscards", Part: "1"}: 0, {Kind: "changes", Part: "1"}: 0, {Kind: "watts", Part: "1"}: 63,
			{Kind: "cpu"}: int64(150 + 80*day), {Kind: "memory", Part: "Processor"}: 431, {Kind: "memory", Part: "I/O"}: 220,
			{Kind: "temperature", Part: "Inlet"}: int64(280 + 20*day), {Kind: "watts"}: 1130,
			{Kind: "supply", Part: "Black Cartridge"}: int64(now.Sub(at) / time.Hour),
		}
		if now.Sub(at) < 5*time.Hour {
			values[store.Measure{Kind: "crc", Part: "1"}] = at.Unix() % 37
			values[store.Measure{Kind: "inErrors", Part: "1"}] = at.Unix() % 37
		}
		m, err := b.store.Append(b.Context(), id, at, values)
		if err == nil {
			err = b.store.Write(b.Context(), m.Put)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// A port's page tells the same as a table as the chart draws, in both languages,
// and the ticket what was counted since yesterday.
func TestPortPage(t *testing.T) {
	b := newBench(t)
	id := b.switchWith("Gi1/0/5")
	lea := b.as("lea")
	lea.wants(lea.get("/gear/"+id+"/ports/1"), http.StatusOK, "Gi1/0/5", "Nothing measured in this time yet")
	b.measured(id)
	page := lea.wants(lea.get("/gear/"+id+"/ports/1"), http.StatusOK, "Gi1/0/5", "Compta, bureau 214", "Traffic", "Mbit/s", "Damaged frames (CRC)", "As a table", "Since yesterday",
		`"unit":"bits_per_second"`, "null", "6.3 W")
	if strings.Contains(page.body, "Drops out") {
		t.Error("what was never counted is drawn")
	}
	if n := strings.Count(page.body, "<tr><th scope=\"row\"><time"); n < 3*23 {
		t.Errorf("%d rows in three tables of a day", n)
	}
	lea.wants(lea.get("/gear/"+id+"/ports/1?span=30d"), http.StatusOK, "Traffic", time.Now().Add(-48*time.Hour).Format("2006-01-02"))
	lea.wants(lea.get("/gear/"+id+"?span=nonsense"), http.StatusOK, "Processor", "Memory, Processor", "Inlet", "/gear/"+id+"/ports/1")
	lea.wants(lea.get("/gear/"+id+"/ports/77"), http.StatusNotFound)
	endpoint, _ := b.machineAsks("compta-07", "Claire Martin", "x", "internet", dnsDiagnosis)
	b.pluggedIn(endpoint, "GigabitEthernet1/0/5")
	page = lea.wants(lea.get("/tickets/1"), http.StatusOK, "/gear/"+id+"/ports/1", "damaged frames (CRC)")
	head, _, _ := strings.Cut(page.body, `id="ticket-body"`)
	for _, glance := range []string{"sw-floor-2 Gi1/0/5", "The switch has switched this port off", "#socket-title"} {
		if !strings.Contains(head, glance) {
			t.Errorf("not told at a glance: %q", glance)
		}
	}
}

// Of a switch that stands at another's address, the charts show where the other one
// ends, and what that one counted is not told as the port's own.
func TestReplacedDevicePage(t *testing.T) {
	b := newBench(t)
	id := b.switchWith("Gi1/0/5")
	b.measured(id)
	at := time.Now().Add(-2 * time.Hour).Truncate(10 * time.Second)
	content, err := store.PackMessage(&constatv1.GearEvent{
		Kind: proto.String("replaced"), Source: proto.String("snmp"), At: timestamppb.New(at), ReplacedModel: proto.String("WS-C2960-24TT-L"),
		ReplacedSerial: proto.String("FOC0000OLD"), Model: proto.String("WS-C2960X-24PS-L"), Serial: proto.String("FOC1729X0AB"),
	})
	if err != nil {
		t.Fatal(err)
	}
	err = b.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
		if err := q.ReplaceGear(ctx, id, store.Millis(at)); err != nil {
			return err
		}
		return q.AddEvent(ctx, query.AddEventParams{ID: newID(), GearID: id, FirstAt: store.Millis(at), At: store.Millis(at), Count: 1, SameKey: "replaced", Content: content})
	})
	if err != nil {
		t.Fatal(err)
	}
	lea := b.as("lea")
	both := "WS-C2960-24TT-L FOC0000OLD → WS-C2960X-24PS-L FOC1729X0AB"
	lea.wants(lea.get("/gear/"+id), http.StatusOK, both, "another device stands here", `"breaks":[{"at":`+fmt.Sprint(at.Unix()))
	lea.wants(lea.get("/gear/"+id+"/ports/1"), http.StatusOK, both, `"breaks":[{`, "(counted only since ", at.Local().Format("15:04"))
	lea.wants(lea.get("/gear/"+id+"?span=30d"), http.StatusOK, both, `"breaks":[{`)
}

// A line ends where another device begins.
func TestBreakInAChart(t *testing.T) {
	at := func(n int64) time.Time { return time.Unix(1_700_000_000+n*300, 0) }
	s := newSpeeches()["en"]
	for _, c := range []struct {
		name         string
		points       int64
		brk          time.Time
		place, times int
	}{
		{"between two", 4, at(1).Add(time.Minute), 2, 5},
		{"at one, which is the new device's", 4, at(2), 2, 5},
		{"before all", 4, at(-3), -1, 4},
	} {
		var points []store.HourSum
		for n := range c.points {
			points = append(points, store.HourSum{At: at(n), Count: 1, Sum: n + 1, Maximum: n + 1})
		}
		chart := s.chart("x", "percent", false, []line{{"x", points, 1}}, spans[0], at(10))
		chart.Plot.parts(c.brk.Unix())
		values := chart.Plot.Lines[0].Values
		if len(chart.Plot.Times) != c.times || len(values) != c.times || c.place >= 0 && (values[c.place] != nil || values[c.place-1] == nil || values[c.place+1] == nil) || !slices.IsSorted(chart.Plot.Times) {
			t.Errorf("%s: %v %v", c.name, chart.Plot.Times, values)
		}
	}
}

// pluggedIn tells that a machine heard the port announce itself.
func (b *bench) pluggedIn(endpoint, port string) {
	b.Helper()
	b.plugged(endpoint, port, &constatv1.Link{
		Kind: proto.String("ethernet"), Physical: proto.Bool(true), Carrier: proto.Bool(false),
		OperStatus: proto.String("down"), Duplex: proto.String("half"), SpeedMbps: proto.Int32(100),
	})
}

func (b *bench) plugged(endpoint, port string, link *constatv1.Link) {
	b.Helper()
	facts := machine(newID(), b.now())
	facts.Manifest.EndpointId = endpoint
	link.Name = proto.String("eth7")
	if link.Mac == nil {
		link.Mac = proto.String("02:00:5e:00:00:07")
	}
	facts.Network.Links = append(facts.Network.Links, link)
	facts.Network.Neighbours = []*constatv1.LinkNeighbour{{
		Link: proto.String("eth7"), Protocol: proto.String("lldp"), SystemName: proto.String("sw-floor-2.example.org"), PortId: proto.String(port),
		HeardAt: timestamppb.New(b.now().Add(-2 * time.Hour)),
	}}
	b.upload(endpoint, factsReport(facts))
}

func TestGearPages(t *testing.T) {
	b := newBench(t)
	lea := b.as("lea")
	lea.wants(lea.get("/gear"), http.StatusOK, "No gear yet", "gear credential set")
	id := b.switchWith("Gi1/0/5")
	lea.wants(lea.get("/gear"), http.StatusOK, "sw-floor-2", "WS-C2960X-24PS-L", "Answers", "/faults/cisco-errdisable-bpduguard", "Lyon")
	page := lea.wants(lea.get("/gear/"+id), http.StatusOK, "Gi1/0/5", "Compta, bureau 214", "bpduGuard", "SEP001122334455", "6.3 W", "trunk, 1 untagged", "1204 damaged frames (CRC)", "10, voice 20")
	if strings.Contains(page.body, "map[") || strings.Contains(page.body, "%!") {
		t.Error("a value is printed raw")
	}
	lea.wants(lea.get("/gear/sw-floor-9"), http.StatusNotFound)

	endpoint, _ := b.machineAsks("compta-07", "Claire Martin", "x", "internet", dnsDiagnosis)
	if body := lea.get("/tickets/1").body; strings.Contains(body, "Plugged in at") {
		t.Error("a machine that nobody saw is plugged in somewhere")
	}
	b.pluggedIn(endpoint, "GigabitEthernet1/0/5")
	lea.wants(lea.get("/tickets/1"), http.StatusOK, "Plugged in at", "/gear/"+id, "sw-floor-2 Gi1/0/5", "Err-disabled: bpduGuard", "no signal",
		"heard over LLDP", "1 Gbit/s, full duplex", "100 Mbit/s, half duplex", "17 late collisions in the last 5 min", "eth7",
		"The switch has switched this port off: another switch was plugged in (BPDU guard)")

	// A container at a port that is well: nothing is made up of its adapter.
	b.measured(id)
	virtual, _ := b.machineAsks("build-3", "Claire Martin", "x", "internet", dnsDiagnosis)
	b.plugged(virtual, "GigabitEthernet1/0/4", &constatv1.Link{
		Kind: proto.String("veth"), Physical: proto.Bool(false), Carrier: proto.Bool(true), OperStatus: proto.String("up"), Duplex: proto.String("full"), SpeedMbps: proto.Int32(10000),
	})
	page = lea.wants(lea.get("/tickets/2"), http.StatusOK, "sw-floor-2 Gi1/0/4", "virtual adapter, no speed of its own", "The port is well")
	if strings.Contains(page.body, "10 Gbit/s") {
		t.Error("a speed of software is told as one of a cable")
	}
}

// TestDockGoesFromHandToHand: two machines that report the same network adapter
// are not both at its port.
func TestDockGoesFromHandToHand(t *testing.T) {
	b := newBench(t)
	b.switchWith("Gi1/0/5")
	first, mine := b.machineAsks("compta-07", "Claire", "x", "internet", dnsDiagnosis)
	second, theirs := b.machineAsks("compta-08", "Paul", "y", "internet", dnsDiagnosis)
	lea := b.as("lea")
	page := func(number int32) string {
		return lea.wants(lea.get(fmt.Sprintf("/tickets/%d", number)), http.StatusOK, "Plugged in at").body
	}
	b.pluggedIn(first, "GigabitEthernet1/0/5")
	if strings.Contains(page(mine), "went over to") {
		t.Error("an adapter that nobody else has is called lent")
	}
	b.pluggedIn(second, "GigabitEthernet1/0/5")
	if p := page(mine); !strings.Contains(p, "went over to") || !strings.Contains(p, "not there now") {
		t.Errorf("the first still has the second's adapter: %s", p)
	}
	if strings.Contains(page(theirs), "went over to") {
		t.Error("the holder is told that it has lent its adapter")
	}
}
