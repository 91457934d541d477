package host

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// lookupLimit is how long the system's resolver may take. It waits five
// seconds for a silent server, so it is cut short: what the servers say by
// themselves is asked directly.
const lookupLimit = 900 * time.Millisecond

// newResolver resolves as programs do: hosts file first, then the servers of
// resolv.conf. On Linux it is Go's own resolver, which reads the same files as
// the C library and, unlike that, can be given up. Elsewhere it is the
// system's, which knows policies that no file shows.
func newResolver() *net.Resolver {
	return &net.Resolver{PreferGo: runtime.GOOS == "linux", Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		if udp, ok := conn.(*net.UDPConn); ok {
			return plainQuestions{udp}, err
		}
		return conn, err
	}}
}

// plainQuestions are sent without the extension that Go's resolver adds and the
// C library does not: some old servers answer FORMERR to that (RFC 6891 7).
type plainQuestions struct{ *net.UDPConn }

func (p plainQuestions) Write(message []byte) (int, error) {
	// The only additional record is the last: no name, of type OPT, without data.
	const count, option = 11, 11 // where their number ends, and the record's length
	plain := slices.Clone(message)
	if end := len(plain) - option; end > 12 && plain[count-1] == 0 && plain[count] == 1 &&
		plain[end] == 0 && plain[end+1] == 0 && plain[end+2] == byte(dnsOPT) && plain[len(plain)-1] == 0 && plain[len(plain)-2] == 0 {
		plain = plain[:end]
		plain[count] = 0
	}
	_, err := p.UDPConn.Write(plain)
	return len(message), err
}

// dnsOPT is the type of the record that carries extensions.
const dnsOPT = 41

// lookup is one name, asked once for all probes that need it.
type lookup struct {
	done      chan struct{}
	addresses []netip.Addr
	took      time.Duration
	err       error
}

// resolve starts the lookup of a name, or finds the one that was started.
func (p *prober) resolve(name string) *lookup {
	if p.first != nil {
		return p.first.resolve(name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	name = strings.ToLower(name)
	if l := p.lookups[name]; l != nil {
		return l
	}
	l := &lookup{done: make(chan struct{})}
	p.lookups[name] = l
	go func() {
		defer close(l.done)
		p.asked.Wait()
		ctx, cancel := p.patience.within(p.ctx, lookupLimit)
		defer cancel()
		start := time.Now()
		var took time.Duration
		l.addresses, took, l.err = repeatLookup(ctx, name)
		l.took = time.Since(start)
		if l.err != nil && ctx.Err() != nil {
			l.err = &net.DNSError{Err: "given up", Name: name, IsTimeout: true}
		}
		if l.err == nil {
			if own := p.patience.answered(took); own < took {
				l.took = own
			}
		}
		for i, a := range l.addresses {
			l.addresses[i] = a.Unmap()
		}
	}()
	return l
}

// repeatLookup asks the system's resolver, and asks again while there is no
// answer: it waits seconds itself before it repeats a lost question. took is
// the time of the question that was answered, without those lost before it.
func repeatLookup(ctx context.Context, name string) (addresses []netip.Addr, took time.Duration, err error) {
	type outcome struct {
		addresses []netip.Addr
		took      time.Duration
		err       error
	}
	done := make(chan outcome, 1+len(repeats))
	ask := func() {
		start := time.Now()
		// A resolver of its own: one alone would join equal questions.
		addresses, err := newResolver().LookupNetIP(ctx, "ip", name)
		done <- outcome{addresses, time.Since(start), err}
	}
	go ask()
	for _, at := range repeats {
		again := time.AfterFunc(at, ask)
		defer again.Stop()
	}
	first := <-done
	return first.addresses, first.took, first.err
}

// lookup waits for the addresses of a name; there is at least one, or an error.
func (p *prober) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	l := p.resolve(name)
	select {
	case <-l.done:
		if l.err == nil && len(l.addresses) == 0 {
			return nil, &net.DNSError{Err: "no addresses", Name: name, IsNotFound: true}
		}
		return l.addresses, l.err
	case <-ctx.Done():
		return nil, &net.DNSError{Err: ctx.Err().Error(), Name: name, IsTimeout: true}
	}
}

// askLookup tells what the system's resolver says of a name.
func (p *prober) askLookup(name *constatv1.ProbeName) *constatv1.LookupProbe {
	l := p.resolve(name.GetHost())
	<-l.done
	probe := &constatv1.LookupProbe{
		Name: set(name.GetHost()), Result: set(lookupResult(l.err)), Ms: set(float64(l.took.Microseconds()) / 1000),
	}
	if l.err == nil {
		probe.Answers, probe.Expected = answers(l.addresses, name.GetExpect())
	}
	return probe
}

// lookupResult is the word for what a resolver said.
func lookupResult(err error) string {
	var dns *net.DNSError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "notFound"
	case errors.As(err, &dns) && dns.IsTimeout, resultOf(err) == "timeout":
		return "timeout"
	default:
		return "error"
	}
}

// answers are addresses as facts, sorted, and whether one of them lies in the
// expected prefixes (nil when none are given). A malformed prefix expects
// nothing.
func answers(addresses []netip.Addr, expect []string) (texts []string, expected *bool) {
	if len(expect) > 0 {
		expected = set(false)
	}
	for _, a := range addresses {
		texts = append(texts, a.String())
		for _, e := range expect {
			if p, err := netip.ParsePrefix(e); err == nil && p.Contains(a) {
				*expected = true
			}
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts), expected
}
