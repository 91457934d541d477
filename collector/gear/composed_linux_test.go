package gear

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/lab"
	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// device composes a recording row by row: what no real recording at hand shows,
// in the MIBs' own terms.
type device map[string]string

// Types of a recording's lines.
const (
	integerType = "2"
	textType    = "4"
	hexType     = "4x"
	oidType     = "6"
	gaugeType   = "66"
	ticksType   = "67"
	counterType = "70"
)

func (d device) set(oid, kind string, value any) device {
	d[oid] = fmt.Sprintf("%s|%s|%v", oid, kind, value)
	return d
}

func (d device) recording() string {
	oids := make([]string, 0, len(d))
	for oid := range d {
		oids = append(oids, oid)
	}
	slices.SortFunc(oids, func(a, b string) int { return slices.Compare(snmp.Index(a), snmp.Index(b)) })
	var text strings.Builder
	for _, oid := range oids {
		text.WriteString(d[oid] + "\n")
	}
	return text.String()
}

// switchOf is a healthy switch with copper ports Gi1/0/1 … and an uplink at
// which CDP knows another switch.
func switchOf(ports int) device {
	d := device{}
	d.set("1.3.6.1.2.1.1.1.0", textType, "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E4, RELEASE SOFTWARE (fc2)")
	d.set("1.3.6.1.2.1.1.2.0", oidType, "1.3.6.1.4.1.9.1.1208").set("1.3.6.1.2.1.1.3.0", ticksType, 864000000).set("1.3.6.1.2.1.1.5.0", textType, "sw-floor-2")
	d.set("1.3.6.1.2.1.47.1.1.1.1.5.1001", integerType, 3).set("1.3.6.1.2.1.47.1.1.1.1.11.1001", textType, "FOC0000TEST").set("1.3.6.1.2.1.47.1.1.1.1.13.1001", textType, "WS-C2960X-24PS-L")
	d.set("1.3.6.1.4.1.9.9.109.1.1.1.1.8.1", gaugeType, 11)
	d.set("1.3.6.1.4.1.9.9.48.1.1.1.2.1", textType, "Processor").set("1.3.6.1.4.1.9.9.48.1.1.1.5.1", gaugeType, 60<<20).set("1.3.6.1.4.1.9.9.48.1.1.1.6.1", gaugeType, 300<<20)
	d.set("1.3.6.1.4.1.9.9.13.1.5.1.2.1", textType, "PSU 1").set("1.3.6.1.4.1.9.9.13.1.5.1.3.1", integerType, 1)
	d.set("1.3.6.1.4.1.9.9.13.1.4.1.2.1", textType, "Fan 1").set("1.3.6.1.4.1.9.9.13.1.4.1.3.1", integerType, 1)
	for n := 1; n <= ports; n++ {
		i := 10100 + n
		d.port(i, fmt.Sprintf("Gi1/0/%d", n), fmt.Sprintf("0050569a%04x", n))
		d.set(fmt.Sprintf("1.3.6.1.4.1.9.9.68.1.2.2.1.2.%d", i), integerType, 10).set(fmt.Sprintf("1.3.6.1.4.1.9.9.68.1.2.2.1.3.%d", i), integerType, 2)
		d.set(fmt.Sprintf("1.3.6.1.4.1.9.9.46.1.6.1.1.14.%d", i), integerType, 2)
		d.set(fmt.Sprintf("1.3.6.1.2.1.105.1.1.1.6.1.%d", n), integerType, 2)
	}
	d.port(uplink, "Gi1/1/1", "0050569affff").set(fmt.Sprintf("1.3.6.1.4.1.9.9.46.1.6.1.1.14.%d", uplink), integerType, 1)
	d.set(fmt.Sprintf("1.3.6.1.4.1.9.9.23.1.2.1.1.6.%d.1", uplink), textType, "core-1").set(fmt.Sprintf("1.3.6.1.4.1.9.9.23.1.2.1.1.7.%d.1", uplink), textType, "Gi0/1")
	d.set(fmt.Sprintf("1.3.6.1.4.1.9.9.23.1.2.1.1.9.%d.1", uplink), hexType, "00000029")
	return d
}

const uplink = 10149

func (d device) port(ifIndex int, name, mac string) device {
	column := func(oid string) string { return fmt.Sprintf("%s.%d", oid, ifIndex) }
	return d.set(column("1.3.6.1.2.1.2.2.1.2"), textType, strings.Replace(name, "Gi", "GigabitEthernet", 1)).set(column("1.3.6.1.2.1.2.2.1.3"), integerType, 6).
		set(column("1.3.6.1.2.1.2.2.1.6"), hexType, mac).set(column("1.3.6.1.2.1.2.2.1.7"), integerType, 1).set(column("1.3.6.1.2.1.2.2.1.8"), integerType, 1).
		set(column("1.3.6.1.2.1.31.1.1.1.1"), textType, name).set(column("1.3.6.1.2.1.31.1.1.1.15"), gaugeType, 1000).
		set(column("1.3.6.1.2.1.31.1.1.1.6"), counterType, 1<<40).set(column("1.3.6.1.2.1.10.7.2.1.19"), integerType, 3)
}

// down takes a port's link away.
func (d device) down(ifIndex int) device {
	return d.set(fmt.Sprintf("1.3.6.1.2.1.2.2.1.8.%d", ifIndex), integerType, 2)
}

// errDisabled switches a port off for a cause of CErrDisableFeatureID.
func (d device) errDisabled(ifIndex, cause int) device {
	return d.down(ifIndex).set(fmt.Sprintf("1.3.6.1.4.1.9.9.548.1.3.1.1.2.%d.0", ifIndex), integerType, cause)
}

// printerWith is a printer with a cartridge at a level of 100, and an alert.
func printerWith(level int) device {
	d := device{}
	d.set("1.3.6.1.2.1.1.1.0", textType, "HP ETHERNET MULTI-ENVIRONMENT").set("1.3.6.1.2.1.1.2.0", oidType, "1.3.6.1.4.1.11.2.3.9.1")
	d.set("1.3.6.1.2.1.25.3.2.1.2.1", oidType, "1.3.6.1.2.1.25.3.1.5").set("1.3.6.1.2.1.25.3.2.1.3.1", textType, "HP LaserJet 4250")
	d.set("1.3.6.1.2.1.43.5.1.1.17.1", textType, "CNTEST0001").set("1.3.6.1.2.1.43.12.1.1.4.1.1", textType, "black")
	row := func(column int) string { return fmt.Sprintf("1.3.6.1.2.1.43.11.1.1.%d.1.1", column) }
	d.set(row(3), integerType, 1).set(row(4), integerType, 3).set(row(5), integerType, 3).set(row(6), textType, "Black Cartridge").set(row(7), integerType, 7)
	d.set(row(8), integerType, 12000).set(row(9), integerType, level)
	alert := func(column int) string { return fmt.Sprintf("1.3.6.1.2.1.43.18.1.1.%d.1.7", column) }
	return d.set(alert(2), integerType, 3).set(alert(3), integerType, 3).set(alert(4), integerType, 8).set(alert(7), integerType, 808).set(alert(8), textType, "Tray 2 empty")
}

// twinSensors has four sensors of two names, of which two sit in one part.
func twinSensors(d device) device {
	for index, part := range map[int]struct {
		name string
		in   int
	}{1: {"PSU 1", 0}, 2: {"PSU 2", 0}, 3: {"Fan tray", 0}, 11: {"Inlet", 1}, 12: {"Inlet", 2}, 13: {"Spot", 3}, 14: {"Spot", 3}} {
		d.set(fmt.Sprintf("1.3.6.1.2.1.47.1.1.1.1.7.%d", index), textType, part.name)
		if part.in > 0 {
			d.set(fmt.Sprintf("1.3.6.1.2.1.47.1.1.1.1.4.%d", index), integerType, part.in)
			for column, value := range map[int]int{1: 8, 2: 9, 3: 0, 4: 30 + index, 5: 1} {
				d.set(fmt.Sprintf("1.3.6.1.2.1.99.1.1.1.%d.%d", column, index), integerType, value)
			}
		}
	}
	return d
}

// memory adds a pool of CISCO-ENHANCED-MEMPOOL-MIB, of a type of CempMemPoolTypes.
func (d device) memory(number, kind int, name string, used, free int64) device {
	row := func(column int) string { return fmt.Sprintf("1.3.6.1.4.1.9.9.221.1.1.1.1.%d.1001.%d", column, number) }
	return d.set(row(2), integerType, kind).set(row(3), textType, name).set(row(18), counterType, used).set(row(20), counterType, free)
}

// cores are the processors of Host Resources, with their load.
func cores(d device, load ...int) device {
	for i, percent := range load {
		d.set(fmt.Sprintf("1.3.6.1.2.1.25.3.3.1.2.%d", i+1), integerType, percent)
	}
	return d
}

// judged names the faults of a device.
func judged(t *testing.T, g *constatv1.Gear) []string {
	t.Helper()
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	d := diagnosis.Judge(catalog, diagnosis.Gear(), Snapshot(g, "snmp", time.Now()), time.Now(), "en")
	var found []string
	for _, c := range d.GetRootCauses() {
		found = append(found, c.GetFault())
	}
	return found
}

func TestComposedDevices(t *testing.T) {
	const port = 10105
	index := func(oid string) string { return fmt.Sprintf("%s.%d", oid, port) }
	cases := []struct {
		name, fault string
		device      device
		check       func(*testing.T, *constatv1.Gear, *constatv1.GearInterface)
	}{
		{"healthy", "", switchOf(8).set("1.3.6.1.4.1.9.9.46.1.3.1.1.2.1.10", integerType, 1), func(t *testing.T, g *constatv1.Gear, p *constatv1.GearInterface) {
			if p.GetVlan() != 10 || p.GetDuplex() != "full" || p.GetMac() != "00:50:56:9a:00:05" || p.GetTrunk() || p.GetPoe().GetState() != "searching" {
				t.Errorf("port %v", p)
			}
			if n := g.GetNeighbours(); len(n) != 1 || n[0].GetKind() != "switch" || n[0].GetRemotePort() != "Gi0/1" || n[0].GetLocalIfIndex() != uplink {
				t.Errorf("neighbours %v", n)
			}
			if id := g.GetIdentity(); id.GetOs() != "IOS" || id.GetVersion() != "15.2(7)E4" || id.GetModel() != "WS-C2960X-24PS-L" || id.GetVendor() != "Cisco" {
				t.Errorf("identity %v", id)
			}
		}},
		{"an empty socket", "", switchOf(8).down(port), nil},
		{"BPDU guard", "cisco-errdisable-bpduguard", switchOf(8).errDisabled(port, 2), nil},
		{"link flap", "cisco-errdisable-linkflap", switchOf(8).errDisabled(port, 6), nil},
		{"port security", "cisco-errdisable-portsecurity", switchOf(8).errDisabled(port, 9), nil},
		{"UDLD", "cisco-errdisable-udld", switchOf(8).errDisabled(port, 1), nil},
		{"storm", "cisco-errdisable-storm", switchOf(8).errDisabled(port, 14), nil},
		{"DHCP rate", "cisco-errdisable-dhcp-arp", switchOf(8).errDisabled(port, 11), nil},
		{"inline power", "cisco-errdisable-inlinepower", switchOf(8).errDisabled(port, 15), nil},
		{"an older switch without the table of causes", "cisco-errdisable-other", switchOf(8).down(port).set(index("1.3.6.1.4.1.9.9.276.1.1.2.1.9"), integerType, 5), nil},
		{"shut by somebody", "", switchOf(8).down(port).set(index("1.3.6.1.2.1.2.2.1.7"), integerType, 2), func(t *testing.T, _ *constatv1.Gear, p *constatv1.GearInterface) {
			if p.GetAdminStatus() != "down" {
				t.Errorf("port %v", p)
			}
		}},
		{"power denied", "cisco-poe-denied", switchOf(8).set("1.3.6.1.4.1.9.9.402.1.2.1.5.1.5", hexType, "80"), nil},
		{"power fault", "cisco-poe-fault", switchOf(8).set("1.3.6.1.2.1.105.1.1.1.6.1.5", integerType, 4), nil},
		{"a power supply has failed", "cisco-psu-failed", switchOf(8).set("1.3.6.1.4.1.9.9.13.1.5.1.3.1", integerType, 6), nil},
		{"too hot", "cisco-fan-or-overtemp", switchOf(8).set("1.3.6.1.4.1.9.9.13.1.3.1.2.1", textType, "Inlet").set("1.3.6.1.4.1.9.9.13.1.3.1.3.1", gaugeType, 71).
			set("1.3.6.1.4.1.9.9.13.1.3.1.6.1", integerType, 3), nil},
		{"the uplink is down", "cisco-uplink-down", switchOf(8).down(uplink), nil},
		{"a member of the stack is gone", "cisco-stack-member-lost", switchOf(8).
			set("1.3.6.1.4.1.9.9.500.1.1.3.0", integerType, 2).
			set("1.3.6.1.4.1.9.9.500.1.2.1.1.1.1001", gaugeType, 1).set("1.3.6.1.4.1.9.9.500.1.2.1.1.6.1001", integerType, 4).
			set("1.3.6.1.4.1.9.9.500.1.2.1.1.1.2001", gaugeType, 2).set("1.3.6.1.4.1.9.9.500.1.2.1.1.6.2001", integerType, 11), nil},
		{"sensors that make no sense", "", switchOf(8).
			set("1.3.6.1.4.1.9.9.91.1.1.1.1.1.1010", integerType, 8).set("1.3.6.1.4.1.9.9.91.1.1.1.1.2.1010", integerType, 99).
			set("1.3.6.1.4.1.9.9.91.1.1.1.1.4.1010", integerType, 2147483647).set("1.3.6.1.4.1.9.9.91.1.1.1.1.5.1010", integerType, 1), func(t *testing.T, g *constatv1.Gear, _ *constatv1.GearInterface) {
			if s := g.GetSensors()[0]; s.Value != nil || s.GetKind() != "temperature" {
				t.Errorf("sensor %v", s)
			}
		}},
		{"sensors that only their places tell apart", "", twinSensors(switchOf(8)), func(t *testing.T, g *constatv1.Gear, _ *constatv1.GearInterface) {
			names := []string{}
			for _, s := range g.GetSensors() {
				if s.GetKind() == "temperature" {
					names = append(names, s.GetName())
				}
			}
			if want := []string{"PSU 1 Inlet", "PSU 2 Inlet", "Fan tray Spot (13)", "Fan tray Spot (14)"}; !slices.Equal(names, want) {
				t.Errorf("sensors %q, want %q", names, want)
			}
		}},
		// IOS XR keeps the image and what is reserved in pools of their own, which are
		// always full; ASA lists pools of nothing.
		{"memory that is taken for good", "", switchOf(8).memory(1, 2, "processor", 3<<30, 5<<30).memory(2, 11, "reserved", 128<<20, 0).
			memory(3, 12, "image", 70<<20, 0).memory(4, 1, "MEMPOOL_HEAPCACHE_0", 0, 0), func(t *testing.T, g *constatv1.Gear, _ *constatv1.GearInterface) {
			if m := g.GetMemory(); len(m) != 2 || m[0].GetPool() != "processor" || m[0].GetUsedBytes() != 3<<30 || m[0].GetFreeBytes() != 5<<30 || m[1].GetPool() != "Processor" {
				t.Errorf("memory %v", m)
			}
		}},
		{"a firewall of another maker, one of whose cores works without a pause", "", cores(device{}.
			set("1.3.6.1.2.1.1.1.0", textType, "").set("1.3.6.1.2.1.1.2.0", oidType, "1.3.6.1.4.1.12356.101.1.99").
			set("1.3.6.1.2.1.47.1.1.1.1.5.1", integerType, 3).set("1.3.6.1.2.1.47.1.1.1.1.10.1", textType, "FortiGate-81F v7.0.12,build0523,230606 (GA.M)").
			set("1.3.6.1.2.1.47.1.1.1.1.13.1", textType, "FGT_81F"), 100, 12, 9, 4), func(t *testing.T, g *constatv1.Gear, _ *constatv1.GearInterface) {
			if id := g.GetIdentity(); g.GetCpuPercent() != 31 || id.GetOs() != "FortiOS" || id.GetVersion() != "7.0.12" || id.GetModel() != "FGT_81F" || id.GetVendor() != "Fortinet" {
				t.Errorf("%v, CPU %v", id, g.GetCpuPercent())
			}
		}},
		{"a neighbour whose capabilities are written out", "", switchOf(8).set("1.0.8802.1.1.2.1.4.1.1.9.0.10105.1", textType, "core-2").
			set("1.0.8802.1.1.2.1.4.1.1.12.0.10105.1", textType, "28 00"), func(t *testing.T, g *constatv1.Gear, _ *constatv1.GearInterface) {
			if n := g.GetNeighbours(); len(n) != 2 || n[1].GetKind() != "switch" {
				t.Errorf("neighbours %v", n)
			}
		}},
		{"a printer without paper", "printer-paper-out", printerWith(3000), func(t *testing.T, g *constatv1.Gear, _ *constatv1.GearInterface) {
			if a := g.GetPrinter().GetAlerts(); len(a) != 1 || a[0].GetSeverity() != "critical" || a[0].GetGroup() != "input" || a[0].GetCode() != 808 || a[0].GetTraining() != "untrained" {
				t.Errorf("alerts %v", a)
			}
			if s := g.GetPrinter().GetSupplies()[0]; s.GetPercent() != 25 || s.GetKind() != "toner" || s.GetColour() != "black" || s.GetState() != "ok" {
				t.Errorf("supply %v", s)
			}
			if id := g.GetIdentity(); id.GetModel() != "HP LaserJet 4250" || id.GetSerial() != "CNTEST0001" || id.GetVendor() != "HP" {
				t.Errorf("identity %v", id)
			}
		}},
		{"a cartridge that tells no level", "printer-paper-out", printerWith(-3), func(t *testing.T, g *constatv1.Gear, _ *constatv1.GearInterface) {
			if s := g.GetPrinter().GetSupplies()[0]; s.Percent != nil || s.GetState() != "ok" {
				t.Errorf("supply %v", s)
			}
		}},
		{"toner at 150 %", "printer-paper-out", printerWith(18000), func(t *testing.T, g *constatv1.Gear, _ *constatv1.GearInterface) {
			if s := g.GetPrinter().GetSupplies()[0]; s.GetPercent() != 100 {
				t.Errorf("supply %v", s)
			}
		}},
	}
	var recordings []lab.Recording
	for i, c := range cases {
		recordings = append(recordings, lab.Recording{Community: fmt.Sprint("d", i), Text: c.device.recording()})
	}
	// The stations of VLAN 10 stand in a table of their own, with its own map of
	// bridge ports.
	recordings = append(recordings, lab.Recording{Community: "d0@10", Text: device{}.
		set("1.3.6.1.2.1.17.1.4.1.2.5", integerType, port).
		set("1.3.6.1.2.1.17.4.3.1.2.0.80.86.1.2.3", integerType, 5).set("1.3.6.1.2.1.17.4.3.1.3.0.80.86.1.2.3", integerType, 3).recording()})
	played := lab.Play(t, recordings...)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := pollOnce(t, played.Address, snmp.Credentials{Community: fmt.Sprint("d", i)}).Gear
			var p *constatv1.GearInterface
			for _, one := range g.GetInterfaces() {
				if one.GetIfIndex() == port {
					p = one
				}
			}
			if c.check != nil {
				c.check(t, g, p)
			}
			found := append(judged(t, g), "")
			if c.fault != found[0] {
				t.Errorf("faults %q, want %q first; port %v", found, c.fault, p)
			}
			if i == 0 {
				if f := g.GetForwarding(); len(f) != 1 || f[0].GetMac() != "00:50:56:01:02:03" || f[0].GetVlan() != 10 || f[0].GetIfIndex() != port {
					t.Errorf("forwarding %v", f)
				}
			}
		})
	}
}

// A recording of a device is as good as the device for a poll, and names nobody.
func TestRecordingIsRedacted(t *testing.T) {
	d := switchOf(4).set("1.3.6.1.2.1.1.6.0", textType, "CANARY-ROOM-7").set("1.3.6.1.2.1.31.1.1.1.18.10101", textType, "CANARY-ALIAS").
		set("1.3.6.1.2.1.4.22.1.2.1.192.0.2.77", hexType, "0050560a0b0c").
		set("1.3.6.1.2.1.17.1.4.1.2.1", integerType, 10101).set("1.3.6.1.2.1.17.4.3.1.2.0.80.86.10.11.12", integerType, 1).
		set("1.3.6.1.4.1.14179.2.1.4.1.2.0.80.86.10.11.13", "64", "192.0.2.78").set("1.3.6.1.4.1.14179.2.2.1.1.6.0.80.86.10.11.14", integerType, 1).
		set("1.0.8802.1.1.2.1.4.2.1.3.0.3.1.1.4.192.0.2.79", integerType, 2)
	first := lab.Play(t, lab.Recording{Community: "d", Text: d.recording()})
	session, err := snmp.Open(t.Context(), first.Address, snmp.Credentials{Community: "d"}, snmp.Patience{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	var text strings.Builder
	if lines, err := Record(t.Context(), session, &text); err != nil || lines < 50 {
		t.Fatalf("%d lines, %v", lines, err)
	}
	for _, private := range []string{"CANARY", "sw-floor-2", "FOC0000TEST", "core-1", "192.0.2.77", "192.0.2.78", "192.0.2.79", "80.86.10.11.12", "80.86.10.11.13", "80.86.10.11.14", "43414e415259"} {
		if strings.Contains(text.String(), private) {
			t.Errorf("the recording tells %q", private)
		}
	}
	second := lab.Play(t, lab.Recording{Community: "d", Text: text.String()})
	before, after := pollOnce(t, first.Address, snmp.Credentials{Community: "d"}).Gear, pollOnce(t, second.Address, snmp.Credentials{Community: "d"}).Gear
	if len(before.Interfaces) != len(after.Interfaces) || before.Identity.GetModel() != after.Identity.GetModel() || len(after.Forwarding) != 1 ||
		after.Forwarding[0].GetIfIndex() != 10101 || after.Forwarding[0].GetMac()[:8] != "00:50:56" || before.GetCpuPercent() != after.GetCpuPercent() {
		t.Errorf("the recording plays as %v, %v", after.Identity, after.Forwarding)
	}
}
