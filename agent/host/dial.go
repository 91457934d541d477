package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
)

// connectLimit is how long a connect may take. The kernel repeats a lost SYN
// only after a second, so hedges are sent instead of waiting for that.
const connectLimit = time.Second

// hedges are when further connects start while none was answered; the later
// ones only where the deadline was stretched.
var hedges = []time.Duration{
	0, 250 * time.Millisecond, 500 * time.Millisecond,
	connectLimit + 100*time.Millisecond, connectLimit + 500*time.Millisecond, connectLimit + time.Second,
}

// errBadTarget is a target that is no host:port.
var errBadTarget = errors.New("the target is not host:port")

// attempt is one connect under way or done.
type attempt struct {
	conn net.Conn
	took time.Duration
	err  error
}

// dial connects to host:port and returns the first connection that is
// answered, with the number of connects that were started. Names are looked up
// by the system's resolver; several addresses take turns (RFC 8305).
func (p *prober) dial(ctx context.Context, target string) (net.Conn, int, error) {
	addresses, err := p.addresses(ctx, target)
	if err != nil {
		return nil, 0, err
	}
	return p.race(ctx, addresses, "")
}

// race connects to the first of these addresses that answers, over a link, or
// as routed where that is "".
func (p *prober) race(ctx context.Context, addresses []netip.AddrPort, link string) (_ net.Conn, _ int, err error) {
	ctx, cancel := p.patience.within(ctx, connectLimit)
	defer cancel()
	done := make(chan attempt, len(hedges))
	started, failed := 0, 0
	start := func() {
		to := addresses[started%len(addresses)]
		started++
		go func() {
			d := net.Dialer{Control: boundTo(link)}
			began := time.Now()
			conn, err := d.DialContext(ctx, "tcp", to.String())
			done <- attempt{conn, time.Since(began), err}
		}()
	}
	start()
	for {
		var hedge <-chan time.Time
		if started < len(hedges) {
			hedge = time.After(hedges[started] - hedges[started-1])
		}
		select {
		case <-hedge:
			p.hint()
			start()
		case a := <-done:
			if a.err == nil {
				go closeRest(done, started-failed-1)
				if p.patience.answered(a.took) < a.took {
					started = 1 // the hedges waited here as well
				} else if started > 1 {
					p.hintLost()
				}
				return a.conn, started, nil
			}
			switch {
			case resultOf(err) == "refused": // an answer says more than silence elsewhere
			case ctx.Err() != nil:
				err = context.DeadlineExceeded
			default:
				err = a.err
			}
			failed++
			switch {
			case failed < started:
			case started < min(len(addresses), len(hedges)):
				start()
			default:
				if link != "" {
					return nil, started, err
				}
				return nil, started, p.blamed(err, addresses)
			}
		}
	}
}

// blamed is why no address could be reached: what the last one said, or this
// machine's own filter, where that stops them all. Sockets are not told of a
// connection's packets that it drops.
func (p *prober) blamed(err error, addresses []netip.AddrPort) error {
	for _, to := range addresses {
		if !p.filter.blocks(protocolTCP, to, p.network) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", errBlocked, err)
}

// closeRest closes the connections that lost the race.
func closeRest(done <-chan attempt, n int) {
	for range n {
		if a := <-done; a.conn != nil {
			a.conn.Close()
		}
	}
}

// addresses are where a host:port lies, of both families in turn, the one that
// the system prefers first.
func (p *prober) addresses(ctx context.Context, target string) ([]netip.AddrPort, error) {
	host, text, err := net.SplitHostPort(target)
	if err != nil {
		return nil, errBadTarget
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, errBadTarget
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a, uint16(port))}, nil
	}
	ips, err := p.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	var first, second []netip.AddrPort
	for _, a := range ips {
		if a.Is4() == ips[0].Is4() {
			first = append(first, netip.AddrPortFrom(a, uint16(port)))
		} else {
			second = append(second, netip.AddrPortFrom(a, uint16(port)))
		}
	}
	var list []netip.AddrPort
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			list = append(list, first[i])
		}
		if i < len(second) {
			list = append(list, second[i])
		}
	}
	return list, nil
}

// resultOf is the word for what a socket said.
func resultOf(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	var errno syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, errBlocked):
		return "blocked"
	case errors.As(err, &dns):
		return "nameNotResolved"
	case errors.As(err, &errno) && socketResults[errno] != "":
		return socketResults[errno]
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	default:
		return "error"
	}
}
