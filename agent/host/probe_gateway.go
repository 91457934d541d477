package host

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	constatv1 "constat/proto/constat/v1"
)

// gatewayLimit is how long a gateway may take.
const gatewayLimit = hopLimit

// pingTimes are when echo requests are sent while none was answered.
var pingTimes = []time.Duration{0, 250 * time.Millisecond, 500 * time.Millisecond}

// echoGrace is how much longer an echo reply is waited for once something
// beyond the gateway has answered: it is nearer than that.
const echoGrace = 100 * time.Millisecond

// discardPort is where a datagram goes that only makes the kernel resolve the
// gateway (RFC 863).
const discardPort = 9

// gateways are the next hops of the default routes, each once.
func (p *prober) gateways() []*constatv1.Route {
	var hops []*constatv1.Route
	for _, r := range p.network.GetRoutes() {
		same := func(o *constatv1.Route) bool { return o.GetGateway() == r.GetGateway() && o.GetLink() == r.GetLink() }
		if r.GetGateway() != "" && !slices.ContainsFunc(hops, same) {
			hops = append(hops, r)
		}
	}
	return hops
}

// isBest tells whether a route is the one its family's packets take.
func (p *prober) isBest(route *constatv1.Route) bool {
	for _, r := range p.network.GetRoutes() {
		if r.GetFamily() == route.GetFamily() {
			return r == route
		}
	}
	return false
}

// askGateway makes the kernel ask for the gateway's hardware address and pings
// it meanwhile. An echo reply proves the gateway where the neighbour table
// cannot, and so does an answer from beyond it; silence to echo proves nothing.
func (p *prober) askGateway(route *constatv1.Route) *constatv1.GatewayProbe {
	g := &constatv1.GatewayProbe{Address: route.Gateway, Family: route.Family, Link: route.Link}
	address, err := netip.ParseAddr(route.GetGateway())
	if err != nil {
		g.Neighbour, g.Ping = nil, set("error")
		return g
	}
	if address.IsLinkLocalUnicast() && address.Is6() {
		address = address.WithZone(route.GetLink())
	}
	whole, cancel := context.WithCancel(p.ctx)
	defer cancel()
	ctx, stop := p.patience.within(whole, gatewayLimit)
	defer stop()
	best := p.isBest(route)
	if best {
		go func() {
			select {
			case <-p.passed[familyOf(address)].done:
				time.AfterFunc(echoGrace, cancel)
			case <-ctx.Done():
			}
		}()
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		ping(ctx, address, g)
		if g.GetPing() == "ok" {
			if g.GetSent() > 1 {
				p.losses[familyOf(address)].hinted.set()
			}
			took := p.patience.answered(time.Duration(g.GetPingMs() * float64(time.Millisecond)))
			g.PingMs = inMilliseconds(took)
			cancel() // proved: nothing is left to wait for
		}
	})
	wg.Go(func() {
		if pause(ctx, knockAfter); ctx.Err() != nil {
			return
		}
		if g.Knock = set("timeout"); knock(ctx, address) {
			g.Knock = set("ok")
			cancel()
		}
	})
	var state, mac string
	var asked int
	wg.Go(func() { state, mac, asked = resolveGateway(ctx, whole, address, route.GetLink(), p.confirm) })
	wg.Wait()
	if state != "notApplicable" && (g.GetPing() == "ok" || g.GetKnock() == "ok" || best && p.passed[familyOf(address)].yes()) {
		state = "reachable"
	}
	g.Neighbour, g.Mac = filled(state), filled(mac)
	if whole.Err() != nil && g.GetKnock() == "timeout" {
		g.Knock = nil // answered otherwise meanwhile
	}
	if asked > 0 && (state == "failed" || state == "incomplete") {
		g.Asked = set(int32(asked))
	}
	return g
}

// confirmation makes the kernel ask for a neighbour ("LINK ADDRESS") again, or for
// whoever has its address now ("LINK ADDRESS anew"), and tells whether that was
// done.
type confirmation func(ctx context.Context, neighbour string) bool

func (p *prober) confirm(ctx context.Context, neighbour string) bool {
	_, err := p.privileged(ctx, "neighbour", neighbour)
	return err == nil
}

// A router that answers no echoes is knocked at where routers listen: whether it
// takes the connection or refuses it, it is there. That needs no rights, and
// neither does the word of a closed port (RFC 1122 3.2.2.1).
var knocks = []uint16{53, 80, 443}

const knockAfter = 300 * time.Millisecond

// knock tells whether an address answers for itself before ctx ends.
func knock(ctx context.Context, address netip.Addr) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	heard := make(chan bool, len(knocks)+1)
	for _, port := range knocks {
		go func() {
			var d net.Dialer
			conn, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(address, port).String())
			if err == nil {
				conn.Close()
			}
			heard <- err == nil || resultOf(err) == "refused"
		}()
	}
	go func() {
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, discardPort)))
		if err != nil {
			heard <- false
			return
		}
		defer conn.Close()
		hearRefusals(conn)
		defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
		_, err = conn.Write([]byte{0})
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		heard <- resultOf(err) == "refused"
	}()
	for range cap(heard) {
		if <-heard {
			return true
		}
	}
	return false
}

// poke sends the gateway one datagram.
func poke(address netip.Addr) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, discardPort)))
	if err != nil {
		return
	}
	defer conn.Close()
	// Lost or refused: the neighbour table tells.
	_, _ = conn.Write([]byte{0})
}

// echo is how a family is pinged: without rights, else by a raw socket.
type echo struct {
	networks [2]string
	any      string
	request  icmp.Type
	reply    icmp.Type
	protocol int
}

var echoes = map[int32]echo{
	4: {[2]string{"udp4", "ip4:icmp"}, "0.0.0.0", ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply, 1},
	6: {[2]string{"udp6", "ip6:ipv6-icmp"}, "::", ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply, 58},
}

// ping sends echo requests until one is answered or ctx ends.
func ping(ctx context.Context, address netip.Addr, g *constatv1.GatewayProbe) {
	e := echoes[familyOf(address)]
	conn, writable, err := e.listen()
	if err != nil {
		g.Ping = set("error")
		if errors.Is(err, fs.ErrPermission) {
			g.Ping = set("denied")
		}
		return
	}
	defer conn.Close()
	to := writable(address)
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	nonce := rand.Text()
	start := time.Now()
	sent := make([]time.Time, 0, len(pingTimes))
	for i := range pingTimes {
		if ctx.Err() != nil {
			break
		}
		message, err := (&icmp.Message{Type: e.request, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: i + 1, Data: []byte(nonce)}}).Marshal(nil)
		if err != nil {
			break
		}
		sent = append(sent, time.Now())
		if _, err := conn.WriteTo(message, to); err != nil {
			g.Ping = set("error")
			if resultOf(err) == "blocked" {
				g.Ping = set("denied")
			}
			return
		}
		until := start.Add(3 * gatewayLimit) // ctx ends before that
		if i+1 < len(pingTimes) {
			until = start.Add(pingTimes[i+1])
		}
		if seq := e.await(ctx, conn, nonce, until); seq > 0 && seq <= len(sent) {
			g.Ping, g.PingMs = set("ok"), milliseconds(sent[seq-1])
			// Requests before the answered one are lost; later ones are not waited for.
			g.Sent, g.Received = set(int32(seq)), set(int32(1))
			g.LossPercent = set(float64(seq-1) / float64(seq) * 100)
			return
		}
	}
	g.Ping, g.Sent, g.Received = set("timeout"), set(int32(len(sent))), set(int32(0))
}

// await reads until our reply comes and returns its sequence number; 0 means
// none came in time.
func (e echo) await(ctx context.Context, conn net.PacketConn, nonce string, until time.Time) int {
	if err := conn.SetReadDeadline(until); err != nil || ctx.Err() != nil {
		return 0
	}
	return e.read(conn, nonce)
}

// read returns the sequence number of our next reply; 0 at the deadline.
func (e echo) read(conn net.PacketConn, nonce string) int {
	buffer := make([]byte, 1500)
	for {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			return 0
		}
		m, err := icmp.ParseMessage(e.protocol, buffer[:n])
		if err != nil || m.Type != e.reply {
			continue
		}
		if body, ok := m.Body.(*icmp.Echo); ok && string(body.Data) == nonce {
			return body.Seq
		}
	}
}
