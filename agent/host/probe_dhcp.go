package host

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// offerLimit is how long DHCP servers are listened for: long where the link has
// no address and a server may first look whether one is free, short where only
// a second server is looked for.
func offerLimit(addressed bool) time.Duration {
	if addressed {
		return time.Second
	}
	return 3 * time.Second
}

// offerLink is the link whose DHCP servers are asked: one that could have an
// address and has none, else that of the best default route; nil when there is
// neither.
func (p *prober) offerLink() (link *constatv1.Link, addressed bool) {
	asks := func(l *constatv1.Link) bool {
		return slices.Contains([]string{"ethernet", "wifi", "veth", "bridge", "bond"}, l.GetKind()) && l.Mac != nil && l.Master == nil &&
			l.GetAdminStatus() == "up" && l.GetCarrier() && !l.GetUnmanaged()
	}
	global := func(a *constatv1.Address) bool {
		return a.GetFamily() == 4 && a.GetScope() == "global" && a.GetOrigin() != "linkLocal"
	}
	for _, l := range p.network.GetLinks() {
		if asks(l) && l.GetKind() != "bridge" && !slices.ContainsFunc(l.GetAddresses(), global) {
			return l, false
		}
	}
	for _, r := range p.network.GetRoutes() {
		if l := linkNamed(p.network, r.GetLink()); r.GetFamily() == 4 && l != nil && asks(l) {
			return l, true
		}
	}
	return nil, false
}

// askOffers asks a link for DHCP servers; none of their offers is taken.
func (p *prober) askOffers(link *constatv1.Link, addressed bool) *constatv1.DhcpProbe {
	d := &constatv1.DhcpProbe{Link: link.Name}
	limit := offerLimit(addressed)
	content, err := p.listen(limit, func(ctx context.Context, part time.Duration) ([]byte, error) {
		return p.privileged(ctx, "dhcp", link.GetName()+" "+strconv.Itoa(int(part.Milliseconds())))
	})
	if err == nil {
		d.Offers, err = parseOffers(content)
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		d.Result = set("denied")
	case err != nil:
		d.Result = set("error")
	case len(d.Offers) == 0:
		d.Result = set("timeout")
	default:
		d.Result = set("ok")
	}
	return d
}

// Options of DHCP that are read (RFC 2132).
const (
	optionMask      = 1
	optionRouters   = 3
	optionResolvers = 6
	optionType      = 53
	optionServer    = 54
	optionEnd       = 255

	typeOffer = 2
)

// parseOffers reads what the verb "dhcp" returns: offers by server, each server
// once.
func parseOffers(content []byte) ([]*constatv1.DhcpOffer, error) {
	const mac = 6
	var offers []*constatv1.DhcpOffer
	for len(content) > 0 {
		if len(content) < 2+mac {
			return nil, errors.New("an offer is cut")
		}
		length := int(binary.BigEndian.Uint16(content))
		if length < mac || length > len(content)-2 {
			return nil, errors.New("an offer is cut")
		}
		one := content[2 : 2+length]
		content = content[2+length:]
		o := parseOffer(one[mac:])
		if o == nil || slices.ContainsFunc(offers, func(other *constatv1.DhcpOffer) bool { return other.GetServer() == o.GetServer() }) {
			continue
		}
		o.Mac = set(net.HardwareAddr(one[:mac]).String())
		offers = append(offers, o)
	}
	slices.SortFunc(offers, func(a, b *constatv1.DhcpOffer) int { return cmp.Compare(a.GetServer(), b.GetServer()) })
	return offers, nil
}

// parseOffer reads one message (RFC 2131 2); nil when it is no offer.
func parseOffer(message []byte) *constatv1.DhcpOffer {
	const yours, options, reply = 16, 240, 2
	if len(message) < options || message[0] != reply || binary.BigEndian.Uint32(message[236:]) != 0x63825363 {
		return nil
	}
	o := &constatv1.DhcpOffer{}
	kind, bits := byte(0), 32
	for rest := message[options:]; len(rest) > 0 && rest[0] != optionEnd; {
		if rest[0] == 0 { // padding
			rest = rest[1:]
			continue
		}
		if len(rest) < 2 || 2+int(rest[1]) > len(rest) {
			break
		}
		value := rest[2 : 2+int(rest[1])]
		switch rest[0] {
		case optionType:
			if len(value) == 1 {
				kind = value[0]
			}
		case optionServer:
			if len(value) == 4 {
				o.Server = set(netip.AddrFrom4([4]byte(value)).String())
			}
		case optionMask:
			if len(value) == 4 {
				bits, _ = net.IPMask(value).Size()
			}
		case optionRouters:
			o.Routers = fourByFour(value)
		case optionResolvers:
			o.Resolvers = fourByFour(value)
		}
		rest = rest[2+len(value):]
	}
	if kind != typeOffer || o.Server == nil {
		return nil
	}
	o.Cidr = set(netip.PrefixFrom(netip.AddrFrom4([4]byte(message[yours:yours+4])), bits).String())
	return o
}

// fourByFour reads a list of IPv4 addresses.
func fourByFour(value []byte) (list []string) {
	for ; len(value) >= 4 && len(list) < maxLeaseAddresses; value = value[4:] {
		list = append(list, netip.AddrFrom4([4]byte(value[:4])).String())
	}
	return list
}
