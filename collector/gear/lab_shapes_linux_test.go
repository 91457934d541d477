package gear

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// shape is a kind of Cisco gear, as its agent shows it: what recordings of real
// ones have in common, in the MIBs' terms. The rows of a box are composed.
type shape struct {
	name string
	// description, object and model are what such a device says of itself.
	description, object, model string
	members, ports             int
	// place is a port of a member by number: its name, how the ifTable names it at
	// length, and its ifIndex. uplink is the same of the ports at its end.
	place, uplink func(member, n int) (name, long string, ifIndex int)
	// environment is where fans, supplies and temperatures are told: "envmon"
	// (CISCO-ENVMON-MIB), "fru" (CISCO-ENTITY-FRU-CONTROL-MIB and
	// CISCO-ENTITY-SENSOR-MIB), "small" (Radlan's).
	environment string
	pools       string // "pool", "wide" (CISCO-ENHANCED-MEMPOOL-MIB), "cpu"
	vlans       string // "vtp" (CISCO-VTP-MIB), "bridge" (Q-BRIDGE-MIB), "" none
	// power: it feeds what is plugged in; causes: it has CISCO-ERR-DISABLE-MIB.
	power, causes bool
	// radios are the access points of a controller.
	radios int
	// prints is what a printer has beyond that; nil: it is none.
	prints *prints
}

const ios15 = "Cisco IOS Software, %s Software (%s), Version %s, RELEASE SOFTWARE (fc2)"

func named3(form, long string, base, step int) func(int, int) (string, string, int) {
	return func(member, n int) (string, string, int) {
		return fmt.Sprintf(form, member, n), fmt.Sprintf(long, member, n), base + (member-1)*step + n
	}
}

func named1(form, long string, base int) func(int, int) (string, string, int) {
	return func(_, n int) (string, string, int) { return fmt.Sprintf(form, n), fmt.Sprintf(long, n), base + n }
}

// shapes are those that worlds are made of.
var shapes = []*shape{
	{
		name: "Catalyst 2960X", description: fmt.Sprintf(ios15, "C2960X", "C2960X-UNIVERSALK9-M", "15.2(7)E4"), object: "1.3.6.1.4.1.9.1.1208", model: "WS-C2960X-24PS-L",
		members: 1, ports: 24, place: named3("Gi%d/0/%d", "GigabitEthernet%d/0/%d", 10100, 500), uplink: named3("Te%d/0/%d", "TenGigabitEthernet%d/0/%d", 10200, 500),
		environment: "envmon", pools: "pool", vlans: "vtp", power: true, causes: true,
	}, {
		name: "Catalyst 2960", description: "Cisco IOS Software, C2960 Software (C2960-LANBASEK9-M), Version 12.2(25)SEE3, RELEASE SOFTWARE (fc2)", object: "1.3.6.1.4.1.9.1.716", model: "WS-C2960-24TT-L",
		members: 1, ports: 24, place: named1("Fa0/%d", "FastEthernet0/%d", 10000), uplink: named1("Gi0/%d", "GigabitEthernet0/%d", 10100),
		environment: "envmon", pools: "pool", vlans: "vtp",
	}, {
		name: "Catalyst 3750 stack", description: "Cisco IOS Software, C3750 Software (C3750-IPSERVICESK9-M), Version 12.2(55)SE12, RELEASE SOFTWARE (fc2)", object: "1.3.6.1.4.1.9.1.516", model: "WS-C3750G-24PS-S",
		members: 2, ports: 12, place: named3("Gi%d/0/%d", "GigabitEthernet%d/0/%d", 10100, 500), uplink: named3("Te%d/0/%d", "TenGigabitEthernet%d/0/%d", 10200, 500),
		environment: "envmon", pools: "pool", vlans: "vtp", power: true, causes: true,
	}, {
		name: "Catalyst 9300", description: "Cisco IOS Software [Cupertino], Catalyst L3 Switch Software (CAT9K_IOSXE), Version 17.9.4a, RELEASE SOFTWARE (fc3)", object: "1.3.6.1.4.1.9.1.2494", model: "C9300-24P",
		members: 1, ports: 24, place: named3("Gi%d/0/%d", "GigabitEthernet%d/0/%d", 8, 100), uplink: named3("Te%d/1/%d", "TenGigabitEthernet%d/1/%d", 40, 100),
		environment: "fru", pools: "wide", vlans: "vtp", power: true, causes: true,
	}, {
		name: "Nexus 9000", description: "Cisco NX-OS(tm) nxos.9.3.10.bin, Software (nxos), Version 9.3(10), RELEASE SOFTWARE Copyright (c) 2002-2022 by Cisco Systems, Inc.", object: "1.3.6.1.4.1.9.12.3.1.3.2239", model: "N9K-C93180YC-FX3",
		members: 1, ports: 24, place: func(_, n int) (string, string, int) {
			return fmt.Sprintf("Ethernet1/%d", n), fmt.Sprintf("Ethernet1/%d", n), 436207616 + (n-1)*512
		}, uplink: func(_, n int) (string, string, int) {
			return fmt.Sprintf("Ethernet1/%d", 48+n), fmt.Sprintf("Ethernet1/%d", 48+n), 436207616 + (47+n)*512
		},
		environment: "fru", pools: "cpu", vlans: "vtp", causes: true,
	}, {
		name: "Small Business 350", description: "CBS350-24P-4G 24-Port Gigabit PoE Managed Switch", object: "1.3.6.1.4.1.9.6.1.1002.24.2", model: "CBS350-24P-4G",
		members: 1, ports: 24, place: named1("gi%d", "GigabitEthernet%d", 0), uplink: named1("gi%d", "GigabitEthernet%d", 24),
		environment: "small", pools: "", vlans: "bridge", power: true,
	}, {
		name: "ISR 4321", description: fmt.Sprintf("Cisco IOS Software [Everest], ISR Software (X86_64_LINUX_IOSD-UNIVERSALK9-M), Version %s, RELEASE SOFTWARE (fc2)", "16.6.4"), object: "1.3.6.1.4.1.9.1.2093", model: "ISR4321/K9",
		members: 1, ports: 2, place: named1("Gi0/1/%d", "GigabitEthernet0/1/%d", 10), uplink: named1("Gi0/0/%d", "GigabitEthernet0/0/%d", 0),
		environment: "fru", pools: "wide",
	}, {
		name: "ASA 5515", description: "Cisco Adaptive Security Appliance Version 9.12(4)", object: "1.3.6.1.4.1.9.1.1421", model: "ASA5515",
		members: 1, ports: 4, place: named1("Adaptive Security Appliance 'inside%d' interface", "Adaptive Security Appliance 'inside%d' interface", 4), uplink: named1("Adaptive Security Appliance 'outside%d' interface", "Adaptive Security Appliance 'outside%d' interface", 2),
		environment: "", pools: "wide",
	}, {
		name: "WLC 5508", description: "Cisco Controller", object: "1.3.6.1.4.1.9.1.1069", model: "AIR-CT5508-K9",
		members: 1, ports: 2, place: named1("virtual%d", "virtual interface %d", 10), uplink: named1("Unit - 0 Slot - 0 Port - %d", "Unit - 0 Slot - 0 Port - %d", 0),
		radios: 6,
	},
}

// box is a device of a shape, as it is at one time.
type box struct {
	device
	*shape
	draw *rand.Rand
	name string
	// edge are the ports people are at, by ifIndex; used are those that are up.
	edge, used, uplinks []int
	names               map[int]string
	// feed is where a port's power is told, by ifIndex: group and port.
	feed   map[int]string
	base   map[int]int // bridge port by ifIndex
	vlan   int         // of people
	vlanOf map[int]int
	all    []int // VLANs
	uptime int64 // hundredths of a second
	radios []string
	// unstated: a printer that does not tell its hrPrinterStatus.
	unstated bool
}

func (b *box) at(column string, ifIndex int) string { return fmt.Sprintf("%s.%d", column, ifIndex) }

// is sets a cell of the interface tables.
func (b *box) is(column string, ifIndex int, kind string, value any) *box {
	b.device.set(b.at(column, ifIndex), kind, value)
	return b
}

const (
	ifTable  = "1.3.6.1.2.1.2.2.1."
	ifXTable = "1.3.6.1.2.1.31.1.1.1."
	dot3     = "1.3.6.1.2.1.10.7.2.1."
	cieTable = "1.3.6.1.4.1.9.9.276.1.1.2.1."
	vtpTrunk = "1.3.6.1.4.1.9.9.46.1.6.1.1."
	counter3 = "65"
	addressT = "64"
	yes, no  = 1, 2
	fdbVLAN  = "1.3.6.1.2.1.17.7.1.2.2.1.2."
	upTime   = "1.3.6.1.2.1.1.3.0"
	cpu5min  = "1.3.6.1.4.1.9.9.109.1.1.1.1.8"
	cpu1min  = "1.3.6.1.4.1.9.9.109.1.1.1.1.7"
	cpu5sec  = "1.3.6.1.4.1.9.9.109.1.1.1.1.6"
	apTable  = "1.3.6.1.4.1.14179.2.2.1.1."
	rlCPU    = "1.3.6.1.4.1.9.6.1.101.1.9.0"
)

// newBox is a healthy device.
func newBox(s *shape, draw *rand.Rand) *box {
	b := &box{
		device: device{}, shape: s, draw: draw, names: map[int]string{}, feed: map[int]string{}, base: map[int]int{}, vlanOf: map[int]int{},
		uptime: 100 * (86400*int64(2+draw.IntN(400)) + int64(draw.IntN(86400))),
	}
	style := []string{"sw-floor-%d", "SW%02d", "acc-sw-%d.example.org", "ETAGE%d", "mdf-%d-a"}[draw.IntN(5)]
	b.name = fmt.Sprintf(style, 1+draw.IntN(30))
	b.set("1.3.6.1.2.1.1.1.0", textType, s.description).set("1.3.6.1.2.1.1.2.0", oidType, s.object).set(upTime, ticksType, b.uptime).set("1.3.6.1.2.1.1.5.0", textType, b.name)
	chassis := 1001
	if s.environment == "fru" {
		chassis = 1
	}
	serial := fmt.Sprintf("FOC%04dX%03d", draw.IntN(10000), draw.IntN(1000))
	b.entity(chassis, 3, 0, s.model, s.model).set(fmt.Sprintf("1.3.6.1.2.1.47.1.1.1.1.11.%d", chassis), textType, serial)
	b.vlan = 2 + draw.IntN(200)
	b.all = []int{1, b.vlan, b.vlan + 10 + draw.IntN(50), b.vlan + 100 + draw.IntN(50)}
	if s.vlans != "bridge" && oneOf(draw, 2) {
		b.set(runningChanged, ticksType, b.uptime-int64(8*3600*100)).set(startupChanged, ticksType, b.uptime-int64(8*3600*100)+6000)
	}
	b.makePorts()
	b.makeVLANs()
	b.makeEnvironment()
	b.makeLoad(6 + draw.IntN(30))
	b.set("1.3.6.1.2.1.17.2.3.0", ticksType, 8_640_000+draw.IntN(1_000_000)).set("1.3.6.1.2.1.17.2.4.0", counter3, 12+draw.IntN(300)).
		set("1.3.6.1.2.1.17.2.5.0", hexType, "8001001f6c2a4400").set("1.3.6.1.2.1.17.2.7.0", integerType, b.base[b.uplinks[0]])
	for n := range s.radios { // bsnAPTable (AIRESPACE-WIRELESS-MIB), by the radio's address
		index := fmt.Sprintf(".0.58.154.16.%d.%d", n, draw.IntN(256))
		b.radios = append(b.radios, index)
		b.set(apTable+"3"+index, textType, fmt.Sprintf("AP-%d-%02d", draw.IntN(9), n)).set(apTable+"6"+index, integerType, 1).
			set(apTable+"16"+index, textType, "AIR-CAP3702I-E-K9").set(apTable+"19"+index, addressT, fmt.Sprintf("192.0.2.%d", 20+n))
	}
	if s.members > 1 || s.power && s.causes && oneOf(draw, 3) { // a stack of one says so too
		b.set("1.3.6.1.4.1.9.9.500.1.1.3.0", integerType, no)
		for m := 1; m <= s.members; m++ {
			b.member(m, 4)
		}
	}
	return b
}

func oneOf(draw *rand.Rand, n int) bool { return draw.IntN(n) == 0 }

// entity is a row of entPhysicalTable.
func (b *box) entity(index, class, in int, name, model string) device {
	row := func(column int) string { return fmt.Sprintf("1.3.6.1.2.1.47.1.1.1.1.%d.%d", column, index) }
	b.set(row(2), textType, name).set(row(4), integerType, in).set(row(5), integerType, class).set(row(7), textType, name)
	if model != "" {
		b.set(row(13), textType, model)
	}
	return b.device
}

// member is a row of cswSwitchInfoTable (CISCO-STACKWISE-MIB), by entPhysicalIndex.
func (b *box) member(number, state int) {
	row := func(column int) string {
		return fmt.Sprintf("1.3.6.1.4.1.9.9.500.1.2.1.1.%d.%d", column, number*1000+1)
	}
	role := 2
	if number == 1 {
		role = 1
	}
	b.set(row(1), gaugeType, number).set(row(3), integerType, role).set(row(6), integerType, state)
}

func (b *box) makePorts() {
	base := 0
	for m := 1; m <= b.members; m++ {
		for n := 1; n <= b.ports; n++ {
			name, long, i := b.place(m, n)
			base++
			b.edge, b.names[i], b.base[i], b.vlanOf[i] = append(b.edge, i), name, base, b.vlan
			speed := 1000
			if strings.HasPrefix(name, "Fa") {
				speed = 100
			}
			b.makePort(i, name, long, speed)
			if b.power {
				b.feed[i] = fmt.Sprintf("%d.%d", m, n)
			}
			if b.draw.IntN(10) < 4 { // nobody is there
				b.makeDown(i, b.uptime-int64(b.draw.IntN(int(b.uptime-1))))
				continue
			}
			b.used = append(b.used, i)
			if b.draw.IntN(4) > 0 {
				b.is(ifXTable+"18", i, textType, []string{"office 2.14", "PC", "phone+pc", "", "printer", "accounting", "Bureau 12"}[b.draw.IntN(7)])
			}
			b.behind(i, fmt.Sprintf("3c:52:82:%02x:%02x:%02x", b.draw.IntN(256), b.draw.IntN(256), base))
		}
	}
	if len(b.used) < 3 {
		for _, i := range b.edge[:min(3, len(b.edge))] {
			if !slices.Contains(b.used, i) {
				b.makeUp(i)
				b.used = append(b.used, i)
				b.behind(i, fmt.Sprintf("3c:52:83:00:01:%02x", b.base[i]))
			}
		}
	}
	for n := 1; n <= 2; n++ {
		name, long, i := b.uplink(1, n)
		base++
		b.uplinks, b.names[i], b.base[i] = append(b.uplinks, i), name, base
		speed := 10000
		if strings.HasPrefix(strings.ToLower(name), "gi") || strings.HasPrefix(name, "Adap") {
			speed = 1000
		}
		b.makePort(i, name, long, speed)
		b.neighbourAt(i, fmt.Sprintf("core-%d.example.org", n), "TenGigabitEthernet1/0/7", "00000029")
	}
}

// makePort is a port that is up and idle.
func (b *box) makePort(i int, name, long string, speed int) {
	d := b.draw
	b.is(ifTable+"2", i, textType, long).is(ifTable+"3", i, integerType, 6).is(ifTable+"5", i, gaugeType, min(speed*1_000_000, 4294967295)).
		is(ifTable+"6", i, hexType, fmt.Sprintf("00506e%06x", i&0xffffff)).is(ifTable+"7", i, integerType, 1).is(ifTable+"8", i, integerType, 1).
		is(ifTable+"9", i, ticksType, 2000+d.IntN(int(min(b.uptime-3000, 1<<30)))).
		is(ifTable+"13", i, counter3, d.IntN(3)*17).is(ifTable+"14", i, counter3, 0).is(ifTable+"19", i, counter3, d.IntN(3)*40).is(ifTable+"20", i, counter3, 0)
	b.is(ifXTable+"1", i, textType, name).is(ifXTable+"15", i, gaugeType, speed).is(ifXTable+"19", i, ticksType, 0).is(ifXTable+"18", i, textType, "")
	for column, value := range map[string]int64{"6": 1 << 41, "7": 9_000_000, "9": 80_000, "10": 1 << 42, "11": 12_000_000} {
		b.is(ifXTable+column, i, counterType, value+int64(d.IntN(1<<30)))
	}
	b.is(dot3+"3", i, counter3, d.IntN(2)*d.IntN(90_000)).is(dot3+"8", i, counter3, d.IntN(2)*d.IntN(500)).is(dot3+"19", i, integerType, 3)
	if b.vlans == "vtp" {
		b.is(operStatusCause, i, integerType, 2)
		if b.causes {
			b.is(cieTable+"4", i, counter3, 2+2*d.IntN(40))
		}
	}
}

func (b *box) makeUp(i int) { b.is(ifTable+"8", i, integerType, 1).is(dot3+"19", i, integerType, 3) }

// makeDown takes a port's link away, at a time of the device.
func (b *box) makeDown(i int, at int64) {
	b.is(ifTable+"8", i, integerType, 2).is(ifTable+"9", i, ticksType, max(at, 0)).is(dot3+"19", i, integerType, 1)
	b.used = slices.DeleteFunc(slices.Clone(b.used), func(o int) bool { return o == i })
}

// falls is a port whose link is lost now.
func (b *box) falls(i int) {
	b.makeDown(i, b.uptime-int64(500+b.draw.IntN(2000)))
	if b.causes {
		b.add(cieTable+"4", i, 1)
	}
	b.leave(i)
}

// add counts a counter on.
func (b *box) add(column string, i int, by int64) {
	parts := strings.SplitN(b.device[b.at(column, i)], "|", 3)
	if len(parts) < 3 {
		return
	}
	var was int64
	fmt.Sscan(parts[2], &was)
	if was += by; parts[1] == counter3 {
		was %= 1 << 32
	}
	b.is(column, i, parts[1], was)
}

// behind has the bridge know a station at a port, in the table with VLANs.
func (b *box) behind(i int, mac string) {
	var index strings.Builder
	for part := range strings.SplitSeq(mac, ":") {
		var n int
		fmt.Sscanf(part, "%x", &n)
		fmt.Fprintf(&index, ".%d", n)
	}
	b.set(fmt.Sprintf("%s%d%s", fdbVLAN, b.vlan, index.String()), integerType, b.base[i])
}

// leave has the bridge forget who was at a port.
func (b *box) leave(i int) {
	row := fmt.Sprintf("|%s|%d", integerType, b.base[i])
	maps.DeleteFunc(b.device, func(oid, line string) bool {
		return strings.HasPrefix(oid, fdbVLAN) && strings.HasSuffix(line, row)
	})
}

// neighbourAt has CDP know a device at a port.
func (b *box) neighbourAt(i int, name, port, capabilities string) {
	b.device.neighbour(i, name, port, capabilities)
	b.set(fmt.Sprintf("1.3.6.1.4.1.9.9.23.1.2.1.1.12.%d.1", i), integerType, 3)
}

// silent has CDP forget who is at a port, as it does three minutes after he fell
// silent.
func (b *box) silent(i int) {
	maps.DeleteFunc(b.device, func(oid, _ string) bool {
		return strings.HasPrefix(oid, "1.3.6.1.4.1.9.9.23.1.2.1.1.") && strings.HasSuffix(oid, fmt.Sprintf(".%d.1", i))
	})
}

func (b *box) makeVLANs() {
	for _, i := range slices.Concat(b.edge, b.uplinks) {
		b.set(fmt.Sprintf("%s.%d", basePort, b.base[i]), integerType, i)
	}
	switch b.vlans {
	case "vtp":
		for _, v := range b.all {
			b.set(fmt.Sprintf("%s.1.%d", vlanState, v), integerType, 1).set(fmt.Sprintf("%s.1.%d", vlanName, v), textType, fmt.Sprintf("VLAN%04d", v))
		}
		for _, v := range []int{1002, 1003, 1004, 1005} {
			b.set(fmt.Sprintf("%s.1.%d", vlanState, v), integerType, 1).set(fmt.Sprintf("%s.1.%d", vlanName, v), textType, "default")
		}
		for _, i := range b.edge {
			b.is(membership, i, integerType, b.vlanOf[i]).is(memberStatus, i, integerType, 2).is(trunkStatus, i, integerType, no).is(trunkNative, i, integerType, 1)
		}
		for _, i := range b.uplinks {
			b.is(trunkStatus, i, integerType, yes).is(trunkNative, i, integerType, 1)
			b.allow(i, b.all...)
			b.set(fmt.Sprintf("1.3.6.1.4.1.9.9.23.1.2.1.1.11.%d.1", i), integerType, 1)
		}
		for i, base := range b.base {
			if state := 5; slices.Contains(b.used, i) || slices.Contains(b.uplinks, i) {
				if len(b.uplinks) > 1 && i == b.uplinks[1] {
					state = 2 // the spare way is closed, as it should be
				}
				b.set(fmt.Sprintf("%s.%d", stpPortState, base), integerType, state)
			}
		}
	case "bridge":
		bits := func(of []int) string {
			raw := make([]byte, 8)
			for _, i := range of {
				raw[(b.base[i]-1)/8] |= 0x80 >> ((b.base[i] - 1) % 8)
			}
			return fmt.Sprintf("%x", raw)
		}
		for _, v := range b.all {
			plain := []int{}
			if v == b.vlan {
				plain = b.edge
			} else if v == 1 {
				plain = b.uplinks
			}
			b.set(fmt.Sprintf("%s.0.%d", egressPorts, v), hexType, bits(slices.Concat(plain, b.uplinks))).set(fmt.Sprintf("%s.0.%d", untaggedPorts, v), hexType, bits(plain)).
				set(fmt.Sprintf("%s.%d", staticName, v), textType, fmt.Sprint("vlan", v))
		}
		for _, i := range b.edge {
			b.set(fmt.Sprintf("%s.%d", defaultVLAN, b.base[i]), gaugeType, b.vlan)
		}
	}
	if b.power {
		for i, place := range b.feed {
			state, watts := 2, 0
			if slices.Contains(b.used, i) && oneOf(b.draw, 3) {
				state, watts = 3, 6300
			}
			b.fed("6", i, integerType, state)
			b.fed("12", i, counter3, b.draw.IntN(3)).fed("13", i, counter3, 0).fed("14", i, counter3, 0)
			if b.causes {
				b.set("1.3.6.1.4.1.9.9.402.1.2.1.5."+place, hexType, "00").set("1.3.6.1.4.1.9.9.402.1.2.1.9."+place, gaugeType, watts)
			}
		}
		for m := 1; m <= b.members; m++ {
			b.set(fmt.Sprintf("%s.%d", mainPower, m), gaugeType, 370).set(fmt.Sprintf("%s.%d", mainConsumption, m), gaugeType, 60+b.draw.IntN(100))
		}
	}
}

// allow has a trunk let VLANs through (vlanTrunkPortVlansEnabled, a bit each).
func (b *box) allow(i int, vlans ...int) {
	raw := make([]byte, 128)
	for _, v := range vlans {
		raw[v/8] |= 0x80 >> (v % 8)
	}
	b.is(vlanBits[0], i, hexType, fmt.Sprintf("%x", raw))
}

// fed sets a cell of pethPsePortTable.
func (b *box) fed(column string, i int, kind string, value any) *box {
	b.set("1.3.6.1.2.1.105.1.1.1."+column+"."+b.feed[i], kind, value)
	return b
}

func (b *box) makeEnvironment() {
	fan, supply := "1.3.6.1.4.1.9.9.13.1.4.1", "1.3.6.1.4.1.9.9.13.1.5.1"
	switch b.environment {
	case "small":
		fan, supply = "1.3.6.1.4.1.9.6.1.101.83.1.1.1", "1.3.6.1.4.1.9.6.1.101.83.1.2.1"
		fallthrough
	case "envmon":
		for m := 1; m <= b.members; m++ {
			n := 1000*m + 4
			b.set(fmt.Sprintf("%s.2.%d", fan, n), textType, fmt.Sprintf("Switch#%d, Fan#1", m)).set(fmt.Sprintf("%s.3.%d", fan, n), integerType, 1)
			b.set(fmt.Sprintf("%s.2.%d", supply, n-1), textType, fmt.Sprintf("Sw%d, PS1 Normal, RPS NotExist", m)).set(fmt.Sprintf("%s.3.%d", supply, n-1), integerType, 1)
			if b.environment == "envmon" {
				t := fmt.Sprintf("1.3.6.1.4.1.9.9.13.1.3.1.%%d.%d", n+2)
				b.set(fmt.Sprintf(t, 2), textType, fmt.Sprintf("SW#%d, Sensor#1, GREEN", m)).set(fmt.Sprintf(t, 3), gaugeType, 31+b.draw.IntN(12)).set(fmt.Sprintf(t, 6), integerType, 1)
			}
		}
	case "fru":
		for n := 1; n <= 2; n++ {
			b.entity(470+n, 6, 1, fmt.Sprintf("PowerSupply-%d", n), "NXA-PAC-650W").set(fmt.Sprintf("%s.%d", supplyStatus, 470+n), integerType, 2)
			b.entity(530+n, 7, 1, fmt.Sprintf("Fan Module-%d", n), "").set(fmt.Sprintf("%s.%d", fanStatus, 530+n), integerType, 2)
		}
		b.entity(21590, 8, 1, "Module-1, Inlet", "")
		s := func(column int) string { return fmt.Sprintf("1.3.6.1.4.1.9.9.91.1.1.1.1.%d.21590", column) }
		b.set(s(1), integerType, 8).set(s(2), integerType, 9).set(s(3), integerType, 0).set(s(4), integerType, 26+b.draw.IntN(12)).set(s(5), integerType, 1)
	}
}

// makeLoad sets how busy the processor was in five minutes, and the memory.
func (b *box) makeLoad(percent int) {
	if b.environment == "small" {
		b.set(rlCPU, integerType, percent)
	} else if b.shape.radios == 0 {
		b.set(cpu5sec+".1", gaugeType, percent).set(cpu1min+".1", gaugeType, percent).set(cpu5min+".1", gaugeType, percent)
	}
	switch b.pools {
	case "pool":
		b.pool(1, "Processor", 60<<20, 300<<20)
		b.pool(2, "I/O", 14<<20, 20<<20)
		b.pool(16, "Driver text", 40, 1048536)
	case "wide":
		b.widePool("1.1", "Processor", 420<<20, 900<<20)
		b.widePool("1.2", "reserve Processor", 102_316, 90)
		b.widePool("1.3", "lsmpi_io", 6_294_304, 824)
	case "cpu":
		b.set(cpuMemoryUsed+".1", gaugeType, 7_900_000).set(cpuMemoryFree+".1", gaugeType, 16_000_000)
	}
}

// pool is a row of ciscoMemoryPoolTable, widePool of cempMemPoolTable.
func (b *box) pool(n int, name string, used, free int64) {
	row := func(column int) string { return fmt.Sprintf("1.3.6.1.4.1.9.9.48.1.1.1.%d.%d", column, n) }
	b.set(row(2), textType, name).set(row(5), gaugeType, used).set(row(6), gaugeType, free)
}

func (b *box) widePool(index, name string, used, free int64) {
	row := func(column int) string { return fmt.Sprintf("1.3.6.1.4.1.9.9.221.1.1.1.1.%d.%s", column, index) }
	b.set(row(3), textType, name).set(row(7), gaugeType, used).set(row(8), gaugeType, free).set(row(18), counterType, used).set(row(20), counterType, free)
}

// later is the same device after a while, with what people did meanwhile.
func (b *box) later(seconds int) *box {
	l := *b
	l.device, l.used = maps.Clone(b.device), slices.Clone(b.used)
	l.uptime = (b.uptime + int64(seconds)*100) % (1 << 32)
	l.set(upTime, ticksType, l.uptime)
	for _, i := range slices.Concat(l.used, l.uplinks) {
		packets := int64(seconds) * int64(20+l.draw.IntN(400))
		l.add(ifXTable+"6", i, packets*300)
		l.add(ifXTable+"10", i, packets*700)
		l.add(ifXTable+"7", i, packets)
		l.add(ifXTable+"11", i, packets)
		l.add(ifXTable+"9", i, int64(seconds)*int64(l.draw.IntN(8)))
	}
	return &l
}
