package gear

import (
	"fmt"
	"slices"
	"strings"
)

// oddity is what is odd about a healthy device, and harms nobody. It is so before
// and after.
type oddity struct {
	how  string
	fits func(*shape) bool
	make func(*box)
}

// someUsed is a port in use that no case picks for its fault.
func (b *box) someUsed() int {
	i := b.used[len(b.used)-1]
	b.used = b.used[:len(b.used)-1]
	return i
}

func (b *box) someEmpty() (int, bool) {
	for _, i := range b.edge {
		admin, vlan := b.at(ifTable+"7", i), b.at(membership, i)
		if b.device[b.at(ifTable+"8", i)] == fmt.Sprintf("%s|%s|2", b.at(ifTable+"8", i), integerType) && strings.HasSuffix(b.device[admin], "|1") && !strings.HasSuffix(b.device[vlan], "|999") {
			return i, true
		}
	}
	return 0, false
}

var gearOddities = []oddity{
	{"an old printer at 10 Mbit/s, half duplex", switches, func(b *box) {
		i := b.someUsed()
		b.is(dot3+"19", i, integerType, 2).is(ifXTable+"15", i, gaugeType, 10).is(ifTable+"5", i, gaugeType, 10_000_000).is(ifXTable+"18", i, textType, "old printer").is(dot3+"8", i, counter3, 0)
	}},
	{"fans that are not there", func(s *shape) bool { return s.environment == "envmon" }, func(b *box) {
		b.set("1.3.6.1.4.1.9.9.13.1.4.1.2.1008", textType, "Switch#1, Fan#2").set("1.3.6.1.4.1.9.9.13.1.4.1.3.1008", integerType, 5)
	}},
	{"a bay for a power supply that was always empty", func(s *shape) bool { return s.environment == "envmon" }, func(b *box) {
		b.set("1.3.6.1.4.1.9.9.13.1.5.1.2.1009", textType, "Sw1, PS2 Not Present, RPS NotExist").set("1.3.6.1.4.1.9.9.13.1.5.1.3.1009", integerType, 5)
	}},
	{"spare ports that are shut", switches, func(b *box) {
		if i, ok := b.someEmpty(); ok {
			b.is(ifTable+"7", i, integerType, 2).is(ifXTable+"18", i, textType, "spare")
		}
	}},
	{"no power at some ports, by configuration", feeding, func(b *box) {
		for _, i := range b.edge[:4] {
			b.fed("6", i, integerType, 1)
		}
	}},
	{"power was refused somewhere long ago", feeding, func(b *box) { b.fed("12", b.edge[0], counter3, 4711) }},
	{"damaged frames long ago", switches, func(b *box) {
		i := b.edge[0]
		b.is(dot3+"3", i, counter3, 84211).is(ifTable+"14", i, counter3, 84990).is(dot3+"8", i, counter3, 3321).is(ifTable+"19", i, counter3, 912345)
	}},
	{"the processor was busy for some seconds", loaded, func(b *box) {
		b.set(cpu5sec+".1", gaugeType, 99).set(cpu1min+".1", gaugeType, 83)
	}},
	{"a port that lost its way long ago, and came back", withCauses, func(b *box) { b.is(cieTable+"4", b.edge[0], counter3, 4099) }},
	{"port security that closes nothing", catalysts, func(b *box) {
		for _, i := range b.edge {
			for column, value := range map[int]int{1: 1, 2: 1, 3: 3, 4: 1, 8: 1, 9: 0} {
				b.is(fmt.Sprintf("1.3.6.1.4.1.9.9.315.1.2.1.1.%d", column), i, integerType, value)
			}
		}
	}},
	{"snooping, with the uplinks trusted", catalysts, func(b *box) {
		(&gearCase{after: b}).snooping(yes)
	}},
	{"authentication, and all are let in", catalysts, func(b *box) {
		c := &gearCase{after: b, before: b}
		c.sessions(6, 6)
	}},
	{"the uplinks carry what is used, and no more", catalysts, func(b *box) {
		for _, i := range b.uplinks {
			b.allow(i, b.vlan, b.all[2])
		}
	}},
	{"a VLAN that nobody uses is suspended", catalysts, func(b *box) {
		b.set(fmt.Sprintf("%s.1.%d", vlanState, 666), integerType, 2).set(fmt.Sprintf("%s.1.%d", vlanName, 666), textType, "parking")
	}},
	{"ports for later are in a VLAN that does not exist", catalysts, func(b *box) {
		if i, ok := b.someEmpty(); ok {
			b.is(membership, i, integerType, 999).is(memberStatus, i, integerType, 1)
		}
	}},
	{"a slot of the stack is kept for a third switch", stacks, func(b *box) { b.member(3, 9) }},
	{"an access point and phones", switches, func(b *box) {
		b.neighbourAt(b.someUsed(), "AP-HALL", "GigabitEthernet0", "00000002")
		b.neighbourAt(b.used[0], "SEP0011223344AA", "Port 1", "00000490")
	}},
	{"the processor of the management answers no entity", func(s *shape) bool { return s.environment == "envmon" }, func(b *box) {
		delete(b.device, "1.3.6.1.2.1.47.1.1.1.1.11.1001")
	}},
}

// healthyGear is what happens every day, and is no fault.
var healthyGear = []gearRow{
	{"", "nothing happens", anyShape, func(*gearCase) {}},
	{"", "nothing happens at a firewall or a router", func(s *shape) bool { return s.vlans == "" && s.prints == nil }, func(*gearCase) {}},
	{"", "somebody switches a computer off in the evening", switches, func(c *gearCase) { c.after.falls(c.port) }},
	{"", "somebody takes his notebook out of the dock and puts it back", withCauses, func(c *gearCase) {
		c.after.add(cieTable+"4", c.port, 2)
		c.after.is(ifTable+"9", c.port, ticksType, c.after.uptime-9000)
	}},
	{"", "somebody plugs a computer in", switches, func(c *gearCase) {
		if i, ok := c.after.someEmpty(); ok {
			c.after.makeUp(i)
			c.after.is(ifTable+"9", i, ticksType, c.after.uptime-9000)
		}
	}},
	{"", "an administrator changes the configuration at night", catalysts, func(c *gearCase) {
		c.configured(120)
		c.after.set(startupChanged, ticksType, c.after.uptime-6000)
	}},
	{"", "an administrator shuts an empty port", switches, func(c *gearCase) {
		if i, ok := c.after.someEmpty(); ok {
			c.after.is(ifTable+"7", i, integerType, 2).is(ifXTable+"18", i, textType, "spare")
		}
	}},
	{"", "the clock of 497 days begins again", func(s *shape) bool { return true }, func(c *gearCase) {
		c.before.uptime = 1<<32 - int64(1000+c.draw.IntN(20000))
		c.before.set(upTime, ticksType, c.before.uptime)
		delete(c.before.device, runningChanged)
		delete(c.before.device, startupChanged)
		c.after = c.before.later(300)
	}},
	{"", "a port that the switch switched off is on again", withCauses, func(c *gearCase) {
		c.after.is(ifTable+"9", c.port, ticksType, c.after.uptime-15000)
		c.after.add(cieTable+"4", c.port, 2)
		c.says("%%PM-4-ERR_RECOVER: Attempting to recover from psecure-violation err-disable state on %s", c.name())
		c.says("%%LINK-3-UPDOWN: Interface %s, changed state to up", c.name())
	}},
	{"", "the tree changes once, after a planned restart elsewhere", switches, func(c *gearCase) { c.changes(3) }},
	{"", "a busy quarter of an hour: much traffic, no loss", switches, func(c *gearCase) {
		for _, i := range slices.Concat(c.after.used, c.after.uplinks) {
			c.after.add(ifXTable+"6", i, 100_000_000/8*300*60/100)
			c.after.add(ifXTable+"7", i, 2_000_000)
		}
	}},
	{"", "a few frames are dropped and damaged", switches, func(c *gearCase) {
		c.after.add(ifXTable+"7", c.port, 3_000_000)
		c.after.add(ifXTable+"11", c.port, 3_000_000)
		c.after.add(dot3+"3", c.port, 2)
		c.after.add(ifTable+"19", c.port, 40)
	}},
	{"", "a hub at a port: half duplex, and no late collision", switches, func(c *gearCase) {
		for _, b := range []*box{c.before, c.after} {
			b.is(dot3+"19", c.port, integerType, 2).is(ifXTable+"15", c.port, gaugeType, 10)
		}
	}},
	{"", "the processor is at 60 % for a while", loaded, func(c *gearCase) { c.after.makeLoad(58 + c.draw.IntN(15)) }},
	{"", "a phone is unplugged, and power is switched off at its port", feeding, func(c *gearCase) {
		c.before.fed("6", c.port, integerType, 3)
		c.after.falls(c.port)
		c.after.fed("6", c.port, integerType, 2)
	}},
	{"", "a computer is moved to another port", switches, func(c *gearCase) {
		c.before.behind(c.port, "3c:52:82:ee:00:01")
		c.after.behind(c.another(), "3c:52:82:ee:00:01")
	}},
	{"", "a trap that the password was wrong, of somebody else's scan", catalysts, func(c *gearCase) {
		c.traps = append(c.traps, sentTrap{"1.3.6.1.6.3.1.1.5.5", nil})
	}},
}
