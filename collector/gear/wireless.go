package gear

import (
	"cmp"
	"context"
	"strings"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// apStates are bsnAPOperationStatus.
var apStates = words{1: "associated", 2: "disassociating", 3: "downloading"}

// apColumns are bsnAPTable (AIRESPACE-WIRELESS-MIB) and cLApTable
// (CISCO-LWAPP-AP-MIB), both by the address of the access point's radio.
var apColumns = []column[constatv1.AccessPoint]{
	{"bsnAPName", "1.3.6.1.4.1.14179.2.2.1.1.3", func(r *constatv1.AccessPoint, v snmp.Value) { r.Name = text(v) }},
	{"bsnAPOperationStatus", "1.3.6.1.4.1.14179.2.2.1.1.6", func(r *constatv1.AccessPoint, v snmp.Value) { r.State = apStates.of(v) }},
	{"bsnAPModel", "1.3.6.1.4.1.14179.2.2.1.1.16", func(r *constatv1.AccessPoint, v snmp.Value) { r.Model = text(v) }},
	{"bsnApIpAddress", "1.3.6.1.4.1.14179.2.2.1.1.19", func(r *constatv1.AccessPoint, v snmp.Value) {
		if a, ok := v.Address(); ok && reachable(a) {
			r.Address = proto.String(a.String())
		}
	}},
	{"bsnAPEthernetMacAddress", "1.3.6.1.4.1.14179.2.2.1.1.33", func(r *constatv1.AccessPoint, v snmp.Value) { r.EthernetMac = present(v.MAC()) }},
	{"cLApIfMacAddress", "1.3.6.1.4.1.9.9.513.1.1.1.1.2", func(r *constatv1.AccessPoint, v snmp.Value) {
		if r.EthernetMac == nil {
			r.EthernetMac = present(v.MAC())
		}
	}},
	{"cLApName", "1.3.6.1.4.1.9.9.513.1.1.1.1.5", func(r *constatv1.AccessPoint, v snmp.Value) {
		if name := text(v); name != nil {
			r.Name = name
		}
	}},
	{"cLApUpTime", "1.3.6.1.4.1.9.9.513.1.1.1.1.6", func(r *constatv1.AccessPoint, v snmp.Value) {
		if ticks, ok := v.Int(); ok {
			r.UptimeSeconds = proto.Int64(ticks / 100)
		}
	}},
}

const apClients = "1.3.6.1.4.1.14179.2.2.13.1.4" // bsnAPIfLoadNumOfClients, by access point and radio

// wirelessClient is a row of bsnMobileStationTable or cldcClientTable, by the
// client's address.
type wirelessClient struct {
	address, accessPoint string
	status               *int64
}

var wirelessColumns = []column[wirelessClient]{
	{"bsnMobileStationIpAddress", "1.3.6.1.4.1.14179.2.1.4.1.2", func(r *wirelessClient, v snmp.Value) { r.setAddress(v) }},
	{"bsnMobileStationAPMacAddr", "1.3.6.1.4.1.14179.2.1.4.1.4", func(r *wirelessClient, v snmp.Value) { r.accessPoint = v.MAC() }},
	{"bsnMobileStationStatus", "1.3.6.1.4.1.14179.2.1.4.1.9", func(r *wirelessClient, v snmp.Value) { r.status = integer(v) }},
	{"cldcApMacAddress", "1.3.6.1.4.1.9.9.599.1.3.1.1.8", func(r *wirelessClient, v snmp.Value) { r.accessPoint = cmp.Or(r.accessPoint, v.MAC()) }},
	{"cldcClientIPAddress", "1.3.6.1.4.1.9.9.599.1.3.1.1.10", func(r *wirelessClient, v snmp.Value) { r.setAddress(v) }},
}

func (r *wirelessClient) setAddress(v snmp.Value) {
	if a, ok := v.Address(); ok && reachable(a) && r.address == "" {
		r.address = a.String()
	}
}

// joined are the states of bsnMobileStationStatus in which a client is there:
// authenticated(2), associated(3), powersave(4).
func (r *wirelessClient) joined() bool { return r.status == nil || *r.status >= 2 && *r.status <= 4 }

// wireless reads the access points and clients of a wireless controller.
func (p *poll) wireless(ctx context.Context) error {
	rows, err := walk(ctx, p.session, apColumns)
	if err != nil || len(rows) == 0 {
		return err
	}
	byRadio := map[string]*constatv1.AccessPoint{}
	for _, index := range byIndex(rows) {
		ap := rows[index]
		if ap.Mac = present(snmp.IndexMAC(snmp.Index(index))); ap.Mac == nil || len(byRadio) >= maxKnown {
			continue
		}
		byRadio[ap.GetMac()] = ap
		p.out.AccessPoints = append(p.out.AccessPoints, ap)
	}
	err = p.session.Walk(ctx, []string{apClients}, func(_ int, index string, v snmp.Value) {
		radio, _, _ := cutLast(index)
		ap := byRadio[snmp.IndexMAC(snmp.Index(radio))]
		if n, ok := v.Int(); ok && ap != nil && n >= 0 && n < 100_000 {
			ap.Clients = proto.Int32(ap.GetClients() + int32(n))
		}
	})
	if err != nil {
		return err
	}
	clients, err := walk(ctx, p.session, wirelessColumns)
	for i, index := range byIndex(clients) {
		c, mac := clients[index], snmp.IndexMAC(snmp.Index(index))
		if mac == "" || !c.joined() || i >= maxKnown {
			continue
		}
		station := &constatv1.GearStation{Mac: proto.String(mac), Address: present(c.address), Evidence: proto.String("wireless")}
		if ap := byRadio[c.accessPoint]; ap != nil {
			station.AccessPoint = present(cmp.Or(ap.GetName(), ap.GetMac()))
		}
		p.out.Stations = append(p.out.Stations, station)
	}
	return err
}

// cutLast cuts the last number off an index.
func cutLast(index string) (before, last string, found bool) {
	i := strings.LastIndexByte(index, '.')
	if i < 0 {
		return index, "", false
	}
	return index[:i], index[i+1:], true
}
