package gear

import (
	"context"
	"regexp"
	"strings"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// powerPort is a row of pethPsePortTable (RFC 3621) with Cisco's additions, by
// group and port.
type powerPort struct {
	constatv1.Poe
	entity string // entPhysicalIndex
}

var powerStates = words{1: "disabled", 2: "searching", 3: "deliveringPower", 4: "fault", 5: "test", 6: "otherFault"}

const (
	additionalStatus = "1.3.6.1.4.1.9.9.402.1.2.1.5"
	consumption      = "1.3.6.1.4.1.9.9.402.1.2.1.9" // milliwatts
)

var powerColumns = []column[powerPort]{
	{"pethPsePortDetectionStatus", "1.3.6.1.2.1.105.1.1.1.6", func(r *powerPort, v snmp.Value) { r.State = powerStates.of(v) }},
	{"pethPsePortPowerDeniedCounter", "1.3.6.1.2.1.105.1.1.1.12", func(r *powerPort, v snmp.Value) { r.DeniedCount = integer(v) }},
	{"pethPsePortOverLoadCounter", "1.3.6.1.2.1.105.1.1.1.13", func(r *powerPort, v snmp.Value) { r.OverloadCount = integer(v) }},
	{"pethPsePortShortCounter", "1.3.6.1.2.1.105.1.1.1.14", func(r *powerPort, v snmp.Value) { r.ShortCount = integer(v) }},
	// CISCO-POWER-ETHERNET-EXT-MIB, in milliwatts.
	{"cpeExtPsePortAdditionalStatus", additionalStatus, func(r *powerPort, v snmp.Value) {
		r.Denied = denied(v)
	}},
	{"cpeExtPsePortPwrMax", "1.3.6.1.4.1.9.9.402.1.2.1.6", func(r *powerPort, v snmp.Value) { r.RequestedWatts = milli(v) }},
	{"cpeExtPsePortPwrConsumption", consumption, func(r *powerPort, v snmp.Value) { r.Watts = milli(v) }},
	{"cpeExtPsePortEntPhyIndex", "1.3.6.1.4.1.9.9.402.1.2.1.11", func(r *powerPort, v snmp.Value) { r.entity = v.Text() }},
}

const (
	mainPower       = "1.3.6.1.2.1.105.1.3.1.1.2" // pethMainPsePower, watts
	mainConsumption = "1.3.6.1.2.1.105.1.3.1.1.4" // pethMainPseConsumptionPower, watts
	aliasMapping    = "1.3.6.1.2.1.47.1.3.2.1.2"  // entAliasMappingIdentifier
	ifIndexObject   = "1.3.6.1.2.1.2.2.1.1."
)

// denied reads cpeExtPsePortAdditionalStatus, whose first bit is deny(0).
func denied(v snmp.Value) *bool {
	if bits := v.Bytes(); len(bits) > 0 {
		return proto.Bool(bits[0]&0x80 != 0)
	}
	return nil
}

// milli turns thousandths into units.
func milli(v snmp.Value) *float64 {
	n, ok := v.Int()
	if !ok || n < 0 {
		return nil
	}
	return proto.Float64(float64(n) / 1000)
}

// power reads power over Ethernet. Its tables count ports per group; which
// interface that is, the entity tells, or else the interface's name.
func (p *poll) power(ctx context.Context) error {
	rows, err := walk(ctx, p.session, powerColumns)
	if err != nil || len(rows) == 0 {
		return err
	}
	entities, err := p.interfacesOfEntities(ctx)
	if err != nil {
		return err
	}
	places := p.portsByPlace()
	for index, r := range rows {
		ifIndex, ok := entities[r.entity]
		if !ok {
			ifIndex, ok = places[index]
		}
		if !ok { // small switches number ports as interfaces
			ifIndex, _ = number(index[strings.LastIndexByte(index, '.')+1:])
		}
		if port := p.ports[ifIndex]; port != nil && r.State != nil {
			port.Poe = &r.Poe
			p.note("powerState", ifIndex, powerColumns[0].oid+"."+index, 1)
			if r.DeniedCount != nil {
				p.note("powerRefusals", ifIndex, powerColumns[1].oid+"."+index, 1)
			}
			if r.Denied != nil {
				p.note("powerDenied", ifIndex, additionalStatus+"."+index, 1)
			}
			if r.Watts != nil {
				p.note("powerWatts", ifIndex, consumption+"."+index, 1)
			}
		}
	}
	groups := map[string]*[2]float64{} // a stack has one for each member
	err = p.session.Walk(ctx, []string{mainPower, mainConsumption}, func(column int, index string, v snmp.Value) {
		if n, ok := v.Int(); ok && n >= 0 {
			if groups[index] == nil {
				groups[index] = &[2]float64{}
			}
			groups[index][column] = float64(n)
			if column == 1 {
				p.note("powerUsed", 0, mainConsumption+"."+index, 1)
			}
		}
	})
	var budget, used float64
	for _, watts := range groups {
		budget, used = budget+watts[0], used+watts[1]
	}
	if budget > 0 {
		p.out.PoeBudgetWatts, p.out.PoeUsedWatts = proto.Float64(budget), proto.Float64(used)
	}
	return err
}

// interfacesOfEntities maps entPhysicalIndex to ifIndex (entAliasMappingTable).
func (p *poll) interfacesOfEntities(ctx context.Context) (map[string]int32, error) {
	of := map[string]int32{}
	err := p.session.Walk(ctx, []string{aliasMapping}, func(_ int, index string, v snmp.Value) {
		entity, _, _ := strings.Cut(index, ".")
		rest, ok := strings.CutPrefix(v.OID(), ifIndexObject)
		if n, isNumber := number(rest); ok && isNumber {
			of[entity] = n
		}
	})
	return of, err
}

// placeInName finds member, module and port in names like Gi1/0/5 and Fa0/5.
var placeInName = regexp.MustCompile(`^(?:Fa|Gi|Tw|Te|FastEthernet|GigabitEthernet)[A-Za-z]*(?:(\d+)/)?(?:(\d+)/)?(\d+)$`)

// portsByPlace maps "group.port" to ifIndex by the interfaces' names: the copper
// ports of a switch are those of module 0.
func (p *poll) portsByPlace() map[string]int32 {
	places := map[string]int32{}
	for ifIndex, port := range p.ports {
		m := placeInName.FindStringSubmatch(port.GetName())
		if m == nil || m[2] != "" && m[2] != "0" {
			continue
		}
		group := m[1]
		if m[2] == "" { // Fa0/5: a switch that is no stack
			group = "1"
		}
		place := group + "." + m[3]
		if old, taken := places[place]; !taken || ifIndex < old {
			places[place] = ifIndex
		}
	}
	return places
}

// refusals tells of each port whether power is refused there, where the device has
// no word for it (CISCO-POWER-ETHERNET-EXT-MIB) but counts: who is refused asks
// again and again, so that the count rises.
func refusals(g, before *constatv1.Gear, plan *constatv1.GearPlan) {
	told := map[int32]bool{}
	for _, r := range plan.GetReadings() {
		told[r.GetPlace()] = told[r.GetPlace()] || r.GetWhat() == "powerDenied"
	}
	earlier := map[int32]*constatv1.Poe{}
	for _, i := range before.GetInterfaces() {
		earlier[i.GetIfIndex()] = i.GetPoe()
	}
	for _, i := range g.GetInterfaces() {
		if i.Poe == nil || told[i.GetIfIndex()] {
			continue
		}
		i.Poe.Denied = nil
		if was := earlier[i.GetIfIndex()]; was.GetState() != "" && was.DeniedCount != nil && i.Poe.DeniedCount != nil && !g.GetRestarted() {
			i.Poe.Denied = proto.Bool(i.Poe.GetDeniedCount() > was.GetDeniedCount() && i.Poe.GetState() != "deliveringPower")
		}
	}
}
