package host

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"constat/internal/lab"
)

// reply answers a question with a code and addresses.
func reply(t testing.TB, query []byte, rcode dnsmessage.RCode, truncated bool, addresses ...string) []byte {
	t.Helper()
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		t.Errorf("the server was asked nonsense: %v", err)
		return nil
	}
	m.Response, m.RCode, m.Truncated = true, rcode, truncated
	name := m.Questions[0].Name
	m.Answers = append(m.Answers, dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET},
		Body:   &dnsmessage.CNAMEResource{CNAME: name},
	})
	for _, text := range addresses {
		a := netip.MustParseAddr(text)
		r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}}
		if a.Is4() {
			r.Body = &dnsmessage.AResource{A: a.As4()}
		}
		m.Answers = append(m.Answers, r)
	}
	packed, err := m.Pack()
	if err != nil {
		t.Error(err)
	}
	return packed
}

// serveDNS answers datagrams with what answer returns, nil for silence, and TCP
// connections on the same port with overTCP.
func serveDNS(t *testing.T, answer, overTCP func(query []byte) [][]byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	conn, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Skipf("needs a port free for both transports: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			for _, m := range answer(slices.Clone(buffer[:n])) {
				_, _ = conn.WriteTo(m, from)
			}
		}
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var size [2]byte
			_, _ = io.ReadFull(c, size[:])
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			_, _ = io.ReadFull(c, query)
			for _, m := range overTCP(query) {
				_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...))
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

func TestExchange(t *testing.T) {
	const id = 4711
	query, err := packQuestion(id, "www.example", dnsmessage.TypeA)
	if err != nil {
		t.Fatal(err)
	}
	none := func([]byte) [][]byte { return nil }
	asked := 0
	for _, c := range []struct {
		name                     string
		udp, tcp                 func([]byte) [][]byte
		transport, rcode, result string
		addresses                int
	}{
		{"an answer", func(q []byte) [][]byte {
			return [][]byte{reply(t, q, dnsmessage.RCodeSuccess, false, "192.0.2.1", "2001:db8::1")}
		}, none, "udp", "noerror", "ok", 2},
		{"no such name", func(q []byte) [][]byte { return [][]byte{reply(t, q, dnsmessage.RCodeNameError, false)} }, none, "udp", "nxdomain", "ok", 0},
		{"refused by policy", func(q []byte) [][]byte { return [][]byte{reply(t, q, dnsmessage.RCodeRefused, false)} }, none, "udp", "refused", "ok", 0},
		{"rubbish and a stranger's answer first", func(q []byte) [][]byte {
			stranger := slices.Clone(q)
			stranger[0]++
			return [][]byte{{1, 2, 3}, q, reply(t, stranger, dnsmessage.RCodeSuccess, false, "192.0.2.66"), reply(t, q, dnsmessage.RCodeSuccess, false, "192.0.2.1")}
		}, none, "udp", "noerror", "ok", 1},
		{"the first datagram is lost", func(q []byte) [][]byte {
			if asked++; asked == 1 {
				return nil
			}
			return [][]byte{reply(t, q, dnsmessage.RCodeSuccess, false, "192.0.2.1")}
		}, none, "udp", "noerror", "ok", 1},
		{"cut, then whole by TCP", func(q []byte) [][]byte { return [][]byte{reply(t, q, dnsmessage.RCodeSuccess, true)} },
			func(q []byte) [][]byte {
				return [][]byte{reply(t, q, dnsmessage.RCodeSuccess, false, "192.0.2.1", "192.0.2.2", "192.0.2.3")}
			},
			"tcp", "noerror", "ok", 3},
		{"cut, and TCP closes", func(q []byte) [][]byte { return [][]byte{reply(t, q, dnsmessage.RCodeSuccess, true)} }, none, "tcp", "", "error", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			a, transport, _, err := exchange(ctx, serveDNS(t, c.udp, c.tcp), query, func() {})
			if transport != c.transport || resultOf(err) != c.result || a.rcode != c.rcode && err == nil || len(a.addresses) != c.addresses {
				t.Errorf("got %s, %v, %v", transport, a, err)
			}
		})
	}
}

func TestExchangeSilence(t *testing.T) {
	query, err := packQuestion(1, "www.example", dnsmessage.TypeA)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	silent := serveDNS(t, func([]byte) [][]byte { cancel(); return nil }, func([]byte) [][]byte { return nil })
	if _, _, _, err := exchange(ctx, silent, query, func() {}); resultOf(err) != "timeout" {
		t.Errorf("silence: %v", err)
	}
	if _, _, _, err := exchange(t.Context(), lab.FreeAddress(t, "udp"), query, func() {}); resultOf(err) != "refused" {
		t.Errorf("a closed port: %v", err)
	}
}

func FuzzParseAnswer(f *testing.F) {
	query, err := packQuestion(1, "www.example", dnsmessage.TypeA)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(reply(f, query, dnsmessage.RCodeSuccess, false, "192.0.2.1", "2001:db8::1"), uint16(1))
	f.Add(reply(f, query, dnsmessage.RCodeServerFailure, true), uint16(1))
	f.Add(query, uint16(1))
	f.Fuzz(func(t *testing.T, message []byte, id uint16) {
		a, err := parseAnswer(message, id)
		if err != nil {
			return
		}
		if a.rcode == "" || len(a.addresses) > maxAnswers {
			t.Errorf("got %v", a)
		}
		if binary.BigEndian.Uint16(message) != id {
			t.Error("took another question's answer")
		}
	})
}
