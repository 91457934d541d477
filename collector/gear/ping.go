package gear

import (
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// pings are how often a device is asked for an echo, each pingWait after the other.
const (
	pings    = 3
	pingWait = 300 * time.Millisecond
)

// answersPing asks a device for an echo; nil where this program may not, or where
// the device's address is not known.
func answersPing(ctx context.Context, address string) *bool {
	for _, a := range addressesOf(ctx, address) {
		if answers := echo(ctx, a); answers != nil {
			return answers
		}
	}
	return nil
}

// echo asks one address: by the sockets that everybody may use where the system
// has them, else by raw ones.
func echo(ctx context.Context, a netip.Addr) *bool {
	type way struct{ network, on string }
	ways, kind, protocol := []way{{"udp4", "0.0.0.0"}, {"ip4:icmp", "0.0.0.0"}}, icmp.Type(ipv4.ICMPTypeEcho), 1
	if a.Is6() {
		ways, kind, protocol = []way{{"udp6", "::"}, {"ip6:ipv6-icmp", "::"}}, ipv6.ICMPTypeEchoRequest, 58
	}
	for _, w := range ways {
		conn, err := icmp.ListenPacket(w.network, w.on)
		if err != nil {
			continue
		}
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
		defer stop()
		to := net.Addr(&net.IPAddr{IP: a.AsSlice()})
		if w.network[0] == 'u' {
			to = &net.UDPAddr{IP: a.AsSlice()}
		}
		mark := rand.Text()
		for n := range pings {
			raw, err := (&icmp.Message{Type: kind, Body: &icmp.Echo{ID: int(mark[0])<<8 | int(mark[1]), Seq: n, Data: []byte(mark)}}).Marshal(nil)
			if err != nil {
				return nil
			}
			if _, err := conn.WriteTo(raw, to); err != nil {
				return nil // no way there from here: that says nothing of the device
			}
			if heard(conn, protocol, mark, time.Now().Add(pingWait)) {
				return proto.Bool(true)
			}
			if ctx.Err() != nil {
				return nil
			}
		}
		return proto.Bool(false)
	}
	return nil
}

// heard waits for the reply that bears the mark.
func heard(conn *icmp.PacketConn, protocol int, mark string, until time.Time) bool {
	_ = conn.SetReadDeadline(until)
	buffer := make([]byte, 1500)
	for {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			return false
		}
		m, err := icmp.ParseMessage(protocol, buffer[:n])
		if err != nil || m.Type != ipv4.ICMPTypeEchoReply && m.Type != ipv6.ICMPTypeEchoReply {
			continue
		}
		if reply, ok := m.Body.(*icmp.Echo); ok && string(reply.Data) == mark {
			return true
		}
	}
}

// silence is what is known of a device that says nothing to us over SNMP: that it
// answers a ping is known at once, that it does not says something only of one
// that did while it was well. Many networks answer none.
func silence(ctx context.Context, address string, last *constatv1.Gear) *bool {
	now := answersPing(ctx, address)
	if now == nil || !*now && !last.GetAnswersPing() {
		return nil
	}
	return now
}
