package snmp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"
)

// agent answers requests as the test says: a stand-in for devices that break
// the protocol, which no simulator does on purpose. nil says nothing.
func agent(t testing.TB, answer func(request *gosnmp.SnmpPacket) *gosnmp.SnmpPacket) *Session {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	codec := gosnmp.GoSNMP{Version: gosnmp.Version2c, Community: "public"}
	go func() {
		buffer := make([]byte, 65535)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			request, err := codec.SnmpDecodePacket(buffer[:n])
			if err != nil {
				continue
			}
			out := answer(request)
			if out == nil {
				continue
			}
			out.Version, out.Community, out.PDUType, out.RequestID = gosnmp.Version2c, "public", gosnmp.GetResponse, request.RequestID
			if raw, err := out.MarshalMsg(); err == nil {
				_, _ = conn.WriteTo(raw, from)
			}
		}
	}()
	s, err := Open(t.Context(), conn.LocalAddr().String(), Credentials{Community: "public"}, Patience{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// next answers a GetBulk row by row; successor gives the object that follows, ""
// at the end.
func next(request *gosnmp.SnmpPacket, limit int, successor func(oid string) string) *gosnmp.SnmpPacket {
	at := make([]string, len(request.Variables))
	for i, v := range request.Variables {
		at[i] = strings.TrimPrefix(v.Name, ".")
	}
	out := &gosnmp.SnmpPacket{}
	for range max(request.MaxRepetitions, 1) {
		for i := range at {
			if len(out.Variables) == limit {
				return out
			}
			name := successor(at[i])
			v := gosnmp.SnmpPDU{Name: name, Type: gosnmp.Integer, Value: 1}
			if name == "" {
				v = gosnmp.SnmpPDU{Name: at[i], Type: gosnmp.EndOfMibView}
			} else {
				at[i] = name
			}
			out.Variables = append(out.Variables, v)
		}
	}
	return out
}

// of is a table's successor function by a list.
func of(objects ...string) func(string) string {
	return func(oid string) string {
		for _, o := range objects {
			if compare(o, oid) > 0 {
				return o
			}
		}
		return ""
	}
}

func rows(t *testing.T, s *Session, columns ...string) []string {
	t.Helper()
	var found []string
	err := s.Walk(t.Context(), columns, func(column int, index string, _ Value) { found = append(found, fmt.Sprint(column, " ", index)) })
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return slices.Compact(found) // going in circles is noticed in the second round
}

// Who sends back what he is sent has answered nothing.
func TestEcho(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		buffer := make([]byte, 65535)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(buffer[:n], from)
		}
	}()
	for _, credentials := range []Credentials{{Community: "public"}, {Community: "public", Version1: true}} {
		s, err := Open(t.Context(), conn.LocalAddr().String(), credentials, Patience{Timeout: 200 * time.Millisecond, Retries: -1})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Get(t.Context(), "1.3.6.1.2.1.1.2.0")
		s.Close()
		if !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), "the request itself came back") {
			t.Errorf("version 1: %v: %v", credentials.Version1, err)
		}
	}
}

func TestBrokenAgents(t *testing.T) {
	table := of("1.3.1.1.1", "1.3.1.1.2", "1.3.1.1.10", "1.3.1.2.2", "1.3.1.2.10", "1.3.2.0")
	whole := []string{"0 1", "0 10", "0 2", "1 10", "1 2"}
	for name, c := range map[string]struct {
		answer func(*gosnmp.SnmpPacket) *gosnmp.SnmpPacket
		want   []string
	}{
		"a good one":           {func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket { return next(r, 1000, table) }, whole},
		"cuts within the row":  {func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket { return next(r, 3, table) }, whole},
		"one object at a time": {func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket { return next(r, 1, table) }, whole},
		"too big but for one row": {func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket {
			if r.MaxRepetitions > 1 {
				return &gosnmp.SnmpPacket{Error: gosnmp.TooBig, Variables: r.Variables}
			}
			return next(r, 1000, table)
		}, whole},
		"too big but for one object": {func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket {
			if len(r.Variables) > 1 || r.MaxRepetitions > 1 {
				return &gosnmp.SnmpPacket{Error: gosnmp.TooBig, Variables: r.Variables}
			}
			return next(r, 1000, table)
		}, whole},
		"says the last object for ever": {func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket {
			return next(r, 1000, func(oid string) string {
				if o := table(oid); strings.HasPrefix(o, "1.3.1.1.") || strings.HasPrefix(o, "1.3.1.2.") && strings.HasPrefix(oid, "1.3.1.2") {
					return o
				}
				return oid
			})
		}, whole},
		"goes in circles": {func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket {
			return next(r, 1000, func(oid string) string {
				if strings.HasPrefix(oid, "1.3.1.1.10") {
					return "1.3.1.1.1"
				}
				return table(oid)
			})
		}, whole},
		"out of order": {func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket {
			return next(r, 1000, func(oid string) string {
				switch oid {
				case "1.3.1.1":
					return "1.3.1.1.10"
				case "1.3.1.1.10":
					return "1.3.1.1.1"
				case "1.3.1.1.2":
					return "1.3.1.2.2"
				}
				return table(oid)
			})
		}, whole},
		"has none of it":  {func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket { return next(r, 1000, of("1.9.9.9")) }, nil},
		"answers nothing": {func(*gosnmp.SnmpPacket) *gosnmp.SnmpPacket { return &gosnmp.SnmpPacket{} }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if found := rows(t, agent(t, c.answer), "1.3.1.1", "1.3.1.2"); !slices.Equal(found, c.want) {
				t.Errorf("rows %q, want %q", found, c.want)
			}
		})
	}
}

// Many single objects come in few datagrams, in any order, from agents that
// refuse large ones or fail on one object.
func TestGet(t *testing.T) {
	var asked []string
	for i := range 200 {
		asked = append(asked, fmt.Sprint("1.3.6.1.2.1.2.2.1.8.", 10000+i))
	}
	for name, c := range map[string]struct {
		most, broken, requests, cut int
	}{
		"a good one":              {1000, -1, 4, 1000},
		"only ten at once":        {10, -1, 60, 1000},
		"one object breaks all":   {1000, 77, 60, 1000},
		"cuts after seven":        {1000, -1, 31, 7},
		"answers nothing to many": {1000, -1, 60, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := agent(t, func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket {
				out := &gosnmp.SnmpPacket{Variables: r.Variables}
				for i, v := range r.Variables {
					n := Index(strings.TrimPrefix(v.Name, "."))
					r.Variables[i].Type, r.Variables[i].Value = gosnmp.Integer, int(n[len(n)-1])
					if c.broken >= 0 && v.Name == "."+asked[c.broken] {
						out.Error = gosnmp.GenErr
					}
				}
				if len(r.Variables) > c.most {
					out.Error = gosnmp.TooBig
				}
				switch {
				case c.cut == 0 && len(r.Variables) > 10:
					out.Variables = nil
				case c.cut > 0 && len(r.Variables) > c.cut:
					out.Variables = r.Variables[:c.cut]
				default:
					slices.Reverse(out.Variables)
				}
				return out
			})
			values, err := s.Get(t.Context(), asked...)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				n := Index(asked[i])
				if got, ok := v.Int(); ok == (i == c.broken) || ok && got != int64(n[len(n)-1]) {
					t.Errorf("%s is %d (%t)", asked[i], got, ok)
				}
			}
			if s.Stats().PDUs > c.requests {
				t.Errorf("%d requests for %d objects", s.Stats().PDUs, len(asked))
			}
		})
	}
}

// A device that never comes to an end is left.
func TestEndlessTable(t *testing.T) {
	n := 0
	s := agent(t, func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket {
		return next(r, 1000, func(string) string { n++; return fmt.Sprint("1.3.1.1.", n) })
	})
	err := s.Walk(t.Context(), []string{"1.3.1.1"}, func(int, string, Value) {})
	if !errors.Is(err, ErrHostile) {
		t.Errorf("error %v", err)
	}
}

func TestSilentAndStopped(t *testing.T) {
	s := agent(t, func(*gosnmp.SnmpPacket) *gosnmp.SnmpPacket { return nil })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(ctx, "1.3.6.1.2.1.1.1.0"); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	s.patience = Patience{Timeout: 20 * time.Millisecond, Retries: -1}
	if _, err := s.Get(t.Context(), "1.3.6.1.2.1.1.1.0"); !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), "community") {
		t.Errorf("silent: %v", err)
	}
}

func TestCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		credentials Credentials
		want        string
	}{
		"none":         {Credentials{}, "missing"},
		"both":         {Credentials{Community: "public", User: "u"}, "not both"},
		"no auth":      {Credentials{User: "u", Privacy: "aes", PrivacyPassword: "12345678"}, "without authentication"},
		"unknown auth": {Credentials{User: "u", Auth: "rot13", AuthPassword: "12345678"}, "sha256"},
		"short":        {Credentials{User: "u", Auth: "sha", AuthPassword: "1234567"}, "8 characters"},
	} {
		if err := c.credentials.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	secret := Credentials{Community: "hush"}
	if text := fmt.Sprintf("%v %+v %#v %s", secret, secret, secret, secret); strings.Contains(text, "hush") {
		t.Errorf("a secret was printed: %s", text)
	}
}

// FuzzAnswer gives an agent's bytes to the library that decodes them and to
// what follows.
func FuzzAnswer(f *testing.F) {
	packet := &gosnmp.SnmpPacket{Version: gosnmp.Version2c, Community: "public", PDUType: gosnmp.GetResponse, Variables: []gosnmp.SnmpPDU{
		{Name: ".1.3.1.1.1", Type: gosnmp.OctetString, Value: "x"}, {Name: ".1.3.1.2.1", Type: gosnmp.Counter64, Value: uint64(1) << 63},
		{Name: ".1.3.1.1.2", Type: gosnmp.ObjectIdentifier, Value: ".1.3.6"}, {Name: ".1.3.1.2.2", Type: gosnmp.IPAddress, Value: "192.0.2.1"},
	}}
	raw, err := packet.MarshalMsg()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	codecs := []*gosnmp.GoSNMP{
		{Version: gosnmp.Version2c, Community: "public"},
		{Version: gosnmp.Version3, SecurityModel: gosnmp.UserSecurityModel, SecurityParameters: &gosnmp.UsmSecurityParameters{}},
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, codec := range codecs {
			answer, err := codec.SnmpDecodePacket(slices.Clone(raw))
			if err != nil || answer == nil {
				continue
			}
			w := walk{each: func(_ int, index string, v Value) {
				_, _ = v.Int()
				_, _ = v.Address()
				_, _ = v.Recorded()
				_, _, _, _ = v.Text(), v.MAC(), v.OID(), IndexMAC(Index(index))
				if len(v.Text()) > 4*maxText {
					t.Errorf("a text of %d bytes", len(v.Text()))
				}
			}}
			w.take([]*column{{number: 0, root: ".1.3.1.1", last: ".1.3.1.1"}, {number: 1, root: ".1.3.1.2", last: ".1.3.1.2"}}, answer.Variables)
		}
	})
}
