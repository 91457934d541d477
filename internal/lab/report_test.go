package lab

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/fault/compile"
	"constat/internal/fault/fixture"
)

// TestReport makes the statistics of all recorded runs, whichever part of the
// lab made them, and prints them. CONSTAT_LAB_RECORD is the directory (without
// it the catalog's cases stand in, which proves no more than that a report can
// be made), CONSTAT_LAB_REPORT a file for the report in Markdown, SEED what the
// worlds were drawn from.
func TestReport(t *testing.T) {
	runs, _ := fixtureRuns(t, nil)
	again := 60
	if dir := os.Getenv("CONSTAT_LAB_RECORD"); dir != "" {
		again = 400
		var err error
		if runs, err = Recorded(dir); err != nil {
			t.Fatal(err)
		}
		if runs = slices.DeleteFunc(runs, func(r Run) bool { return !r.Live }); len(runs) == 0 {
			t.Fatal("no live run is recorded in " + dir)
		}
	}
	seed := cmp.Or(os.Getenv("SEED"), "constat")
	unexplained := withoutExplaining(t)
	own, list, plainly := ownWords(runs), []reading{}, []reading{}
	for _, r := range runs {
		list = append(list, byChecklist(r))
		plainly = append(plainly, judged(t, unexplained, r))
	}
	devices := [3]statistics{count(ofGear(own, true)), count(ofGear(list, true)), count(ofGear(plainly, true))}
	networkDevices := ofGear(own, true)
	own, list, plainly = ofGear(own, false), ofGear(list, false), ofGear(plainly, false)
	live := count(own)
	replayed := count(ownWords(replays(t, runs, seed, again)))
	cases, names := fixtureRuns(t, slices.Concat(live.ids, devices[0].ids))
	onPaper := count(ownWords(cases))
	text := report(seed, live, count(list), count(plainly), devices, replayed, onPaper, names, own, networkDevices)
	t.Logf("\n%s", text)
	if file := os.Getenv("CONSTAT_LAB_REPORT"); file != "" {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// ofGear are the readings of worlds that the collector looked at, or the others.
func ofGear(readings []reading, gear bool) []reading {
	return slices.DeleteFunc(slices.Clone(readings), func(r reading) bool {
		return r.ofGear() != gear
	})
}

// ofGear tells a world that the collector looked at.
func (r Run) ofGear() bool {
	return r.Live && (r.Snapshot.GetGear() != nil || r.Snapshot.GetAttachment() != nil)
}

// withoutExplaining is the catalog in which no fault brings about another.
func withoutExplaining(t *testing.T) *fault.Catalog {
	t.Helper()
	compiled, err := compile.Compile(os.DirFS("../fault/catalog"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range compiled.Faults {
		f.Explains = nil
	}
	catalog, err := fault.Open(compiled)
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

// judged is what another catalog makes of a run's facts.
func judged(t *testing.T, c *fault.Catalog, r Run) reading {
	t.Helper()
	p, ok := diagnosis.Lookup(r.Procedure)
	if r.Procedure == diagnosis.Gear().ID {
		p, ok = diagnosis.Gear(), true
	}
	if !ok {
		t.Fatalf("%s: no procedure %q", r.How, r.Procedure)
	}
	r.Diagnosis = diagnosis.Judge(c, p, r.Snapshot, r.At, "en")
	return readingOf(r)
}

// fixtureRuns are the catalog's composed cases of faults that were not injected
// live, and the names of those faults.
func fixtureRuns(t *testing.T, live []string) (runs []Run, names []string) {
	t.Helper()
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	faults, err := fixture.Faults(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range faults {
		if slices.Contains(live, id) {
			continue
		}
		names = append(names, id)
		cases, err := fixture.Cases(fixtures, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			// A case whose root is another fault shows a symptom of it, and one
			// that is meant to stay possible has no right answer.
			if c.Kind != fixture.Faulty || len(c.Roots) != 1 || c.Roots[0] != id || c.Certainty == "possible" {
				continue
			}
			p := complaint(catalog.Lookup(id))
			runs = append(runs, Run{
				Fault: id, How: c.Name, Procedure: p.ID, At: fixture.Now, Snapshot: c.Snapshot,
				Diagnosis: diagnosis.Judge(catalog, p, c.Snapshot, fixture.Now, "en"),
			})
		}
	}
	return runs, names
}

// complaint is the procedure a fault is looked for by: all of it, but for what
// somebody may have chosen, which nobody finds who did not complain of it.
func complaint(f *fault.Fault) *diagnosis.Procedure {
	all := diagnosis.Procedures()
	i := slices.IndexFunc(all, func(p *diagnosis.Procedure) bool { return p.ID == "full" && p.Concerns(f) })
	if i < 0 {
		i = slices.IndexFunc(all, func(p *diagnosis.Procedure) bool { return p.Concerns(f) })
	}
	return all[max(i, 0)]
}

// report is docs/lab.md.
func report(seed string, live, list, plainly statistics, devices [3]statistics, replayed, onPaper statistics, names []string, runs, ofDevices []reading) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("# What the lab injects, and what the agent says\n")
	say("Written by `make lab-report`, which draws the worlds from the hash of the commit it stands on, a seed that nobody")
	say("could tune with. This one: `make lab SEED=%s`.\n", seed)
	say("A world is a real network of namespaces, a real print server, a virtual machine; a fault is put into it as the world")
	say("would, and the real agent is asked, which knows nothing of the lab. Around the fault everything is drawn: addresses,")
	say("names, one or two protocols, a proxy, lost frames, slow servers, oddities that harm nobody, an agent without rights.")
	say("Shares are with their number of cases and the 95 %% interval of Wilson. No answer counts as a miss.\n")
	say("Faults injected live: %d distinct, in %d worlds of one and %d of two. Named first: %s. Among the first three: %s. A symptom named as root: %s. Both of two: %s. Healthy worlds: %d, confirmed false alarms: %d, probable: %d. Answer after %.1f s (median), %.1f s (95th percentile).\n",
		len(live.ids), live.first.of, live.both.of, live.first, live.three, live.symptom, live.both, live.alarmsConfirmed.of, live.alarmsConfirmed.is, live.alarmsProbable.is,
		float64(percentile(live.elapsed, 50))/1000, float64(percentile(live.elapsed, 95))/1000)
	say("## Live, and two simpler judges of the same facts\n")
	say("*First failed check* walks a plain ordered list over the same snapshot, from the cable to the service, and names what")
	say("the first failing line stands for (internal/lab/checklist_test.go; network devices have a list of their own). *Without explaining* is our engine with the same")
	say("rules, and no fault brings about another.\n")
	say("| | Constat | first failed check | without explaining |\n|---|---|---|---|")
	for i, row := range live.figures() {
		if strings.HasPrefix(row[0], "right of what") {
			continue
		}
		say("| %s | %s | %s | %s |", row[0], row[1], list.figures()[i][1], plainly.figures()[i][1])
	}
	say("\n## Network devices, read by the collector\n")
	say("Switches, routers, firewalls and controllers composed in the MIBs' terms, and recordings of real ones where they lie")
	say("beside the repository, are played by snmpsim; the collector's own watch reads them over SNMPv2c and SNMPv3, as often")
	say("as in life, takes in their traps and syslog, and judges. Around the fault its kind, its ports, its names and what is odd")
	say("about it are drawn. Where a fault shows at both ends of a cable only, the computer at the port is a composed one of")
	say("the catalog's cases, whose ticket comes to the real desk. The time is what reading and judging take once it is a device's turn: it comes each minute for")
	say("states, every five minutes for counters, and at once after a trap or a line of syslog.\n")
	d := devices[0]
	say("Faults of network devices injected live: %d distinct, in %d worlds of one and %d of two; %d healthy. Named after %.1f s (median), %.1f s (95th percentile).\n",
		len(d.ids), d.first.of, d.both.of, d.alarmsConfirmed.of, float64(percentile(d.elapsed, 50))/1000, float64(percentile(d.elapsed, 95))/1000)
	say("| | Constat | first failed check | without explaining |\n|---|---|---|---|")
	for i, row := range d.figures() {
		if of := devices[1].figures()[i][1]; strings.HasPrefix(row[0], "right of what") {
			say("| %s | %s | | |", row[0], row[1])
		} else {
			say("| %s | %s | %s | %s |", row[0], row[1], of, devices[2].figures()[i][1])
		}
	}
	say("\n## How sure, and how right\n\n| named as | right |\n|---|---|")
	for _, c := range []string{"confirmed", "probable", "possible"} {
		say("| %s | %s |", c, live.bands[c])
	}
	say("\n## Not live\n")
	say("Healthy replays: networks of this run's healthy worlds in the rest of a computer composed for the catalog, changed by")
	say("what is benign (toner low, charge held, a VPN for some networks, weak Wi-Fi that works, …); judged, not looked at.\n")
	say("| | %d replays |\n|---|---|\n| confirmed false alarm | %s |\n| probable false alarm | %s |\n| seen to be well | %s |\n",
		replayed.seenWell.of, replayed.alarmsConfirmed, replayed.alarmsProbable, replayed.seenWell)
	say("Faults on fixtures only: %d that no world here shows; their composed cases are part of the catalog's own tests, so", len(names))
	say("their share is a promise kept, not a measurement: named first %s.\n", onPaper.first)
	say("%s.\n", strings.Join(names, ", "))
	say("## Each fault that was injected live\n\n| fault | worlds | named first | certainty when named |\n|---|---|---|---|")
	for _, row := range byFault(runs) {
		say("%s", row)
	}
	say("\n## Each fault of a network device that was injected live\n\n| fault | worlds | named first | certainty when named |\n|---|---|---|---|")
	for _, row := range byFault(ofDevices) {
		say("%s", row)
	}
	say("\n## Misses\n")
	for _, m := range slices.Concat(live.misses, devices[0].misses, replayed.misses, onPaper.misses) {
		say("- %s", m)
	}
	return b.String()
}

// byFault are the rows of a table, one a fault.
func byFault(runs []reading) (rows []string) {
	type row struct {
		first share
		bands map[string]int
	}
	table := map[string]*row{}
	for _, r := range runs {
		if r.Fault == "" || r.Fault == "undetermined" || len(r.Faults) > 1 {
			continue
		}
		if table[r.Fault] == nil {
			table[r.Fault] = &row{bands: map[string]int{}}
		}
		at := r.place(r.Fault)
		table[r.Fault].first.add(at == 0 && r.answers())
		if at >= 0 {
			table[r.Fault].bands[r.roots[at].certainty]++
		}
	}
	for id, r := range table {
		var bands []string
		for _, c := range []string{"confirmed", "probable", "possible"} {
			if r.bands[c] > 0 {
				bands = append(bands, fmt.Sprintf("%s %d", c, r.bands[c]))
			}
		}
		rows = append(rows, fmt.Sprintf("| %s | %d | %d | %s |", id, r.first.of, r.first.is, strings.Join(bands, ", ")))
	}
	slices.Sort(rows)
	return rows
}
