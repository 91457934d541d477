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
	"time"

	"golang.org/x/net/dns/dnsmessage"

	constatv1 "constat/proto/constat/v1"
)

// answerLimit is how long a server may take; the question is repeated meanwhile
// (repeats), so that one lost datagram is not a dead server.
const answerLimit = 900 * time.Millisecond

var repeats = []time.Duration{300 * time.Millisecond, 600 * time.Millisecond}

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
	kind := dnsmessage.TypeA
	if len(q.expect) > 0 && !slices.ContainsFunc(q.expect, func(e string) bool { return strings.Contains(e, ".") }) {
		kind, d.Type = dnsmessage.TypeAAAA, set("aaaa")
	}
	id := uint16(rand.Uint32())
	message, err := packQuestion(id, q.name, kind)
	if err != nil {
		d.Result = set("error")
		return d
	}
	ctx, cancel := p.patience.within(p.ctx, answerLimit)
	defer cancel()
	start := time.Now()
	a, transport, err := exchange(ctx, net.JoinHostPort(q.server.GetAddress(), "53"), message, id)
	d.Result, d.Transport, d.Ms = set(resultOf(err)), &transport, milliseconds(start)
	if err != nil {
		return d
	}
	p.patience.answered(time.Since(start))
	d.Rcode = set(a.rcode)
	d.Answers, d.Expected = answers(a.addresses, q.expect)
	return d
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
// one that was used last.
func exchange(ctx context.Context, server string, message []byte, id uint16) (a answer, transport string, err error) {
	a, err = exchangeUDP(ctx, server, message, id)
	if err != nil || !a.truncated {
		return a, "udp", err
	}
	a, err = exchangeTCP(ctx, server, message, id)
	return a, "tcp", err
}

// exchangeUDP sends the question, repeats it while there is no answer, and passes
// over datagrams that do not belong to it.
func exchangeUDP(ctx context.Context, server string, message []byte, id uint16) (answer, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", server)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(message); err != nil {
		return answer{}, err
	}
	for _, at := range repeats {
		again := time.AfterFunc(at, func() { conn.Write(message) })
		defer again.Stop()
	}
	buffer := make([]byte, 4096)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return answer{}, err
		}
		if a, err := parseAnswer(buffer[:n], id); err == nil {
			return a, nil
		}
	}
}

// exchangeTCP asks by TCP (RFC 7766).
func exchangeTCP(ctx context.Context, server string, message []byte, id uint16) (answer, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", server)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
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
	return parseAnswer(reply, id)
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
