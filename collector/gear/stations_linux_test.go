package gear

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"constat/internal/lab"
	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// oidOf writes an address as numbers of an index.
func oidOf(mac string) string {
	var b strings.Builder
	for _, part := range strings.Split(mac, ":") {
		n := 0
		fmt.Sscanf(part, "%x", &n)
		fmt.Fprintf(&b, ".%d", n)
	}
	return b.String()
}

// bitmap is the hex of n bytes in which the bits of these numbers are set.
func bitmap(n int, set ...int) string {
	raw := make([]byte, n)
	for _, i := range set {
		raw[i/8] |= 0x80 >> (i % 8)
	}
	return fmt.Sprintf("%x", raw)
}

// What a device knows of stations and VLANs beside its forwarding table, each from
// the MIB that has it.
func TestStationTables(t *testing.T) {
	const caf, snooping, port10105 = "1.3.6.1.4.1.9.9.656.1.4.1.1", "1.3.6.1.4.1.9.9.380.1.4.1.1", 10105
	cisco := switchOf(8).
		set("1.3.6.1.6.3.10.2.1.1.0", hexType, "800000090300005056aabbcc").
		set("1.3.6.1.2.1.4.20.1.2.192.0.2.2", integerType, 10).set("1.3.6.1.2.1.4.20.1.2.127.0.0.1", integerType, 1).
		set("1.3.6.1.2.1.4.34.1.3.2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.2", integerType, 10).
		// ARP: a station, the device itself, an invalid row, a router's standby address.
		set("1.3.6.1.2.1.4.22.1.2.10.192.0.2.50", hexType, "02005e000050").set("1.3.6.1.2.1.4.22.1.4.10.192.0.2.50", integerType, 3).
		set("1.3.6.1.2.1.4.22.1.2.10.192.0.2.2", hexType, "02005e0000fe").set("1.3.6.1.2.1.4.22.1.4.10.192.0.2.2", integerType, 4).
		set("1.3.6.1.2.1.4.22.1.2.10.192.0.2.51", hexType, "02005e000051").set("1.3.6.1.2.1.4.22.1.4.10.192.0.2.51", integerType, 2).
		set("1.3.6.1.2.1.4.22.1.2.10.192.0.2.1", hexType, "00000c07ac01").set("1.3.6.1.2.1.4.22.1.4.10.192.0.2.1", integerType, 3).
		set("1.3.6.1.2.1.4.35.1.4.10.2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.80", hexType, "02005e000050").
		// 802.1X: a phone that is let in and a computer that is not, at one port.
		set(caf+".2.10105.4.49.50.51.52", hexType, "02005e000060").set(caf+".5.10105.4.49.50.51.52", integerType, 6).set(caf+".14.10105.4.49.50.51.52", integerType, 20).
		set(caf+".2.10105.4.49.50.51.53", hexType, "02005e000061").set(caf+".5.10105.4.49.50.51.53", integerType, 7).set(caf+".4.10105.4.49.50.51.53", hexType, "c0000261").
		// DHCP snooping: a lease, one that is not active, one at a port that is not there.
		set(snooping+".4.10.2.0.94.0.0.112", hexType, "c0000270").set(snooping+".5.10.2.0.94.0.0.112", integerType, port10105).set(snooping+".7.10.2.0.94.0.0.112", integerType, 1).
		set(snooping+".4.10.2.0.94.0.0.113", hexType, "c0000271").set(snooping+".5.10.2.0.94.0.0.113", integerType, port10105).set(snooping+".7.10.2.0.94.0.0.113", integerType, 2).
		set(snooping+".4.10.2.0.94.0.0.114", hexType, "c0000272").set(snooping+".5.10.2.0.94.0.0.114", integerType, 4711).
		// Trunks: the uplink lets VLAN 10 through of the three there are.
		set("1.3.6.1.4.1.9.9.46.1.3.1.1.2.1.10", integerType, 1).set("1.3.6.1.4.1.9.9.46.1.3.1.1.2.1.20", integerType, 1).set("1.3.6.1.4.1.9.9.46.1.3.1.1.2.1.3000", integerType, 1).
		set(fmt.Sprintf("1.3.6.1.4.1.9.9.46.1.6.1.1.4.%d", uplink), hexType, bitmap(128, 10, 11)).set(fmt.Sprintf("1.3.6.1.4.1.9.9.46.1.6.1.1.18.%d", uplink), hexType, bitmap(128, 3001-2048)).
		// The spanning tree's root is behind the uplink.
		set("1.3.6.1.2.1.17.1.4.1.2.49", integerType, uplink).set("1.3.6.1.2.1.17.2.7.0", integerType, 49).set("1.3.6.1.2.1.17.2.4.0", "65", 12).
		// A port-channel of the uplink.
		port(10200, "Po1", "02005e00aaaa").set("1.3.6.1.2.1.2.2.1.3.10200", integerType, 53).set(fmt.Sprintf("1.3.6.1.2.1.31.1.2.1.3.10200.%d", uplink), integerType, 1)
	const pae = "1.0.8802.1.1.1.1.2.1.1"
	other := device{}.
		set("1.3.6.1.2.1.1.1.0", textType, "Switch of another maker").set("1.3.6.1.2.1.1.2.0", oidType, "1.3.6.1.4.1.4526.100.4.8").set("1.3.6.1.2.1.1.3.0", ticksType, 4000)
	for n := 1; n <= 5; n++ {
		other.port(n, fmt.Sprintf("g%d", n), fmt.Sprintf("02005e0100%02x", n)).set(fmt.Sprintf("1.3.6.1.2.1.17.1.4.1.2.%d", n), integerType, n).
			set(fmt.Sprintf("1.3.6.1.2.1.17.7.1.4.5.1.1.%d", n), integerType, 10)
	}
	// Ports 1 and 2 in VLAN 10, 3 for a phone in 10 and 20, 4 a trunk of 10, 20 and 30.
	for vlan, ports := range map[int][2]string{10: {"f8", "f8"}, 20: {"30", "00"}, 30: {"10", "00"}} {
		other.set(fmt.Sprintf("1.3.6.1.2.1.17.7.1.4.2.1.4.0.%d", vlan), hexType, ports[0]).set(fmt.Sprintf("1.3.6.1.2.1.17.7.1.4.2.1.5.0.%d", vlan), hexType, ports[1])
		other.set(fmt.Sprintf("1.3.6.1.2.1.17.7.1.4.3.1.1.%d", vlan), textType, fmt.Sprint("vlan", vlan))
	}
	other.set("1.3.6.1.2.1.17.7.1.4.3.1.1.40", textType, "vlan40")
	// 802.1X: port 1 let in, 2 refused, 3 lets everybody in.
	for n, row := range map[int][3]int{1: {5, 1, 2}, 2: {7, 2, 2}, 3: {8, 1, 3}} {
		for i, column := range []int{1, 5, 6} {
			other.set(fmt.Sprintf("%s.%d.%d", pae, column, n), integerType, row[i])
		}
	}
	other.set("1.0.8802.1.1.1.1.2.2.1.12.1", hexType, "02005e000081")
	const aps, clients = "1.3.6.1.4.1.14179.2.2.1.1", "1.3.6.1.4.1.14179.2.1.4.1"
	radio := oidOf("02:00:5e:aa:00:00")
	controller := device{}.set("1.3.6.1.2.1.1.1.0", textType, "Cisco Controller").set("1.3.6.1.2.1.1.2.0", oidType, "1.3.6.1.4.1.9.1.2170").set("1.3.6.1.2.1.1.3.0", ticksType, 900).
		set("1.3.6.1.4.1.14179.1.1.1.14.0", textType, "8.10.196.0").
		set(aps+".3"+radio, textType, "ap-floor-1").set(aps+".6"+radio, integerType, 1).set(aps+".16"+radio, textType, "AIR-AP3802I-E-K9").
		set(aps+".19"+radio, "64", "192.0.2.90").set(aps+".33"+radio, hexType, "02005eaaff00").
		set("1.3.6.1.4.1.14179.2.2.13.1.4"+radio+".0", gaugeType, 3).set("1.3.6.1.4.1.14179.2.2.13.1.4"+radio+".1", gaugeType, 9).
		set("1.3.6.1.4.1.9.9.513.1.1.1.1.6"+radio, ticksType, 360000)
	for i, status := range []int{3, 5} { // associated, disassociated
		at := oidOf(fmt.Sprintf("02:00:5e:00:00:9%d", i))
		controller.set(clients+".2"+at, "64", fmt.Sprintf("192.0.2.9%d", i)).set(clients+".4"+at, hexType, "02005eaa0000").set(clients+".9"+at, integerType, status)
	}
	played := lab.Play(t, lab.Recording{Community: "cisco", Text: cisco.recording()}, lab.Recording{Community: "other", Text: other.recording()},
		lab.Recording{Community: "wlc", Text: controller.recording()})
	port := func(g *constatv1.Gear, ifIndex int32) *constatv1.GearInterface {
		for _, p := range g.GetInterfaces() {
			if p.GetIfIndex() == ifIndex {
				return p
			}
		}
		return nil
	}
	stations := func(g *constatv1.Gear) (told []string) {
		for _, s := range g.GetStations() {
			told = append(told, strings.TrimSpace(fmt.Sprintln(s.GetMac()[15:], s.GetEvidence(), s.GetAddress(), s.GetIfIndex(), s.GetVlan(), s.GetAccessPoint())))
		}
		return told
	}
	equal := func(what string, got, want []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}

	g := pollOnce(t, played.Address, snmp.Credentials{Community: "cisco"}).Gear
	equal("the stations of a Cisco", stations(g), []string{
		"50 arp 192.0.2.50 0 0", "50 arp 2001:db8::50 0 0", "60 dot1x  10105 20", "61 dot1x 192.0.2.97 10105 0", "70 dhcpSnooping 192.0.2.112 10105 10", "72 dhcpSnooping 192.0.2.114 0 10",
	})
	if id := g.GetIdentity(); id.GetEngineId() != "800000090300005056aabbcc" || !slices.Equal(id.GetAddresses(), []string{"192.0.2.2", "2001:db8::2"}) {
		t.Errorf("identity %v", id)
	}
	if p := port(g, port10105); p.GetDot1XState() != "failed" {
		t.Errorf("802.1X: %v", p)
	}
	if p := port(g, uplink); !slices.Equal(p.GetAllowedVlans(), []int32{10}) || p.GetAggregate() != 10200 {
		t.Errorf("the uplink: VLANs %v, part of %d", p.GetAllowedVlans(), p.GetAggregate())
	}
	if tree := g.GetSpanningTree(); tree.GetRootPort() != uplink || tree.GetTopologyChanges() != 12 {
		t.Errorf("spanning tree %v", tree)
	}

	g = pollOnce(t, played.Address, snmp.Credentials{Community: "other"}).Gear
	equal("the stations of another maker's switch", stations(g), []string{"81 dot1x  1 0"})
	if p := port(g, 1); p.GetVlan() != 10 || p.Trunk == nil || p.GetTrunk() || p.GetDot1XState() != "authorized" {
		t.Errorf("a desk: %v", p)
	}
	if p := port(g, 2); p.GetDot1XState() != "failed" {
		t.Errorf("a refused one: %v", p)
	}
	if p := port(g, 3); p.Trunk != nil || p.GetVlan() != 10 || p.Dot1XState != nil {
		t.Errorf("a phone's: %v", p)
	}
	if p := port(g, 4); !p.GetTrunk() || p.GetNativeVlan() != 10 || !slices.Equal(p.GetAllowedVlans(), []int32{10, 20, 30}) || p.Vlan != nil {
		t.Errorf("a trunk: %v", p)
	}

	g = pollOnce(t, played.Address, snmp.Credentials{Community: "wlc"}).Gear
	equal("the clients of a controller", stations(g), []string{"90 wireless 192.0.2.90 0 0 ap-floor-1"})
	if a := g.GetAccessPoints(); len(a) != 1 || a[0].GetName() != "ap-floor-1" || a[0].GetState() != "associated" || a[0].GetClients() != 12 ||
		a[0].GetEthernetMac() != "02:00:5e:aa:ff:00" || a[0].GetUptimeSeconds() != 3600 || a[0].GetModel() != "AIR-AP3802I-E-K9" || a[0].GetAddress() != "192.0.2.90" {
		t.Errorf("access points %v", a)
	}
	if id := g.GetIdentity(); id.GetOs() != "AireOS" || id.GetVersion() != "8.10.196.0" {
		t.Errorf("identity %v", id)
	}
}
