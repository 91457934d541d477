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
// value waits a second and a half, twice, which suits a LAN.
type Patience struct {
	// Timeout of one request.
	Timeout time.Duration
	// Retries after the first; negative: none.
	Retries int
	// Objects of one walk; 0: as many as the largest chassis has.
	Objects int
}

// Session is a conversation with one device. It is not safe for use by several
// goroutines.
type Session struct {
	address     string
	credentials Credentials
	patience    Patience
	g           *gosnmp.GoSNMP
	// varbinds is how many a GetBulk asks for: fewer for agents that can't send
	// as much.
	varbinds int
	answered bool
	stats    *Stats
}

// Stats counts what a session cost the device.
type Stats struct{ PDUs, Objects int }

const (
	defaultPort = "161"
	// varbindsWanted is about what fits into one unfragmented datagram of short
	// values; agents cut what does not fit.
	varbindsWanted = 64
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
	s := &Session{address: address, credentials: c, patience: p, varbinds: varbindsWanted, stats: &Stats{}}
	return s, s.connect(ctx)
}

// View opens another session with the same device, which shows the bridge table
// of one VLAN: Cisco's community@VLAN, or the context vlan-VLAN with SNMPv3. It
// asks only once, and counts into the Stats of the first. The caller closes it.
func (s *Session) View(ctx context.Context, vlan int) (*Session, error) {
	view := &Session{address: s.address, credentials: s.credentials, patience: s.patience, varbinds: s.varbinds, stats: s.stats}
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
	if err != nil || host == "" {
		return fmt.Errorf("%q is no address of a device: expected HOST or HOST:PORT", s.address)
	}
	s.g = &gosnmp.GoSNMP{
		Target: host, Port: uint16(number), Transport: "udp", Context: ctx,
		Timeout: s.patience.Timeout, Retries: max(s.patience.Retries, 0), MaxOids: gosnmp.MaxOids,
		OnSent: func(*gosnmp.GoSNMP) { s.stats.PDUs++ },
	}
	if s.credentials.Community != "" {
		s.g.Version, s.g.Community = gosnmp.Version2c, s.credentials.Community
		if s.credentials.Version1 {
			s.g.Version = gosnmp.Version1
		}
	} else {
		s.secure()
	}
	if err := s.g.Connect(); err != nil {
		return fmt.Errorf("%s: %w", s.address, err)
	}
	return nil
}

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

// Get reads scalars. What the device does not have is an absent Value.
func (s *Session) Get(ctx context.Context, oids ...string) ([]Value, error) {
	s.g.Context = ctx
	answer, err := s.g.Get(oids)
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	values := make([]Value, len(oids))
	for _, v := range answer.Variables {
		s.stats.Objects++
		for i, oid := range oids {
			if strings.TrimPrefix(v.Name, ".") == oid {
				values[i] = Value{v}
			}
		}
	}
	return values, nil
}

// explain turns the library's errors into the kinds above.
func (s *Session) explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: stopped: %w", s.address, ctx.Err())
	case errors.Is(err, gosnmp.ErrUnknownUsername), errors.Is(err, gosnmp.ErrWrongDigest), errors.Is(err, gosnmp.ErrDecryption),
		errors.Is(err, gosnmp.ErrUnknownSecurityLevel), strings.Contains(err.Error(), "authentic"):
		return fmt.Errorf("%s: %w: %w", s.address, ErrRefused, err)
	case strings.Contains(err.Error(), "timeout"), errors.Is(err, gosnmp.ErrMaxRetriesExceeded):
		return fmt.Errorf("%s: %w to %d requests within %v each; is the address right, does an access list let us in, is the community or user right?",
			s.address, ErrSilent, max(s.patience.Retries, 0)+1, s.patience.Timeout)
	case strings.Contains(err.Error(), "connection refused"):
		return fmt.Errorf("%s: %w: nothing listens at that port; is the SNMP agent on?", s.address, ErrSilent)
	}
	return fmt.Errorf("%s: %w", s.address, err)
}
