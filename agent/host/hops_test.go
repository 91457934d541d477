package host

import (
	"context"
	"errors"
	"testing"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// A hop that was known late shifts the deadlines of those who are silent, and
// is no part of what an answer took.
func TestLateHop(t *testing.T) {
	resolved := time.Now()
	p := &patience{cold: &coldHops{hops: []hop{{link: "lan"}}, settled: func() time.Time { return resolved }}}
	if more := p.late(time.Minute); more < 50*time.Second || more > time.Minute {
		t.Errorf("%v more", more)
	}
	p.cold.settled = func() time.Time { return time.Time{} }
	if more := p.late(time.Minute); more != 0 {
		t.Errorf("%v more for nobody", more)
	}
	ctx, cancel := p.within(t.Context(), time.Millisecond)
	defer cancel()
	<-ctx.Done()
	var none *coldHops
	if took := none.own(time.Minute); took != time.Minute {
		t.Errorf("took %v", took)
	}
}

// Who else is on the link is listened for at length only while something is
// wrong.
func TestListen(t *testing.T) {
	p := newProber(t.Context(), &constatv1.Network{}, &constatv1.ProbePolicy{})
	asked := 0
	ask := func(_ context.Context, part time.Duration) ([]byte, error) {
		asked++
		return []byte(part.String() + " "), nil
	}
	if got, err := p.listen(time.Second, ask); string(got) != "250ms 750ms " || err != nil {
		t.Errorf("%q, %v, while the rest is unknown", got, err)
	}
	// All is well while the rest is listened for.
	waits := func(ctx context.Context, part time.Duration) ([]byte, error) {
		if part == glance {
			return []byte("heard"), nil
		}
		p.well.set()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if got, err := p.listen(time.Second, waits); string(got) != "heard" || err != nil {
		t.Errorf("%q, %v, once all is well", got, err)
	}
	asked = 0
	if got, err := p.listen(time.Second, ask); string(got) != "250ms " || err != nil || asked != 1 {
		t.Errorf("%q, %v, when all was well", got, err)
	}
	refused := func(context.Context, time.Duration) ([]byte, error) { return nil, errors.New("no") }
	if _, err := p.listen(time.Second, refused); err == nil {
		t.Error("no error")
	}
}

func TestAllIsWell(t *testing.T) {
	p := newProber(t.Context(), &constatv1.Network{Routes: []*constatv1.Route{{Family: set(int32(4))}}}, &constatv1.ProbePolicy{})
	good := func() *constatv1.Probes {
		return &constatv1.Probes{
			Dns: []*constatv1.DnsProbe{{Result: set("ok"), Expected: set(true)}}, Lookups: []*constatv1.LookupProbe{{Result: set("ok")}},
			Tcp: []*constatv1.TcpProbe{{Family: set(int32(4)), Result: set("timeout")}, nil, {Family: set(int32(4)), Result: set("ok")}, {Family: set(int32(6)), Result: set("unreachable")}},
			Tls: []*constatv1.TlsProbe{{Result: set("ok")}, nil}, Http: &constatv1.HttpProbe{Result: set("ok")},
		}
	}
	if !p.allIsWell(good()) {
		t.Error("a good network")
	}
	for name, spoil := range map[string]func(*constatv1.Probes){
		"dns":      func(r *constatv1.Probes) { r.Dns[0].Result = set("timeout") },
		"a lie":    func(r *constatv1.Probes) { r.Dns[0].Expected = set(false) },
		"lookup":   func(r *constatv1.Probes) { r.Lookups[0].Result = set("notFound") },
		"tcp":      func(r *constatv1.Probes) { r.Tcp[2].Result = set("refused") },
		"tls":      func(r *constatv1.Probes) { r.Tls[0].Result = set("expired") },
		"page":     func(r *constatv1.Probes) { r.Http.Result = set("redirect") },
		"proxy":    func(r *constatv1.Probes) { r.Proxy = &constatv1.ProxyProbe{Result: set("timeout")} },
		"services": func(r *constatv1.Probes) { r.Services = []*constatv1.ServiceProbe{{Result: set("httpError")}} },
	} {
		r := good()
		if spoil(r); p.allIsWell(r) {
			t.Error(name)
		}
	}
}
