package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	constatv1 "constat/proto/constat/v1"
)

// answerLimit is how long a server may take; the question is repeated meanwhile
// (repeats), so that one lost datagram is not a dead server.
const answerLimit = 900 * time.Millisecond

// The later ones are only sent where the deadline was stretched.
var repeats = []time.Duration{
	300 * time.Millisecond, 600 * time.Millisecond,
	answerLimit + 100*time.Millisecond, answerLimit + 500*time.Millisecond, answerLimit + time.Second,
}

// maxAnswers is how many addresses of one answer are kept.
const maxAnswers = 16

// question is one name for one server.
type question struct {
	server *constatv1.Resolver
	name   string
	expect []string
	// lie marks a name that cannot exist: whoever answers it, lies.
	lie bool
}

// questions asks every server for every name, and for one that cannot exist: a
// random label under the root. Stubs on this machine are asked only when the
// servers behind them are unknown; the lookups go through them anyway.
func (p *prober) questions(names []*constatv1.ProbeName) []question {
	servers := slices.DeleteFunc(slices.Clone(p.network.GetResolvers()), (*constatv1.Resolver).GetStub)
	if len(servers) == 0 {
		servers = p.network.GetResolvers()
	}
	var list []question
	for _, s := range servers {
		for _, n := range names {
			list = append(list, question{server: s, name: n.GetHost(), expect: n.GetExpect()})
		}
		list = append(list, question{server: s, name: fmt.Sprintf("constat-%08x", rand.Uint32()), lie: true})
	}
	return list
}

// askDNS asks a server directly, by UDP, and by TCP when the answer was cut.
func (p *prober) askDNS(q question) *constatv1.DnsProbe {
	d := &constatv1.DnsProbe{
		Server: q.server.Address, Name: set(q.name), Type: set("a"),
		NonexistentName: set(q.lie), Link: q.server.Link,
	}
	sent := sync.OnceFunc(p.asked.Done)
	defer sent()
	kind := dnsmessage.TypeA
	if len(q.expect) > 0 && !slices.ContainsFunc(q.expect, func(e string) bool { return strings.Contains(e, ".") }) {
		kind, d.Type = dnsmessage.TypeAAAA, set("aaaa")
	}
	message, err := packQuestion(uint16(rand.Uint32()), q.name, kind)
	if err != nil {
		d.Result = set("error")
		return d
	}
	ctx, cancel := p.patience.within(p.ctx, answerLimit)
	defer cancel()
	server := p.nameServer(net.JoinHostPort(q.server.GetAddress(), "53"))
	defer context.AfterFunc(server.refused, cancel)()
	doubt := time.AfterFunc(repeats[0], func() {
		p.hint()
		server.doubt.Do(func() { p.doubt(server, message) })
	})
	defer doubt.Stop()
	start := time.Now()
	a, transport, took, err := exchange(ctx, server.address, message, sent)
	if resultOf(err) == "refused" {
		server.refuse()
	}
	d.Result, d.Transport, d.Ms = set(resultOf(err)), &transport, milliseconds(start)
	if err != nil {
		if server.refused.Err() != nil {
			d.Result = set("refused")
		}
		if to, err := netip.ParseAddrPort(server.address); err == nil && p.filter.blocks(protocolUDP, to, p.network) {
			d.Result = set("blocked")
		}
		return d
	}
	took = p.patience.answered(took)
	d.Ms = inMilliseconds(took)
	d.Rcode = set(a.rcode)
	d.Answers, d.Expected = answers(a.addresses, q.expect)
	return d
}

// nameServer is what the questions to one server know together.
type nameServer struct {
	address string
	// refused ends when a question was refused: systems say so of few
	// datagrams a second only, so it goes for the others as well.
	refused context.Context
	refuse  context.CancelFunc
	doubt   sync.Once
}

func (p *prober) nameServer(address string) *nameServer {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.servers[address]
	if s == nil {
		s = &nameServer{address: address}
		s.refused, s.refuse = context.WithCancel(p.ctx)
		p.servers[address] = s
	}
	return s
}

// doubt looks whether a server that is silent so far may be merely slow: asked
// by TCP, its machine answers the connection but the question neither. Then
// everything waits longer. A server that answers by TCP at once is not slow:
// UDP does not pass.
func (p *prober) doubt(server *nameServer, message []byte) {
	ctx, cancel := context.WithTimeout(p.ctx, answerLimit-repeats[0]-100*time.Millisecond)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", server.address)
	if err == nil {
		defer conn.Close()
		_, err = askConnection(ctx, conn, message)
		if err != nil {
			p.patience.slow.Store(true)
		}
		return
	}
	if resultOf(err) == "refused" && server.refused.Err() == nil {
		p.patience.slow.Store(true)
	}
}

// packQuestion writes a recursive query without EDNS, which every server takes.
func packQuestion(id uint16, name string, kind dnsmessage.Type) ([]byte, error) {
	n, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		return nil, err
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: n, Type: kind, Class: dnsmessage.ClassINET}},
	}
	return m.Pack()
}

// exchange asks by UDP, and by TCP when the answer was cut; transport is the
// one that was used last, took is the time between a question and its own
// answer. It calls sent once the question is on its way.
func exchange(ctx context.Context, server string, message []byte, sent func()) (a answer, transport string, took time.Duration, err error) {
	a, took, err = exchangeUDP(ctx, server, message, sent)
	if err != nil || !a.truncated {
		return a, "udp", took, err
	}
	a, err = exchangeTCP(ctx, server, message)
	return a, "tcp", took, err
}

// exchangeUDP sends the question, repeats it while there is no answer, and passes
// over datagrams that do not belong to it. Repetitions have ids of their own,
// so that an answer to one is not taken for a late answer to the first.
func exchangeUDP(ctx context.Context, server string, message []byte, sent func()) (a answer, took time.Duration, err error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", server)
	if err != nil {
		return answer{}, 0, err
	}
	defer conn.Close()
	hearRefusals(conn)
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	start := time.Now()
	if _, err := conn.Write(message); err != nil {
		return answer{}, 0, err
	}
	sent()
	id := binary.BigEndian.Uint16(message)
	times := []time.Duration{0}
	for _, at := range repeats {
		next := slices.Clone(message)
		binary.BigEndian.PutUint16(next, id+uint16(len(times)))
		times = append(times, at)
		again := time.AfterFunc(at, func() { conn.Write(next) })
		defer again.Stop()
	}
	buffer := make([]byte, 4096)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return answer{}, 0, err
		}
		for i, at := range times {
			if a, err := parseAnswer(buffer[:n], id+uint16(i)); err == nil {
				return a, max(time.Since(start)-at, 0), nil
			}
		}
	}
}

// exchangeTCP asks by TCP (RFC 7766).
func exchangeTCP(ctx context.Context, server string, message []byte) (answer, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", server)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	return askConnection(ctx, conn, message)
}

// askConnection asks over a connection, where messages have their length in
// front.
func askConnection(ctx context.Context, conn net.Conn, message []byte) (answer, error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)); err != nil {
		return answer{}, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return answer{}, err
	}
	reply := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, reply); err != nil {
		return answer{}, err
	}
	return parseAnswer(reply, binary.BigEndian.Uint16(message))
}

// answer is what a server said.
type answer struct {
	rcode     string
	addresses []netip.Addr
	truncated bool
}

// rcodes are the words of RFC 1035, 2136 and 6895 for response codes.
var rcodes = []string{"noerror", "formerr", "servfail", "nxdomain", "notimp", "refused", "yxdomain", "yxrrset", "nxrrset", "notauth", "notzone"}

// errNotAnswer is a message that does not answer our question.
var errNotAnswer = errors.New("not an answer to this question")

// parseAnswer reads a response with this id. Records that cannot be read end
// the list; those before them count.
func parseAnswer(message []byte, id uint16) (answer, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(message)
	if err != nil {
		return answer{}, err
	}
	if header.ID != id || !header.Response {
		return answer{}, errNotAnswer
	}
	a := answer{truncated: header.Truncated, rcode: fmt.Sprintf("rcode%d", header.RCode)}
	if int(header.RCode) < len(rcodes) {
		a.rcode = rcodes[header.RCode]
	}
	if err := parser.SkipAllQuestions(); err != nil {
		return a, nil
	}
	for len(a.addresses) < maxAnswers {
		h, err := parser.AnswerHeader()
		if err != nil {
			break
		}
		switch h.Type {
		case dnsmessage.TypeA:
			r, err := parser.AResource()
			if err != nil {
				return a, nil
			}
			a.addresses = append(a.addresses, netip.AddrFrom4(r.A))
		case dnsmessage.TypeAAAA:
			r, err := parser.AAAAResource()
			if err != nil {
				return a, nil
			}
			a.addresses = append(a.addresses, netip.AddrFrom16(r.AAAA).Unmap())
		default:
			if err := parser.SkipAnswer(); err != nil {
				return a, nil
			}
		}
	}
	return a, nil
}
