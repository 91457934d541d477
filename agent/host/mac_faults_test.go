package host

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

// macHealthy is a Mac in good order: what composed answers tell, what the healthy
// fixture has of probes and printing, which the same code asks as on Linux, and the
// gaps that no Mac is without.
func macHealthy(t *testing.T) *constatv1.Snapshot {
	t.Helper()
	world, err := fixture.World("../../internal/fault/testdata")
	if err != nil {
		t.Fatal(err)
	}
	s := macSnapshot(t)
	s.Probes, s.Printing = world.Probes, world.Printing
	for _, g := range s.Probes.Gateways {
		g.Link, g.Mac = set("en0"), nil
	}
	s.Printing.DiscoveryState = macDiscovery(mac(t, "job-timed.txt"))
	s.Crashes, s.Usb.Failures = &constatv1.Crashes{}, nil
	s.Services.Services = []*constatv1.Service{parseMacJob("com.apple.timed", mac(t, "job-timed.txt"))}
	s.Network.Vpns, s.Network.Neighbours, s.Network.OsConnectivity = nil, nil, nil
	s.Network.Proxy = macProxy([]byte("<dictionary> {\n}\n"))
	s.Network.Firewall = macFirewall([]byte("Firewall is enabled. (State = 1)"), []byte("Firewall has block all state set to disabled."))
	macPacketFilter(s.Network.Firewall, mac(t, "pfctl.txt"))
	s.Network.Routes = macDefaultRoutes(parseMacRoutes(macDump())[:4], macNames)
	for _, l := range s.Network.Links {
		l.Addresses = slices.DeleteFunc(l.Addresses, func(a *constatv1.Address) bool { return a.GetDuplicate() })
	}
	s.Load.Memory.Level, s.Load.Memory.SwapPagesPerSecond = set("normal"), set(0.0)
	s.Load.Processes = s.Load.Processes[1:2]
	s.Power.Profile = macPowerSettings([]byte(" powermode            0\n"))
	s.SignIn.Directory.State = set("online")
	for _, a := range s.SignIn.Accounts {
		a.Kind = set("local")
		macPasswordEnd(a, set(int32(0)), nil, fixture.Now)
	}
	for _, r := range s.Wifi.Radios {
		r.LastReason, r.LastDisconnectAt = nil, nil
	}
	withErrors(s.Storage.Disks, macTransferred(macTree(t, "drivers.plist")))
	s.Manifest = &constatv1.Manifest{Id: "01a00000-0000-7000-8000-000000000001", TakenAt: timestamppb.New(fixture.Now)}
	s.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		group := string(f.Name())
		if group == "manifest" {
			return true
		}
		o := observed("composed")
		o.At = timestamppb.New(fixture.Now)
		if macGaps(o, group); group == "network" {
			gap(o, "os_connectivity", errMacReach)
		}
		s.Manifest.Groups = append(s.Manifest.Groups, &constatv1.GroupEntry{Group: group, Observation: o})
		return true
	})
	return s
}

// macCase is a fault, the complaint that it answers, and what a healthy Mac has of it.
type macCase struct {
	procedure, root string
	change          func(s *constatv1.Snapshot)
}

// macCases are states of a Mac as composed answers tell of them.
func macCases(t *testing.T) []macCase {
	report := func(s *constatv1.Snapshot, name, file string) {
		s.Crashes = macReport(name, mac(t, file))
		for _, p := range s.Crashes.Programs {
			p.At = timestamppb.New(fixture.Now.Add(-time.Hour))
		}
		for _, p := range s.Crashes.System {
			p.At = timestamppb.New(fixture.Now.Add(-time.Hour))
		}
		for _, p := range s.Crashes.LaunchFailures {
			p.At = timestamppb.New(fixture.Now.Add(-time.Hour))
		}
	}
	return []macCase{
		{"slow", "os-disk-full", func(s *constatv1.Snapshot) {
			s.Space.Filesystems = macSpace([]macMount{macComposedMounts[0], {point: "/System/Volumes/Data", device: "/dev/disk3s5", kind: "apfs", local: true, use: fsUse{total: 250e9, free: 1e9, available: 1e9}}})
		}},
		{"slow", "os-memory-pressure", func(s *constatv1.Snapshot) { s.Load.Memory.Level = set("critical") }},
		{"slow", "os-power-saver-limits", func(s *constatv1.Snapshot) { s.Power.Profile = macPowerSettings(mac(t, "pmset.txt")) }},
		{"slow", "hw-cpu-thermal-throttle", func(s *constatv1.Snapshot) {
			s.Power.ThermalPressure = macThermalPressure([]byte("com.apple.system.thermalpressurelevel 2\n"))
			s.Power.MaxMhz, s.Power.LimitMhz = macSpeed(intelKernel(t), mac(t, "therm.txt"))
		}},
		{"slow", "hw-disk-smart-failing", func(s *constatv1.Snapshot) {
			failing := strings.NewReplacer("Verified", "Failing", "CRITICAL_WARNING</key><integer>0<", "CRITICAL_WARNING</key><integer>4<").Replace(string(mac(t, "disk0.plist")))
			info, err := parseTree([]byte(failing))
			if err != nil {
				t.Fatal(err)
			}
			s.Storage.Disks[0], _ = macDisk(info, node{})
		}},
		{"slow", "hw-disk-io-errors", func(s *constatv1.Snapshot) {
			withErrors(s.Storage.Disks, macTransferred(macTree(t, "drivers-after.plist")))
		}},
		{"printing", "printer-queue-paused", func(s *constatv1.Snapshot) {
			q := s.Printing.Queues[0]
			q.State, q.StateReasons, q.PendingJobs = set("stopped"), []string{"paused"}, set(int32(2))
		}},
		{"internet", "net-dns-unreachable", func(s *constatv1.Snapshot) {
			for _, d := range s.Probes.Dns {
				d.Result, d.Rcode, d.Answers, d.Expected = set("timeout"), nil, nil, nil
			}
			for _, l := range s.Probes.Lookups {
				l.Result, l.Answers, l.Expected = set("timeout"), nil, nil
			}
			s.Probes.Http, s.Probes.Tls, s.Probes.Services = nil, nil, nil
		}},
		{"internet", "net-no-default-route", func(s *constatv1.Snapshot) {
			s.Network.Routes = macDefaultRoutes(parseMacRoutes(macDump())[2:4], macNames)
			s.Probes = &constatv1.Probes{Tcp: s.Probes.Tcp}
			for _, p := range s.Probes.Tcp {
				p.Result = set("unreachable")
			}
		}},
		{"internet", "net-dhcp-no-offer", func(s *constatv1.Snapshot) {
			for _, l := range s.Network.Links {
				l.Addresses = slices.DeleteFunc(l.Addresses, func(a *constatv1.Address) bool { return l.GetKind() != "loopback" && a.GetScope() != "link" })
				if l.GetName() == "en7" {
					l.Lease = macLeaseTerm(nil, mac(t, "summary-asking.txt"), time.UTC)
				}
				if l.GetName() == "en0" {
					l.AdminStatus, l.OperStatus, l.Carrier, l.Lease = set("down"), set("down"), set(false), nil
				}
			}
			s.Wifi.Radios[0].State, s.Wifi.Radios[0].SoftBlocked = set("off"), set(true)
			s.Network.Routes, s.Network.Resolvers, s.Probes = nil, nil, &constatv1.Probes{}
		}},
		{"wifi", "wifi-radio-off", func(s *constatv1.Snapshot) {
			s.Wifi.Radios[0].State, s.Wifi.Radios[0].SoftBlocked = set("off"), set(true)
			for _, l := range s.Network.Links {
				if l.GetKind() == "wifi" || l.GetKind() == "ethernet" {
					l.Addresses, l.Carrier, l.OperStatus = nil, set(false), set("down")
				}
			}
			s.Network.Links = slices.DeleteFunc(s.Network.Links, func(l *constatv1.Link) bool { return l.GetKind() == "ethernet" })
			s.Network.Routes, s.Network.Resolvers, s.Probes = nil, nil, &constatv1.Probes{}
		}},
		{"internet", "net-vpn-subnet-overlap", func(s *constatv1.Snapshot) {
			s.Network.Vpns = []*constatv1.Vpn{macConnected(t, s.Network.Links)}
			s.Probes.Services[0].Result, s.Probes.Services[0].Status, s.Probes.Services[0].Connected = set("timeout"), nil, set(false)
		}},
		{"power", "hw-battery-worn", func(s *constatv1.Snapshot) {
			s.Power.Batteries, s.Power.Chargers = macBatteries(macTree(t, "battery-intel.plist"))
		}},
		{"power", "hw-unexpected-poweroff", func(s *constatv1.Snapshot) {
			var log crashLog
			log.kernel(parseMacLog(mac(t, "log.ndjson")))
			s.Crashes.System = log.system
			for _, one := range s.Crashes.System {
				one.At = timestamppb.New(fixture.Now.Add(-time.Hour))
			}
		}},
		{"software", "sw-crash-module", func(s *constatv1.Snapshot) {
			report(s, "x.ips", "crash.ips")
			again := proto.CloneOf(s.Crashes.Programs[0])
			again.At = timestamppb.New(fixture.Now.Add(-2 * time.Hour))
			s.Crashes.Programs = append(s.Crashes.Programs, again)
		}},
		{"software", "sw-security-blocked", func(s *constatv1.Snapshot) {
			var log crashLog
			log.kernel(parseMacLog(mac(t, "log.ndjson")))
			s.Crashes.Refusals = log.refusals
			for _, one := range s.Crashes.Refusals {
				one.At = timestamppb.New(fixture.Now.Add(-time.Hour))
			}
		}},
		{"software", "sw-missing-library", func(s *constatv1.Snapshot) { report(s, "x.ips", "missing-library.ips") }},
		{"software", "os-kernel-crash", func(s *constatv1.Snapshot) { report(s, "x.panic", "old.panic") }},
		{"software", "os-service-crashloop", func(s *constatv1.Snapshot) {
			s.Services.Services = append(s.Services.Services, parseMacJob("com.example.looping", mac(t, "job-looping.txt")))
		}},
		{"peripheral", "audio-muted", func(s *constatv1.Snapshot) {
			output, input, muted := macVolume([]byte("output volume:0, input volume:75, alert volume:100, output muted:true\n"))
			withVolume(s.Peripherals.Audio, output, input, muted)
		}},
		{"peripheral", "usb-enumeration-failed", func(s *constatv1.Snapshot) { s.Usb.Failures = usbFailures(nil, parseMacLog(mac(t, "log.ndjson")), nil) }},
		{"sign-in", "os-dc-unreachable", func(s *constatv1.Snapshot) { s.SignIn.Directory.State = macDirectoryState(mac(t, "nodenames.txt")) }},
		{"sign-in", "os-account-locked", func(s *constatv1.Snapshot) { s.SignIn.Accounts[0].Locked = macLocked(mac(t, "locked.txt")) }},
		{"sign-in", "os-password-expired", func(s *constatv1.Snapshot) {
			macPasswordEnd(s.SignIn.Accounts[0], set(int32(90)), mac(t, "password-bob.txt"), fixture.Now)
		}},
	}
}

// TestMacFaults judges what composed answers tell by the whole catalog: each fault is
// named as the root of what was complained about, with the gaps that every Mac has, and
// a Mac in good order has none.
func TestMacFaults(t *testing.T) {
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	healthy := macHealthy(t)
	for _, c := range macCases(t) {
		t.Run(c.root, func(t *testing.T) {
			s := proto.CloneOf(healthy)
			c.change(s)
			for _, name := range []string{c.procedure, "full"} {
				p, _ := diagnosis.Lookup(name)
				d := diagnosis.Judge(catalog, p, s, fixture.Now, "en")
				if name == "full" && catalog.Lookup(c.root).ByChoice {
					continue
				}
				if named := rootsOf(d.RootCauses); !slices.Equal(named, []string{c.root}) {
					t.Errorf("%s names %s (and %s), verdict %s", name, named, rootsOf(d.Unrelated), d.Verdict)
				}
			}
		})
	}
	for _, p := range diagnosis.Procedures() {
		d := diagnosis.Judge(catalog, p, healthy, fixture.Now, "en")
		if len(d.RootCauses)+len(d.Unrelated) > 0 || d.Verdict != "healthy" {
			t.Errorf("%s: %s, and it names %s and %s of a Mac in good order", p.ID, d.Verdict, rootsOf(d.RootCauses), rootsOf(d.Unrelated))
			for _, u := range d.Undetermined {
				t.Log(u.Fault, u.Missing)
			}
		}
	}
}

func rootsOf(list []*constatv1.RootCause) (names []string) {
	for _, r := range list {
		names = append(names, r.Fault)
	}
	return names
}
