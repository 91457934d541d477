package diagnosis

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

func healthyWorld(t *testing.T) *constatv1.Snapshot {
	t.Helper()
	world, err := fixture.World(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// deny takes a group away and says so in the manifest.
func deny(s *constatv1.Snapshot, group string) {
	m := s.ProtoReflect()
	m.Clear(m.Descriptor().Fields().ByTextName(group))
	for _, g := range s.Manifest.Groups {
		if g.Group == group {
			g.Observation = &constatv1.Observation{Status: "denied", Reason: "needs rights"}
		}
	}
}

func TestWhatIsNotSeenIsSaid(t *testing.T) {
	c := builtinCatalog(t)
	for _, tt := range []struct {
		procedure, denied string
		verdict           string
		says              string // in the next step
	}{
		// The Internet was seen to work: an unreadable bus changes nothing.
		{"internet", "hardware", healthy, "Nothing needs to be done"},
		{"internet", "wifi", healthy, "Nothing needs to be done"},
		// Without its probes nobody can say so.
		{"internet", "probes", undetermined, "This could not be seen well enough: the tests of the network."},
		{"slow", "load", undetermined, "This could not be seen well enough: the load."},
		{"slow", "storage", healthy, "Nothing needs to be done"},
		{"printing", "printing", undetermined, "This could not be seen well enough: printing. Run the diagnosis again with administrator rights."},
		{"full", "usb", healthy, "Nothing needs to be done"},
	} {
		s := healthyWorld(t)
		deny(s, tt.denied)
		d := Judge(c, procedure(t, tt.procedure), s, fixture.Now, "en")
		if d.Verdict != tt.verdict || !strings.Contains(d.NextStep, tt.says) {
			t.Errorf("%s without %s: %s, %q; want %s, %q", tt.procedure, tt.denied, d.Verdict, d.NextStep, tt.verdict, tt.says)
		}
		if !slices.ContainsFunc(d.Unobserved, func(u *constatv1.Unobserved) bool {
			return u.Group == tt.denied && u.Observation.GetReason() == "needs rights"
		}) {
			t.Errorf("%s without %s: not told as unobserved: %v", tt.procedure, tt.denied, d.Unobserved)
		}
	}
}

// An empty snapshot accuses nobody.
func TestNothingSeenNothingSaid(t *testing.T) {
	c := builtinCatalog(t)
	for _, p := range Procedures() {
		d := Judge(c, p, &constatv1.Snapshot{}, fixture.Now, "en")
		if d.Verdict != undetermined || len(d.RootCauses)+len(d.Unrelated)+len(d.Hypotheses) > 0 {
			t.Errorf("%s: %s, %v", p.ID, d.Verdict, d.RootCauses)
		}
		if len(d.Unobserved) != len(p.Groups) {
			t.Errorf("%s: %d groups unobserved, want all %d", p.ID, len(d.Unobserved), len(p.Groups))
		}
		for _, u := range d.Undetermined {
			if len(u.Missing) == 0 {
				t.Errorf("%s: %s is undetermined and misses nothing", p.ID, u.Fault)
			}
		}
	}
}

// What nobody could tell apart is not confirmed, and the check is named.
func TestUndecidedLookAlikeKeepsAFaultProbable(t *testing.T) {
	c := builtinCatalog(t)
	s := caseOf(t, "net-upstream-outage", "faulty").Snapshot
	s.Probes.Http = nil // so a captive portal can't be ruled out
	d := Judge(c, procedure(t, "internet"), s, fixture.Now, "fr")
	if first(d.RootCauses) != "net-upstream-outage" || d.RootCauses[0].Certainty != probable {
		t.Fatalf("root causes %v", d.RootCauses)
	}
	if len(d.Hypotheses) != 1 || d.Hypotheses[0].Fault != "net-captive-portal" || d.Hypotheses[0].InsteadOf != "net-upstream-outage" ||
		!slices.Equal(d.Hypotheses[0].Missing, []string{"probes.http"}) {
		t.Fatalf("hypotheses %v", d.Hypotheses)
	}
	if !strings.Contains(d.NextStep, "Pour en être sûr : Ouvrez une page sans https") {
		t.Errorf("next step %q", d.NextStep)
	}
}

// A reading that something speaks against is not a second fault.
func TestContradictedLookAlikeIsARival(t *testing.T) {
	c := builtinCatalog(t)
	d := Judge(c, procedure(t, "internet"), caseOf(t, "net-link-no-carrier", "faulty dhcp gone").Snapshot, fixture.Now, "en")
	if got := ids(d.RootCauses); !slices.Equal(got, []string{"net-link-no-carrier"}) {
		t.Fatalf("root causes %v", got)
	}
	rivals := map[string]string{}
	for _, h := range d.Hypotheses {
		rivals[h.Fault] = h.InsteadOf
	}
	if rivals["wifi-radio-off"] != "net-link-no-carrier" {
		t.Errorf("hypotheses %v", d.Hypotheses)
	}
}

func TestSuspicionAloneIsUndetermined(t *testing.T) {
	d := Judge(builtinCatalog(t), procedure(t, "slow"), caseOf(t, "os-runaway-process", "faulty since half a minute").Snapshot, fixture.Now, "en")
	if d.Verdict != undetermined || first(d.RootCauses) != "os-runaway-process" || d.RootCauses[0].Certainty != possible {
		t.Errorf("verdict %s, root causes %v", d.Verdict, d.RootCauses)
	}
}

// Two faults that have nothing to do with each other are both named.
func TestDoubleFaults(t *testing.T) {
	c, full := builtinCatalog(t), procedure(t, "full")
	for _, tt := range []struct {
		one, other [2]string
		groups     []string // taken from the other's snapshot
	}{
		{[2]string{"net-dns-unreachable", "faulty silent"}, [2]string{"os-disk-full", "faulty"}, []string{"space"}},
		{[2]string{"net-gateway-arp-unresolved", "faulty"}, [2]string{"printer-paper-out", "faulty"}, []string{"printing"}},
		{[2]string{"os-memory-pressure", "faulty"}, [2]string{"printer-paper-jam", "faulty said by the device"}, []string{"printing"}},
		{[2]string{"usb-device-disabled", "faulty"}, [2]string{"os-pending-reboot", "faulty"}, []string{"updates"}},
	} {
		s := proto.Clone(caseOf(t, tt.one[0], tt.one[1]).Snapshot).(*constatv1.Snapshot)
		other := caseOf(t, tt.other[0], tt.other[1]).Snapshot.ProtoReflect()
		for _, g := range tt.groups {
			fd := other.Descriptor().Fields().ByTextName(g)
			s.ProtoReflect().Set(fd, other.Get(fd))
		}
		got := ids(Judge(c, full, s, fixture.Now, "en").RootCauses)
		slices.Sort(got)
		want := []string{tt.one[0], tt.other[0]}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%v and %v: root causes %v", tt.one, tt.other, got)
		}
	}
}

// What is seen not to be there brings nothing about: a disk that can't be
// written to may stop the spooler, but not make a printer silent while the
// spooler runs.
func TestNothingIsExplainedByWayOfWhatIsNotThere(t *testing.T) {
	c, full := builtinCatalog(t), procedure(t, "full")
	s := proto.Clone(caseOf(t, "printer-unreachable-off", "faulty").Snapshot).(*constatv1.Snapshot)
	s.Storage = caseOf(t, "os-filesystem-readonly", "faulty").Snapshot.Storage
	both := []string{"os-filesystem-readonly", "printer-unreachable-off"}
	got := ids(Judge(c, full, s, fixture.Now, "en").RootCauses)
	if slices.Sort(got); !slices.Equal(got, both) {
		t.Errorf("while the spooler runs: root causes %v, want %v", got, both)
	}
	s.Printing.Spooler.State = proto.String("stopped")
	got = ids(Judge(c, full, s, fixture.Now, "en").RootCauses)
	if !slices.Equal(got, both[:1]) {
		t.Errorf("with the spooler stopped: root causes %v, want %v", got, both[:1])
	}
}

// A cause explains what it does to its own component, and nothing of another of
// the same kind: that one has a cause of its own, and is named alone.
func TestCausesReachTheirOwnComponent(t *testing.T) {
	const paused = `{"name": "lobby", "state": "stopped", "stateReasons": ["paused"], "acceptingJobs": true, "physical": true, "printerId": "B"}`
	for _, tt := range []struct {
		name, printing string
		roots          []string // fault and component
		symptoms       []string
	}{
		{
			"the jammed printer's own queue",
			`{"queues": [{"name": "office", "state": "stopped", "stateReasons": ["media-jam-error"], "acceptingJobs": true, "physical": true}]}`,
			[]string{"printer-paper-jam office"},
			[]string{"printer-queue-paused"},
		},
		{
			"another queue is paused too",
			`{"queues": [{"name": "office", "state": "stopped", "stateReasons": ["media-jam-error"], "acceptingJobs": true, "physical": true}, ` + paused + `]}`,
			[]string{"printer-paper-jam office", "printer-queue-paused lobby"},
			nil,
		},
		{
			"the device says the jam, its queue is paused",
			`{"queues": [` + paused + `], "printers": [{"id": "B", "model": "M404", "stateReasons": ["media-jam-error"]}]}`,
			[]string{"printer-paper-jam M404"},
			[]string{"printer-queue-paused"},
		},
		{
			"the device says the jam, the queue of another is paused",
			`{"queues": [` + paused + `], "printers": [{"id": "A", "model": "M404", "stateReasons": ["media-jam-error"]}]}`,
			[]string{"printer-paper-jam M404", "printer-queue-paused lobby"},
			nil,
		},
		{
			"nobody knows which queue is the device's",
			`{"queues": [{"name": "lobby", "state": "stopped", "stateReasons": ["paused"], "acceptingJobs": true}], "printers": [{"id": "A", "model": "M404", "stateReasons": ["media-jam-error"]}]}`,
			[]string{"printer-paper-jam M404"},
			[]string{"printer-queue-paused"},
		},
	} {
		s := &constatv1.Snapshot{}
		if err := protojson.Unmarshal([]byte(`{"printing": `+tt.printing+`}`), s); err != nil {
			t.Fatal(err)
		}
		d := Judge(builtinCatalog(t), procedure(t, "printing"), s, fixture.Now, "en")
		var roots []string
		for _, r := range d.RootCauses {
			roots = append(roots, r.Fault+" "+r.Component)
			for _, e := range r.Evidence {
				if r.Component == "lobby" && strings.Contains(e.Fact, "[office]") {
					t.Errorf("%s: %s of lobby is proved by %s", tt.name, r.Fault, e.Fact)
				}
			}
		}
		slices.Sort(roots)
		if !slices.Equal(roots, tt.roots) || !slices.Equal(d.Symptoms, tt.symptoms) && len(d.Symptoms)+len(tt.symptoms) > 0 {
			t.Errorf("%s: roots %q, symptoms %q; want %q, %q", tt.name, roots, d.Symptoms, tt.roots, tt.symptoms)
		}
	}
}

func TestTextsComeInTheLanguageAskedFor(t *testing.T) {
	c := builtinCatalog(t)
	s := caseOf(t, "printer-paper-out", "faulty").Snapshot
	for _, tt := range []struct{ asked, given, title string }{
		{"en", "en", "The printer office has no paper"},
		{"fr", "fr", "L’imprimante office n’a plus de papier"},
		{"fr-CA", "fr", "L’imprimante office n’a plus de papier"},
		{"", "en", "The printer office has no paper"},
		{"frr", "en", "The printer office has no paper"}, // North Frisian
	} {
		d := Judge(c, procedure(t, "printing"), s, fixture.Now, tt.asked)
		if d.RootCauses[0].Title != tt.title || d.Language != tt.given {
			t.Errorf("%q: %q in %q, want %q in %q", tt.asked, d.RootCauses[0].Title, d.Language, tt.title, tt.given)
		}
	}
}

// A program that crashed stops a service only where the service runs it: by its
// name, by the program that systemd starts for it, as the kernel cuts the name,
// or by the package that both came in.
func TestCausesReachTheirOwnProgram(t *testing.T) {
	const (
		drawing = `"crashes": {"programs": [{"program": "drawing", "module": "libvector.so.2", "kind": "crash", "at": "2026-03-02T08:41:00Z"}, {"program": "drawing", "module": "libvector.so.2", "kind": "crash", "at": "2026-03-02T08:11:00Z"}]}`
		stopped = `"printing": {"spooler": {"kind": "cups", "state": "stopped"}}`
	)
	crashed := func(program string) string { return strings.ReplaceAll(drawing, "drawing", program) }
	failed := func(services ...string) string {
		return `"services": {"services": [` + strings.Join(services, ", ") + `]}`
	}
	for _, tt := range []struct {
		name     string
		facts    []string
		roots    []string // fault and component
		symptoms []string
	}{
		{"a crash, and a stopped print service where no service could be asked", []string{drawing, stopped}, []string{"printer-spooler-stopped cups", "sw-crash-module drawing"}, nil},
		{"the print service's own crash, where no service could be asked", []string{crashed("cupsd"), stopped}, []string{"sw-crash-module cupsd"}, []string{"printer-spooler-stopped"}},
		{
			"the print service crashes in a loop",
			[]string{crashed("cupsd"), stopped, failed(`{"name": "cups.service", "state": "failed", "result": "startLimitHit"}`)},
			[]string{"sw-crash-module cupsd"},
			[]string{"os-service-crashloop", "printer-spooler-stopped"},
		},
		{
			"another service crashes in a loop, the print service is stopped",
			[]string{crashed("indexerd"), stopped, failed(`{"name": "indexer.service", "state": "failed", "result": "startLimitHit"}`)},
			[]string{"printer-spooler-stopped cups", "sw-crash-module indexerd"},
			[]string{"os-service-crashloop"},
		},
		{
			"what hears of printers crashes in a loop, the print service is stopped",
			[]string{stopped, failed(`{"name": "cups-browsed.service", "state": "failed", "result": "startLimitHit"}`)},
			[]string{"os-service-crashloop cups-browsed.service", "printer-spooler-stopped cups"},
			nil,
		},
		{
			"Windows' spooler ends again and again",
			[]string{`"printing": {"spooler": {"kind": "windows", "state": "stopped"}}`, crashed("spoolsv.exe"), failed(`{"name": "Spooler", "state": "failed", "restarts": 3}`)},
			[]string{"sw-crash-module spoolsv.exe"},
			[]string{"os-service-crashloop", "printer-spooler-stopped"},
		},
		{
			"two services failed, the crash is of one",
			[]string{crashed("maild"), failed(`{"name": "post.service", "program": "maild", "state": "failed", "result": "coreDump"}`, `{"name": "clock.service", "program": "ticker", "state": "failed", "result": "exitCode"}`)},
			[]string{"os-service-failed clock.service", "sw-crash-module maild"},
			nil,
		},
		{
			"the time service crashes in a loop, by the name that the kernel cut",
			[]string{
				crashed("systemd-timesyn"), `"clock": {"service": "systemd-timesyncd", "enabled": true, "serviceState": "stopped", "synchronized": false}`,
				failed(`{"name": "systemd-timesyncd.service", "state": "failed", "result": "startLimitHit"}`),
			},
			[]string{"sw-crash-module systemd-timesyn"},
			[]string{"os-service-crashloop", "os-time-sync-stopped"},
		},
		{
			"a service crashes in a loop, and nobody sets the clock",
			[]string{`"clock": {"service": "chrony", "enabled": true, "serviceState": "stopped", "synchronized": false}`, failed(`{"name": "mail.service", "state": "failed", "result": "startLimitHit"}`)},
			[]string{"os-service-crashloop mail.service", "os-time-sync-stopped chrony"},
			nil,
		},
		{
			"a package is broken half-way, and another's service failed",
			[]string{`"updates": {"brokenPackages": ["gimp"]}`, failed(`{"name": "mail.service", "state": "failed", "result": "exitCode"}`)},
			[]string{"os-service-failed mail.service", "os-update-failed gimp"},
			nil,
		},
		{
			"a package is broken half-way, and so is its service",
			[]string{`"updates": {"brokenPackages": ["nginx-common"]}`, failed(`{"name": "nginx.service", "program": "nginx", "state": "failed", "result": "exitCode"}`)},
			[]string{"os-update-failed nginx-common"},
			[]string{"os-service-failed"},
		},
		{
			"a store of films is full, and a service failed",
			[]string{`"space": {"filesystems": [{"mountPoint": "/media/film", "type": "ext4", "totalBytes": "900000000000", "usedPercent": 100, "freeBytes": "0", "system": false, "spool": false}]}`, failed(`{"name": "mail.service", "state": "failed", "result": "exitCode"}`)},
			[]string{"os-disk-full /media/film", "os-service-failed mail.service"},
			nil,
		},
		{
			"one disk has errors, and another's volume went read-only",
			[]string{`"storage": {"disks": [{"name": "sdb", "ioErrors": "120", "removable": false}], "mounts": [{"mountPoint": "/home", "device": "/dev/sda2", "readOnly": true, "expectedWritable": true}]}`},
			[]string{"hw-disk-io-errors sdb", "os-filesystem-readonly /home"},
			nil,
		},
		{
			"a disk has errors, and its volume went read-only",
			[]string{`"storage": {"disks": [{"name": "nvme0n1", "ioErrors": "120", "removable": false}], "mounts": [{"mountPoint": "/home", "device": "/dev/nvme0n1p3", "readOnly": true, "expectedWritable": true}]}`},
			[]string{"hw-disk-io-errors nvme0n1"},
			[]string{"os-filesystem-readonly"},
		},
	} {
		s := &constatv1.Snapshot{}
		if err := protojson.Unmarshal([]byte(`{`+strings.Join(tt.facts, ", ")+`}`), s); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		d := Judge(builtinCatalog(t), procedure(t, "full"), s, fixture.Now, "en")
		var roots []string
		for _, r := range d.RootCauses {
			roots = append(roots, r.Fault+" "+r.Component)
		}
		slices.Sort(roots)
		if !slices.Equal(roots, tt.roots) || !slices.Equal(d.Symptoms, tt.symptoms) && len(d.Symptoms)+len(tt.symptoms) > 0 {
			t.Errorf("%s: roots %q, symptoms %q; want %q, %q", tt.name, roots, d.Symptoms, tt.roots, tt.symptoms)
		}
	}
}
