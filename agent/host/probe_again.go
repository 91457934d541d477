package host

import (
	"context"
	"slices"
	"sync"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// againLimit ends the second look, however patient that is.
const againLimit = 4 * time.Second

// lookAgain asks once more, alone and with all patience, what did not answer in
// time although others did: a server that took the connection may be slow, and
// on a line that is slow or loses much, silence is no answer. It comes when all
// other probes have ended, so that they fill no narrow line.
func (p *prober) lookAgain(whole context.Context, result *constatv1.Probes) {
	poor := p.patience.slow.Load() || p.losses[4].bad() || p.losses[6].bad()
	sites := slices.ContainsFunc(result.GetTls(), func(t *constatv1.TlsProbe) bool { return t.GetResult() == "ok" })
	reached := slices.ContainsFunc(result.GetTcp(), func(t *constatv1.TcpProbe) bool { return t.GetResult() == "ok" })
	works := sites || result.GetProxy().GetResult() == "ok" || reached && (poor || len(result.GetTls()) == 0)
	if !works {
		return // the way there is what fails
	}
	ctx, cancel := context.WithTimeout(whole, againLimit)
	defer cancel()
	p.ctx = ctx // nobody else probes any more
	p.patience.slow.Store(true)
	var wg sync.WaitGroup
	for i, s := range result.GetServices() {
		silent := s.Connected != nil && !s.GetConnected()
		if s.GetResult() == "timeout" && (poor || !silent) {
			wg.Go(func() { result.Services[i] = p.askService(p.policy.GetServices()[i]) })
		}
	}
	for i, t := range result.GetTls() {
		if t.GetResult() == "timeout" && poor && !sites {
			wg.Go(func() { result.Tls[i] = p.askTLS(p.policy.GetTls()[i]) })
		}
	}
	wg.Wait()
}
