package diagnosis

import (
	"slices"
	"testing"

	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

func TestProceduresFitTheCatalog(t *testing.T) {
	c := builtinCatalog(t)
	groups := (&constatv1.Snapshot{}).ProtoReflect().Descriptor().Fields()
	seen := map[string]bool{}
	added := []string{"attachment", "fleet", "gear", "polled"} // by the collector
	for _, p := range append(Procedures(), Gear()) {
		if seen[p.ID] {
			t.Errorf("%s: defined twice", p.ID)
		}
		seen[p.ID] = true
		if p.Title.EN == "" || p.Title.FR == "" {
			t.Errorf("%s: expected a title in both languages", p.ID)
		}
		if !slices.IsSorted(p.Groups) {
			t.Errorf("%s: groups are not sorted: %v", p.ID, p.Groups)
		}
		for _, g := range p.Groups {
			if groups.ByTextName(g) == nil {
				t.Errorf("%s: no group %s in a snapshot", p.ID, g)
			}
			if GroupName(g, "fr") == g {
				t.Errorf("%s: no words for the group %s", p.ID, g)
			}
		}
		if !c.HasTerm(p.Works) {
			t.Errorf("%s: no term %s", p.ID, p.Works)
		}
		for _, id := range p.Faults {
			if c.Lookup(id) == nil {
				t.Errorf("%s: no fault %s", p.ID, id)
			}
		}
		for _, f := range c.Faults() {
			for _, need := range f.Needs {
				if p.Concerns(f) && !slices.Contains(p.Groups, need) && !slices.Contains(added, need) && p != Gear() {
					t.Errorf("%s: fault %s needs the group %s, which is not observed", p.ID, f.ID, need)
				}
			}
		}
	}
}

func TestHealthyWorldIsHealthyForEveryComplaintItCanShow(t *testing.T) {
	c := builtinCatalog(t)
	world, err := fixture.World(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Procedures() {
		d := Judge(c, p, world, fixture.Now, "en")
		want := healthy
		if p.ID == "wifi" {
			want = undetermined // its radio is off on purpose, so nobody saw Wi-Fi work
		}
		if d.Verdict != want || len(d.RootCauses)+len(d.Unrelated)+len(d.Undetermined) > 0 {
			t.Errorf("%s: verdict %s, want %s; %v, %v, undetermined %v", p.ID, d.Verdict, want, d.RootCauses, d.Unrelated, d.Undetermined)
		}
	}
}

// What else is wrong with the machine stays apart from the complaint, unless it
// is what causes it.
func TestComplaintComesFirst(t *testing.T) {
	c := builtinCatalog(t)
	diskFull := caseOf(t, "os-disk-full", "faulty")
	for _, tt := range []struct {
		procedure       string
		root, unrelated string
	}{
		{"internet", "", "os-disk-full"},
		{"printing", "os-disk-full", ""}, // it explains that nothing can be spooled
		{"slow", "os-disk-full", ""},
		{"full", "os-disk-full", ""},
	} {
		d := Judge(c, procedure(t, tt.procedure), diskFull.Snapshot, fixture.Now, "en")
		if first(d.RootCauses) != tt.root || first(d.Unrelated) != tt.unrelated {
			t.Errorf("%s: root %v, unrelated %v; want %q, %q", tt.procedure, ids(d.RootCauses), ids(d.Unrelated), tt.root, tt.unrelated)
		}
	}
}

func caseOf(t *testing.T, id, name string) *fixture.Case {
	t.Helper()
	all, err := fixture.Cases(fixtures, id)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(k *fixture.Case) bool { return k.Name == id+": "+name })
	if i < 0 {
		t.Fatalf("%s has no case %q", id, name)
	}
	return all[i]
}

func first(roots []*constatv1.RootCause) string {
	if len(roots) == 0 {
		return ""
	}
	return roots[0].Fault
}

// Each complaint finds its own kind of cause, also where the cause lies in
// another domain than what the person sees, and keeps the rest apart.
func TestComplaintsFindTheirCauses(t *testing.T) {
	c := builtinCatalog(t)
	for _, tt := range []struct {
		procedure, fault, name string
		root                   string // "": it has nothing to do with the complaint
	}{
		{"wifi", "wifi-wrong-password", "faulty", "wifi-wrong-password"},
		{"wifi", "os-password-expired", "faulty with the Wi-Fi that asks for it", "os-password-expired"},
		{"wifi", "wifi-weak-signal", "faulty with the losses it brings", "wifi-weak-signal"},
		{"wifi", "hw-battery-worn", "faulty", ""},
		{"internet", "net-vpn-auth-failed", "faulty", "net-vpn-auth-failed"},
		{"internet", "os-account-locked", "faulty refused by the directory, and the VPN with it", "os-account-locked"},
		{"peripheral", "audio-muted", "faulty", "audio-muted"},
		{"peripheral", "usb-overcurrent", "faulty with what hangs on it", "usb-overcurrent"},
		{"peripheral", "peripheral-battery-low", "faulty", "peripheral-battery-low"},
		{"peripheral", "hw-disk-smart-failing", "faulty the drive says so", ""},
		{"software", "sw-config-corrupt", "faulty written while the disk was full", "os-disk-full"},
		{"software", "sw-backend-down", "faulty the service is the cause", "net-service-down"},
		{"software", "hw-ram-errors", "faulty", "hw-ram-errors"}, // it crashed the system
		{"software", "usb-driver-failed", "faulty code 10", ""},
		{"slow", "hw-fan-failed", "faulty with its alarm", "hw-fan-failed"},
		{"slow", "hw-disk-smart-failing", "faulty a SATA disk with its symptom", "hw-disk-smart-failing"},
		{"slow", "hw-battery-worn", "faulty", ""},
		{"power", "hw-charge-threshold", "faulty", "hw-charge-threshold"},
		{"power", "hw-charger-underpowered", "faulty a telephone's charger", "hw-charger-underpowered"},
		{"power", "hw-unexpected-poweroff", "faulty twice", "hw-unexpected-poweroff"},
		{"power", "hw-nvme-worn-out", "faulty past its promise only", ""},
		{"sign-in", "os-account-locked", "faulty", "os-account-locked"},
		{"sign-in", "os-kerberos-skew", "faulty because the clock is not set any more", "os-time-sync-stopped"},
		{"sign-in", "printer-auth-held", "faulty with the password that caused it", "os-password-expired"},
		{"printing", "printer-auth-held", "faulty with the password that caused it", "os-password-expired"},
	} {
		d := Judge(c, procedure(t, tt.procedure), caseOf(t, tt.fault, tt.name).Snapshot, fixture.Now, "en")
		if first(d.RootCauses) != tt.root || tt.root == "" && !slices.Contains(ids(d.Unrelated), tt.fault) {
			t.Errorf("%s, %s: root %v, unrelated %v; want %q", tt.procedure, tt.fault, ids(d.RootCauses), ids(d.Unrelated), tt.root)
		}
	}
}

// On its battery a laptop may have the best of chargers, or a dead one.
func TestNobodySawTheCharger(t *testing.T) {
	k := caseOf(t, "hw-charger-not-detected", "healthy working on battery")
	if d := Judge(builtinCatalog(t), procedure(t, "power"), k.Snapshot, fixture.Now, "en"); d.Verdict != undetermined || len(d.RootCauses) > 0 {
		t.Errorf("verdict %s, roots %v; want undetermined", d.Verdict, ids(d.RootCauses))
	}
}

// Not every system notes why a program did not start, nor counts wrong
// passwords: what it does tell must suffice to say that all is well.
func TestWhatASystemNeverTellsKeepsNobodyFromHealth(t *testing.T) {
	c := builtinCatalog(t)
	s := healthyWorld(t)
	for _, g := range s.Manifest.Groups {
		switch g.Group {
		case "crashes":
			g.Observation.Gaps = []*constatv1.Gap{{Fact: "launch_failures", Status: "unsupported"}}
		case "sign_in":
			g.Observation.Gaps = []*constatv1.Gap{{Fact: "accounts.locked", Status: "unsupported"}}
		}
	}
	for _, a := range s.SignIn.Accounts {
		a.Locked = nil
	}
	for _, id := range []string{"software", "sign-in"} {
		d := Judge(c, procedure(t, id), s, fixture.Now, "en")
		if d.Verdict != healthy {
			t.Errorf("%s: %s", id, d.Verdict)
		}
	}
	// Without the rights to read either, nobody knows.
	for _, a := range s.SignIn.Accounts {
		a.PasswordExpired = nil
	}
	if d := Judge(c, procedure(t, "sign-in"), s, fixture.Now, "en"); d.Verdict != undetermined {
		t.Errorf("sign-in without rights: %s", d.Verdict)
	}
}
