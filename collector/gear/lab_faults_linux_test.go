package gear

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// gearCase is a device before something happens to it, after, and, where that
// makes a difference, when it has forgotten who was there.
type gearCase struct {
	before, after, aged *box
	draw                *rand.Rand
	port                int // of after.used, where it happens
	// lines are what the device tells by syslog, traps what by SNMP, once it happened.
	lines []string
	traps []sentTrap
	// silent: nobody answers there any more; refused: our password was changed.
	silent, refused bool
	// wait is the time between before and after, where it is not five minutes.
	wait time.Duration
	// steps are the worlds between before and after that status polls see, a minute
	// each.
	steps []*box
}

// sentTrap is a trap, by its OID, and its objects.
type sentTrap struct {
	oid     string
	objects map[string]any
}

func (c *gearCase) name() string { return c.after.names[c.port] }

func (c *gearCase) says(form string, args ...any) {
	c.lines = append(c.lines, fmt.Sprintf(form, args...))
}

// configured: somebody changed the configuration some seconds ago.
func (c *gearCase) configured(seconds int) {
	c.after.set(runningChanged, ticksType, c.after.uptime-int64(seconds)*100)
	c.says("%%SYS-5-CONFIG_I: Configured from console by admin on vty0 (192.0.2.9)")
}

// gearRow is a fault and how a device shows it. An empty fault is a trap: a
// healthy device that may look faulty.
type gearRow struct {
	// fault is one id, or both of a double fault with a "+" between them.
	fault string
	how   string
	fits  func(*shape) bool
	make  func(*gearCase)
}

func anyShape(s *shape) bool      { return s.prints == nil }
func switches(s *shape) bool      { return s.vlans != "" }
func catalysts(s *shape) bool     { return s.vlans == "vtp" }
func withCauses(s *shape) bool    { return s.causes }
func withoutCauses(s *shape) bool { return s.vlans == "vtp" && !s.causes }
func feeding(s *shape) bool       { return s.power }
func feedingCisco(s *shape) bool  { return s.power && s.causes }
func envmon(s *shape) bool        { return s.environment == "envmon" || s.environment == "small" }
func fru(s *shape) bool           { return s.environment == "fru" && s.vlans != "" }
func stacks(s *shape) bool        { return s.members > 1 }
func loaded(s *shape) bool        { return s.environment == "envmon" || s.environment == "fru" }
func controllers(s *shape) bool   { return s.radios > 0 }

// disabled is a port that the switch switches off itself, for a cause of
// CErrDisableFeatureID; line is what it tells, with the port's name.
func disabled(fault, how, word string, causes ...int) []gearRow {
	off := func(c *gearCase) int {
		cause := causes[c.draw.IntN(len(causes))]
		c.after.falls(c.port)
		c.after.set(fmt.Sprintf("%s.%d.0", errDisableCause, c.port), integerType, cause)
		return cause
	}
	return []gearRow{
		{fault, how, withCauses, func(c *gearCase) { off(c) }},
		{fault, how + ", and it says so by syslog", withCauses, func(c *gearCase) {
			off(c)
			c.says("%%PM-4-ERR_DISABLE: %s error detected on %s, putting %s in err-disable state", word, c.name(), c.name())
		}},
		{fault, how + ", and it says so by a trap", withCauses, func(c *gearCase) {
			cause := off(c)
			c.traps = append(c.traps, sentTrap{"1.3.6.1.4.1.9.9.548.0.2", map[string]any{fmt.Sprintf("%s.%d.0", errDisableCause, c.port): cause}})
		}},
	}
}

// The messages are those of Cisco's system message guides; the numbers those of
// the MIBs that the readers name.
var gearRows = slices.Concat(
	disabled("cisco-errdisable-bpduguard", "a small switch is plugged into a socket", "bpduguard", 2),
	disabled("cisco-errdisable-portsecurity", "a strange computer is plugged into a socket", "psecure-violation", 9),
	disabled("cisco-errdisable-linkflap", "a plug makes bad contact", "link-flap", 6),
	disabled("cisco-errdisable-storm", "a device floods the network", "storm-control", 14),
	disabled("cisco-errdisable-dhcp-arp", "a program sends too many ARP or DHCP frames", "arp-inspection", 16),
	disabled("cisco-errdisable-dhcp-arp", "a program asks for too many addresses", "dhcp-rate-limit", 11),
	disabled("cisco-errdisable-other", "the switch does not like the transceiver", "gbic-invalid", 10, 24),
	disabled("cisco-errdisable-other", "a port-channel is set up on one end only", "channel-misconfig", 3),
	[]gearRow{
		{"cisco-errdisable-udld", "one fibre of the second uplink is broken", withCauses, func(c *gearCase) {
			c.port = c.after.uplinks[1]
			c.after.falls(c.port)
			c.after.set(fmt.Sprintf("%s.%d.0", errDisableCause, c.port), integerType, []int{1, 47, 48, 49, 50, 51}[c.draw.IntN(6)])
		}},
		{"cisco-errdisable-udld", "one fibre of the second uplink is broken, and it says so", withCauses, func(c *gearCase) {
			c.port = c.after.uplinks[1]
			c.after.falls(c.port)
			c.after.set(fmt.Sprintf("%s.%d.0", errDisableCause, c.port), integerType, 1)
			c.says("%%UDLD-4-UDLD_PORT_DISABLED: UDLD disabled interface %s, unidirectional link detected", c.name())
			c.says("%%PM-4-ERR_DISABLE: udld error detected on %s, putting %s in err-disable state", c.name(), c.name())
			c.age()
		}},
		{"cisco-errdisable-inlinepower", "what is plugged in draws too much power", feedingCisco, func(c *gearCase) {
			c.after.falls(c.port)
			c.after.fed("6", c.port, integerType, 4).fed("13", c.port, counter3, 3)
			c.after.set(fmt.Sprintf("%s.%d.0", errDisableCause, c.port), integerType, 15)
		}},
		{"cisco-errdisable-other", "an old switch switches a port off, and has no table of causes", withoutCauses, func(c *gearCase) {
			c.after.falls(c.port)
			c.after.is(operStatusCause, c.port, integerType, 5)
		}},
		{"cisco-port-admin-down", "somebody shuts the port of a phone", switches, func(c *gearCase) {
			c.before.neighbourAt(c.port, "SEP00112233AABB", "Port 1", "00000490")
			c.after.neighbourAt(c.port, "SEP00112233AABB", "Port 1", "00000490")
			c.after.falls(c.port)
			c.after.is(ifTable+"7", c.port, integerType, 2)
			if c.after.vlans == "vtp" {
				c.configured(20)
			}
			if oneOf(c.draw, 2) {
				c.age()
			}
		}},
		{"cisco-port-flapping", "a plug makes bad contact, the switch counts it", withCauses, func(c *gearCase) {
			c.after.add(cieTable+"4", c.port, int64(6+c.draw.IntN(30)))
			c.after.is(ifTable+"9", c.port, ticksType, c.after.uptime-1500)
		}},
		{"cisco-port-flapping", "a plug makes bad contact, the time of the last change moves", withoutCauses, func(c *gearCase) {
			for i := 1; i <= 5; i++ {
				step := c.before.later(60 * i)
				step.is(ifTable+"9", c.port, ticksType, step.uptime-2000)
				c.steps = append(c.steps, step)
			}
			c.after = c.before.later(360)
			c.after.is(ifTable+"9", c.port, ticksType, c.after.uptime-2500)
		}},
		{"cisco-port-duplex-mismatch", "the computer is set to full duplex, the port agreed on half", switches, func(c *gearCase) {
			for _, b := range []*box{c.before, c.after} {
				b.is(dot3+"19", c.port, integerType, 2).is(ifXTable+"15", c.port, gaugeType, 100)
			}
			c.after.add(dot3+"8", c.port, int64(40+c.draw.IntN(900)))
		}},
		{"cisco-port-duplex-mismatch", "the switch at the other end says another duplex", catalysts, func(c *gearCase) {
			c.port = c.after.uplinks[1]
			for _, b := range []*box{c.before, c.after} {
				b.set(fmt.Sprintf("1.3.6.1.4.1.9.9.23.1.2.1.1.12.%d.1", c.port), integerType, 2)
			}
			c.after.add(dot3+"3", c.port, 400)
		}},
		{"cisco-port-crc-errors", "the cable damages frames", switches, func(c *gearCase) {
			c.after.add(ifXTable+"7", c.port, 40_000)
			c.after.add(dot3+"3", c.port, int64(60+c.draw.IntN(4000)))
			c.after.add(ifTable+"14", c.port, 60)
		}},
		{"cisco-port-output-drops", "a port is too slow for what comes", switches, func(c *gearCase) {
			c.after.is(ifXTable+"15", c.port, gaugeType, 100)
			c.before.is(ifXTable+"15", c.port, gaugeType, 100)
			c.after.add(ifXTable+"10", c.port, 100_000_000/8*300*(85+int64(c.draw.IntN(10)))/100)
			c.after.add(ifXTable+"11", c.port, 2_600_000)
			c.after.add(ifTable+"19", c.port, int64(6000+c.draw.IntN(40000)))
		}},
		{"cisco-portsecurity-restrict", "a port lets one computer in, and a second one comes", catalysts, func(c *gearCase) {
			cps := func(b *box, violations int) {
				for column, value := range map[int]int{1: 1, 2: 1, 3: 1, 4: 1, 8: 2, 9: violations} {
					b.is(fmt.Sprintf("1.3.6.1.4.1.9.9.315.1.2.1.1.%d", column), c.port, integerType, value)
				}
				b.is("1.3.6.1.4.1.9.9.315.1.2.1.1.10", c.port, hexType, "3c5282aabbcc")
			}
			cps(c.before, 3)
			cps(c.after, 3+20+c.draw.IntN(300))
		}},
		{"cisco-vlan-missing", "somebody takes away the VLAN of the sockets", catalysts, func(c *gearCase) {
			delete(c.after.device, fmt.Sprintf("%s.1.%d", vlanState, c.after.vlan))
			delete(c.after.device, fmt.Sprintf("%s.1.%d", vlanName, c.after.vlan))
			for _, i := range c.after.edge {
				c.after.is(memberStatus, i, integerType, 1)
				c.after.leave(i)
			}
			c.configured(40)
		}},
		{"cisco-vlan-missing", "the VLAN of the sockets is suspended", catalysts, func(c *gearCase) {
			c.after.set(fmt.Sprintf("%s.1.%d", vlanState, c.after.vlan), integerType, 2)
			for _, i := range c.after.edge {
				c.after.is(memberStatus, i, integerType, 1)
				c.after.leave(i)
			}
			c.configured(40)
		}},
		{"cisco-trunk-native-mismatch", "the native VLAN of one end is changed", catalysts, func(c *gearCase) {
			c.after.is(trunkNative, c.after.uplinks[0], integerType, c.after.all[3])
			c.configured(40)
			c.says("%%CDP-4-NATIVE_VLAN_MISMATCH: Native VLAN mismatch discovered on %s (%d), with core-1 TenGigabitEthernet1/0/7 (1).", c.after.names[c.after.uplinks[0]], c.after.all[3])
		}},
		{"cisco-trunk-vlan-not-allowed", "somebody replaces the list of VLANs on the uplinks", catalysts, func(c *gearCase) {
			for _, i := range c.after.uplinks {
				c.after.allow(i, 1, c.after.all[2])
			}
			for _, i := range c.after.edge {
				c.after.leave(i)
			}
			c.configured(60)
		}},
		{"cisco-stp-blocking-or-inconsistent", "a switch that wants to be root is at a guarded port", catalysts, func(c *gearCase) {
			c.after.set(fmt.Sprintf("%s.%d.%d", stpxRoot, c.after.vlan, c.after.base[c.port]), integerType, 1)
			c.after.set(fmt.Sprintf("%s.%d", stpPortState, c.after.base[c.port]), integerType, 6)
			c.says("%%SPANTREE-2-ROOTGUARD_BLOCK: Root guard blocking port %s on VLAN%04d.", c.name(), c.after.vlan)
		}},
		{"cisco-stp-blocking-or-inconsistent", "no hello comes over the uplink any more", catalysts, func(c *gearCase) {
			c.port = c.after.uplinks[0]
			c.after.set(fmt.Sprintf("%s.%d.%d", stpxLoop, c.after.vlan, c.after.base[c.port]), integerType, 1)
			c.says("%%SPANTREE-2-LOOPGUARD_BLOCK: Loop guard blocking port %s on VLAN%04d.", c.name(), c.after.vlan)
		}},
		{"cisco-stp-topology-churn", "the tree changes again and again", switches, func(c *gearCase) {
			c.changes(12 + c.draw.IntN(200))
		}},
		{"cisco-loop-macflap", "somebody joins two sockets with a cable", switches, func(c *gearCase) {
			c.loop()
		}},
		{"cisco-dhcp-snooping-block", "snooping is switched on, and the uplinks are forgotten", catalysts, func(c *gearCase) {
			c.snooping(no)
			c.configured(60)
		}},
		{"cisco-dot1x-unauthorized", "a computer is refused at a port with authentication", catalysts, func(c *gearCase) {
			c.sessions(6, 6)
			c.sessions(6, 7)
			c.says("%%AUTHMGR-5-FAIL: Authorization failed for client (3c52.82aa.bbcc) on Interface %s", c.name())
			c.says("%%SYS-5-CONFIG_I: Configured from console by console")
		}},
		{"cisco-poe-denied", "the budget is used up", feedingCisco, func(c *gearCase) {
			c.after.set("1.3.6.1.4.1.9.9.402.1.2.1.5."+c.after.feed[c.port], hexType, "80")
			c.after.fed("12", c.port, counter3, 9).fed("6", c.port, integerType, 2)
			if oneOf(c.draw, 2) {
				c.says("%%ILPOWER-5-ILPOWER_POWER_DENY: Interface %s: inline power denied. Reason: insufficient power", c.name())
			}
		}},
		{"cisco-poe-denied", "the budget is used up, and the switch only counts", func(s *shape) bool { return s.power && !s.causes }, func(c *gearCase) {
			c.before.fed("6", c.port, integerType, 2).fed("12", c.port, counter3, 3)
			c.after.fed("12", c.port, counter3, 40).fed("6", c.port, integerType, 2)
		}},
		{"cisco-poe-fault", "what is plugged in is broken", feeding, func(c *gearCase) {
			c.after.fed("6", c.port, integerType, []int{4, 6}[c.draw.IntN(2)]).fed("14", c.port, counter3, 4)
		}},
		{"cisco-uplink-down", "the fibre to the core is cut, the second one carries on", switches, func(c *gearCase) {
			c.port = c.after.uplinks[0]
			c.after.falls(c.port)
			if oneOf(c.draw, 2) {
				c.says("%%LINK-3-UPDOWN: Interface %s, changed state to down", c.name())
			}
			if oneOf(c.draw, 2) {
				c.age()
			}
		}},
		{"cisco-uplink-saturated", "a backup fills the uplink", switches, func(c *gearCase) {
			i := c.after.uplinks[0]
			speed := int64(10000)
			if c.after.vlans == "bridge" || c.after.shape.name == "Catalyst 2960" {
				speed = 1000
			}
			c.after.add(ifXTable+"10", i, speed*1_000_000/8*300*(93+int64(c.draw.IntN(6)))/100)
			c.after.add(ifXTable+"11", i, speed*20_000)
			c.after.add(ifTable+"19", i, speed*30)
		}},
		{"cisco-device-unreachable", "the device has no power", anyShape, func(c *gearCase) { c.silent = true }},
		{"cisco-snmp-auth-failed", "somebody changes the device's password", anyShape, func(c *gearCase) { c.refused = true }},
		{"cisco-device-rebooted", "the device restarts", anyShape, func(c *gearCase) {
			c.after.uptime = int64(100 * (120 + c.draw.IntN(160)))
			c.after.set(upTime, ticksType, c.after.uptime)
			for i := range c.after.base {
				c.after.is(ifTable+"9", i, ticksType, 2000+c.draw.IntN(4000))
				for _, column := range []string{"6", "7", "9", "10", "11"} {
					c.after.is(ifXTable+column, i, counterType, c.draw.IntN(100_000))
				}
			}
			delete(c.after.device, runningChanged)
			delete(c.after.device, startupChanged)
		}},
		{"cisco-high-cpu", "the processor is busy", func(s *shape) bool { return s.radios == 0 && s.prints == nil }, func(c *gearCase) {
			c.after.makeLoad(84 + c.draw.IntN(16))
		}},
		{"cisco-low-memory", "a process eats up the memory", func(s *shape) bool { return s.pools != "" }, func(c *gearCase) {
			switch c.after.pools {
			case "pool":
				c.after.pool(1, "Processor", 352<<20, 8<<20)
			case "wide":
				c.after.widePool("1.1", "Processor", 1300<<20, 20<<20)
			default:
				c.after.set(cpuMemoryUsed+".1", gaugeType, 23_500_000).set(cpuMemoryFree+".1", gaugeType, 400_000)
			}
			if oneOf(c.draw, 2) {
				c.says("%%SYS-2-MALLOCFAIL: Memory allocation of 65536 bytes failed from 0x42C4CC0, alignment 0")
			}
		}},
		{"cisco-table-full", "somebody floods the switch with addresses", catalysts, func(c *gearCase) {
			capacity := func(b *box, used int) {
				b.set("1.3.6.1.4.1.9.9.663.1.1.1.1.1.2.1001.1", gaugeType, used).set("1.3.6.1.4.1.9.9.663.1.1.1.1.1.3.1001.1", gaugeType, 16384)
			}
			capacity(c.before, 210)
			capacity(c.after, 16100+c.draw.IntN(284))
		}},
		{"cisco-psu-failed", "a power supply fails", envmon, func(c *gearCase) { c.supply(6 - 3*c.draw.IntN(2)) }},
		{"cisco-psu-failed", "a power supply fails", fru, func(c *gearCase) {
			c.after.set(supplyStatus+".472", integerType, []int{8, 5, 9}[c.draw.IntN(3)])
			if oneOf(c.draw, 2) {
				c.traps = append(c.traps, sentTrap{"1.3.6.1.4.1.9.9.117.2.0.2", map[string]any{supplyStatus + ".472": 8}})
			}
		}},
		{"cisco-fan-or-overtemp", "a fan stands still", envmon, func(c *gearCase) { c.fan(6 - 3*c.draw.IntN(2)) }},
		{"cisco-fan-or-overtemp", "a fan stands still", fru, func(c *gearCase) { c.after.set(fanStatus+".531", integerType, 3) }},
		{"cisco-fan-or-overtemp", "the room is too hot", func(s *shape) bool { return s.environment == "envmon" }, func(c *gearCase) {
			c.after.set("1.3.6.1.4.1.9.9.13.1.3.1.3.1006", gaugeType, 66+c.draw.IntN(20)).set("1.3.6.1.4.1.9.9.13.1.3.1.6.1006", integerType, 2+c.draw.IntN(2))
			c.says("%%PLATFORM_ENV-1-TEMP: Temperature yellow threshold exceeded")
		}},
		{"cisco-stack-member-lost", "the second switch of a stack drops out", stacks, func(c *gearCase) { c.loseMember() }},
		{"cisco-stack-member-lost", "a switch with other software is put into a stack", stacks, func(c *gearCase) {
			c.after.member(2, 6)
			c.says("%%STACKMGR-4-SWITCH_ADDED: Switch 2 has been ADDED to the stack")
			c.says("%%STACKMGR-6-SWITCH_ADDED_VM: Switch 2 has been ADDED to the stack (VERSION_MISMATCH)")
		}},
		{"cisco-ap-down", "an access point loses its link", switches, func(c *gearCase) {
			for _, b := range []*box{c.before, c.after} {
				b.neighbourAt(c.port, "AP-FLOOR-2", "GigabitEthernet0", "00000002")
			}
			c.after.falls(c.port)
			if oneOf(c.draw, 2) {
				c.age()
			}
		}},
		{"cisco-ap-down", "an access point is gone from its controller", controllers, func(c *gearCase) {
			c.wait, c.after = 16*time.Minute, c.before.later(960)
			gone := c.before.radios[c.draw.IntN(len(c.before.radios))]
			maps.DeleteFunc(c.after.device, func(oid, _ string) bool { return strings.HasPrefix(oid, apTable) && strings.HasSuffix(oid, gone) })
		}},
		{"cisco-ap-down", "an access point takes leave of its controller", controllers, func(c *gearCase) {
			c.wait, c.after = 16*time.Minute, c.before.later(960)
			c.after.set(apTable+"6"+c.before.radios[0], integerType, 2)
		}},
		{"cisco-config-change-suspect", "somebody changes the configuration, and a port loses its link", catalysts, func(c *gearCase) {
			c.after.set(runningChanged, ticksType, c.after.uptime-12000)
			c.after.falls(c.port)
			c.after.is(ifTable+"9", c.port, ticksType, c.after.uptime-int64(2000+c.draw.IntN(8000)))
			c.says("%%SYS-5-CONFIG_I: Configured from console by admin on vty0 (192.0.2.9)")
		}},

		// What one fault brings about, beside it.
		{"cisco-stack-member-lost", "the second switch of a stack drops out, with an access point at it", stacks, func(c *gearCase) {
			i := c.after.edge[ofSecond(c)]
			for _, b := range []*box{c.before, c.after} {
				b.makeUp(i)
				b.neighbourAt(i, "AP-FLOOR-3", "GigabitEthernet0", "00000002")
			}
			c.loseMember()
		}},
		{"cisco-psu-failed", "a power supply fails, and an access point gets no power", func(s *shape) bool { return s.power && s.causes && s.environment == "envmon" }, func(c *gearCase) {
			for _, b := range []*box{c.before, c.after} {
				b.neighbourAt(c.port, "AP-FLOOR-2", "GigabitEthernet0", "00000002")
			}
			c.supply(6)
			c.after.falls(c.port)
			c.after.set("1.3.6.1.4.1.9.9.402.1.2.1.5."+c.after.feed[c.port], hexType, "80").set(mainPower+".1", gaugeType, 120)
			c.after.fed("6", c.port, integerType, 2)
		}},
		{"cisco-errdisable-bpduguard", "a small switch is plugged in at an access point's port", withCauses, func(c *gearCase) {
			for _, b := range []*box{c.before, c.after} {
				b.neighbourAt(c.port, "AP-FLOOR-2", "GigabitEthernet0", "00000002")
			}
			c.after.falls(c.port)
			c.after.set(fmt.Sprintf("%s.%d.0", errDisableCause, c.port), integerType, 2)
		}},
		{"cisco-port-duplex-mismatch", "one end is set by hand: late collisions and damaged frames", switches, func(c *gearCase) {
			for _, b := range []*box{c.before, c.after} {
				b.is(dot3+"19", c.port, integerType, 2).is(ifXTable+"15", c.port, gaugeType, 100)
			}
			c.after.add(ifXTable+"7", c.port, 40_000)
			c.after.add(dot3+"8", c.port, int64(300+c.draw.IntN(900)))
			c.after.add(dot3+"3", c.port, int64(300+c.draw.IntN(900)))
		}},
		{"cisco-port-flapping", "a plug makes bad contact, and the tree follows it", withCauses, func(c *gearCase) {
			c.after.add(cieTable+"4", c.port, int64(20+c.draw.IntN(30)))
			c.after.is(ifTable+"9", c.port, ticksType, c.after.uptime-1500)
			c.changes(20 + c.draw.IntN(30))
		}},
		{"cisco-loop-macflap", "two sockets are joined: the processor is busy and the uplink full", switches, func(c *gearCase) {
			c.loop()
			c.after.makeLoad(97)
			c.changes(60)
		}},
		{"cisco-table-full", "somebody floods the switch with addresses, and the processor is busy", catalysts, func(c *gearCase) {
			c.after.set("1.3.6.1.4.1.9.9.663.1.1.1.1.1.2.1001.1", gaugeType, 16384).set("1.3.6.1.4.1.9.9.663.1.1.1.1.1.3.1001.1", gaugeType, 16384)
			c.before.set("1.3.6.1.4.1.9.9.663.1.1.1.1.1.2.1001.1", gaugeType, 300).set("1.3.6.1.4.1.9.9.663.1.1.1.1.1.3.1001.1", gaugeType, 16384)
			c.after.makeLoad(95)
		}},
		{"cisco-uplink-saturated", "a backup fills the uplink, and a slow port", switches, func(c *gearCase) {
			i := c.after.uplinks[0]
			for _, b := range []*box{c.before, c.after} {
				b.is(ifXTable+"15", i, gaugeType, 1000)
			}
			c.after.add(ifXTable+"6", i, 1000*1_000_000/8*300*95/100)
			c.after.add(ifXTable+"7", i, 25_000_000)
			c.after.add(ifTable+"19", i, 3000)
		}},

		// Two faults that have nothing to do with each other.
		{"cisco-psu-failed+cisco-fan-or-overtemp", "a power supply and a fan", envmon, func(c *gearCase) { c.supply(6); c.fan(6) }},
		{"cisco-port-crc-errors+cisco-high-cpu", "a bad cable, and a busy processor", switches, func(c *gearCase) {
			c.after.add(ifXTable+"7", c.port, 40_000)
			c.after.add(dot3+"3", c.port, int64(60+c.draw.IntN(4000)))
			c.after.makeLoad(93)
		}},
		{"cisco-errdisable-bpduguard+cisco-poe-denied", "a small switch at one port, no power left for another", feedingCisco, func(c *gearCase) {
			other := c.another()
			c.after.falls(c.port)
			c.after.set(fmt.Sprintf("%s.%d.0", errDisableCause, c.port), integerType, 2)
			c.after.set("1.3.6.1.4.1.9.9.402.1.2.1.5."+c.after.feed[other], hexType, "80")
		}},
		{"cisco-uplink-down+cisco-psu-failed", "one uplink and a power supply", envmon, func(c *gearCase) {
			c.after.falls(c.after.uplinks[1])
			c.supply(6)
		}},
		{"cisco-port-flapping+cisco-port-crc-errors", "a bad plug at one port, a bad cable at another", withCauses, func(c *gearCase) {
			other := c.another()
			c.after.add(cieTable+"4", c.port, 16)
			c.after.add(ifXTable+"7", other, 40_000)
			c.after.add(dot3+"3", other, 900)
		}},
		{"cisco-trunk-native-mismatch+cisco-errdisable-linkflap", "a native VLAN changed, and a bad plug", func(s *shape) bool { return s.vlans == "vtp" && s.causes }, func(c *gearCase) {
			c.after.is(trunkNative, c.after.uplinks[0], integerType, c.after.all[3])
			c.configured(40)
			c.after.falls(c.port)
			c.after.set(fmt.Sprintf("%s.%d.0", errDisableCause, c.port), integerType, 6)
		}},
	},
)

// ofSecond is the place of a port of the second member.
func ofSecond(c *gearCase) int { return c.after.ports + c.draw.IntN(c.after.ports) }

// another is a port in use that is not the first.
func (c *gearCase) another() int {
	i := slices.Index(c.after.used, c.port)
	return c.after.used[(i+1)%len(c.after.used)]
}

// age is the device three minutes after the neighbour at the port fell silent.
func (c *gearCase) age() {
	c.aged = c.after.later(300)
	c.aged.silent(c.port)
}

func (c *gearCase) changes(n int) {
	var was int
	fmt.Sscan(c.before.device["1.3.6.1.2.1.17.2.4.0"][len("1.3.6.1.2.1.17.2.4.0|65|"):], &was)
	c.after.set("1.3.6.1.2.1.17.2.4.0", counter3, was+n).set("1.3.6.1.2.1.17.2.3.0", ticksType, 300+c.draw.IntN(4000))
}

// loop joins the first port and another with a cable.
func (c *gearCase) loop() {
	other := c.another()
	for _, i := range []int{c.port, other} {
		c.after.add(ifXTable+"9", i, 300*int64(4000+c.draw.IntN(20000)))
	}
	for range 4 {
		if c.after.vlans == "bridge" {
			c.says("%%MACFLAP-W-MACMOVE: Host 3c52.82aa.bb01 in vlan %d is flapping between port %s and port %s", c.after.vlan, c.name(), c.after.names[other])
			continue
		}
		c.says("%%SW_MATM-4-MACFLAP_NOTIF: Host 3c52.82aa.bb01 in vlan %d is flapping between port %s and port %s", c.after.vlan, c.name(), c.after.names[other])
	}
	for _, b := range []*box{c.before, c.after} {
		b.behind(c.port, "3c:52:82:aa:bb:01")
	}
}

func (c *gearCase) snooping(trusted int) {
	for _, v := range c.after.all {
		c.after.set(fmt.Sprintf("%s.%d", snoopingVLANs, v), integerType, yes)
	}
	for _, i := range c.after.edge {
		c.after.is(snoopingTrust, i, integerType, no)
	}
	for _, i := range c.after.uplinks {
		c.after.is(snoopingTrust, i, integerType, trusted)
	}
}

// sessions are those of ports with authentication (cafSessionTable): one is in a
// state, the others in that of before.
func (c *gearCase) sessions(others, state int) {
	for _, b := range []*box{c.before, c.after} {
		for _, i := range b.used {
			value := others
			if i == c.port && b == c.after {
				value = state
			}
			index := fmt.Sprintf("%d.24.48.65.48.48.48.49.48.49.48.48.48.48.48.48.48.48.48.48.48.48.48.48.48.49", i)
			b.set("1.3.6.1.4.1.9.9.656.1.4.1.1.2."+index, hexType, fmt.Sprintf("3c5282%06x", i&0xffffff))
			b.set("1.3.6.1.4.1.9.9.656.1.4.1.1.5."+index, integerType, value).set("1.3.6.1.4.1.9.9.656.1.4.1.1.14."+index, gaugeType, b.vlan)
		}
	}
}

func (c *gearCase) supply(state int) {
	table := "1.3.6.1.4.1.9.9.13.1.5.1.3.1003"
	if c.after.environment == "small" {
		table = "1.3.6.1.4.1.9.6.1.101.83.1.2.1.3.1003"
	}
	c.after.set(table, integerType, state)
	if oneOf(c.draw, 2) {
		c.says("%%PLATFORM_ENV-1-PS_FAIL: Power supply 1 is faulty")
	}
}

func (c *gearCase) fan(state int) {
	table := "1.3.6.1.4.1.9.9.13.1.4.1.3.1004"
	if c.after.environment == "small" {
		table = "1.3.6.1.4.1.9.6.1.101.83.1.1.1.3.1004"
	}
	c.after.set(table, integerType, state)
}

func (c *gearCase) loseMember() {
	c.after.member(2, 11)
	for _, i := range c.after.edge[c.after.ports:] {
		c.after.falls(i)
	}
	c.says("%%STACKMGR-4-SWITCH_REMOVED: Switch 2 has been REMOVED from the stack")
}
