package gear

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// session is a row of cafSessionTable (CISCO-AUTH-FRAMEWORK-MIB), by ifIndex and
// session id.
type session struct {
	status, vlan int64
	mac, address string
}

var sessionColumns = []column[session]{
	{"cafSessionClientMacAddress", "1.3.6.1.4.1.9.9.656.1.4.1.1.2", func(r *session, v snmp.Value) { r.mac = stationMAC(v) }},
	{"cafSessionClientAddress", "1.3.6.1.4.1.9.9.656.1.4.1.1.4", func(r *session, v snmp.Value) {
		if a, ok := v.Address(); ok && reachable(a) {
			r.address = a.String()
		}
	}},
	{"cafSessionStatus", "1.3.6.1.4.1.9.9.656.1.4.1.1.5", func(r *session, v snmp.Value) { r.status, _ = v.Int() }},
	{"cafSessionAuthVlan", "1.3.6.1.4.1.9.9.656.1.4.1.1.14", func(r *session, v snmp.Value) { r.vlan, _ = v.Int() }},
}

// sessionStates are cafSessionStatus: idle(1), running(2), noMethod(3),
// authenticationSuccess(4), authenticationFailed(5), authorizationSuccess(6),
// authorizationFailed(7).
var sessionStates = []string{1: "idle", 2: "running", 3: "unauthorized", 4: "running", 5: "failed", 6: "authorized", 7: "failed"}

// dot1x reads the sessions of ports with authentication. A phone and a computer
// share a port; the worst of their sessions is what somebody complains about.
func (p *poll) dot1x(ctx context.Context) error {
	rows, err := walk(ctx, p.session, sessionColumns)
	ascending := []string{"", "authorized", "idle", "running", "unauthorized", "failed"}
	for _, index := range byIndex(rows) {
		of, _, _ := strings.Cut(index, ".")
		n, _ := number(of)
		port, r := p.ports[n], rows[index]
		if port == nil || r.status <= 0 || r.status >= int64(len(sessionStates)) {
			continue
		}
		var vlan *int32
		if r.vlan > 0 && r.vlan < 4095 {
			vlan = proto.Int32(int32(r.vlan))
		}
		state := sessionStates[r.status]
		if r.mac != "" && len(p.out.Stations) < maxKnown {
			p.out.Stations = append(p.out.Stations, &constatv1.GearStation{
				Mac: proto.String(r.mac), Address: present(r.address), Evidence: proto.String("dot1x"), IfIndex: proto.Int32(n), Vlan: vlan,
			})
		}
		if slices.Index(ascending, state) > slices.Index(ascending, port.GetDot1XState()) {
			port.Dot1XState, port.Dot1XVlan = proto.String(state), vlan
		}
	}
	if err != nil || len(rows) > 0 {
		return err
	}
	return p.portAccess(ctx)
}

// authenticator is a row of dot1xAuthConfigTable and dot1xAuthStatsTable
// (IEEE8021-PAE-MIB), by ifIndex.
type authenticator struct {
	state, status, control int64
	mac                    string
}

var authenticatorColumns = []column[authenticator]{
	{"dot1xAuthPaeState", "1.0.8802.1.1.1.1.2.1.1.1", func(r *authenticator, v snmp.Value) { r.state, _ = v.Int() }},
	{"dot1xAuthAuthControlledPortStatus", "1.0.8802.1.1.1.1.2.1.1.5", func(r *authenticator, v snmp.Value) { r.status, _ = v.Int() }},
	{"dot1xAuthAuthControlledPortControl", "1.0.8802.1.1.1.1.2.1.1.6", func(r *authenticator, v snmp.Value) { r.control, _ = v.Int() }},
	{"dot1xAuthLastEapolFrameSource", "1.0.8802.1.1.1.1.2.2.1.12", func(r *authenticator, v snmp.Value) { r.mac = stationMAC(v) }},
}

const (
	controlAuto   = 2 // dot1xAuthAuthControlledPortControl: the port asks who comes
	authorized    = 1 // dot1xAuthAuthControlledPortStatus
	stateHeld     = 7 // dot1xAuthPaeState: refused, and waiting before it asks again
	stateConnects = 3
	stateAsks     = 4
)

// portAccess reads the ports with authentication of a device that tells no
// sessions.
func (p *poll) portAccess(ctx context.Context) error {
	rows, err := walk(ctx, p.session, authenticatorColumns)
	for index, r := range rows {
		n, _ := number(index)
		port := p.ports[n]
		if port == nil || r.control != controlAuto {
			continue // everybody is let in, or nobody: no answer about anyone
		}
		switch {
		case r.status == authorized:
			port.Dot1XState = proto.String("authorized")
			if r.mac != "" {
				p.out.Stations = append(p.out.Stations, &constatv1.GearStation{Mac: proto.String(r.mac), Evidence: proto.String("dot1x"), IfIndex: proto.Int32(n)})
			}
		case r.state == stateHeld:
			port.Dot1XState = proto.String("failed")
		case r.state == stateAsks || r.state == stateConnects && port.GetOperStatus() == "up":
			port.Dot1XState = proto.String("running")
		case port.GetOperStatus() == "up":
			port.Dot1XState = proto.String("unauthorized")
		default:
			port.Dot1XState = proto.String("idle")
		}
	}
	return err
}
