package gear

import (
	"cmp"
	"context"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// Scalars of every poll.
const (
	sysDescr       = "1.3.6.1.2.1.1.1.0"
	sysObjectID    = "1.3.6.1.2.1.1.2.0"
	sysUpTime      = "1.3.6.1.2.1.1.3.0"
	sysName        = "1.3.6.1.2.1.1.5.0"
	sysLocation    = "1.3.6.1.2.1.1.6.0"
	chassisID      = "1.3.6.1.4.1.9.3.6.3.0"        // OLD-CISCO-CHASSIS-MIB: the serial number
	runningChanged = "1.3.6.1.4.1.9.9.43.1.1.1.0"   // ccmHistoryRunningLastChanged
	startupChanged = "1.3.6.1.4.1.9.9.43.1.1.3.0"   // ccmHistoryStartupLastChanged
	ownChassis     = "1.0.8802.1.1.2.1.3.2.0"       // lldpLocChassisId
	ownBridge      = "1.3.6.1.2.1.17.1.1.0"         // dot1dBaseBridgeAddress
	airspace       = "1.3.6.1.4.1.14179.1.1.1.14.0" // agentInventoryProductVersion: AireOS names no version elsewhere
)

const entitySerial = "1.3.6.1.2.1.47.1.1.1.1.11" // entPhysicalSerialNum

// physical is a row of entPhysicalTable (ENTITY-MIB, RFC 6933).
type physical struct {
	name, description, model, serial, software string
	class, containedIn                         int64
}

// Values of entPhysicalClass.
const (
	classChassis = 3
	classSupply  = 6
	classStack   = 11
)

var physicalColumns = []column[physical]{
	{"entPhysicalDescr", "1.3.6.1.2.1.47.1.1.1.1.2", func(r *physical, v snmp.Value) { r.description = v.Text() }},
	{"entPhysicalContainedIn", "1.3.6.1.2.1.47.1.1.1.1.4", func(r *physical, v snmp.Value) { r.containedIn, _ = v.Int() }},
	{"entPhysicalClass", "1.3.6.1.2.1.47.1.1.1.1.5", func(r *physical, v snmp.Value) { r.class, _ = v.Int() }},
	{"entPhysicalName", "1.3.6.1.2.1.47.1.1.1.1.7", func(r *physical, v snmp.Value) { r.name = v.Text() }},
	{"entPhysicalSoftwareRev", "1.3.6.1.2.1.47.1.1.1.1.10", func(r *physical, v snmp.Value) { r.software = v.Text() }},
	{"entPhysicalSerialNum", entitySerial, func(r *physical, v snmp.Value) { r.serial = v.Text() }},
	{"entPhysicalModelName", "1.3.6.1.2.1.47.1.1.1.1.13", func(r *physical, v snmp.Value) { r.model = v.Text() }},
}

// chassis is the row that stands for the device: the chassis, of several that of
// the first member with a model.
func chassis(rows map[string]*physical) (found *physical, at string) {
	found = &physical{}
	for _, index := range byIndex(rows) {
		if r := rows[index]; r.class == classChassis && found.model == "" && (found.class == 0 || r.model != "") {
			found, at = r, index
		}
	}
	if found.class == classChassis {
		return found, at
	}
	for _, index := range byIndex(rows) { // small devices call their one entity otherwise
		if r := rows[index]; r.containedIn == 0 && r.class != classStack && (r.model != "" || r.serial != "") {
			return r, index
		}
	}
	return found, ""
}

// identify says who the device is.
func (p *poll) identify(ctx context.Context) error {
	asked := append([]string{sysDescr, sysObjectID, sysUpTime, sysName, sysLocation, chassisID, runningChanged, startupChanged, ownChassis, ownBridge, airspace}, markObjects...)
	scalars, err := p.session.Get(ctx, asked...)
	if err != nil {
		return err
	}
	for i, oid := range markObjects {
		p.mark(oid, scalars[len(asked)-len(markObjects)+i], false)
	}
	p.mark(sysObjectID, scalars[1], true)
	p.mark(chassisID, scalars[5], true)
	p.plan.Software = scalars[1].OID() + " " + scalars[0].Text()
	p.description = scalars[0].Text()
	p.objectID = scalars[1].OID()
	p.quirks = p.session.Suit(p.objectID, p.description)
	id := &constatv1.GearIdentity{Name: text(scalars[3]), Location: text(scalars[4])}
	p.out.Identity = id
	if ticks, ok := scalars[2].Int(); ok {
		p.uptime = ticks
		id.UptimeSeconds = proto.Int64(ticks / 100)
	}
	if p.physical, err = walk(ctx, p.session, physicalColumns); err != nil {
		return err
	}
	c, entity := chassis(p.physical)
	if entity != "" && c.serial != "" {
		p.plan.Marks = append(p.plan.Marks, &constatv1.GearMark{Oid: entitySerial + "." + entity, Value: c.serial, Identity: true})
	}
	software := c.software
	for _, index := range byIndex(p.physical) { // the software's version may stand at a module only
		software = cmp.Or(software, p.physical[index].software)
	}
	id.Model = present(c.model)
	p.software(p.description, cmp.Or(scalars[10].Text(), software))
	id.Serial = present(cmp.Or(c.serial, scalars[5].Text()))
	id.ChassisId = present(cmp.Or(scalars[8].MAC(), scalars[9].MAC()))
	p.out.ConfigChangedAt, p.out.ConfigSavedAt = p.since(scalars[6]), p.since(scalars[7])
	return nil
}

var (
	// stackStates are cswSwitchState, stackRoles cswSwitchRole (CISCO-STACKWISE-MIB).
	stackStates = words{
		1: "waiting", 2: "progressing", 3: "added", 4: "ready", 5: "sdmMismatch", 6: "verMismatch", 7: "featureMismatch", 8: "newMasterInit",
		9: "provisioned", 10: "invalid", 11: "removed",
	}
	stackRoles = words{1: "master", 2: "member", 3: "notMember", 4: "standby"}
)

const ringRedundant = "1.3.6.1.4.1.9.9.500.1.1.3.0" // cswRingRedundant

var stackColumns = []column[constatv1.StackMember]{
	{"cswSwitchNumCurrent", "1.3.6.1.4.1.9.9.500.1.2.1.1.1", func(r *constatv1.StackMember, v snmp.Value) { r.Number = small(v) }},
	{"cswSwitchRole", "1.3.6.1.4.1.9.9.500.1.2.1.1.3", func(r *constatv1.StackMember, v snmp.Value) { r.Role = stackRoles.of(v) }},
	{"cswSwitchState", "1.3.6.1.4.1.9.9.500.1.2.1.1.6", func(r *constatv1.StackMember, v snmp.Value) { r.State = stackStates.of(v) }},
}

// stack reads the members of a StackWise stack.
func (p *poll) stack(ctx context.Context) error {
	rows, err := walk(ctx, p.session, stackColumns)
	if err != nil || len(rows) == 0 {
		return err
	}
	ring, err := p.session.Get(ctx, ringRedundant)
	if err != nil {
		return err
	}
	for _, index := range byIndex(rows) {
		member := rows[index]
		if len(rows) > 1 { // a ring takes two
			member.RingRedundant = truth(ring[0])
		}
		if n, ok := number(index); member.Number == nil && ok { // by entPhysicalIndex, 1001 for the first
			member.Number = proto.Int32(n / 1000)
		}
		p.out.StackMembers = append(p.out.StackMembers, member)
	}
	return nil
}
