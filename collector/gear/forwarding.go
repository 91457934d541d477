package gear

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

const (
	bridgeForwarding = "1.3.6.1.2.1.17.4.3.1.2"     // dot1dTpFdbPort
	bridgeStatus     = "1.3.6.1.2.1.17.4.3.1.3"     // dot1dTpFdbStatus
	vlanForwarding   = "1.3.6.1.2.1.17.7.1.2.2.1.2" // dot1qTpFdbPort
	// ownAddress is dot1dTpFdbStatus of the switch's own addresses: self(4).
	ownAddress = 4
	// maxSilentViews ends the asking per VLAN when so many views in a row say
	// nothing: the agent does not have them, or lets us into none.
	maxSilentViews = 2
)

// station is where an address was seen.
type station struct {
	mac  string
	vlan int32
}

// forwarding reads which station is behind which port. Most switches have one
// table with the VLAN in the index (Q-BRIDGE-MIB); Catalysts show a table for
// each VLAN, under a name of its own.
func (p *poll) forwarding(ctx context.Context) error {
	seen := map[station]bool{}
	err := p.session.Walk(ctx, []string{vlanForwarding}, func(_ int, index string, v snmp.Value) {
		if n := snmp.Index(index); len(n) == 7 { // filtering database, then the address
			p.station(seen, station{snmp.IndexMAC(n[1:]), int32(n[0])}, p.bridge, v)
		}
	})
	if err == nil && len(seen) == 0 {
		if err = p.table(ctx, p.session, 0, seen); err == nil {
			err = p.perVLAN(ctx, seen)
		}
	}
	slices.SortFunc(p.out.Forwarding, func(a, b *constatv1.Forwarding) int {
		return cmp.Or(cmp.Compare(a.GetVlan(), b.GetVlan()), cmp.Compare(a.GetMac(), b.GetMac()))
	})
	return err
}

// perVLAN reads the tables that stand under a VLAN each, of an agent that keeps them
// so and tells its VLANs.
func (p *poll) perVLAN(ctx context.Context, seen map[station]bool) error {
	if !p.quirks.Views {
		return nil
	}
	silent := 0
	for _, vlan := range p.out.GetVlans() {
		if vlan.State != nil && vlan.GetState() != "operational" {
			continue
		}
		view, err := p.session.View(ctx, int(vlan.GetId()))
		if err == nil {
			err = p.table(ctx, view, vlan.GetId(), seen)
			view.Close()
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			silent = 0
		case !errors.Is(err, snmp.ErrSilent) && !errors.Is(err, snmp.ErrRefused):
			return err
		default:
			if silent++; silent == maxSilentViews {
				return fmt.Errorf("the forwarding tables per VLAN were not read (SNMPv2c: community@VLAN, SNMPv3: context vlan-VLAN): %w", err)
			}
		}
	}
	return nil
}

// table reads one BRIDGE-MIB table, with the port numbers that hold in it.
func (p *poll) table(ctx context.Context, session *snmp.Session, vlan int32, seen map[station]bool) error {
	err := session.Walk(ctx, []string{basePort}, func(_ int, index string, v snmp.Value) {
		n, ok := number(index)
		if ifIndex := small(v); ok && ifIndex != nil {
			p.bridge[n] = *ifIndex // one numbering for the whole switch
		}
	})
	if err != nil {
		return err
	}
	own, rows := map[string]bool{}, map[string]snmp.Value{}
	err = session.Walk(ctx, []string{bridgeStatus, bridgeForwarding}, func(column int, index string, v snmp.Value) {
		if n, _ := v.Int(); column == 0 {
			own[index] = n == ownAddress
		} else {
			rows[index] = v
		}
	})
	for index, v := range rows {
		if !own[index] {
			p.station(seen, station{snmp.IndexMAC(snmp.Index(index)), vlan}, p.bridge, v)
		}
	}
	return err
}

// station adds one entry. Port 0 means that the port is not known; where the
// device has no map of port numbers, they are the interfaces'.
func (p *poll) station(seen map[station]bool, where station, ports map[int32]int32, v snmp.Value) {
	base := small(v)
	if where.mac == "" || base == nil || *base == 0 || seen[where] {
		return
	}
	seen[where] = true
	row := &constatv1.Forwarding{Mac: proto.String(where.mac)}
	if where.vlan > 0 {
		row.Vlan = proto.Int32(where.vlan)
	}
	if ifIndex, ok := ports[*base]; ok {
		row.IfIndex = proto.Int32(ifIndex)
	} else if len(ports) == 0 && p.ports[*base] != nil {
		row.IfIndex = base
	}
	p.out.Forwarding = append(p.out.Forwarding, row)
}
