package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"net/netip"

	"constat/collector/store"
	"constat/collector/store/query"
	constatv1 "constat/proto/constat/v1"
)

// locate notes where in the network an endpoint is, by what it says of itself:
// the subnet of its default route's link, and the switch that announced itself
// there. Without a default route the place it had before stays: a machine that
// lost its network is still plugged in where it was.
func (in *intake) locate(ctx context.Context, n *constatv1.Network) error {
	link := ""
	for _, r := range n.GetRoutes() {
		if r.GetGateway() != "" && r.GetLink() != "" {
			link = r.GetLink()
			break // the best metric comes first
		}
	}
	if link == "" {
		return nil
	}
	place := query.PutPlaceParams{EndpointID: in.endpoint, SeenAt: store.Millis(in.desk.now())}
	for _, l := range n.GetLinks() {
		if l.GetName() == link {
			place.Subnet = subnet(l.GetAddresses())
		}
	}
	for _, neighbour := range n.GetNeighbours() {
		if neighbour.GetLink() != link {
			continue
		}
		if place.SwitchID == "" {
			// A chassis has one identity; two switches may bear one name.
			place.SwitchID = line(cmp.Or(neighbour.GetChassisId(), neighbour.GetSystemName()), maxName)
			place.SwitchName = line(cmp.Or(neighbour.GetSystemName(), neighbour.GetChassisId()), maxName)
			place.SwitchPort = line(neighbour.GetPortId(), maxName)
		}
		// It says so twice, by LLDP and by CDP, and may name its port in one of them
		// only as its management does.
		at, err := announced(ctx, in.q, neighbour.GetChassisId(), neighbour.GetSystemName(), neighbour.GetProtocol(), in.desk.now(), neighbour.GetPortId())
		if err != nil {
			return err
		}
		if at != nil && at.attachment.GetPort() != nil {
			place.SwitchPort = line(neighbour.GetPortId(), maxName)
			break
		}
	}
	return in.q.PutPlace(ctx, place)
}

// hold notes which wired addresses an endpoint has now.
func (in *intake) hold(ctx context.Context, n *constatv1.Network) error {
	for _, l := range wired(n) {
		if mac := parseMAC(l.GetMac()); mac != "" {
			if err := in.q.PutMac(ctx, mac, in.endpoint, store.Millis(in.desk.now())); err != nil {
				return err
			}
		}
	}
	return nil
}

// wired are an endpoint's links with a cable, by name. A container's has one of
// software; those of a host to its own containers hang on a bridge.
func wired(n *constatv1.Network) map[string]*constatv1.Link {
	links := map[string]*constatv1.Link{}
	for _, l := range n.GetLinks() {
		if l.GetKind() == "ethernet" && (l.Physical == nil || l.GetPhysical()) || l.GetKind() == "veth" && l.GetMaster() == "" {
			links[l.GetName()] = l
		}
	}
	return links
}

// subnet is the prefix of the first address that others can reach, of IPv4
// where there is one; empty when there is none.
func subnet(addresses []*constatv1.Address) string {
	found := ""
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(a.GetCidr())
		if err != nil || prefix.Addr().IsLinkLocalUnicast() || prefix.Addr().IsLoopback() {
			continue
		}
		if prefix.Addr().Is4() {
			return prefix.Masked().String()
		}
		if found == "" {
			found = prefix.Masked().String()
		}
	}
	return found
}

// place is where the endpoint was seen last; the zero value when never.
func (in *intake) place(ctx context.Context) (query.EndpointPlace, error) {
	p, err := in.q.Place(ctx, in.endpoint)
	if errors.Is(err, sql.ErrNoRows) {
		return query.EndpointPlace{}, nil
	}
	return p, err
}
