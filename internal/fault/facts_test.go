package fault_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"constat/internal/fault"
	"constat/internal/fault/compile"
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

// holds evaluates one rule, as the only term of a catalog.
func holds(t *testing.T, rule string, s *constatv1.Snapshot, now time.Time) (fault.Truth, []string) {
	t.Helper()
	c, err := compile.Load(fstest.MapFS{"terms.yaml": {Data: []byte("- {name: the_rule, means: x, rule: " + strconv.Quote(rule) + "}")}})
	if err != nil {
		t.Fatal(err)
	}
	return c.Facts(s, now).Term("the_rule")
}

func TestRulesAreThreeValued(t *testing.T) {
	s, now := snapshot(t, world), time.Date(2026, 3, 1, 10, 5, 0, 0, time.UTC)
	for _, tt := range []struct {
		rule    string
		want    fault.Truth
		missing string
	}{
		{`network.os_connectivity == "full"`, fault.True, ""},
		{`network.os_connectivity != "full"`, fault.False, ""},
		{`network.networking_enabled`, fault.Unknown, "network.networking_enabled"},
		{`!network.networking_enabled`, fault.Unknown, "network.networking_enabled"},

		// A group that was denied, a message and a fact in a message never set.
		{`hardware.system.serial == "x"`, fault.Unknown, "hardware"},
		{`hardware.bus_devices.exists(d, d.driver == "")`, fault.Unknown, "hardware"},
		{`network.firewall.enabled`, fault.Unknown, "network.firewall"},
		{`probes.http.result == "ok"`, fault.Unknown, "probes"},

		// Kleene's operators, both ways round.
		{`hardware.chassis == "laptop" || true`, fault.True, ""},
		{`true || hardware.chassis == "laptop"`, fault.True, ""},
		{`hardware.chassis == "laptop" && false`, fault.False, ""},
		{`hardware.chassis == "laptop" || false`, fault.Unknown, "hardware"},
		{`hardware.chassis == "laptop" && probes.http.result == "ok"`, fault.Unknown, "hardware probes"},
		{`hardware.chassis == "laptop" ? true : false`, fault.Unknown, "hardware"},
		{`hardware.chassis in ["laptop", "tablet"]`, fault.Unknown, "hardware"},
		{`hardware.memory_bytes * 2 > 100`, fault.Unknown, "hardware"},

		// Lists: an element that is enough decides, whatever the others hide.
		{`network.links.exists(l, l.carrier)`, fault.True, ""},
		{`network.links.exists(l, !l.carrier)`, fault.Unknown, "network.links[eth1].carrier"},
		{`network.links.all(l, l.carrier)`, fault.Unknown, "network.links[eth1].carrier"},
		{`network.links.all(l, !l.carrier)`, fault.False, ""},
		{`network.links.exists(l, l.mtu < 1000)`, fault.False, ""},
		{`network.links.exists(l, l.name == "eth1" && l.carrier == false)`, fault.Unknown, "network.links[eth1].carrier"},
		{`network.links.exists(l, l.name == "eth0" && l.carrier == false)`, fault.False, ""},
		{`network.links.exists_one(l, l.mtu == 1500)`, fault.False, ""},
		{`network.links.filter(l, l.carrier).size() == 1`, fault.Unknown, "network.links[eth1].carrier"},

		// Empty in a group that was observed is known to be empty.
		{`network.routes.size() == 0`, fault.True, ""},
		{`network.routes.exists(r, r.metric > 0)`, fault.False, ""},
		// Empty because it could not be read is not.
		{`network.vpns.size() == 0`, fault.Unknown, "network.vpns"},
		{`network.vpns.exists(v, v.state == "connected")`, fault.Unknown, "network.vpns"},
		{`network.proxy.exceptions.size() == 0`, fault.Unknown, "network.proxy.exceptions"},
		{`printing.queues.exists(q, q.jobs.size() > 0)`, fault.Unknown, "printing.queues[office].jobs"},
		// Read in part: what was read may be enough.
		{`load.processes.exists(p, p.cpu_percent > 90.0)`, fault.True, ""},
		{`load.processes.exists(p, p.name == "evil")`, fault.Unknown, "load.processes"},
		{`load.processes.all(p, p.name == "cc1")`, fault.Unknown, "load.processes"},

		// has asks whether an observed group knows a fact.
		{`has(network.networking_enabled)`, fault.False, ""},
		{`has(network.os_connectivity)`, fault.True, ""},
		{`has(network.firewall.enabled)`, fault.False, ""},
		{`has(hardware.system.serial)`, fault.Unknown, "hardware"},
		{`has(probes.http)`, fault.Unknown, "probes"},
		{`network.links.exists(l, has(l.carrier) && !l.carrier)`, fault.False, ""},

		{`now - timestamp("2026-03-01T10:00:00Z") == duration("300s")`, fault.True, ""},
		// What can't be computed is unknown too, and says why.
		{`network.links[7].mtu == 1500`, fault.Unknown, "(index out of bounds: 7)"},
	} {
		truth, missing := holds(t, tt.rule, s, now)
		if truth != tt.want || strings.Join(missing, " ") != tt.missing {
			t.Errorf("%s\n is %v, missing %q\n want %v, missing %q", tt.rule, truth, missing, tt.want, tt.missing)
		}
	}
}

func TestHostileListsAreBounded(t *testing.T) {
	s := &constatv1.Snapshot{Network: &constatv1.Network{}}
	for range 100_000 {
		s.Network.Links = append(s.Network.Links, &constatv1.Link{Mtu: new(int32)})
	}
	truth, missing := holds(t, `network.links.exists(l, l.mtu == 9000)`, s, time.Time{})
	if truth != fault.Unknown || !slices.Equal(missing, []string{"network.links"}) {
		t.Errorf("a list longer than the bound: %v, missing %v", truth, missing)
	}
	// Quadratic and worse: stopped by the cost limit, not by patience.
	deep := `network.links.all(a, network.links.all(b, network.links.all(c, network.links.all(d, a.mtu + b.mtu + c.mtu + d.mtu == 0))))`
	truth, missing = holds(t, deep, s, time.Time{})
	if truth != fault.Unknown || len(missing) != 1 || !strings.Contains(missing[0], "cost limit") {
		t.Errorf("a rule that costs too much: %v, missing %v", truth, missing)
	}
}
