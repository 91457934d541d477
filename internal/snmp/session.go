// Package snmp asks network devices and printers: sessions by SNMPv1 (RFC 1157),
// SNMPv2c (RFC 3416) and SNMPv3 with the User-based Security Model (RFC 3414,
// RFC 7860, RFC 3826), reading only, and walks of tables that put up with agents
// that do not keep to the standard.
//
// What a device says is not trusted: each walk is bounded in objects, and each
// call by its context.
package snmp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gosnmp/gosnmp"
)

// Kinds of failures, for errors.Is.
var (
	// ErrSilent: nothing came back. An agent says nothing too when the
	// community is wrong, or when an access list keeps us out.
	ErrSilent = errors.New("no answer")
	// ErrRefused: the device answered and refuses user, keys or security level.
	ErrRefused = errors.New("credentials refused")
	// ErrHostile: the device sends more than any device has.
	ErrHostile = errors.New("more objects than a device can have")
)

// Credentials open a device for reading. They print as <secret>.
type Credentials struct {
	// Community of SNMPv2c; empty: SNMPv3.
	Community string
	// Version1 speaks SNMPv1 with the community: old printers know no other.
	Version1 bool
	// User is the security name of SNMPv3.
	User string
	// Auth is md5, sha, sha224, sha256, sha384 or sha512; empty: none.
	Auth, AuthPassword string
	// Privacy is des, aes, aes192, aes256 (key extension of Blumenthal's
	// draft), aes192c or aes256c (of Reeder's, as Cisco has it); empty: none.
	Privacy, PrivacyPassword string
	// Context of SNMPv3; nearly every device uses the empty one.
	Context string
}

// String keeps credentials out of logs.
func (Credentials) String() string { return "<secret>" }

// GoString keeps credentials out of %#v.
func (Credentials) GoString() string { return "<secret>" }

var (
	authProtocols = map[string]gosnmp.SnmpV3AuthProtocol{
		"md5": gosnmp.MD5, "sha": gosnmp.SHA, "sha224": gosnmp.SHA224, "sha256": gosnmp.SHA256, "sha384": gosnmp.SHA384, "sha512": gosnmp.SHA512,
	}
	privacyProtocols = map[string]gosnmp.SnmpV3PrivProtocol{
		"des": gosnmp.DES, "aes": gosnmp.AES, "aes192": gosnmp.AES192, "aes256": gosnmp.AES256,
		"aes192c": gosnmp.AES192C, "aes256c": gosnmp.AES256C,
	}
)

// Check says what is wrong with credentials before they are used.
func (c Credentials) Check() error {
	switch {
	case c.Community != "" && c.User != "":
		return errors.New("either a community (SNMPv2c) or a user (SNMPv3), not both")
	case c.Community == "" && c.User == "":
		return errors.New("a community (SNMPv2c) or a user (SNMPv3) is missing")
	case c.Community != "":
		return nil
	case c.Auth == "" && c.Privacy != "":
		return errors.New("SNMPv3 has no privacy without authentication: name its protocol")
	}
	if _, ok := authProtocols[c.Auth]; c.Auth != "" && !ok {
		return fmt.Errorf("unknown authentication %q: expected md5, sha, sha224, sha256, sha384 or sha512", c.Auth)
	}
	if _, ok := privacyProtocols[c.Privacy]; c.Privacy != "" && !ok {
		return fmt.Errorf("unknown privacy %q: expected des, aes, aes192, aes256, aes192c or aes256c", c.Privacy)
	}
	if c.Auth != "" && len(c.AuthPassword) < 8 || c.Privacy != "" && len(c.PrivacyPassword) < 8 {
		return errors.New("SNMPv3 passwords have at least 8 characters (RFC 3414 section 11.2)")
	}
	return nil
}

// Patience says how long to wait for a device, and how long to listen. The zero
// value waits a second and a half, twice, which suits a LAN. Of a device that answers, a session
// learns how fast it is: a lost request is sent again sooner, and one that was
// slow before is given up to maxSlower times as long.
type Patience struct {
	// Timeout of one request.
	Timeout time.Duration
	// Retries after the first; negative: none.
	Retries int
	// Objects of one walk; 0: as many as the largest chassis has.
	Objects int
}

// Session is a conversation with one device. It is not safe for use by several
// goroutines: it asks one thing at a time, which every device stands.
type Session struct {
	address     string
	credentials Credentials
	patience    Patience
	g           *gosnmp.GoSNMP
	pace        pace
	absent      map[string]bool
	known       bool // what is absent was learnt before
	quirks      Quirks
	stats       *Stats
}

// Stats counts what a session cost the device.
type Stats struct{ PDUs, Objects int }

const (
	defaultPort = "161"
	// maxSlower bounds what a slow device is given, in time-outs.
	maxSlower = 4
	// maxOnce is how many objects one Get asks, if they fit.
	maxOnce = gosnmp.MaxOids
	// viewTimeout: an agent that answered for itself answers as fast for a
	// VLAN, or does not know it and stays silent.
	viewTimeout = 2 * time.Second
)

// Open prepares a session with HOST or HOST:PORT.
func Open(ctx context.Context, address string, c Credentials, p Patience) (*Session, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if p.Timeout <= 0 {
		p.Timeout = 1500 * time.Millisecond
	}
	if p.Retries == 0 {
		p.Retries = 1
	}
	if p.Objects <= 0 {
		p.Objects = maxObjects
	}
	s := &Session{address: address, credentials: c, patience: p, pace: pace{varbinds: firstVarbinds, most: mostVarbinds}, absent: map[string]bool{}, stats: &Stats{}}
	return s, s.connect(ctx)
}

// View opens another session with the same device, which shows the bridge table
// of one VLAN: Cisco's community@VLAN, or the context vlan-VLAN with SNMPv3. It
// asks only once, and counts into the Stats of the first. The caller closes it.
func (s *Session) View(ctx context.Context, vlan int) (*Session, error) {
	view := &Session{address: s.address, credentials: s.credentials, patience: s.patience, pace: s.pace, absent: map[string]bool{}, quirks: s.quirks, stats: s.stats}
	view.pace.slowest = 0 // whether it answers is not known
	view.patience.Timeout, view.patience.Retries = min(s.patience.Timeout, viewTimeout), -1
	if s.credentials.Community != "" {
		view.credentials.Community += "@" + strconv.Itoa(vlan)
	} else {
		view.credentials.Context = "vlan-" + strconv.Itoa(vlan)
	}
	return view, view.connect(ctx)
}

func (s *Session) connect(ctx context.Context) error {
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		host, port = strings.Trim(s.address, "[]"), defaultPort
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 || host == "" {
		return fmt.Errorf("%q is no address of a device: expected HOST or HOST:PORT", s.address)
	}
	c := s.credentials
	s.g = &gosnmp.GoSNMP{
		Target: host, Port: uint16(number), Transport: "udp", Context: ctx, Timeout: s.patience.Timeout, ExponentialTimeout: true,
		MaxOids: gosnmp.MaxOids, OnSent: func(*gosnmp.GoSNMP) { s.stats.PDUs++ },
	}
	switch {
	case c.Community == "":
		s.secure()
	case c.Version1:
		s.g.Version, s.g.Community = gosnmp.Version1, c.Community
	default:
		s.g.Version, s.g.Community = gosnmp.Version2c, c.Community
	}
	if err := s.g.Connect(); err != nil {
		return fmt.Errorf("%s: %w", s.address, err)
	}
	return nil
}

// secure speaks SNMPv3. The library keeps the keys of passwords, which cost a
// megabyte of hashing each.
func (s *Session) secure() {
	c := s.credentials
	s.g.Version, s.g.SecurityModel, s.g.ContextName = gosnmp.Version3, gosnmp.UserSecurityModel, c.Context
	s.g.MsgFlags = gosnmp.NoAuthNoPriv
	usm := &gosnmp.UsmSecurityParameters{UserName: c.User}
	if c.Auth != "" {
		s.g.MsgFlags = gosnmp.AuthNoPriv
		usm.AuthenticationProtocol, usm.AuthenticationPassphrase = authProtocols[c.Auth], c.AuthPassword
	}
	if c.Privacy != "" {
		s.g.MsgFlags = gosnmp.AuthPriv
		usm.PrivacyProtocol, usm.PrivacyPassphrase = privacyProtocols[c.Privacy], c.PrivacyPassword
	}
	s.g.SecurityParameters = usm
}

// Close ends the session.
func (s *Session) Close() {
	if s.g != nil && s.g.Conn != nil {
		_ = s.g.Conn.Close()
	}
}

// Stats gives what was asked so far, views included.
func (s *Session) Stats() Stats { return *s.stats }

// Get reads single objects, as many as fit into each datagram. What the device
// does not have is an absent Value.
func (s *Session) Get(ctx context.Context, oids ...string) ([]Value, error) {
	names := make([]string, len(oids))
	for i, oid := range oids {
		names[i] = "." + strings.TrimPrefix(oid, ".")
	}
	values := make([]Value, len(oids))
	for most, limit := maxOnce, maxOnce; len(names) > 0; {
		n := fitting(names, most)
		answer, err := s.exchange(ctx, get, 0, names[:n])
		tooMuch := err == nil && (answer.Error != gosnmp.NoError || len(answer.Variables) == 0) || errors.Is(err, ErrSilent) && s.pace.slowest > 0
		switch {
		case tooMuch && n > 1: // for the agent, or one object breaks it
			if most = max(n/4, 1); err != nil || answer.Error == gosnmp.TooBig || answer.Error == gosnmp.NoError {
				limit = n - 1
			}
			continue
		case err != nil:
			return nil, err
		case answer.Error == gosnmp.NoError:
			s.stats.Objects += len(answer.Variables)
			if short := len(answer.Variables); short > 0 && short < n && begins(names, answer.Variables) {
				n, limit = short, short // the agent cut it: the rest is asked for again
			}
			match(names[:n], answer.Variables, values[len(oids)-len(names):])
		}
		names, most = names[n:], min(2*most, limit)
	}
	return values, nil
}

// begins tells that an answer is the beginning of what was asked.
func begins(names []string, answer []gosnmp.SnmpPDU) bool {
	for i, v := range answer {
		if v.Name != names[i] {
			return false
		}
	}
	return true
}

// fitting is how many of the names, with values, fit into one datagram.
func fitting(names []string, most int) int {
	size := 0
	for i, name := range names {
		if size += length(name) + valueBytes; i == most || i > 0 && size > answerBytes {
			return i
		}
	}
	return len(names)
}

// length is about how many bytes a name takes: most of its numbers take one, an
// index two or three.
func length(name string) int { return strings.Count(name, ".") + 3 }

// match puts each object of an answer where it was asked; they nearly always
// come in the order in which they were.
func match(names []string, answer []gosnmp.SnmpPDU, values []Value) {
	for i, v := range answer {
		if i >= len(names) || v.Name != names[i] {
			if i = slices.Index(names, v.Name); i < 0 {
				continue
			}
		}
		values[i] = Value{v}
	}
}

// request is a kind of request.
type request int

const (
	get request = iota
	getNext
	getBulk
)

// exchange asks, and gives the answer.
func (s *Session) exchange(ctx context.Context, kind request, repetitions int, names []string) (*gosnmp.SnmpPacket, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: stopped: %w", s.address, err)
	}
	began := time.Now()
	answer, err := s.ask(ctx, kind, repetitions, names)
	if err != nil && s.pace.slowest > 0 && refused(err) {
		// It took these credentials before: its engine started anew, or another
		// one has come to the address.
		began = time.Now()
		s.Close()
		if err = s.connect(ctx); err == nil {
			answer, err = s.ask(ctx, kind, repetitions, names)
		}
	}
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	s.pace.took(time.Since(began))
	return answer, nil
}

func (s *Session) ask(ctx context.Context, kind request, repetitions int, names []string) (*gosnmp.SnmpPacket, error) {
	s.g.Context = ctx
	s.g.Timeout, s.g.Retries, s.g.ExponentialTimeout = s.pace.patience(s.patience)
	var answer *gosnmp.SnmpPacket
	var err error
	switch {
	case kind == get:
		answer, err = s.g.Get(names)
	case kind == getNext || s.rowByRow():
		answer, err = s.g.GetNext(names)
	default:
		answer, err = s.g.GetBulk(names, 0, uint32(repetitions))
	}
	if err == nil && answer.PDUType != gosnmp.GetResponse { // gosnmp takes any message with the request's number
		return nil, errMirrored
	}
	return answer, err
}

// errMirrored: the request itself came back, as from the echo service (RFC 862), or
// from our own socket where the system gave it the very port that was asked.
var errMirrored = errors.New("the request itself came back")

// rowByRow tells agents that have no GetBulk, or none that works.
func (s *Session) rowByRow() bool { return s.credentials.Version1 || s.quirks.Next }

// refused tells errors about user, keys, level, engine and clock from others.
func refused(err error) bool {
	for _, kind := range []error{
		gosnmp.ErrUnknownUsername, gosnmp.ErrWrongDigest, gosnmp.ErrDecryption, gosnmp.ErrUnknownSecurityLevel,
		gosnmp.ErrUnknownEngineID, gosnmp.ErrNotInTimeWindow,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return strings.Contains(err.Error(), "authentic")
}

// explain turns errors into the kinds above.
func (s *Session) explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: stopped: %w", s.address, ctx.Err())
	case refused(err):
		return fmt.Errorf("%s: %w: does the device have this user, with these protocols and passwords? (%w)", s.address, ErrRefused, err)
	case errors.Is(err, gosnmp.ErrMaxRetriesExceeded), strings.Contains(err.Error(), "timeout"):
		return fmt.Errorf("%s: %w to %d requests within some %v; is the address right, does an access list let us in, is the community or user right?",
			s.address, ErrSilent, s.g.Retries+1, s.g.Timeout*time.Duration(s.g.Retries+1))
	case errors.Is(err, errMirrored):
		return fmt.Errorf("%s: %w: %w, so what is at that port is no SNMP agent; is the port right?", s.address, ErrSilent, err)
	case strings.Contains(err.Error(), "connection refused"):
		return fmt.Errorf("%s: %w: nothing listens at that port; is the SNMP agent on?", s.address, ErrSilent)
	}
	return fmt.Errorf("%s: %w", s.address, err)
}

// pace is what a session learns of how its device answers.
type pace struct {
	// varbinds is how many objects a GetBulk asks for: more after whole answers,
	// fewer after cut ones; at most most, which falls when an agent chokes.
	varbinds, most int
	// size is how many bytes an object took lately.
	size float64
	// slowest is how long a recent answer took at most; 0: none came yet.
	slowest time.Duration
}

const (
	firstVarbinds = 32
	mostVarbinds  = 128
	// answerBytes is what one unfragmented datagram carries beside its headers:
	// larger ones get lost whole behind firewalls that drop fragments.
	answerBytes = 1400
	// valueBytes are the headers of an object and a number.
	valueBytes = 11
)

// patience is how long to wait for an answer, how often to ask again, and whether
// to wait twice as long then: a fast device's lost answer is missed soon.
func (p *pace) patience(given Patience) (wait time.Duration, retries int, doubling bool) {
	if given.Retries < 0 || p.slowest == 0 {
		return given.Timeout, max(given.Retries, 0), false
	}
	wait = min(max(8*p.slowest, given.Timeout/3), maxSlower*given.Timeout)
	if wait < given.Timeout {
		return wait, given.Retries + 1, true
	}
	return wait, given.Retries, false
}

func (p *pace) took(d time.Duration) { p.slowest = max(d, p.slowest*7/8) }

// repetitions is how many rows of so many columns to ask for.
func (p *pace) repetitions(columns int) int { return max(p.varbinds/columns, 1) }

// answered learns from an answer of so many objects where more were asked.
func (p *pace) answered(asked, got, bytes int) {
	if got == 0 {
		return
	}
	p.size = float64(bytes) / float64(got)
	switch fit := int(answerBytes / p.size); {
	case got < asked:
		p.varbinds = got // what the agent sends at most: the rest would be work for nothing
	default:
		p.varbinds = max(min(p.varbinds*2, fit, p.most), 1)
	}
}

// choked learns that a request for so many objects was too much.
func (p *pace) choked(asked int) {
	p.most = max(asked/4, 1)
	p.varbinds = p.most
}

// Profile is what a session learnt of a device that holds as long as its
// hardware and software stay the same, for the sessions to come.
type Profile struct {
	// Absent are columns that the device does not have.
	Absent []string
	// Varbinds is how many objects it answers at once; 0: no limit was met.
	Varbinds int
}

// Profile gives what was learnt so far.
func (s *Session) Profile() Profile {
	p := Profile{Absent: make([]string, 0, len(s.absent))}
	for column := range s.absent {
		p.Absent = append(p.Absent, column)
	}
	slices.Sort(p.Absent)
	if s.pace.most < mostVarbinds {
		p.Varbinds = s.pace.most
	}
	return p
}

// Use has the session ask no more for what is known to be absent. Columns that
// it does not name count as there.
func (s *Session) Use(p Profile) {
	s.known = true
	for _, column := range p.Absent {
		s.absent[column] = true
	}
	if p.Varbinds > 0 {
		s.pace.most = min(p.Varbinds, mostVarbinds)
		s.pace.varbinds = min(s.pace.varbinds, s.pace.most)
	}
}

// Forget has the session learn anew what its device can: another answers now.
func (s *Session) Forget() {
	clear(s.absent)
	s.known, s.quirks = false, Quirks{}
	s.pace = pace{varbinds: firstVarbinds, most: mostVarbinds, slowest: s.pace.slowest}
}
