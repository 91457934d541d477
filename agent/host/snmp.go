package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"
)

// Just enough of SNMP to walk a printer's tables: GetNext of versions 1 and 2c
// (RFC 1157, RFC 3416) with the community that everybody may read with. The
// collector's library would weigh a quarter of a MiB here, for versions and
// operations that a printer on somebody's desk is never asked with.

// Limits of one conversation. A printer that loses a datagram is asked again.
const (
	snmpMaxDatagram = 64 << 10
	snmpMaxRequests = 150
	snmpMaxValue    = 1024
	snmpAnswerTime  = 350 * time.Millisecond
	snmpAttempts    = 3
)

// Tags of BER (X.690) and SNMP.
const (
	berInteger  = 0x02
	berOctets   = 0x04
	berNull     = 0x05
	berOID      = 0x06
	berSequence = 0x30
	snmpGetNext = 0xa1
	snmpAnswer  = 0xa2
	// Counter32, Gauge32, TimeTicks, Counter64 are unsigned integers.
	snmpCounter   = 0x41
	snmpTicks     = 0x43
	snmpCounter64 = 0x46
)

// oid is an object's identifier.
type oid []uint32

// String writes an identifier as people do: "1.3.6.1".
func (o oid) String() string {
	var b []byte
	for i, n := range o {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, uint64(n), 10)
	}
	return string(b)
}

// under tells whether an object lies below another, and where.
func (o oid) under(root oid) (rest oid, ok bool) {
	if len(o) <= len(root) || !slices.Equal(o[:len(root)], root) {
		return nil, false
	}
	return o[len(root):], true
}

// snmpValue is an integer or octets; other syntaxes are passed over.
type snmpValue struct {
	isNumber bool
	number   int64
	octets   string
}

// ber writes one element.
func ber(tag byte, content []byte) []byte {
	b := []byte{tag}
	switch n := len(content); {
	case n < 0x80:
		b = append(b, byte(n))
	default:
		b = append(b, 0x82, byte(n>>8), byte(n))
	}
	return append(b, content...)
}

func berNumber(n uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, n)
	for len(b) > 1 && b[0] == 0 && b[1] < 0x80 {
		b = b[1:]
	}
	if b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	return ber(berInteger, b)
}

func (o oid) ber() []byte {
	b := []byte{byte(o[0]*40 + o[1])}
	for _, n := range o[2:] {
		at := len(b)
		b = append(b, byte(n&0x7f))
		for n >>= 7; n > 0; n >>= 7 {
			b = slices.Insert(b, at, byte(n&0x7f)|0x80)
		}
	}
	return ber(berOID, b)
}

// getNext is a request for what follows each of the objects. Version is 0 for
// SNMPv1 and 1 for SNMPv2c.
func getNext(version byte, community string, id uint32, after []oid) []byte {
	var list []byte
	for _, o := range after {
		list = append(list, ber(berSequence, append(o.ber(), berNull, 0))...)
	}
	pdu := slices.Concat(berNumber(id), berNumber(0), berNumber(0), ber(berSequence, list))
	return ber(berSequence, slices.Concat(ber(berInteger, []byte{version}), ber(berOctets, []byte(community)), ber(snmpGetNext, pdu)))
}

var errBER = errors.New("SNMP: the answer makes no sense")

// unber reads one element off the front.
func unber(b []byte) (tag byte, content, rest []byte, err error) {
	if len(b) < 2 {
		return 0, nil, nil, errBER
	}
	tag, n, at := b[0], int(b[1]), 2
	if n >= 0x80 {
		size := n & 0x7f
		if size < 1 || size > 3 || len(b) < 2+size {
			return 0, nil, nil, errBER
		}
		n = 0
		for _, x := range b[2 : 2+size] {
			n = n<<8 | int(x)
		}
		at += size
	}
	if len(b)-at < n {
		return 0, nil, nil, errBER
	}
	return tag, b[at : at+n], b[at+n:], nil
}

// expect reads one element of a kind.
func expect(want byte, b []byte) (content, rest []byte, err error) {
	tag, content, rest, err := unber(b)
	if err == nil && tag != want {
		err = errBER
	}
	return content, rest, err
}

func signed(b []byte) int64 {
	var n int64
	if len(b) > 0 && b[0] >= 0x80 {
		n = -1
	}
	for _, x := range b[:min(len(b), 8)] {
		n = n<<8 | int64(x)
	}
	return n
}

func unOID(b []byte) (oid, error) {
	if len(b) == 0 {
		return nil, errBER
	}
	o := oid{uint32(b[0]) / 40, uint32(b[0]) % 40}
	for i := 1; i < len(b); {
		var n uint64
		for {
			if i == len(b) || n > 1<<28 {
				return nil, errBER
			}
			n = n<<7 | uint64(b[i]&0x7f)
			i++
			if b[i-1] < 0x80 {
				break
			}
		}
		if len(o) == 128 {
			return nil, errBER
		}
		o = append(o, uint32(n))
	}
	return o, nil
}

// snmpBinding is an object and its value; nil for a syntax nobody needs.
type snmpBinding struct {
	at    oid
	value *snmpValue
}

// parseSNMP reads an answer: whose request it answers, its error and bindings.
func parseSNMP(packet []byte) (version byte, id int64, status int64, bindings []snmpBinding, err error) {
	message, _, err := expect(berSequence, packet)
	var v, content []byte
	if err == nil {
		v, message, err = expect(berInteger, message)
	}
	if err == nil {
		_, message, err = expect(berOctets, message)
	}
	if err == nil {
		message, _, err = expect(snmpAnswer, message)
	}
	var numbers [3]int64
	for i := range numbers {
		if err == nil {
			content, message, err = expect(berInteger, message)
			numbers[i] = signed(content)
		}
	}
	var list []byte
	if err == nil {
		list, _, err = expect(berSequence, message)
	}
	for err == nil && len(list) > 0 {
		var one, name []byte
		var tag byte
		var b snmpBinding
		if one, list, err = expect(berSequence, list); err == nil {
			if name, one, err = expect(berOID, one); err == nil {
				if b.at, err = unOID(name); err == nil {
					tag, content, _, err = unber(one)
				}
			}
		}
		switch {
		case tag == berInteger, tag >= snmpCounter && tag <= snmpTicks, tag == snmpCounter64:
			b.value = &snmpValue{isNumber: true, number: signed(content)}
		case tag == berOctets:
			b.value = &snmpValue{octets: string(content[:min(len(content), snmpMaxValue)])}
		}
		bindings = append(bindings, b)
	}
	if err != nil || len(v) != 1 {
		return 0, 0, 0, nil, errBER
	}
	return v[0], numbers[0], numbers[1], bindings, nil
}

// snmpTalk is a conversation with one device.
type snmpTalk struct {
	conn      net.Conn
	community string
	version   byte // 0 or 1; both are tried until one answers
	known     bool
	id        uint32
	requests  int
}

// next asks for what follows each of the objects.
func (s *snmpTalk) next(ctx context.Context, after []oid) ([]snmpBinding, error) {
	if s.requests++; s.requests > snmpMaxRequests {
		return nil, fmt.Errorf("SNMP: more than %d questions", snmpMaxRequests)
	}
	s.id++
	buffer := make([]byte, snmpMaxDatagram)
	for range snmpAttempts {
		for version := range byte(2) {
			if !s.known || s.version == version {
				if _, err := s.conn.Write(getNext(version, s.community, s.id, after)); err != nil {
					return nil, err
				}
			}
		}
		deadline := time.Now().Add(snmpAnswerTime)
		if end, limited := ctx.Deadline(); limited && end.Before(deadline) {
			deadline = end
		}
		_ = s.conn.SetReadDeadline(deadline)
		for {
			n, err := s.conn.Read(buffer)
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() && ctx.Err() == nil {
				break // asked again
			}
			if err != nil {
				return nil, err
			}
			version, id, status, bindings, err := parseSNMP(buffer[:n])
			if err != nil || id != int64(s.id) {
				continue // late, or not ours
			}
			s.version, s.known = version, true
			const noSuchName = 2 // version 1's word for the end of everything
			if status == noSuchName {
				return nil, nil
			}
			if status != 0 || len(bindings) != len(after) {
				return nil, fmt.Errorf("SNMP: refused with error %d", status)
			}
			return bindings, nil
		}
	}
	return nil, fmt.Errorf("SNMP: %w", context.DeadlineExceeded)
}

// walk reads columns of a table, at most so many rows: values by column and
// index. Columns may miss rows.
func (s *snmpTalk) walk(ctx context.Context, rows int, columns ...oid) (map[string]map[uint32]snmpValue, error) {
	found := map[string]map[uint32]snmpValue{}
	roots, at := slices.Clone(columns), slices.Clone(columns)
	for range rows + 1 {
		bindings, err := s.next(ctx, at)
		if err != nil {
			return found, err
		}
		var moreRoots, more []oid
		for i, b := range bindings {
			index, inside := b.at.under(roots[i])
			if !inside || slices.Compare(b.at, at[i]) <= 0 { // the table ends, or the device turns in circles
				continue
			}
			moreRoots, more = append(moreRoots, roots[i]), append(more, b.at)
			if b.value == nil {
				continue
			}
			column := roots[i].String()
			if found[column] == nil {
				found[column] = map[uint32]snmpValue{}
			}
			found[column][index[len(index)-1]] = *b.value
		}
		if roots, at = moreRoots, more; len(at) == 0 {
			break
		}
	}
	return found, nil
}
