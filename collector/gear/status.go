package gear

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// Status reads anew what of a device changes by the minute, into a copy of what
// it said last: its uptime, and of each port the state, the last change and why
// the device itself switched it off. The rest stays as it was. changed tells
// that a port or the device is not as it was, so that all is worth reading.
func Status(ctx context.Context, session *snmp.Session, last *constatv1.Gear, now time.Time) (g *constatv1.Gear, changed bool, err error) {
	g = proto.CloneOf(last)
	p := &poll{session: session, now: now, out: g, ports: map[int32]*port{}, bridge: map[int32]int32{}}
	scalars, err := session.Get(ctx, sysUpTime)
	if err != nil {
		return nil, false, err
	}
	if ticks, ok := scalars[0].Int(); ok && g.GetIdentity() != nil {
		p.uptime = ticks
		changed = ticks/100 < g.Identity.GetUptimeSeconds()
		g.Identity.UptimeSeconds = proto.Int64(ticks / 100)
	}
	g.PollResult = proto.String("ok")
	rows := map[int32]*constatv1.GearInterface{}
	before := map[int32][3]string{}
	for _, i := range g.GetInterfaces() {
		rows[i.GetIfIndex()] = i
		before[i.GetIfIndex()] = [3]string{i.GetOperStatus(), i.GetAdminStatus(), i.GetErrDisableCause()}
		i.ErrDisableCause, i.OperStatusCause = nil, nil // rows that are gone
	}
	columns := []column[constatv1.GearInterface]{
		{"ifOperStatus", "1.3.6.1.2.1.2.2.1.8", func(r *constatv1.GearInterface, v snmp.Value) { r.OperStatus = operStates.of(v) }},
		{"ifAdminStatus", "1.3.6.1.2.1.2.2.1.7", func(r *constatv1.GearInterface, v snmp.Value) { r.AdminStatus = adminStates.of(v) }},
		{"ifLastChange", "1.3.6.1.2.1.2.2.1.9", func(r *constatv1.GearInterface, v snmp.Value) { r.LastChangeAt = p.since(v) }},
		{"cErrDisableIfStatusCause", errDisableCause, func(r *constatv1.GearInterface, v snmp.Value) {
			if r.ErrDisableCause == nil {
				r.ErrDisableCause = errDisableCauses.of(v)
			}
		}},
		{"cieIfOperStatusCause", operStatusCause, func(r *constatv1.GearInterface, v snmp.Value) {
			if cause := operCauses.of(v); cause != nil && *cause != "none" {
				r.OperStatusCause = cause
			}
		}},
	}
	oids := make([]string, len(columns))
	for i, c := range columns {
		oids[i] = c.oid
	}
	err = session.Walk(ctx, oids, func(i int, index string, v snmp.Value) {
		of, _, _ := strings.Cut(index, ".")
		n, _ := number(of)
		if r := rows[n]; r != nil {
			columns[i].set(r, v)
		} else if i == 0 {
			changed = true // a port that was not there
		}
	})
	if err != nil {
		return nil, false, err
	}
	for index, i := range rows {
		if before[index] != [3]string{i.GetOperStatus(), i.GetAdminStatus(), i.GetErrDisableCause()} {
			changed = true
		}
	}
	return g, changed, nil
}
