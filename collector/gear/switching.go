package gear

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

var (
	// errDisableCauses are CErrDisableFeatureID (CISCO-ERR-DISABLE-MIB, revision of
	// 28 November 2019).
	errDisableCauses = words{
		"", "udld", "bpduGuard", "channelMisconfig", "pagpFlap", "dtpFlap", "linkFlap", "l2ptGuard", "dot1xSecurityViolation",
		"portSecurityViolation", "gbicInvalid", "dhcpRateLimit", "unicastFlood", "vmps", "stormControl", "inlinePower", "arpInspection",
		"portLoopback", "packetBuffer", "macLimit", "linkMonitorFailure", "oamRemoteFailure", "dot1adIncompEtype", "dot1adIncompTunnel",
		"sfpConfigMismatch", "communityLimit", "invalidPolicy", "lsGroup", "ekey", "portModeFailure", "pppoeIaRateLimit",
		"oamRemoteCriticalEvent", "oamRemoteDyingGasp", "oamRemoteLinkFault", "mvrp", "tranceiverIncomp", "other",
		"portReinitLimitReached", "adminRxBBCreditPerfBufIncomp", "ficonNotEnabled", "adminModeIncomp", "adminSpeedIncomp", "adminRxBBCreditIncomp",
		"adminRxBufSizeIncomp", "eppFailure", "osmEPortUp", "osmNonEPortUp", "udldUniDir", "udldTxRxLoop", "udldNeighbourMismatch", "udldEmptyEcho",
		"udldAggrasiveModeLinkFailed", "excessivePortInterrupts", "channelErrDisabled", "hwProgFailed", "internalHandshakeFailed",
		"stpInconsistencyOnVpcPeerLink", "stpPortStateFailure", "ipConflict", "multipleMSapIdsRcvd", "oneHundredPdusWithoutAck",
		"ipQosCompatCheckFailure", "loopDetect",
	}
	// operCauses are the first of IfOperStatusReason (CISCO-IF-EXTENSION-MIB).
	operCauses = words{
		"", "other", "none", "hwFailure", "loopbackDiagFailure", "errorDisabled", "swFailure", "linkFailure", "offline", "nonParticipating",
		"initializing", "vsanInactive", "adminDown",
	}
)

const (
	errDisableCause = "1.3.6.1.4.1.9.9.548.1.3.1.1.2" // cErrDisableIfStatusCause
	operStatusCause = "1.3.6.1.4.1.9.9.276.1.1.2.1.9" // cieIfOperStatusCause
)

// errDisable reads why the device itself switched ports off. A row of the table
// stands for one VLAN of a port; 0 is the whole port.
func (p *poll) errDisable(ctx context.Context) error {
	return p.session.Walk(ctx, []string{errDisableCause, operStatusCause}, func(column int, index string, v snmp.Value) {
		of, _, _ := strings.Cut(index, ".")
		n, _ := number(of)
		port := p.ports[n]
		switch {
		case port == nil:
		case column == 0:
			if port.ErrDisableCause == nil {
				port.ErrDisableCause = errDisableCauses.of(v)
			}
		default:
			if cause := operCauses.of(v); cause != nil && *cause != "none" {
				port.OperStatusCause = cause
			}
		}
	})
}

var (
	securityStatus = words{1: "secureup", 2: "securedown", 3: "shutdown"}
	securityAction = words{1: "shutdown", 2: "dropNotify", 3: "drop"}
)

const violations = "1.3.6.1.4.1.9.9.315.1.2.1.1.9" // cpsIfViolationCount

// securityColumns are cpsIfConfigTable (CISCO-PORT-SECURITY-MIB), by ifIndex.
var securityColumns = []column[constatv1.PortSecurity]{
	{"cpsIfPortSecurityEnable", "1.3.6.1.4.1.9.9.315.1.2.1.1.1", func(r *constatv1.PortSecurity, v snmp.Value) { r.Enabled = truth(v) }},
	{"cpsIfPortSecurityStatus", "1.3.6.1.4.1.9.9.315.1.2.1.1.2", func(r *constatv1.PortSecurity, v snmp.Value) { r.Status = securityStatus.of(v) }},
	{"cpsIfMaxSecureMacAddr", "1.3.6.1.4.1.9.9.315.1.2.1.1.3", func(r *constatv1.PortSecurity, v snmp.Value) { r.MaxAddresses = small(v) }},
	{"cpsIfCurrentSecureMacAddrCount", "1.3.6.1.4.1.9.9.315.1.2.1.1.4", func(r *constatv1.PortSecurity, v snmp.Value) { r.Addresses = small(v) }},
	{"cpsIfViolationAction", "1.3.6.1.4.1.9.9.315.1.2.1.1.8", func(r *constatv1.PortSecurity, v snmp.Value) { r.Action = securityAction.of(v) }},
	{"cpsIfViolationCount", violations, func(r *constatv1.PortSecurity, v snmp.Value) { r.Violations = integer(v) }},
	{"cpsIfSecureLastMacAddress", "1.3.6.1.4.1.9.9.315.1.2.1.1.10", func(r *constatv1.PortSecurity, v snmp.Value) { r.LastMac = present(v.MAC()) }},
}

// portSecurity keeps the rows that say something: every access port has one,
// nearly all of them switched off.
func (p *poll) portSecurity(ctx context.Context) error {
	rows, err := walk(ctx, p.session, securityColumns)
	for index, r := range rows {
		n, _ := number(index)
		if port := p.ports[n]; port != nil && (r.GetEnabled() || r.GetViolations() > 0) {
			port.PortSecurity = r
		}
	}
	return err
}

// Columns of the VLAN tables. Membership of access ports stands in Cisco's own
// table, elsewhere in Q-BRIDGE-MIB (RFC 4363).
const (
	vlanState     = "1.3.6.1.4.1.9.9.46.1.3.1.1.2"  // vtpVlanState
	vlanName      = "1.3.6.1.4.1.9.9.46.1.3.1.1.4"  // vtpVlanName
	trunkNative   = "1.3.6.1.4.1.9.9.46.1.6.1.1.5"  // vlanTrunkPortNativeVlan
	trunkStatus   = "1.3.6.1.4.1.9.9.46.1.6.1.1.14" // vlanTrunkPortDynamicStatus
	membership    = "1.3.6.1.4.1.9.9.68.1.2.2.1.2"  // vmVlan
	memberStatus  = "1.3.6.1.4.1.9.9.68.1.2.2.1.3"  // vmPortStatus
	voiceVLAN     = "1.3.6.1.4.1.9.9.68.1.5.1.1.1"  // vmVoiceVlanId
	basePort      = "1.3.6.1.2.1.17.1.4.1.2"        // dot1dBasePortIfIndex
	defaultVLAN   = "1.3.6.1.2.1.17.7.1.4.5.1.1"    // dot1qPvid
	staticName    = "1.3.6.1.2.1.17.7.1.4.3.1.1"    // dot1qVlanStaticName
	snoopingVLANs = "1.3.6.1.4.1.9.9.380.1.2.1.1.2" // cdsVlanDhcpSnoopingEnable
	snoopingTrust = "1.3.6.1.4.1.9.9.380.1.3.1.1.1" // cdsIfTrustEnable
)

var memberStates = words{1: "inactive", 2: "active", 3: "shutdown"}

var vlanStates = words{1: "operational", 2: "suspended", 3: "mtuTooBigForDevice", 4: "mtuTooBigForTrunk"}

// reservedVLAN tells VLANs that every Cisco switch has and nobody uses (FDDI and
// Token Ring).
func reservedVLAN(id int32) bool { return id >= 1002 && id <= 1005 }

// virtualLANs reads which VLANs there are, and in which each port is.
func (p *poll) virtualLANs(ctx context.Context) error {
	vlans := map[int32]*constatv1.Vlan{}
	vlan := func(index string) *constatv1.Vlan {
		id, ok := number(index[strings.LastIndexByte(index, '.')+1:]) // behind the management domain
		if !ok || reservedVLAN(id) {
			return &constatv1.Vlan{}
		}
		if vlans[id] == nil {
			vlans[id] = &constatv1.Vlan{Id: proto.Int32(id)}
		}
		return vlans[id]
	}
	pvid := map[int32]int32{}
	columns := []string{vlanState, vlanName, trunkNative, trunkStatus, membership, memberStatus, voiceVLAN, basePort, defaultVLAN, staticName}
	err := p.session.Walk(ctx, columns, func(i int, index string, v snmp.Value) {
		n, _ := number(index)
		id := small(v)
		switch columns[i] {
		case vlanState:
			vlan(index).State = vlanStates.of(v)
		case vlanName, staticName:
			vlan(index).Name = text(v)
		case basePort:
			if id != nil {
				p.bridge[n] = *id
			}
		case defaultVLAN: // 0: of a port that routes, or that says nothing
			if id != nil && *id > 0 && *id < 4095 {
				pvid[n] = *id
			}
		}
		port := p.ports[n]
		if port == nil {
			return
		}
		switch columns[i] {
		case trunkNative:
			port.NativeVlan = id
		case trunkStatus: // trunking(1), notTrunking(2)
			port.Trunk = truth(v)
		case membership: // 0: dynamic, and none yet
			if id != nil && *id > 0 {
				port.Vlan = id
			}
		case memberStatus:
			port.VlanStatus = memberStates.of(v)
		case voiceVLAN: // 4096: none, 4095: untagged
			if id != nil && *id > 0 && *id < 4095 {
				port.VoiceVlan = id
			}
		}
	})
	for base, id := range pvid {
		if port := p.ports[p.bridge[base]]; port != nil && port.Vlan == nil && !port.GetTrunk() {
			port.Vlan = proto.Int32(id)
		}
	}
	for _, port := range p.ports {
		if port.Trunk != nil && !port.GetTrunk() {
			port.NativeVlan = nil // of a trunk that it is not
		}
	}
	for _, v := range vlans {
		p.out.Vlans = append(p.out.Vlans, v)
	}
	slices.SortFunc(p.out.Vlans, func(a, b *constatv1.Vlan) int { return int(a.GetId() - b.GetId()) })
	return err
}

// snooping reads from where DHCP answers may come (CISCO-DHCP-SNOOPING-MIB).
func (p *poll) snooping(ctx context.Context) error {
	return p.session.Walk(ctx, []string{snoopingVLANs, snoopingTrust}, func(column int, index string, v snmp.Value) {
		n, _ := number(index)
		if column == 1 {
			if port := p.ports[n]; port != nil {
				port.DhcpSnoopingTrusted = truth(v)
			}
			return
		}
		for _, vlan := range p.out.GetVlans() {
			if vlan.GetId() == n {
				vlan.DhcpSnooping = truth(v)
			}
		}
	})
}

// Scalars and columns of BRIDGE-MIB (RFC 4188) and CISCO-STP-EXTENSIONS-MIB.
const (
	stpSince     = "1.3.6.1.2.1.17.2.3.0"         // dot1dStpTimeSinceTopologyChange
	stpChanges   = "1.3.6.1.2.1.17.2.4.0"         // dot1dStpTopChanges
	stpRoot      = "1.3.6.1.2.1.17.2.5.0"         // dot1dStpDesignatedRoot
	stpRootPort  = "1.3.6.1.2.1.17.2.7.0"         // dot1dStpRootPort
	stpPortState = "1.3.6.1.2.1.17.2.15.1.3"      // dot1dStpPortState
	stpxRoot     = "1.3.6.1.4.1.9.9.82.1.5.2.1.3" // stpxRootInconsistencyState
	stpxLoop     = "1.3.6.1.4.1.9.9.82.1.8.2.1.3" // stpxLoopInconsistencyState
	stpxFast     = "1.3.6.1.4.1.9.9.82.1.9.3.1.3" // stpxFastStartPortMode
)

var stpStates = words{1: "disabled", 2: "blocking", 3: "listening", 4: "learning", 5: "forwarding", 6: "broken"}

func (p *poll) spanningTree(ctx context.Context) error {
	scalars, err := p.session.Get(ctx, stpSince, stpRoot, stpRootPort, stpChanges)
	if err != nil {
		return err
	}
	tree := &constatv1.SpanningTree{}
	if ticks, ok := scalars[0].Int(); ok {
		tree.SinceChangeSeconds = proto.Int64(ticks / 100)
		p.note("stpSince", 0, stpSince, 1)
	}
	if root := scalars[1].Bytes(); len(root) == 8 { // priority and address
		tree.Root = proto.String(snmp.Hex(root))
		p.note("stpRoot", 0, stpRoot, 1)
	}
	if base := small(scalars[2]); base != nil && p.ports[p.bridge[*base]] != nil {
		tree.RootPort = proto.Int32(p.bridge[*base])
	}
	if tree.TopologyChanges = integer(scalars[3]); tree.TopologyChanges != nil {
		p.note("stpChanges", 0, stpChanges, 1)
	}
	if tree.Root != nil || tree.SinceChangeSeconds != nil || tree.TopologyChanges != nil {
		p.out.SpanningTree = tree
	}
	columns := []string{stpPortState, stpxRoot, stpxLoop, stpxFast}
	return p.session.Walk(ctx, columns, func(i int, index string, v snmp.Value) {
		base, _ := number(index[strings.LastIndexByte(index, '.')+1:]) // behind the VLAN
		port := p.ports[p.bridge[base]]
		if port == nil {
			return
		}
		n, _ := v.Int()
		switch {
		case columns[i] == stpPortState:
			// A port without a link has no place in the tree; some agents call it
			// broken.
			if port.GetOperStatus() == "up" {
				port.StpState = stpStates.of(v)
			}
		case columns[i] == stpxRoot && n == 1:
			port.StpInconsistency = proto.String("root")
		case columns[i] == stpxLoop && n == 1:
			port.StpInconsistency = proto.String("loop")
		case columns[i] == stpxFast && n >= 1 && n <= 3: // enable, disable, enableForTrunk; default(4) says nothing
			port.Portfast = proto.Bool(n != 2)
		}
	})
}
