// Program responder plays many devices of one recording from memory, fast
// enough to measure those who ask: every object is encoded once, and every
// answer too. It speaks SNMPv2c to any community.
//
//	responder [-delay D] [-cut N] DEVICES RECORDING
//
// It answers at DEVICES addresses of the loopback network and writes each as a
// line to standard output. It ends when its standard input does.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// largest answer, in bytes: what Cisco's agents send by default.
	largest = 1472
	// maxCached bounds the answers that are kept.
	maxCached = 1 << 16
)

func main() {
	delay := flag.Duration("delay", 0, "wait so long before each answer")
	cut := flag.Int("cut", 1<<30, "objects in an answer at most")
	flag.Parse()
	devices, err := strconv.Atoi(flag.Arg(0))
	if err != nil || flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	text, err := os.ReadFile(flag.Arg(1))
	if err == nil {
		var mib *tree
		if mib, err = load(string(text)); err == nil {
			mib.delay, mib.cut = *delay, *cut
			err = listen(mib, devices)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func listen(mib *tree, devices int) error {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	port := 0
	for i := range devices {
		address := netip.AddrFrom4([4]byte{127, 9, byte(i >> 8), byte(i)})
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, uint16(port))))
		if err != nil {
			return err
		}
		port = conn.LocalAddr().(*net.UDPAddr).Port
		fmt.Fprintln(out, conn.LocalAddr())
		go mib.serve(conn)
	}
	return nil
}

// object is one of the MIB.
type object struct {
	name  []byte
	arcs  []uint64
	whole []byte // name and value as they stand in an answer
}

type tree struct {
	objects []object // in order
	places  map[string]int
	delay   time.Duration
	cut     int

	mutex  sync.RWMutex
	cached map[string][]byte
}

var tags = map[string]byte{"2": 0x02, "4": 0x04, "5": 0x05, "6": 0x06, "64": 0x40, "65": 0x41, "66": 0x42, "67": 0x43, "70": 0x46}

// load reads a recording, OID|type|value.
func load(text string) (*tree, error) {
	t := &tree{places: map[string]int{}, cached: map[string][]byte{}}
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimRight(line, "\r\n"), "|", 3)
		if len(parts) != 3 {
			continue
		}
		value, err := encode(parts[1], parts[2])
		if err != nil {
			continue // recordings of others have lines that nobody can play
		}
		name := encodeName(parts[0])
		t.objects = append(t.objects, object{name, arcs(name), element(0x30, append(element(0x06, name), value...))})
	}
	slices.SortFunc(t.objects, func(a, b object) int { return slices.Compare(a.arcs, b.arcs) })
	for i, o := range t.objects {
		t.places[string(o.name)] = i
	}
	return t, nil
}

func encode(kind, value string) ([]byte, error) {
	kind, isHex := strings.CutSuffix(kind, "x")
	tag, known := tags[kind]
	if !known {
		return nil, fmt.Errorf("unknown type %q", kind)
	}
	raw := []byte(value)
	var err error
	switch tag {
	case 0x04:
		if isHex {
			raw, err = hex.DecodeString(value)
		}
	case 0x05:
		raw = nil
	case 0x06:
		raw = encodeName(value)
	case 0x40:
		var a netip.Addr
		if a, err = netip.ParseAddr(value); err == nil {
			raw = a.AsSlice()
		}
	case 0x02:
		var n int64
		n, err = strconv.ParseInt(value, 10, 64)
		raw = short(uint64(n), n < 0)
	default:
		var n uint64
		n, err = strconv.ParseUint(value, 10, 64)
		raw = short(n, false)
	}
	return element(tag, raw), err
}

// short is a number in as few bytes as BER wants.
func short(n uint64, negative bool) []byte {
	raw := []byte{0}
	if negative {
		raw[0] = 0xff
	}
	for shift := 56; shift >= 0; shift -= 8 {
		raw = append(raw, byte(n>>shift))
	}
	for len(raw) > 1 && raw[0] == raw[1]&0x80>>7*0xff {
		raw = raw[1:]
	}
	return raw
}

func element(tag byte, content []byte) []byte {
	n := len(content)
	switch {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, content...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, content...)
	}
	return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...)
}

func encodeName(text string) []byte {
	var numbers []uint64
	for part := range strings.SplitSeq(strings.TrimPrefix(text, "."), ".") {
		n, _ := strconv.ParseUint(part, 10, 32)
		numbers = append(numbers, n)
	}
	if len(numbers) < 2 {
		return nil
	}
	var raw []byte
	for i, n := range numbers[1:] {
		if i == 0 {
			n += 40 * numbers[0]
		}
		for shift := 28; shift > 0; shift -= 7 {
			if n>>shift != 0 {
				raw = append(raw, byte(n>>shift)|0x80)
			}
		}
		raw = append(raw, byte(n&0x7f))
	}
	return raw
}

func arcs(name []byte) (numbers []uint64) {
	var n uint64
	for _, c := range name {
		if n = n<<7 | uint64(c&0x7f); c < 0x80 {
			numbers, n = append(numbers, n), 0
		}
	}
	return numbers
}

// take reads an element of a request.
func take(b []byte) (tag byte, content, rest []byte) {
	if len(b) < 2 {
		return 0, nil, nil
	}
	n, head := int(b[1]), 2
	if n >= 0x80 {
		for range n & 0x7f {
			if head >= len(b) {
				return 0, nil, nil
			}
			if head == 2 {
				n = 0
			}
			n = n<<8 | int(b[head])
			head++
		}
	}
	if n > len(b)-head {
		return 0, nil, nil
	}
	return b[0], b[head : head+n], b[head+n:]
}

func (t *tree) serve(conn *net.UDPConn) {
	in, out := make([]byte, 4096), make([]byte, 0, 4096)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(in)
		if err != nil {
			return
		}
		_, message, _ := take(in[:n])
		_, version, rest := take(message)
		_, _, pdu := take(rest)
		head := message[:len(message)-len(pdu)] // version and community
		kind, content, _ := take(pdu)
		_, id, asked := take(content)
		if len(version) != 1 || version[0] != 1 || len(id) == 0 {
			continue
		}
		answer := t.answer(kind, asked)
		if answer == nil {
			continue
		}
		length := len(id) + 2 + len(answer)
		out = append(out[:0], 0x30, 0x82, 0, 0)
		out = append(append(out, head...), 0xa2, 0x82, byte(length>>8), byte(length), 2, byte(len(id)))
		out = append(append(out, id...), answer...)
		out[2], out[3] = byte((len(out)-4)>>8), byte(len(out)-4)
		if t.delay > 0 {
			time.Sleep(t.delay)
		}
		_, _ = conn.WriteToUDPAddrPort(out, from)
	}
}

// answer gives what follows the request's number in an answer.
func (t *tree) answer(kind byte, asked []byte) []byte {
	var space [1024]byte
	key := append(append(space[:0], kind), asked...)
	t.mutex.RLock()
	known := t.cached[string(key)]
	t.mutex.RUnlock()
	if known != nil {
		return known
	}
	_, first, rest := take(asked)
	_, second, rest := take(rest)
	_, list, _ := take(rest)
	var names [][]byte
	for len(list) > 0 {
		var one []byte
		_, one, list = take(list)
		_, name, _ := take(one)
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil
	}
	repeaters, repetitions := names, 1
	var binds []byte
	count := 0
	add := func(b []byte) bool {
		if count++; count > t.cut || len(binds)+len(b) > largest-100 {
			return false
		}
		binds = append(binds, b...)
		return true
	}
	switch kind {
	case 0xa0:
		for _, name := range names {
			if at, there := t.places[string(name)]; there {
				add(t.objects[at].whole)
			} else {
				add(element(0x30, append(element(6, name), 0x81, 0)))
			}
		}
		return append([]byte{2, 1, 0, 2, 1, 0}, element(0x30, binds)...)
	case 0xa5:
		once := min(int(uint(arcsOf(first))), len(names))
		for _, name := range names[:once] {
			b, _ := t.after(name)
			add(b)
		}
		repeaters, repetitions = names[once:], int(arcsOf(second))
	}
answered:
	for range repetitions {
		for i, name := range repeaters {
			b, next := t.after(name)
			if !add(b) {
				break answered
			}
			repeaters[i] = next
		}
	}
	made := append([]byte{2, 1, 0, 2, 1, 0}, element(0x30, binds)...)
	t.mutex.Lock()
	if len(t.cached) < maxCached {
		t.cached[string(key)] = made
	}
	t.mutex.Unlock()
	return made
}

func arcsOf(number []byte) (n int64) {
	for _, c := range number {
		n = n<<8 | int64(c)
	}
	return n
}

// after gives the object that follows a name, and its name.
func (t *tree) after(name []byte) (whole, next []byte) {
	at, there := t.places[string(name)]
	if there {
		at++
	} else {
		wanted := arcs(name)
		at, _ = slices.BinarySearchFunc(t.objects, wanted, func(o object, w []uint64) int { return slices.Compare(o.arcs, w) })
	}
	if at == len(t.objects) {
		return element(0x30, append(element(6, name), 0x82, 0)), bytes.Clone(name)
	}
	return t.objects[at].whole, t.objects[at].name
}
