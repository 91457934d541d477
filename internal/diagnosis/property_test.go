package diagnosis

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"constat/internal/fault"
	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

// Snapshots come from agents of any age, and from whoever holds an agent's
// certificate: none may end the collector or keep it busy.
func TestAnySnapshotIsJudged(t *testing.T) {
	c := builtinCatalog(t)
	rapid.Check(t, func(t *rapid.T) {
		s := &constatv1.Snapshot{}
		fill(t, s.ProtoReflect(), 0)
		p := rapid.SampledFrom(Procedures()).Draw(t, "procedure")
		d := Judge(c, p, s, fixture.Now, rapid.SampledFrom([]string{"en", "fr", "", "x"}).Draw(t, "lang"))
		if d.Verdict == "" || d.NextStep == "" {
			t.Fatalf("no verdict or next step: %v", d)
		}
		if _, err := proto.Marshal(d); err != nil {
			t.Fatal(err) // a string that is no UTF-8 got through
		}
	})
}

// words are values that rules ask for, so that arbitrary snapshots get past
// the first condition.
var words = []string{
	"", "ok", "timeout", "refused", "up", "down", "failed", "reachable", "ethernet", "wifi", "stopped", "running", "paused", "media-empty-error",
	"manual", "none", "eth0", "192.0.2.1", "noerror", "unknownAuthority", "redirect", "ipp", "hid", "/", "\x00\u202e", "processing",
}

func fill(t *rapid.T, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !rapid.Bool().Draw(t, string(fd.Name())) {
			continue
		}
		switch {
		case fd.IsList():
			list := m.Mutable(fd).List()
			for range rapid.IntRange(0, 2).Draw(t, "length") {
				if fd.Kind() != protoreflect.MessageKind {
					list.Append(value(t, fd))
				} else if depth < 4 {
					fill(t, list.AppendMutable().Message(), depth+1)
				}
			}
		case fd.Kind() == protoreflect.MessageKind:
			if depth < 4 {
				fill(t, m.Mutable(fd).Message(), depth+1)
			}
		default:
			m.Set(fd, value(t, fd))
		}
	}
}

func value(t *rapid.T, fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, "int32"))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "int64"))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(rapid.Float64().Draw(t, "double"))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.SampledFrom(words).Draw(t, "word"))
	default:
		return protoreflect.ValueOfBytes(nil)
	}
}

// Not to see can't make anyone sure: whatever facts are taken away, no fault
// becomes confirmed that was not true before.
func TestRemovingFactsConfirmsNothing(t *testing.T) {
	c, full, all := builtinCatalog(t), procedure(t, "full"), cases(t)
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(all).Draw(t, "case")
		before := c.Facts(k.Snapshot, fixture.Now)
		s := proto.Clone(k.Snapshot).(*constatv1.Snapshot)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		forget(r, s.ProtoReflect(), rapid.Float64Range(0, 0.3).Draw(t, "share"))
		d := Judge(c, full, s, fixture.Now, "en")
		for _, root := range append(d.RootCauses, d.Unrelated...) {
			if f := c.Lookup(root.Fault); root.Certainty == confirmed && f.Judge(before).Truth == fault.False {
				t.Fatalf("%s is confirmed after facts of %q went:\n%v", root.Fault, k.Name, s)
			}
		}
	})
}

// forget takes scalar facts and whole groups away; lists keep their elements,
// because a list that was read is a fact of its own.
func forget(r *rand.Rand, m protoreflect.Message, share float64) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Name() == "manifest":
		case fd.IsList() && fd.Kind() == protoreflect.MessageKind:
			for i := range v.List().Len() {
				forget(r, v.List().Get(i).Message(), share)
			}
		case fd.IsList():
		case fd.Kind() == protoreflect.MessageKind && r.Float64() >= share:
			forget(r, v.Message(), share)
		case r.Float64() < share:
			m.Clear(fd)
		}
		return true
	})
}

func TestHostileSnapshotIsBounded(t *testing.T) {
	c := builtinCatalog(t)
	long := string(make([]byte, 1<<16))
	link := &constatv1.Link{Name: &long, Kind: &long}
	override := &constatv1.HostsEntry{Name: &long, Address: &long}
	dns := &constatv1.DnsProbe{Name: &long, Result: &long, Ms: proto.Float64(math.NaN())}
	tls := &constatv1.TlsProbe{Result: proto.String("unknownAuthority"), Issuer: &long}
	process := &constatv1.Process{Name: &long, CpuPercent: proto.Float64(math.Inf(1))}
	vital := &constatv1.Vital{Kind: proto.String("cpuPercent"), UnusualSince: &timestamppb.Timestamp{Seconds: 1 << 60}, Median: proto.Float64(math.NaN())}
	change := &constatv1.Change{At: &timestamppb.Timestamp{Seconds: 1}, Group: &long, Owner: &long, Before: &long}
	s := &constatv1.Snapshot{
		Manifest: &constatv1.Manifest{TakenAt: &timestamppb.Timestamp{Seconds: -1 << 60}},
		Network:  &constatv1.Network{}, Probes: &constatv1.Probes{}, Vitals: &constatv1.Vitals{}, Changes: &constatv1.Changes{},
		Load: &constatv1.Load{Cpu: &constatv1.Cpu{BusyPercent: proto.Float64(math.NaN())}, Memory: &constatv1.Memory{AvailablePercent: proto.Int32(math.MinInt32)}},
	}
	for range 1_000_000 { // the same element: it is the number that counts
		s.Network.Links = append(s.Network.Links, link)
		s.Network.HostsOverrides = append(s.Network.HostsOverrides, override)
		s.Probes.Dns = append(s.Probes.Dns, dns)
		s.Probes.Tls = append(s.Probes.Tls, tls)
		s.Load.Processes = append(s.Load.Processes, process)
		s.Vitals.Vitals = append(s.Vitals.Vitals, vital)
		s.Changes.Changes = append(s.Changes.Changes, change)
		s.Manifest.Groups = append(s.Manifest.Groups, &constatv1.GroupEntry{Group: "network"})
	}
	d := Judge(c, procedure(t, "full"), s, time.Unix(1<<40, 0), "en")
	if size := proto.Size(d); size > 256<<10 {
		t.Errorf("a diagnosis of %d bytes", size)
	}
	for _, r := range append(d.RootCauses, d.Unrelated...) {
		if Began(r, "fr", time.Unix(1<<40, 0)) != "" && !r.GetSince().IsValid() {
			t.Errorf("%s began at no time: %v", r.Fault, r.Since)
		}
	}
}

// A fault of one program takes no fault of another out of the causes, whatever
// else is true or was not seen: names are drawn, and only those that name the
// same may meet.
func TestStrangersExplainNothing(t *testing.T) {
	c, full := builtinCatalog(t), procedure(t, "full")
	at := timestamppb.New(fixture.Now.Add(-time.Hour))
	earlier := timestamppb.New(fixture.Now.Add(-2 * time.Hour))
	causes := map[string]func(s *constatv1.Snapshot, program string){
		"sw-crash-module": func(s *constatv1.Snapshot, program string) {
			for _, at := range []*timestamppb.Timestamp{at, earlier} {
				s.Crashes.Programs = append(s.Crashes.Programs, &constatv1.Crash{Program: &program, Module: proto.String("libvector.so.2"), Kind: proto.String("crash"), At: at})
			}
		},
		"sw-oom-killed": func(s *constatv1.Snapshot, program string) {
			s.Crashes.OomKills = []*constatv1.OutOfMemoryKill{{Program: &program, At: at}}
		},
		"sw-port-in-use": func(s *constatv1.Snapshot, program string) {
			s.Crashes.LaunchFailures = []*constatv1.LaunchFailure{{Program: &program, Kind: proto.String("portInUse"), At: at}}
		},
		"sw-security-blocked": func(s *constatv1.Snapshot, program string) {
			s.Crashes.Refusals = []*constatv1.Refusal{{Program: &program, By: proto.String("fapolicyd"), At: at}}
		},
		"sw-install-damaged": func(s *constatv1.Snapshot, program string) {
			s.Software = &constatv1.Software{DamagedPrograms: []string{program}, Programs: []*constatv1.Program{{Name: &program, Damaged: proto.Bool(true)}}}
		},
		"os-update-failed": func(s *constatv1.Snapshot, program string) {
			s.Updates = &constatv1.Updates{BrokenPackages: []string{program}}
		},
	}
	names := slices.Sorted(maps.Keys(causes))
	rapid.Check(t, func(t *rapid.T) {
		// No letter of one is in the other, so that they name two in any spelling.
		stranger := rapid.StringMatching(`[a-f][a-f-]{2,20}`).Draw(t, "stranger")
		own := rapid.StringMatching(`[m-p][m-p-]{2,20}`).Draw(t, "service")
		s := &constatv1.Snapshot{Crashes: &constatv1.Crashes{}}
		cause := rapid.SampledFrom(names).Draw(t, "cause")
		causes[cause](s, stranger)
		var want string
		switch rapid.IntRange(0, 2).Draw(t, "effect") {
		case 0:
			want = "printer-spooler-stopped"
			s.Printing = &constatv1.Printing{Spooler: &constatv1.Spooler{Kind: proto.String(rapid.SampledFrom([]string{"cups", "windows"}).Draw(t, "spooler")), State: proto.String("stopped")}}
		case 1:
			want = "os-service-failed"
			s.Services = &constatv1.Services{Services: []*constatv1.Service{{Name: proto.String(own + ".service"), State: proto.String("failed"), Result: proto.String("coreDump")}}}
		case 2:
			want = "os-service-crashloop"
			s.Services = &constatv1.Services{Services: []*constatv1.Service{{Name: proto.String(own + ".service"), State: proto.String("failed"), Result: proto.String("startLimitHit")}}}
		}
		if rapid.Bool().Draw(t, "services are known by their programs") && s.Services != nil {
			s.Services.Services[0].Program = &own
		}
		roots := ids(Judge(c, full, s, fixture.Now, "en").RootCauses)
		slices.Sort(roots)
		both := []string{cause, want}
		slices.Sort(both)
		if !slices.Equal(roots, both) {
			t.Fatalf("%s of %q beside %s of %q: root causes %v", cause, stranger, want, own, roots)
		}
	})
}
