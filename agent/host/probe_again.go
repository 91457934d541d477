package host

import (
	"context"
	"slices"
	"sync"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// againLimit ends the second looks, however patient they are, counted from the
// first question of all: an answer that comes later, nobody waits for.
const againLimit = probesLimit + 200*time.Millisecond

// later is a second look at one target.
type later[R any] struct {
	done   chan struct{}
	answer R
}

// answerOf is what the probes of targets have in common.
type answerOf interface{ GetResult() string }

// twice is each, and asks once more, with all patience and by another prober,
// what did not answer in time, as soon as that is seen: a server that took the
// connection may be slow, and on a line that is slow or loses much, silence is no
// answer. Whether the second answer counts is known only when all others came.
func twice[T any, R answerOf](wg *sync.WaitGroup, p, patient *prober, targets []T, ask func(*prober, T) R) (answers []R, second []*later[R]) {
	answers, second = make([]R, len(targets)), make([]*later[R], len(targets))
	for i, t := range targets {
		wg.Go(func() {
			if answers[i] = ask(p, t); answers[i].GetResult() != "timeout" {
				return
			}
			l := &later[R]{done: make(chan struct{})}
			second[i] = l
			go func() {
				defer close(l.done)
				l.answer = ask(patient, t)
			}()
		})
	}
	return answers, second
}

// patiently is a prober for second looks, who waits from the beginning as if the
// way had proved slow. Names it knows from the first.
func (p *prober) patiently(ctx context.Context) *prober {
	second := newProber(ctx, p.network, p.policy)
	second.first, second.losses, second.passed = p, p.losses, p.passed
	second.guarded, second.privileged, second.filter = p.guarded, p.privileged, p.filter
	second.patience.losses, second.patience.cold = p.losses, p.patience.cold
	second.patience.slow.Store(true)
	for family := range p.losses {
		second.narrowed[family] = nil // once was enough
	}
	return second
}

// takeSecond puts second answers in the place of those that did not come in
// time, where others show that the way there is not what fails.
func (p *prober) takeSecond(result *constatv1.Probes, services []*later[*constatv1.ServiceProbe], tls []*later[*constatv1.TlsProbe]) {
	poor := p.patience.slow.Load() || p.losses[4].bad() || p.losses[6].bad()
	sites := slices.ContainsFunc(result.GetTls(), func(t *constatv1.TlsProbe) bool { return t.GetResult() == "ok" })
	reached := slices.ContainsFunc(result.GetTcp(), func(t *constatv1.TcpProbe) bool { return t.GetResult() == "ok" })
	works := sites || result.GetProxy().GetResult() == "ok" || reached && (poor || len(result.GetTls()) == 0)
	if !works {
		return
	}
	for i, l := range services {
		s := result.Services[i]
		silent := s.GetResult() == "timeout" && s.Connected != nil && !s.GetConnected()
		if l != nil && (poor || !silent) {
			<-l.done
			result.Services[i] = l.answer
		}
	}
	for i, l := range tls {
		if l != nil && poor && !sites {
			<-l.done
			result.Tls[i] = l.answer
		}
	}
}
