package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/ipv4"

	constatv1 "constat/proto/constat/v1"
)

// How long printers may take to announce themselves (RFC 6762 section 6: up to
// 120 ms, and twice that where many share a name), and how many are listened to.
const (
	discoveryTime = 500 * time.Millisecond
	maxDiscovered = 500
)

// printServices are what printers announce (Bonjour Printing 1.2.1).
var printServices = []string{"_ipp._tcp.local.", "_ipps._tcp.local.", "_pdl-datastream._tcp.local."}

// mdnsGroup is where everybody on the link listens (RFC 6762 section 3).
var mdnsGroup = &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}

// discovered is what printers announced. Names people gave them stay here.
type discovered struct {
	names map[string]bool   // instances, by what stands before the service
	at    map[string]string // host:port by UUID
}

// discoverPrinters asks all links for printers, from a port of our own, to
// which answers come (RFC 6762 section 6.7).
func discoverPrinters(ctx context.Context) (*discovered, error) {
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	question, err := printersQuestion()
	if err != nil {
		return nil, err
	}
	links, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	asked := 0
	multicast := ipv4.NewPacketConn(conn)
	for _, link := range links {
		const wanted = net.FlagUp | net.FlagMulticast
		if link.Flags&wanted != wanted || link.Flags&net.FlagLoopback != 0 || multicast.SetMulticastInterface(&link) != nil {
			continue
		}
		if _, err := conn.WriteToUDP(question, mdnsGroup); err == nil {
			asked++
		}
	}
	if asked == 0 {
		return nil, fmt.Errorf("no link to ask for printers on: %w", errors.ErrUnsupported)
	}
	return hearPrinters(ctx, conn), nil
}

// hearPrinters gathers answers until discoveryTime is over.
func hearPrinters(ctx context.Context, conn net.PacketConn) *discovered {
	ctx, cancel := context.WithTimeout(ctx, discoveryTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	found := &discovered{names: map[string]bool{}, at: map[string]string{}}
	buffer := make([]byte, 9000) // RFC 6762 section 17
	for {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			return found
		}
		found.add(buffer[:n])
	}
}

func printersQuestion() ([]byte, error) {
	var m dnsmessage.Message
	for _, service := range printServices {
		name, err := dnsmessage.NewName(service)
		if err != nil {
			return nil, err
		}
		const unicast = 1 << 15 // RFC 6762 section 5.4
		m.Questions = append(m.Questions, dnsmessage.Question{Name: name, Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET | unicast})
	}
	return m.Pack()
}

// add notes what one answer announces. What makes no sense is passed over.
func (d *discovered) add(packet []byte) {
	var m dnsmessage.Message
	if m.Unpack(packet) != nil || !m.Response {
		return
	}
	uuids, services, addresses := map[string]string{}, map[string]*dnsmessage.SRVResource{}, map[string]netip.Addr{}
	for _, r := range slices.Concat(m.Answers, m.Additionals) {
		name := strings.ToLower(r.Header.Name.String())
		switch body := r.Body.(type) {
		case *dnsmessage.PTRResource:
			service := strings.ToLower(r.Header.Name.String())
			instance, found := strings.CutSuffix(strings.ToLower(body.PTR.String()), "."+service)
			if found && slices.Contains(printServices, service) && len(d.names) < maxDiscovered {
				d.names[instance] = true
			}
		case *dnsmessage.TXTResource:
			for _, text := range body.TXT {
				if key, value, found := strings.Cut(text, "="); found && strings.EqualFold(key, "UUID") {
					uuids[name] = strings.ToLower(strings.TrimPrefix(value, "urn:uuid:"))
				}
			}
		case *dnsmessage.SRVResource:
			services[name] = body
		case *dnsmessage.AResource:
			addresses[name] = netip.AddrFrom4(body.A)
		}
	}
	for name, uuid := range uuids {
		if s := services[name]; s != nil && uuid != "" && len(d.at) < maxDiscovered {
			if a, known := addresses[strings.ToLower(s.Target.String())]; known {
				d.at[uuid] = net.JoinHostPort(a.String(), strconv.Itoa(int(s.Port)))
			}
		}
	}
}

// locate notes printers that do not answer where their queue has them, and
// announce themselves elsewhere. Wanted are the UUIDs of the queues' devices, by
// address.
func (d *discovered) locate(printers []*constatv1.Printer, wanted map[string]string) {
	for _, p := range printers {
		uuid := p.GetUuid()
		if uuid == "" {
			uuid = wanted[p.GetAddress()]
		}
		at := d.at[strings.ToLower(uuid)]
		if at != "" && p.GetConnection() == "network" && p.Reachable != nil && !*p.Reachable && at != p.GetAddress() {
			p.FoundAt = set(at)
		}
	}
}
