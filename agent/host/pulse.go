package host

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	constatv1 "constat/proto/constat/v1"
)

const (
	// vitalPatience is how long gateway and resolver may take.
	vitalPatience = time.Second
	// askEvery is the pace of questions to the resolver, and to gateways that
	// have not answered yet. The resolver is asked for the root's name servers,
	// which every one knows: nobody beyond it has to be asked.
	askEvery = 5 * time.Minute
)

// pulse asks the machine's own gateways and its own resolver, again and again. What
// goes over the network is one echo request a minute to each gateway (three where
// the first is lost) and one question to the resolver every five.
type pulse struct {
	// echoes are the gateways that have answered an echo request: only their
	// silence is a loss, others never answer.
	echoes map[netip.Addr]bool
	// rare is when what is asked at the slow pace was asked last.
	rare time.Time
	// silenced: this user may not send echo requests.
	silenced atomic.Bool
	// resolves: the resolver has answered at some time.
	resolves bool
}

// wakes has the resolver asked in the next minute: after a sleep it may be another one.
func (p *pulse) wakes() { p.rare = time.Time{} }

// ask takes the readings of a minute; dns is whether the resolver answered, nil
// where it was not asked. Upstream is where that one is, the zero address nowhere.
func (p *pulse) ask(ctx context.Context, gateways []*constatv1.Route, upstream func() netip.Addr) (all []Reading, dns *bool) {
	ctx, cancel := context.WithTimeout(ctx, vitalPatience)
	defer cancel()
	var (
		wait sync.WaitGroup
		mu   sync.Mutex
	)
	note := func(kind, owner string, value float64) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, Reading{kind, owner, value})
	}
	now := time.Now()
	rarely := now.Sub(p.rare) >= askEvery || now.Before(p.rare)
	if rarely {
		p.rare = now
		if server := upstream(); server.IsValid() {
			wait.Go(func() {
				took, err := askRoot(ctx, server)
				if err == nil {
					note("dnsMs", server.String(), float64(took)/float64(time.Millisecond))
				}
				mu.Lock()
				defer mu.Unlock()
				dns = set(err == nil)
				if err != nil && p.resolves {
					p.rare = time.Time{} // and once more in a minute
				}
				p.resolves = p.resolves || err == nil
			})
		}
	}
	for _, route := range gateways {
		address, err := netip.ParseAddr(route.GetGateway())
		if err != nil {
			continue
		}
		if address.IsLinkLocalUnicast() && address.Is6() {
			address = address.WithZone(route.GetLink())
		}
		mu.Lock()
		answered := p.echoes[address]
		mu.Unlock()
		if !answered && !rarely {
			continue
		}
		wait.Go(func() {
			g := &constatv1.GatewayProbe{}
			ping(ctx, address, g)
			switch {
			case g.PingMs != nil:
				note("gatewayMs", route.GetLink(), *g.PingMs)
				note("lossPercent", route.GetLink(), g.GetLossPercent())
				mu.Lock()
				if p.echoes == nil || len(p.echoes) > maxVitalLinks { // of a traveller: it is learned again at once
					p.echoes = map[netip.Addr]bool{}
				}
				p.echoes[address] = true
				mu.Unlock()
			case g.GetPing() == "denied":
				p.silenced.Store(true)
			case answered && g.GetPing() == "timeout":
				note("lossPercent", route.GetLink(), 100)
			}
		})
	}
	wait.Wait()
	return all, dns
}

// eachOnce are the routes whose gateways are others, the first of each.
func eachOnce(wide []*constatv1.Route) (gateways []*constatv1.Route) {
	seen := map[string]bool{}
	for _, route := range wide {
		key := route.GetLink() + " " + route.GetGateway()
		if route.GetGateway() != "" && !seen[key] && len(gateways) < maxVitalLinks {
			seen[key] = true
			gateways = append(gateways, route)
		}
	}
	return gateways
}

// askRoot asks a resolver for the name servers of the root.
func askRoot(ctx context.Context, server netip.Addr) (time.Duration, error) {
	message, err := packQuestion(uint16(rand.Uint32()), ".", dnsmessage.TypeNS)
	if err != nil {
		return 0, err
	}
	_, took, err := exchangeUDP(ctx, net.JoinHostPort(server.String(), "53"), message, func() {})
	return took, err
}
