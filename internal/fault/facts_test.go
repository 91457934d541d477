package fault

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	constatv1 "constat/proto/constat/v1"
)

// world is a snapshot with a bit of everything: links of which one keeps its
// carrier to itself, a list read in part, a group that was denied.
const world = `{
  "manifest": {"takenAt": "2026-03-01T10:00:00Z", "groups": [
    {"group": "hardware", "observation": {"status": "denied", "reason": "needs root"}},
    {"group": "network", "observation": {"status": "observed", "source": "rtnetlink", "gaps": [
      {"fact": "vpns", "status": "denied"}, {"fact": "links.neighbour", "status": "failed"}, {"fact": "proxy.exceptions", "status": "withheld"}]}},
    {"group": "printing", "observation": {"status": "observed", "gaps": [{"fact": "queues.jobs", "status": "denied"}]}},
    {"group": "load", "observation": {"status": "observed", "gaps": [{"fact": "processes", "status": "denied"}]}}
  ]},
  "network": {
    "links": [{"name": "eth0", "carrier": true, "mtu": 1500}, {"name": "eth1", "mtu": 1500}],
    "proxy": {"mode": "none"},
    "osConnectivity": "full"
  },
  "printing": {"queues": [{"name": "office", "state": "idle"}]},
  "load": {"processes": [{"name": "cc1", "cpuPercent": 99.5}], "cpu": {"busyPercent": 12.34567}}
}`

func snapshot(t testing.TB, text string) *constatv1.Snapshot {
	t.Helper()
	s := &constatv1.Snapshot{}
	if err := protojson.Unmarshal([]byte(text), s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRulesAreThreeValued(t *testing.T) {
	c, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	facts := c.Facts(snapshot(t, world), time.Date(2026, 3, 1, 10, 5, 0, 0, time.UTC))
	for _, tt := range []struct {
		rule    string
		want    Truth
		missing string
	}{
		{`network.os_connectivity == "full"`, True, ""},
		{`network.os_connectivity != "full"`, False, ""},
		{`network.networking_enabled`, Unknown, "network.networking_enabled"},
		{`!network.networking_enabled`, Unknown, "network.networking_enabled"},

		// A group that was denied, a message and a fact in a message never set.
		{`hardware.system.serial == "x"`, Unknown, "hardware"},
		{`hardware.bus_devices.exists(d, d.driver == "")`, Unknown, "hardware"},
		{`network.firewall.enabled`, Unknown, "network.firewall"},
		{`probes.http.result == "ok"`, Unknown, "probes"},

		// Kleene's operators, both ways round.
		{`hardware.chassis == "laptop" || true`, True, ""},
		{`true || hardware.chassis == "laptop"`, True, ""},
		{`hardware.chassis == "laptop" && false`, False, ""},
		{`hardware.chassis == "laptop" || false`, Unknown, "hardware"},
		{`hardware.chassis == "laptop" && probes.http.result == "ok"`, Unknown, "hardware probes"},
		{`hardware.chassis == "laptop" ? true : false`, Unknown, "hardware"},
		{`hardware.chassis in ["laptop", "tablet"]`, Unknown, "hardware"},
		{`hardware.memory_bytes * 2 > 100`, Unknown, "hardware"},

		// Lists: an element that is enough decides, whatever the others hide.
		{`network.links.exists(l, l.carrier)`, True, ""},
		{`network.links.exists(l, !l.carrier)`, Unknown, "network.links[eth1].carrier"},
		{`network.links.all(l, l.carrier)`, Unknown, "network.links[eth1].carrier"},
		{`network.links.all(l, !l.carrier)`, False, ""},
		{`network.links.exists(l, l.mtu < 1000)`, False, ""},
		{`network.links.exists(l, l.name == "eth1" && l.carrier == false)`, Unknown, "network.links[eth1].carrier"},
		{`network.links.exists(l, l.name == "eth0" && l.carrier == false)`, False, ""},
		{`network.links.exists_one(l, l.mtu == 1500)`, False, ""},
		{`network.links.filter(l, l.carrier).size() == 1`, Unknown, "network.links[eth1].carrier"},

		// Empty in a group that was observed is known to be empty.
		{`network.routes.size() == 0`, True, ""},
		{`network.routes.exists(r, r.metric > 0)`, False, ""},
		// Empty because it could not be read is not.
		{`network.vpns.size() == 0`, Unknown, "network.vpns"},
		{`network.vpns.exists(v, v.state == "connected")`, Unknown, "network.vpns"},
		{`network.proxy.exceptions.size() == 0`, Unknown, "network.proxy.exceptions"},
		{`printing.queues.exists(q, q.jobs.size() > 0)`, Unknown, "printing.queues[office].jobs"},
		// Read in part: what was read may be enough.
		{`load.processes.exists(p, p.cpu_percent > 90.0)`, True, ""},
		{`load.processes.exists(p, p.name == "evil")`, Unknown, "load.processes"},
		{`load.processes.all(p, p.name == "cc1")`, Unknown, "load.processes"},

		// has asks whether an observed group knows a fact.
		{`has(network.networking_enabled)`, False, ""},
		{`has(network.os_connectivity)`, True, ""},
		{`has(network.firewall.enabled)`, False, ""},
		{`has(hardware.system.serial)`, Unknown, "hardware"},
		{`has(probes.http)`, Unknown, "probes"},
		{`network.links.exists(l, has(l.carrier) && !l.carrier)`, False, ""},

		{`now - timestamp("2026-03-01T10:00:00Z") == duration("300s")`, True, ""},
		// What can't be computed is unknown too, and says why.
		{`network.links[7].mtu == 1500`, Unknown, "(index out of bounds: 7)"},
	} {
		truth, missing := c.Condition(tt.rule).Holds(facts)
		if truth != tt.want || strings.Join(missing, " ") != tt.missing {
			t.Errorf("%s\n is %v, missing %q\n want %v, missing %q", tt.rule, truth, missing, tt.want, tt.missing)
		}
	}
}

func TestHostileListsAreBounded(t *testing.T) {
	c, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	s := &constatv1.Snapshot{Network: &constatv1.Network{}}
	for range 100_000 {
		s.Network.Links = append(s.Network.Links, &constatv1.Link{Mtu: new(int32)})
	}
	facts := c.Facts(s, time.Time{})
	truth, missing := c.Condition(`network.links.exists(l, l.mtu == 9000)`).Holds(facts)
	if truth != Unknown || !slices.Equal(missing, []string{"network.links"}) {
		t.Errorf("a list longer than the bound: %v, missing %v", truth, missing)
	}
	// Quadratic and worse: stopped by the cost limit, not by patience.
	deep := `network.links.all(a, network.links.all(b, network.links.all(c, network.links.all(d, a.mtu + b.mtu + c.mtu + d.mtu == 0))))`
	truth, missing = c.Condition(deep).Holds(facts)
	if truth != Unknown || len(missing) != 1 || !strings.Contains(missing[0], "cost limit") {
		t.Errorf("a rule that costs too much: %v, missing %v", truth, missing)
	}
}
