package host

import (
	"context"
	"slices"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// glance is how long others on the link are listened for in any case: whoever
// has something to say on it says so within milliseconds.
const glance = 250 * time.Millisecond

// listen asks who else is on a link, for a glance, and for the rest of limit
// only while something else is wrong or not answered: a verdict on a network
// that works need not wait for the silence of machines that are not there.
func (p *prober) listen(limit time.Duration, ask func(ctx context.Context, part time.Duration) ([]byte, error)) ([]byte, error) {
	first, err := ask(p.ctx, glance)
	if err != nil || p.well.yes() {
		return first, err
	}
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	go func() {
		select {
		case <-p.well.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	rest, err := ask(ctx, limit-glance)
	if err != nil && p.well.yes() {
		return first, nil
	}
	return slices.Concat(first, rest), err
}

// allIsWell tells whether no answer hints at a fault.
func (p *prober) allIsWell(r *constatv1.Probes) bool {
	for _, d := range r.GetDns() {
		if d.GetResult() != "ok" || d.Expected != nil && !d.GetExpected() {
			return false
		}
	}
	for _, l := range r.GetLookups() {
		if l.GetResult() != "ok" || l.Expected != nil && !l.GetExpected() {
			return false
		}
	}
	for _, t := range r.GetTls() {
		if t != nil && t.GetResult() != "ok" {
			return false
		}
	}
	for _, s := range r.GetServices() {
		if s != nil && s.GetResult() != "ok" {
			return false
		}
	}
	for _, route := range p.network.GetRoutes() {
		leads := func(t *constatv1.TcpProbe) bool { return t != nil && t.GetFamily() == route.GetFamily() }
		works := func(t *constatv1.TcpProbe) bool { return leads(t) && t.GetResult() == "ok" }
		if slices.ContainsFunc(r.GetTcp(), leads) && !slices.ContainsFunc(r.GetTcp(), works) {
			return false
		}
	}
	return (r.GetHttp() == nil || r.GetHttp().GetResult() == "ok") && (r.GetProxy() == nil || r.GetProxy().GetResult() == "ok")
}
