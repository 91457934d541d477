package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// probesLimit ends all probes, whatever each of them still waits for: a
// diagnosis with the network dead has to answer in seconds.
const probesLimit = 4500 * time.Millisecond

// maxNames bounds how many names are asked of each resolver.
const maxNames = 16

// DefaultProbes returns the targets for an endpoint that no policy names any
// for: public services of different operators, so that one operator's outage
// does not look like a dead network. They learn no more than that somebody
// asked.
func DefaultProbes() *constatv1.ProbePolicy {
	return &constatv1.ProbePolicy{
		Names: []*constatv1.ProbeName{{Host: "example.com"}, {Host: "one.one.one.one", Expect: []string{
			"1.1.1.1/32", "1.0.0.1/32", "2606:4700:4700::/48",
		}}},
		Tcp: []string{
			"1.1.1.1:443", "8.8.8.8:443", "9.9.9.9:443",
			"[2606:4700:4700::1111]:443", "[2001:4860:4860::8888]:443", "[2620:fe::fe]:443",
		},
		Http: &constatv1.ProbeHttp{Url: "http://detectportal.firefox.com/success.txt", Status: 200, Body: "success"},
		Tls: []*constatv1.ProbeTls{
			{Address: "www.cloudflare.com:443"}, {Address: "www.google.com:443"}, {Address: "www.microsoft.com:443"},
		},
	}
}

// readProbes fills the probes group: all questions are sent at once, each with
// its own deadline.
func readProbes(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	policy := r.Probes
	if policy == nil {
		policy = DefaultProbes()
	}
	network, o := r.network()
	result := observed("sockets")
	if network == nil {
		for _, fact := range []string{"gateways", "dns", "proxy"} {
			result.Gaps = append(result.Gaps, &constatv1.Gap{
				Fact: fact, Status: o.GetStatus(), Reason: "whom to ask is unknown: " + o.GetReason(),
			})
		}
		network = &constatv1.Network{}
	}
	first, cancel := context.WithTimeout(ctx, probesLimit)
	defer cancel()
	p := newProber(first, network, policy)
	if p.guarded = r.PolicyProbes; p.guarded {
		p.policy = p.admit(policy)
	}
	if r.Privileged != nil {
		p.privileged = r.Privileged
	}
	p.patience.cold = newColdHops(p.hops())
	p.clocks = r.timeServers()
	if len(p.clocks) == 0 {
		gap(result, "clock", fmt.Errorf("no time server is named on this machine: %w", errors.ErrUnsupported))
	}
	p.filter, _ = r.filter(ctx) // the network group tells why not
	probes := p.run(ctx)
	result.Gaps = append(result.Gaps, p.gaps...)
	return probes, result
}

// prober is one run of all probes.
type prober struct {
	ctx     context.Context
	first   *prober // whom this one looks a second time for; nil: it is the first
	network *constatv1.Network
	policy  *constatv1.ProbePolicy
	// guarded: the policy is somebody else's, see permit.
	guarded bool
	// privileged asks the process with the rights.
	privileged func(ctx context.Context, verb, argument string) ([]byte, error)
	// clocks are the time servers to ask.
	clocks []string
	// filter is this machine's own packet filter; nil when it was not read.
	filter   *ruleset
	patience patience
	// losses are measured by family.
	losses map[int32]*loss
	// passed happens, by family, when something beyond the gateway answers.
	passed map[int32]*event
	// well happens when nothing is left to ask, and all answers are good.
	well *event
	// asked is done when every direct question is on its way. Look-ups wait for
	// it: where a server is gone, its machine says so of a few datagrams only,
	// and those should be ours.
	asked sync.WaitGroup

	mu      sync.Mutex
	lookups map[string]*lookup
	servers map[string]*nameServer
	// narrowed are the sizes that handshakes told, by family.
	narrowed map[int32]*constatv1.MtuProbe
	gaps     []*constatv1.Gap
}

func newProber(ctx context.Context, network *constatv1.Network, policy *constatv1.ProbePolicy) *prober {
	losses := map[int32]*loss{4: newLoss(), 6: newLoss()}
	losses[4].others, losses[6].others = []*loss{losses[6]}, []*loss{losses[4]}
	losses[6].slowing = losses[4].slowing
	return &prober{
		ctx: ctx, losses: losses, patience: patience{losses: losses}, network: network, policy: policy, lookups: map[string]*lookup{}, servers: map[string]*nameServer{}, narrowed: map[int32]*constatv1.MtuProbe{},
		passed: map[int32]*event{4: newEvent(), 6: newEvent()}, well: newEvent(),
		privileged: func(context.Context, string, string) ([]byte, error) {
			return nil, fmt.Errorf("not started with the rights for it: %w", fs.ErrPermission)
		},
	}
}

// run sends everything and waits for the slowest answer; whole ends it, with what
// is asked a second time.
func (p *prober) run(whole context.Context) *constatv1.Probes {
	var wg, measuring sync.WaitGroup
	result := &constatv1.Probes{}
	others := newEvent()
	repetitions := p.watchRepetitions(others)
	measuring.Go(func() { p.measureLosses(others) })
	result.Gateways = each(&wg, p.gateways(), p.askGateway)
	names := p.names()
	questions := p.questions(names)
	p.asked.Add(len(questions))
	result.Dns = each(&wg, questions, p.askDNS)
	result.Lookups = each(&wg, names, p.askLookup)
	result.Tcp = each(&wg, p.policy.GetTcp(), p.askTCP)
	bound := each(&wg, p.ways(), p.askWay)
	var listening sync.WaitGroup
	late, cancel := context.WithTimeout(whole, againLimit)
	defer cancel()
	patient := p.patiently(late)
	tls, tlsAgain := twice(&wg, p, patient, p.policy.GetTls(), (*prober).askTLS)
	services, servicesAgain := twice(&wg, p, patient, p.policy.GetServices(), (*prober).askService)
	result.Tls, result.Services = tls, services
	result.Conflicts = each(&listening, p.claims(), p.askOwners)
	result.Mtu = each(&wg, p.mtuTargets(), p.askMTU)
	if link, addressed := p.offerLink(); link != nil {
		listening.Go(func() { result.Dhcp = p.askOffers(link, addressed) })
	}
	if len(p.clocks) > 0 {
		wg.Go(func() { result.Clock = p.askClock(p.clocks) })
	}
	if page := p.policy.GetHttp(); page.GetUrl() != "" {
		wg.Go(func() { result.Http = p.askPage(page) })
	}
	if address := p.proxy(); address != "" {
		wg.Go(func() { result.Proxy = p.askProxy(address) })
	}
	wg.Wait()
	repetitions()
	others.set()
	if p.allIsWell(result) {
		p.well.set()
	}
	listening.Wait()
	measuring.Wait()
	p.takeSecond(result, servicesAgain, tlsAgain)
	result.Tcp, result.Tls, result.Services = answered(result.Tcp), answered(result.Tls), answered(result.Services)
	result.Mtu = p.sizesSeen(answered(result.Mtu))
	if result.Proxy != nil {
		result.Proxy.DirectWorks = set(slices.ContainsFunc(result.Tcp, func(t *constatv1.TcpProbe) bool { return t.GetResult() == "ok" }))
	}
	p.lossesSeen(result)
	result.Tcp = append(result.Tcp, bound...)
	return result
}

// each asks about every target at the same time; the answers stand in the
// targets' order once wg is done.
func each[T, R any](wg *sync.WaitGroup, targets []T, ask func(T) R) []R {
	answers := make([]R, len(targets))
	for i, t := range targets {
		wg.Go(func() { answers[i] = ask(t) })
	}
	return answers
}

// answered are the answers without those that were withheld.
func answered[R any](answers []*R) []*R {
	return slices.DeleteFunc(answers, func(a *R) bool { return a == nil })
}

// names are all names that the policy's targets need, with what their answers
// must be, each once: a hosts file or a lying server shows in any of them.
func (p *prober) names() []*constatv1.ProbeName {
	names := slices.Clone(p.policy.GetNames())
	add := func(host string) {
		_, err := netip.ParseAddr(host)
		known := slices.ContainsFunc(names, func(n *constatv1.ProbeName) bool { return strings.EqualFold(n.GetHost(), host) })
		if err != nil && host != "" && !known {
			names = append(names, &constatv1.ProbeName{Host: host})
		}
	}
	add(hostOf(p.policy.GetHttp().GetUrl()))
	for _, t := range p.policy.GetTls() {
		add(hostOf(t.GetAddress()))
	}
	for _, s := range p.policy.GetServices() {
		add(hostOfService(s))
	}
	return names[:min(len(names), maxNames)]
}

// hostOf finds the host in a URL, in host:port or in a bare host.
func hostOf(target string) string {
	if strings.Contains(target, "://") {
		u, err := url.Parse(target)
		if err != nil {
			return ""
		}
		return u.Hostname()
	}
	if host, _, err := net.SplitHostPort(target); err == nil {
		return host
	}
	return strings.Trim(target, "[]")
}

// withPort adds the port when the target names none.
func withPort(target, port string) string {
	if _, _, err := net.SplitHostPort(target); err == nil {
		return target
	}
	return net.JoinHostPort(strings.Trim(target, "[]"), port)
}

// proxy is the configured web proxy, or "".
func (p *prober) proxy() string {
	if a := p.network.GetProxy().GetHttps(); a != "" {
		return a
	}
	return p.network.GetProxy().GetHttp()
}
