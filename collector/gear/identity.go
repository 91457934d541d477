package gear

import (
	"cmp"
	"context"
	"regexp"
	"strings"

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

// vendors by IANA private enterprise number.
var vendors = map[string]string{
	"9": "Cisco", "11": "HP", "43": "3Com", "171": "D-Link", "207": "Allied Telesis", "236": "Samsung", "253": "Xerox", "367": "Ricoh",
	"641": "Lexmark", "674": "Dell", "1248": "Epson", "1347": "Kyocera", "1602": "Canon", "1916": "Extreme", "1991": "Brocade", "2001": "Oki",
	"2011": "Huawei", "2385": "Sharp", "2435": "Brother", "2636": "Juniper", "4526": "Netgear", "6486": "Alcatel-Lucent", "8072": "Net-SNMP",
	"10002": "Ubiquiti", "11863": "TP-Link", "12356": "Fortinet", "14823": "Aruba", "14988": "MikroTik", "18334": "Konica Minolta",
	"25506": "H3C", "29671": "Cisco Meraki", "30065": "Arista", "41112": "Ubiquiti", "47196": "Aruba",
}

const enterprises = "1.3.6.1.4.1."

// vendorOf names the maker by sysObjectID.
func vendorOf(objectID string) string {
	rest, ok := strings.CutPrefix(objectID, enterprises)
	if !ok {
		return ""
	}
	enterprise, _, _ := strings.Cut(rest, ".")
	return cmp.Or(vendors[enterprise], "enterprise "+enterprise)
}

// isSmallBusiness tells Cisco's Small Business line, whose MIBs are Radlan's.
func isSmallBusiness(objectID string) bool { return strings.HasPrefix(objectID, enterprises+"9.6.1.") }

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

// softwares recognise an operating system in sysDescr, the more special first.
var softwares = []struct {
	os      string
	pattern *regexp.Regexp
}{
	{"FTD", regexp.MustCompile(`(?i)Firepower Threat Defense.*?Version ([^\s,]+)`)},
	{"ASA", regexp.MustCompile(`Adaptive Security Appliance Version ([^\s,]+)`)},
	{"NX-OS", regexp.MustCompile(`NX-OS.*?Version ([^\s,]+)`)},
	{"IOS-XR", regexp.MustCompile(`IOS[ -]XR Software.*?Version ([^\s,\[]+)`)},
	{"IOS-XE", regexp.MustCompile(`(?:IOS[- ]?XE|\bCAT3K_CAA|\bCAT9K|LINUX_IOSD|ASR1000).*?Version ([^\s,]+)`)},
	{"IOS", regexp.MustCompile(`(?:Cisco IOS|Internetwork Operating System|IOS \(tm\)).*?Version ([^\s,]+)`)},
	{"AireOS", regexp.MustCompile(`^Cisco Controller()`)},
}

// describe gives operating system and version by sysDescr.
func describe(description, objectID string) (os, version string) {
	for _, s := range softwares {
		if m := s.pattern.FindStringSubmatch(description); m != nil {
			return s.os, m[1]
		}
	}
	if isSmallBusiness(objectID) {
		return "Small Business", ""
	}
	return "", ""
}

// modelWord is how models look in sysDescr where they stand there at all: IOS
// names its image instead, which is of a whole family.
var modelWord = regexp.MustCompile(`\b(?:CBS|SG|SF|SLM|N\dK|ASA)[A-Z0-9/-]*\d[A-Z0-9/-]*`)

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
	description := scalars[0].Text()
	p.objectID = scalars[1].OID()
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
	os, version := describe(description, p.objectID)
	software := c.software
	for _, index := range byIndex(p.physical) { // the software's version may stand at a module only
		software = cmp.Or(software, p.physical[index].software)
	}
	id.Vendor = present(vendorOf(p.objectID))
	id.Model = present(cmp.Or(c.model, modelWord.FindString(description)))
	id.Serial = present(cmp.Or(c.serial, scalars[5].Text()))
	id.ChassisId = present(cmp.Or(scalars[8].MAC(), scalars[9].MAC()))
	id.Os, id.Version = present(os), present(cmp.Or(version, scalars[10].Text(), software))
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
