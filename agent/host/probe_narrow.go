package host

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// stall is when a handshake is taken for stuck, and narrowLimit how long the
// same is then waited for with smaller packets.
const (
	stall       = 400 * time.Millisecond
	narrowLimit = 600 * time.Millisecond
)

// narrow tries a handshake that stalls after the connection stood again, at the
// same address, with packets of every size: TCP tells both ends not to send
// larger ones. Where the small ones pass and the large ones do not, the path
// swallows these. It needs no echo replies; once for each family is enough.
func (p *prober) narrow(ctx context.Context, conn net.Conn, name string) {
	remote, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil || !clampsSegments {
		return
	}
	remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	full, told := pathOf(conn)
	if full == 0 {
		return
	}
	p.mu.Lock()
	_, done := p.narrowed[familyOf(remote.Addr())]
	if !done {
		p.narrowed[familyOf(remote.Addr())] = nil
	}
	p.mu.Unlock()
	if done {
		return
	}
	wanted := slices.DeleteFunc(slices.Clone(mtuSizes), func(size int32) bool {
		return size >= full || familyOf(remote.Addr()) == 6 && size < 1280
	})
	wanted = append(wanted, full) // may pass by now: then its size was not the reason
	ctx, cancel := p.patience.within(ctx, narrowLimit)
	defer cancel()
	passed := make([]bool, len(wanted))
	var wg sync.WaitGroup
	for i, size := range wanted {
		if size == full {
			size = 0
		}
		wg.Go(func() { passed[i] = shakes(ctx, remote, name, size) })
	}
	wg.Wait()
	m := &constatv1.MtuProbe{Target: set(remote.Addr().String()), IcmpReceived: &told}
	first := slices.Index(passed, false)
	if first < 1 || slices.Contains(passed[first:], true) {
		return // none passes, or all do, or it is not the size
	}
	m.LargestOkBytes, m.SmallestLostBytes = set(wanted[first-1]), set(wanted[first])
	p.mu.Lock()
	defer p.mu.Unlock()
	p.narrowed[familyOf(remote.Addr())] = m
}

// shakes tells whether a handshake is answered with packets up to a size, 0: as
// large as they may be. What the certificate is worth is not asked here.
func shakes(ctx context.Context, to netip.AddrPort, name string, size int32) bool {
	dialer := net.Dialer{Control: clampedTo(size, familyOf(to.Addr()))}
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return false
	}
	defer conn.Close()
	c := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true}) // nothing is said in it
	return c.HandshakeContext(ctx) == nil
}

// sizesSeen are the sizes that echoes told, and those of handshakes where no
// echo was answered.
func (p *prober) sizesSeen(byEcho []*constatv1.MtuProbe) []*constatv1.MtuProbe {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, family := range []int32{4, 6} {
		of := func(m *constatv1.MtuProbe) bool {
			a, err := netip.ParseAddr(m.GetTarget())
			return err == nil && familyOf(a) == family
		}
		silent := func(m *constatv1.MtuProbe) bool { return of(m) && m.LargestOkBytes == nil }
		if m := p.narrowed[family]; m != nil {
			byEcho = slices.DeleteFunc(byEcho, silent)
			if !slices.ContainsFunc(byEcho, of) {
				byEcho = append(byEcho, m)
			}
		}
	}
	return byEcho
}
