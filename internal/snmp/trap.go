package snmp

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gosnmp/gosnmp"
)

// MaxTrap is the longest datagram that is read: RFC 3411 has agents keep to 484
// bytes where they can, and Ethernet to 1472.
const MaxTrap = 8192

// ErrNoTrap is what is no trap and no inform.
var ErrNoTrap = errors.New("no trap")

// Notice is a trap or an inform.
type Notice struct {
	// OID of the notification; of SNMPv1's as RFC 3584 translates it.
	OID string
	// Engine is who sent it with SNMPv3, in hex.
	Engine    string
	Variables []Variable
}

// Variable is an object that came with a notice.
type Variable struct {
	OID string
	Value
}

// Receiver reads traps and informs: SNMPv1, SNMPv2c and SNMPv3 with the User-based
// Security Model. Whose they are the caller knows by the sender's address, and so
// which credentials must fit. It is safe for use by many goroutines.
type Receiver struct {
	// engine is this receiver's, which informs are for; started is when its clock
	// began.
	engine  string
	boots   uint32
	started time.Time
	now     func() time.Time

	mu sync.Mutex
	// clocks are those of the engines that sent traps, by engine.
	clocks map[string]clock
}

// clock is what is known of an engine's (RFC 3414 section 2.3).
type clock struct {
	boots, time uint32
	at          time.Time
}

const (
	// window is how far an engine's clock may be off (RFC 3414 section 2.2.3).
	window = 150 * time.Second
	// maxClocks bounds the engines remembered; a site has fewer devices.
	maxClocks = 100_000

	trapOID          = "1.3.6.1.6.3.1.1.4.1.0" // snmpTrapOID.0
	unknownEngineIDs = "1.3.6.1.6.3.15.1.1.4.0"
	notInTimeWindows = "1.3.6.1.6.3.15.1.1.2.0"
	genericTraps     = "1.3.6.1.6.3.1.1.5"
)

// NewReceiver makes one. name makes its engine's id, which must stay the same;
// boots must be more at each start, else informs of before could be played again.
func NewReceiver(name string, boots uint32, now func() time.Time) *Receiver {
	if len(name) > 27 {
		name = name[:27]
	}
	// RFC 3411: a private enterprise number with the first bit set (that of
	// documentation, RFC 5612), 4 for text.
	engine := binary.BigEndian.AppendUint32(nil, 1<<31|32473)
	return &Receiver{engine: string(engine) + "\x04" + name, boots: max(boots, 1), started: now(), now: now, clocks: map[string]clock{}}
}

// Engine is this receiver's engine id, in hex: devices that send informs by SNMPv3
// want it.
func (r *Receiver) Engine() string { return strings.ReplaceAll(Hex([]byte(r.engine)), ":", "") }

// Read reads a datagram by the credentials of its sender. answer, where there is
// one, goes back to the sender: of an inform once it is kept, of an error
// (ErrNoTrap: a question after the engine, or a clock that is off) at once.
func (r *Receiver) Read(message []byte, c Credentials) (n *Notice, answer []byte, err error) {
	if len(message) > MaxTrap {
		return nil, nil, ErrHostile
	}
	defer func() { // the library reads what strangers send
		if broken := recover(); broken != nil {
			n, answer, err = nil, nil, fmt.Errorf("%w: %v", ErrNoTrap, broken)
		}
	}()
	g := &gosnmp.GoSNMP{Version: gosnmp.Version2c}
	if c.User != "" {
		g.Version, g.SecurityModel = gosnmp.Version3, gosnmp.UserSecurityModel
		usm := &gosnmp.UsmSecurityParameters{UserName: c.User}
		g.MsgFlags = gosnmp.NoAuthNoPriv
		if c.Auth != "" {
			g.MsgFlags = gosnmp.AuthNoPriv
			usm.AuthenticationProtocol, usm.AuthenticationPassphrase = authProtocols[c.Auth], c.AuthPassword
		}
		if c.Privacy != "" {
			g.MsgFlags = gosnmp.AuthPriv
			usm.PrivacyProtocol, usm.PrivacyPassphrase = privacyProtocols[c.Privacy], c.PrivacyPassword
		}
		g.SecurityParameters = usm
	}
	p, err := g.UnmarshalTrap(append([]byte{}, message...), true)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrNoTrap, err)
	}
	switch {
	case (p.Version == gosnmp.Version3) != (c.User != ""):
		return nil, nil, fmt.Errorf("%w: another version of SNMP than the credentials are for", ErrRefused)
	case p.Version != gosnmp.Version3 && subtle.ConstantTimeCompare([]byte(p.Community), []byte(c.Community)) != 1:
		return nil, nil, fmt.Errorf("%w: another community", ErrRefused)
	}
	if usm, ok := p.SecurityParameters.(*gosnmp.UsmSecurityParameters); ok && p.Version == gosnmp.Version3 {
		if report, err := r.engineOf(p, usm, g.MsgFlags); err != nil {
			return nil, report, err
		}
	}
	if n, err = notice(p); err != nil {
		return nil, nil, err
	}
	if p.PDUType == gosnmp.InformRequest {
		p.PDUType, p.Error, p.ErrorIndex = gosnmp.GetResponse, gosnmp.NoError, 0
		p.MsgFlags &^= gosnmp.Reportable
		answer, err = p.MarshalMsg()
	}
	return n, answer, err
}

// engineOf checks by the engines' clocks that a message of SNMPv3 is no old one
// played again, and that it is as well protected as the credentials want.
func (r *Receiver) engineOf(p *gosnmp.SnmpPacket, usm *gosnmp.UsmSecurityParameters, level gosnmp.SnmpV3MsgFlags) (report []byte, err error) {
	sender := usm.AuthoritativeEngineID
	if sender == "" {
		return r.report(p, usm, unknownEngineIDs, gosnmp.NoAuthNoPriv), fmt.Errorf("%w: it asks for the engine", ErrNoTrap)
	}
	if p.MsgFlags&gosnmp.AuthPriv != level&gosnmp.AuthPriv {
		return nil, fmt.Errorf("%w: protected otherwise than the credentials want", ErrRefused)
	}
	if p.PDUType == gosnmp.InformRequest && sender != r.engine {
		return r.report(p, usm, unknownEngineIDs, gosnmp.NoAuthNoPriv), fmt.Errorf("%w: an inform for another engine", ErrNoTrap)
	}
	if level&gosnmp.AuthNoPriv == 0 {
		return nil, nil // no clock is believed without authentication
	}
	now := r.now()
	told := clock{usm.AuthoritativeEngineBoots, usm.AuthoritativeEngineTime, now}
	if sender == r.engine {
		mine := uint32(now.Sub(r.started) / time.Second)
		if told.boots != r.boots || apart(told.time, mine) > window {
			return r.report(p, usm, notInTimeWindows, p.MsgFlags&gosnmp.AuthNoPriv), fmt.Errorf("%w: its idea of our clock is off", ErrNoTrap)
		}
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last, known := r.clocks[sender]
	expected := last.time + uint32(now.Sub(last.at)/time.Second)
	if known && (told.boots < last.boots || told.boots == last.boots && told.time < expected && apart(told.time, expected) > window) {
		return nil, fmt.Errorf("%w: a message of before", ErrRefused)
	}
	if !known && len(r.clocks) >= maxClocks {
		clear(r.clocks)
	}
	r.clocks[sender] = told
	return nil, nil
}

func apart(a, b uint32) time.Duration {
	return (time.Duration(a)*time.Second - time.Duration(b)*time.Second).Abs()
}

// report tells a sender whose engine and clock it should use.
func (r *Receiver) report(p *gosnmp.SnmpPacket, usm *gosnmp.UsmSecurityParameters, counter string, level gosnmp.SnmpV3MsgFlags) []byte {
	if p.MsgFlags&gosnmp.Reportable == 0 {
		return nil
	}
	own := usm.Copy().(*gosnmp.UsmSecurityParameters)
	own.AuthoritativeEngineID, own.AuthoritativeEngineBoots = r.engine, r.boots
	own.AuthoritativeEngineTime = uint32(r.now().Sub(r.started) / time.Second)
	answer := *p
	answer.PDUType, answer.SecurityParameters, answer.MsgFlags = gosnmp.Report, own, level
	answer.ContextEngineID = r.engine
	answer.Error, answer.ErrorIndex = gosnmp.NoError, 0
	answer.Variables = []gosnmp.SnmpPDU{{Name: counter, Type: gosnmp.Counter32, Value: uint32(1)}}
	raw, err := answer.MarshalMsg()
	if err != nil {
		return nil
	}
	return raw
}

func notice(p *gosnmp.SnmpPacket) (*Notice, error) {
	n := &Notice{}
	if usm, ok := p.SecurityParameters.(*gosnmp.UsmSecurityParameters); ok {
		n.Engine = strings.ReplaceAll(Hex([]byte(usm.AuthoritativeEngineID)), ":", "")
	}
	switch p.PDUType {
	case gosnmp.SNMPv2Trap, gosnmp.InformRequest:
	case gosnmp.Trap:
		if p.GenericTrap < 6 {
			n.OID = fmt.Sprintf("%s.%d", genericTraps, p.GenericTrap+1)
		} else {
			n.OID = fmt.Sprintf("%s.0.%d", strings.TrimPrefix(p.Enterprise, "."), p.SpecificTrap)
		}
	default:
		return nil, fmt.Errorf("%w: another kind of message", ErrNoTrap)
	}
	for _, v := range p.Variables {
		one := Variable{strings.TrimPrefix(v.Name, "."), Value{v}}
		if one.OID == trapOID && n.OID == "" {
			n.OID = one.Value.OID()
			continue
		}
		n.Variables = append(n.Variables, one)
	}
	if n.OID == "" {
		return nil, fmt.Errorf("%w: it does not say which", ErrNoTrap)
	}
	return n, nil
}
