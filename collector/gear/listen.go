package gear

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"constat/collector/store/query"
	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

const (
	// Each sender may tell this much at once and in the long run; a switch in
	// trouble tells the same over and over.
	senderBurst = 200
	senderRate  = 20 // a second
	// waiting is how many wait to be kept; what comes beyond is counted and lost.
	waiting = 2048
	// sendersEvery is how often the list of known senders is read anew, with the
	// addresses that names have; strangerEvery is how soon again for one who is not in
	// it, since another collector may have him only now.
	sendersEvery  = 15 * time.Second
	strangerEvery = time.Second
	// maxStreams is how many devices may send syslog over TCP at the same time, and
	// idleStream how long one may say nothing.
	maxStreams = 2000
	idleStream = 15 * time.Minute
	// maxStrangers bounds the unknown senders that are named in the log.
	maxStrangers = 200
	lookupTime   = 2 * time.Second
	// maxCredentials bounds how many credentials a trap is tried with: the device's
	// own, then the others that are kept.
	maxCredentials = 8
)

// errFrame ends a stream of syslog that is none.
var errFrame = errors.New("no syslog: a frame is longer than any line")

// notices counts what devices tell by themselves.
var notices = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "constat_gear_notices_total",
	Help: "Traps and lines of syslog, by source and what became of them.",
}, []string{"source", "result"})

// Listener takes in traps and syslog of the gear that is polled, and of nobody
// else.
type Listener struct {
	watch    *Watch
	receiver *snmp.Receiver
	queue    chan told

	// known is closed once it is known who may tell something.
	known chan struct{}
	every time.Duration

	// reading is held while that is read: what follows is its.
	reading sync.Mutex
	names   map[string][]netip.Addr
	readAt  time.Time
	changes int64 // of the watch's, that are read

	mu        sync.Mutex
	senders   map[netip.Addr][]query.Gear
	buckets   map[netip.Addr]*bucket
	strangers map[string]bool
}

// told is what came, on its way to the store.
type told struct {
	gear  query.Gear
	event *constatv1.GearEvent
	// done answers the sender once the event is kept; nil where nobody waits.
	done func()
}

// bucket is how much a sender may still tell.
type bucket struct {
	left float64
	at   time.Time
}

// engineSetting names the engine that informs are for; devices are told it by hand.
const engineSetting = "snmpEngine"

// bootsSince is from when a start of this engine is counted, in seconds: so each has
// more than the one before, and none needs to be written down.
var bootsSince = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)

// NewListener makes one.
func (w *Watch) NewListener(ctx context.Context) (*Listener, error) {
	name, err := w.store.AddSetting(ctx, engineSetting, []byte("constat-"+rand.Text()[:12]))
	if err != nil {
		return nil, err
	}
	return &Listener{
		watch: w, receiver: snmp.NewReceiver(string(name), uint32(w.now().Sub(bootsSince)/time.Second), w.now), queue: make(chan told, waiting),
		known: make(chan struct{}), every: sendersEvery, names: map[string][]netip.Addr{}, buckets: map[netip.Addr]*bucket{}, strangers: map[string]bool{},
	}, nil
}

// Engine is the id of the engine that informs are for, in hex.
func (l *Listener) Engine() string { return l.receiver.Engine() }

// Run keeps what comes until ctx ends.
func (l *Listener) Run(ctx context.Context) {
	var reading sync.WaitGroup
	defer reading.Wait()
	reading.Go(func() { l.readSenders(ctx) })
	troubled := false
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-l.queue:
			repeated, err := l.watch.Notice(ctx, t.gear.ID, t.event)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				notices.WithLabelValues(t.event.GetSource(), "failed").Inc()
				if !troubled {
					l.watch.log.Error("what devices tell is not kept", "error", err)
				}
			case repeated:
				notices.WithLabelValues(t.event.GetSource(), "repeated").Inc()
			default:
				notices.WithLabelValues(t.event.GetSource(), "kept").Inc()
			}
			if troubled = err != nil; err == nil && t.done != nil {
				t.done()
			}
		}
	}
}

// take puts what came into the queue.
func (l *Listener) take(t told) {
	select {
	case l.queue <- t:
	default:
		notices.WithLabelValues(t.event.GetSource(), "lost").Inc()
	}
}

// from gives the devices at an address, where it may tell something now.
func (l *Listener) from(ctx context.Context, source string, a netip.Addr) []query.Gear {
	select {
	case <-ctx.Done():
		return nil
	case <-l.known:
	}
	a = a.Unmap().WithZone("")
	l.refresh(ctx, a)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.watch.now()
	known := l.senders[a]
	if len(known) == 0 {
		notices.WithLabelValues(source, "unknownSender").Inc()
		if name := source + " " + a.String(); !l.strangers[name] && len(l.strangers) < maxStrangers {
			l.strangers[name] = true
			l.watch.log.Info("someone who is no gear of ours tells something; nothing of it is kept", "source", source, "address", a)
		}
		return nil
	}
	b := l.buckets[a]
	if b == nil {
		b = &bucket{left: senderBurst, at: now}
		l.buckets[a] = b
	}
	b.left = min(b.left+now.Sub(b.at).Seconds()*senderRate, senderBurst)
	b.at = now
	if b.left < 1 {
		notices.WithLabelValues(source, "limited").Inc()
		return nil
	}
	b.left--
	return known
}

// readSenders reads again and again which addresses the gear has, until ctx ends.
func (l *Listener) readSenders(ctx context.Context) {
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	for first := true; ; first = false {
		found := l.lookUp(ctx) // who is known may tell something meanwhile
		l.reading.Lock()
		maps.Copy(l.names, found)
		l.read(ctx)
		l.reading.Unlock()
		if first {
			close(l.known)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lookUp gives the addresses that names of gear have now, within a time; one that has
// no answer keeps those of before.
func (l *Listener) lookUp(ctx context.Context) map[string][]netip.Addr {
	found := map[string][]netip.Addr{}
	rows, err := l.watch.store.Read().ListGear(ctx)
	if err != nil {
		return found
	}
	ctx, cancel := context.WithTimeout(ctx, sendersEvery/2)
	defer cancel()
	for _, g := range rows {
		if now := addressesOf(ctx, g.Address); len(now) > 0 {
			found[g.Address] = now
		}
	}
	return found
}

// refresh reads who may tell something where that is not what was read last: the
// gear has changed since, or the sender is a stranger and may have been added at
// another collector.
func (l *Listener) refresh(ctx context.Context, a netip.Addr) {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.mu.Lock()
	known := len(l.senders[a]) > 0
	l.mu.Unlock()
	if l.changes != l.watch.changes.Load() || !known && time.Since(l.readAt) >= strangerEvery {
		l.read(ctx)
	}
}

// read reads who may tell something. It holds reading.
func (l *Listener) read(ctx context.Context) {
	l.readAt, l.changes = time.Now(), l.watch.changes.Load()
	senders, err := l.whoMayTell(ctx)
	if err != nil {
		return // the list of before stands
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.senders = senders
	for a := range l.buckets {
		if len(senders[a]) == 0 {
			delete(l.buckets, a)
		}
	}
}

// whoMayTell gives the gear by address: by those it is polled at, and its own.
func (l *Listener) whoMayTell(ctx context.Context) (map[netip.Addr][]query.Gear, error) {
	rows, err := l.watch.store.Read().ListGear(ctx)
	if err != nil {
		return nil, err
	}
	own, err := l.watch.store.Read().GearIPs(ctx)
	if err != nil {
		return nil, err
	}
	senders, byID := map[netip.Addr][]query.Gear{}, map[string]query.Gear{}
	add := func(a netip.Addr, g query.Gear) {
		if !slices.ContainsFunc(senders[a], func(other query.Gear) bool { return other.ID == g.ID }) {
			senders[a] = append(senders[a], g)
		}
	}
	// A name that is new is looked up once, within a time.
	looking, cancel := context.WithTimeout(ctx, sendersEvery/2)
	defer cancel()
	for _, g := range rows {
		byID[g.ID] = g
		found, looked := l.names[g.Address]
		if !looked {
			found = addressesOf(looking, g.Address)
			l.names[g.Address] = found
		}
		for _, a := range found {
			add(a, g)
		}
	}
	for _, row := range own {
		if a, err := netip.ParseAddr(row.Address); err == nil && byID[row.GearID].ID != "" {
			add(a, byID[row.GearID])
		}
	}
	return senders, nil
}

// addressesOf are the addresses of a device that is known by HOST or HOST:PORT.
func addressesOf(ctx context.Context, address string) []netip.Addr {
	host := address
	if h, _, err := net.SplitHostPort(address); err == nil {
		host = h
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return []netip.Addr{a.Unmap().WithZone("")}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	for i := range found {
		found[i] = found[i].Unmap().WithZone("")
	}
	return found
}

// Traps reads traps and informs until ctx ends.
func (l *Listener) Traps(ctx context.Context, conn net.PacketConn) error {
	return datagrams(ctx, conn, snmp.MaxTrap, func(from netip.AddrPort, message []byte) {
		l.trap(ctx, conn, from, message)
	})
}

// datagrams gives each datagram to what takes it, until ctx ends.
func datagrams(ctx context.Context, conn net.PacketConn, most int, each func(from netip.AddrPort, message []byte)) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	buffer := make([]byte, most+1)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		sender, ok := from.(*net.UDPAddr)
		if err != nil || !ok || n > most {
			continue // an ICMP error of an answer, or a datagram that is too long
		}
		each(sender.AddrPort(), buffer[:n])
	}
}

func (l *Listener) trap(ctx context.Context, conn net.PacketConn, from netip.AddrPort, message []byte) {
	known := l.from(ctx, "snmpTrap", from.Addr())
	if len(known) == 0 {
		return
	}
	n, gear, answer, err := l.open(ctx, known, message)
	reply := func() {
		if answer != nil {
			_, _ = conn.WriteTo(answer, net.UDPAddrFromAddrPort(from))
		}
	}
	if err != nil {
		result := "malformed"
		switch {
		case errors.Is(err, snmp.ErrRefused):
			result = "wrongCredential"
			l.sayOnce("a trap comes with another credential than those kept", known[0].Address, err)
		case answer != nil:
			result = "handshake"
		}
		notices.WithLabelValues("snmpTrap", result).Inc()
		reply()
		return
	}
	event := notified(n, l.watch.now())
	if event == nil {
		notices.WithLabelValues("snmpTrap", "notOurs").Inc()
		reply() // it came, and asks for no more
		return
	}
	l.take(told{gear, event, reply})
}

// open reads a trap by the credentials of who may have sent it.
func (l *Listener) open(ctx context.Context, known []query.Gear, message []byte) (n *snmp.Notice, gear query.Gear, answer []byte, err error) {
	var names []string
	of := map[string]query.Gear{}
	for _, g := range known {
		if _, have := of[g.Credential]; !have {
			of[g.Credential] = g
			names = append(names, g.Credential)
		}
	}
	if kept, err := l.watch.store.Read().Credentials(ctx); err == nil {
		for _, c := range kept { // many sites have traps sent with a community of their own
			if _, have := of[c.Name]; !have && c.Version == "2c" {
				of[c.Name] = known[0]
				names = append(names, c.Name)
			}
		}
	}
	err = snmp.ErrNoTrap
	for _, name := range names[:min(len(names), maxCredentials)] {
		opens, failed := l.watch.credential(ctx, name)
		if failed != nil {
			continue
		}
		n, reply, failed := l.receiver.Read(message, opens)
		if failed == nil {
			return n, of[name], reply, nil
		}
		if answer == nil {
			answer = reply
		}
		if !errors.Is(err, snmp.ErrRefused) {
			err = failed
		}
	}
	return nil, query.Gear{}, answer, err
}

// sayOnce tells the log of a sender's trouble, and only the first time.
func (l *Listener) sayOnce(what, address string, err error) {
	sum := sha256.Sum256([]byte(what + address))
	key := string(sum[:8])
	l.mu.Lock()
	said := l.strangers[key] || len(l.strangers) >= maxStrangers
	l.strangers[key] = true
	l.mu.Unlock()
	if !said {
		l.watch.log.Warn(what, "device", address, "reason", err)
	}
}

// Syslog reads lines of syslog, one in each datagram, until ctx ends.
func (l *Listener) Syslog(ctx context.Context, conn net.PacketConn) error {
	return datagrams(ctx, conn, maxLine, func(from netip.AddrPort, message []byte) {
		if known := l.from(ctx, "syslog", from.Addr()); len(known) > 0 {
			l.line(known, message)
		}
	})
}

func (l *Listener) line(known []query.Gear, raw []byte) {
	line, ok := readLine(raw)
	if !ok {
		notices.WithLabelValues("syslog", "malformed").Inc()
		return
	}
	event := line.event(l.watch.now())
	if event == nil {
		notices.WithLabelValues("syslog", "notOurs").Inc()
		return
	}
	l.take(told{known[0], event, nil})
}

// SyslogStreams reads syslog over TCP, or TLS, until ctx ends.
func (l *Listener) SyslogStreams(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	free := make(chan struct{}, maxStreams)
	var streams sync.WaitGroup
	defer streams.Wait()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("syslog: %w", err)
		}
		select {
		case free <- struct{}{}:
			streams.Go(func() {
				defer func() { <-free }()
				l.stream(ctx, conn)
			})
		default:
			notices.WithLabelValues("syslog", "lost").Inc()
			_ = conn.Close()
		}
	}
}

func (l *Listener) stream(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close()
	from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil || len(l.from(ctx, "syslog", from.Addr())) == 0 {
		return
	}
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 0, 1024), maxFrame+64)
	lines.Split(splitFrames)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(idleStream))
		if !lines.Scan() {
			break
		}
		if known := l.from(ctx, "syslog", from.Addr()); len(known) > 0 {
			l.line(known, lines.Bytes())
		}
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
		notices.WithLabelValues("syslog", "malformed").Inc()
	}
}
