package host

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
)

// packet is what is known of a packet that our own filter sees. What is not
// known matches and does not match: the filter's answer is then every one that
// is possible.
type packet struct {
	hook     uint32
	family   int32 // 4 | 6
	protocol uint8 // IPPROTO_…
	// The zero address is unknown.
	from, to netip.Addr
	// Ports; 0 is unknown.
	fromPort, toPort uint16
	// link is where it comes in or goes out, and its number; "" and 0 unknown.
	link  string
	index int32
	// established: an answer to what we sent.
	established bool
	uid         *uint32
}

// fate is the set of what may become of a packet.
type fate uint8

const (
	accepted fate = 1 << iota
	dropped
	rejected
	// passed is the end of a chain without a verdict.
	passed
)

// word is the fate in one word; "" when it depends on what is not known.
func (o fate) word() string {
	switch o {
	case accepted:
		return "accept"
	case rejected:
		return "reject"
	case dropped, dropped | rejected:
		return "drop"
	}
	return ""
}

// Bounds of one walk.
const (
	maxFilterDepth = 16 // NFT_JUMP_STACK_SIZE
	maxFilterSteps = 200_000
)

// judge says what becomes of a packet: it passes all chains of its hook until
// one drops it.
func (r *ruleset) judge(p packet) fate {
	family := byte(nftFamily6)
	if p.family == 4 {
		family = nftFamily4
	}
	hooks := slices.DeleteFunc(slices.Clone(r.hooks), func(c *chain) bool {
		// Translation of addresses does not decide whether a packet passes.
		return c.hook != p.hook || c.kind == "nat" || c.key.family != family && c.key.family != nftFamilyInet
	})
	slices.SortFunc(hooks, func(a, b *chain) int { return cmp.Compare(a.priority, b.priority) })
	w := &walk{rules: r, packet: p, family: family}
	var all fate
	for _, c := range hooks {
		o := w.chain(c, 0)
		if o&passed != 0 {
			o &^= passed
			if c.drops {
				o |= dropped
			} else {
				o |= accepted
			}
		}
		all |= o & (dropped | rejected)
		if o&accepted == 0 {
			return all
		}
	}
	return all | accepted
}

// walk is one packet's way through the rules.
type walk struct {
	rules  *ruleset
	packet packet
	family byte
	steps  int
	// marked: a rule set the packet's mark, or may have.
	marked bool
	// registers of the rule under way, and which of their bytes are known.
	values [80]byte
	known  [80]bool
}

// match is whether a rule's conditions hold.
type match uint8

const (
	no match = iota
	maybe
	yes
)

func (w *walk) chain(c *chain, depth int) fate {
	var result fate
	if depth > maxFilterDepth {
		return accepted | dropped | passed
	}
	for _, one := range c.rules {
		if w.steps += len(one) + 1; w.steps > maxFilterSteps {
			return result | accepted | dropped | passed
		}
		m, v := w.rule(c.key, one)
		if m == no || v == nil || v.code == verdictContinue || v.code == verdictBreak {
			continue
		}
		var o fate
		final := true
		switch v.code {
		case verdictAccept:
			o = accepted
		case verdictDrop:
			o = dropped
		case verdictReject:
			o = rejected
		case verdictReturn:
			o = passed
		case verdictJump, verdictGoto:
			next := w.rules.chains[chainKey{c.key.family, c.key.table, v.chain}]
			if next == nil {
				return result | accepted | dropped | passed
			}
			o = w.chain(next, depth+1)
			if v.code == verdictJump && o&passed != 0 {
				o, final = o&^passed, false
			}
		default: // a program decides
			o = accepted | dropped
		}
		result |= o
		if m == yes && final {
			return result
		}
	}
	return result | passed
}

// verdictReject is our own: nf_tables has an expression for it.
const verdictReject = -100

// rule evaluates one rule: whether it matches, and where it then sends the
// packet (nil: nowhere).
func (w *walk) rule(at chainKey, parts rule) (match, *verdict) {
	w.known = [80]bool{}
	m := yes
	var v *verdict
	for _, e := range parts {
		one, to := w.expression(at, e)
		if m = min(m, one); m == no {
			return no, nil
		}
		if to != nil {
			v = to
		}
	}
	return m, v
}

// expression evaluates one step of a rule.
func (w *walk) expression(at chainKey, e ruleExpression) (match, *verdict) {
	switch e.name {
	case "counter", "log", "notrack", "objref", "flow_offload", "last":
		return yes, nil
	case "reject":
		return yes, &verdict{code: verdictReject}
	case "queue":
		return yes, queued
	case "immediate":
		a := e.argument
		if a.verdict == nil {
			w.load(a.numbers[1], a.values[2], nil)
		}
		return yes, a.verdict
	case "payload":
		a := e.argument
		if _, writes := a.numbers[5]; !writes {
			value, known := w.packet.payload(a.numbers[2], a.numbers[3], a.numbers[4])
			w.load(a.numbers[1], value, known)
		}
		return yes, nil
	case "meta":
		a := e.argument
		if _, writes := a.numbers[3]; writes {
			w.marked = true
			return yes, nil
		}
		w.load(a.numbers[1], w.meta(a.numbers[2]), nil)
		return yes, nil
	case "ct":
		a := e.argument
		var value []byte
		const state, stateNew, stateEstablished = 0, 8, 2
		if a.numbers[2] == state {
			value = binary.NativeEndian.AppendUint32(nil, stateNew)
			if w.packet.established {
				value = binary.NativeEndian.AppendUint32(nil, stateEstablished)
			}
		}
		w.load(a.numbers[1], value, nil)
		return yes, nil
	case "cmp":
		a := e.argument
		return w.compare(a.numbers[1], a.numbers[2], a.values[3]), nil
	case "range":
		a := e.argument
		inside := min(w.compare(a.numbers[1], 5, a.values[3]), w.compare(a.numbers[1], 3, a.values[4]))
		if a.numbers[2] == 1 {
			return yes - inside, nil
		}
		return inside, nil
	case "bitwise":
		a := e.argument
		w.mask(a)
		return yes, nil
	case "lookup":
		a := e.argument
		return w.look(w.rules.sets[chainKey{at.family, at.table, a.text}], a)
	case "match", "target":
		return w.extension(e.name, e.argument)
	default:
		w.forget(e.argument)
		return maybe, nil
	}
}

// registerAt is a register's offset in bytes: four of 16, or sixteen of 4.
func registerAt(register uint32) int {
	switch {
	case register >= 1 && register <= 4:
		return int(register-1) * 16
	case register >= 8 && register < 24:
		return int(register-8) * 4
	}
	return -1
}

// load puts a value into a register. A nil known means that all of it is known.
func (w *walk) load(register uint32, value []byte, known []bool) {
	at := registerAt(register)
	if at < 0 {
		return
	}
	clear(w.known[at:min(len(w.known), at+16)])
	for i := range value {
		if at+i >= len(w.values) {
			return
		}
		w.values[at+i], w.known[at+i] = value[i], known == nil || known[i]
	}
}

// forget makes the registers unknown that an expression may have written.
func (w *walk) forget(a argument) {
	for _, register := range a.numbers {
		w.load(register, nil, nil)
	}
}

// read returns so many bytes of a register; ok when all are known.
func (w *walk) read(register uint32, length int) (value []byte, ok bool) {
	at := registerAt(register)
	if at < 0 || length == 0 || at+length > len(w.values) {
		return nil, false
	}
	return w.values[at : at+length], !slices.Contains(w.known[at:at+length], false)
}

// compare evaluates enum nft_cmp_ops.
func (w *walk) compare(register, op uint32, with []byte) match {
	value, ok := w.read(register, len(with))
	if !ok {
		return maybe
	}
	order := bytes.Compare(value, with)
	holds := []bool{order == 0, order != 0, order < 0, order <= 0, order > 0, order >= 0}
	if int(op) >= len(holds) {
		return maybe
	}
	if holds[op] {
		return yes
	}
	return no
}

// mask evaluates "(source & mask) ^ xor"; other operations are not known.
func (w *walk) mask(a argument) {
	from, to, length := a.numbers[1], a.numbers[2], int(a.numbers[3])
	value, _ := w.read(from, length)
	at := registerAt(from)
	mask, flip := a.values[4], a.values[5]
	if value == nil || a.numbers[6] != 0 || len(mask) < length || len(flip) < length {
		w.load(to, nil, nil)
		return
	}
	result, known := make([]byte, length), make([]bool, length)
	for i := range length {
		result[i] = value[i]&mask[i] ^ flip[i]
		known[i] = w.known[at+i] || mask[i] == 0
	}
	w.load(to, result, known)
}

// look evaluates a look-up in a set, or in a map of verdicts.
func (w *walk) look(set *ruleSet, a argument) (match, *verdict) {
	to, writes := a.numbers[3]
	toVerdict := writes && to == 0
	if writes && !toVerdict {
		w.load(to, nil, nil) // a map of values
		return maybe, nil
	}
	if set == nil || !set.known {
		return maybe, set.anyVerdict(toVerdict)
	}
	var found *setElement
	sure := true
	for _, e := range set.elements {
		value, known := w.read(a.numbers[2], len(e.key))
		switch {
		case e.catchall:
			if found == nil {
				found = &e
			}
		case e.ranged, !known:
			sure = false
		case !set.intervals && bytes.Equal(value, e.key):
			found = &e
		case set.intervals && bytes.Compare(e.key, value) <= 0 && e.nearer(found):
			found = &e
		}
	}
	m := no
	if found != nil && !found.end {
		m = yes
	}
	if !sure {
		m = maybe
	}
	if a.numbers[5] == 1 { // inverted
		m = yes - m
	}
	switch {
	case !toVerdict:
		return m, nil
	case m == maybe:
		return maybe, set.anyVerdict(true)
	case m == no:
		return no, nil
	}
	return m, found.verdict
}

// nearer tells whether an interval's border lies above the one found so far.
func (e *setElement) nearer(found *setElement) bool {
	if found == nil || found.catchall {
		return true
	}
	order := bytes.Compare(e.key, found.key)
	return order > 0 || order == 0 && !e.end
}

// anyVerdict stands for a verdict that is one of a map's: a program's, which
// may be any.
func (s *ruleSet) anyVerdict(wanted bool) *verdict {
	if !wanted {
		return nil
	}
	return queued
}

// payload reads bytes of the packet's headers; those that are not known are
// told so.
func (p packet) payload(base, offset, length uint32) (value []byte, known []bool) {
	const network, transport, longest = 1, 2, 64
	if length > longest || offset > 4*longest {
		return nil, nil
	}
	header, sure := make([]byte, 5*longest), make([]bool, 5*longest)
	put := func(at int, content []byte) {
		for i, b := range content {
			header[at+i], sure[at+i] = b, true
		}
	}
	address := func(at int, a netip.Addr) {
		if a.IsValid() {
			put(at, a.AsSlice())
		}
	}
	port := func(at int, n uint16) {
		if n != 0 {
			put(at, binary.BigEndian.AppendUint16(nil, n))
		}
	}
	switch {
	case base == network && p.family == 4:
		put(9, []byte{p.protocol})
		address(12, p.from)
		address(16, p.to)
	case base == network:
		put(6, []byte{p.protocol})
		address(8, p.from)
		address(24, p.to)
	case base == transport && (p.protocol == protocolTCP || p.protocol == protocolUDP):
		port(0, p.fromPort)
		port(2, p.toPort)
		if p.protocol == protocolTCP {
			const syn, ack = 2, 16
			put(13, []byte{map[bool]byte{false: syn, true: syn | ack}[p.established]})
		}
	case base == transport && (p.protocol == protocolICMP || p.protocol == protocolICMP6):
		put(0, []byte{p.echoType(), 0})
	}
	return header[offset : offset+length], sure[offset : offset+length]
}

// Protocol numbers (IANA).
const (
	protocolICMP  = 1
	protocolTCP   = 6
	protocolUDP   = 17
	protocolICMP6 = 58
)

// echoType is the type of an echo request, or of its reply.
func (p packet) echoType() byte {
	switch {
	case p.protocol == protocolICMP && p.established:
		return 0
	case p.protocol == protocolICMP:
		return 8
	case p.established:
		return 129
	}
	return 128
}

// meta reads what the kernel knows beside the packet (enum nft_meta_keys); nil
// when we don't.
func (w *walk) meta(key uint32) []byte {
	out := w.packet.hook == nftHookOut
	name := func(here bool) []byte {
		if !here {
			return make([]byte, 16) // a packet of our own comes from no link
		}
		if w.packet.link == "" {
			return nil
		}
		padded := make([]byte, 16)
		copy(padded, w.packet.link)
		return padded
	}
	index := func(here bool) []byte {
		switch {
		case !here:
			return make([]byte, 4)
		case w.packet.index == 0:
			return nil
		}
		return binary.NativeEndian.AppendUint32(nil, uint32(w.packet.index))
	}
	switch key {
	case 1: // protocol
		if w.family == nftFamily4 {
			return []byte{0x08, 0x00}
		}
		return []byte{0x86, 0xdd}
	case 3: // mark
		if !w.marked && out {
			return make([]byte, 4)
		}
	case 4: // iif
		return index(!out)
	case 5: // oif
		return index(out)
	case 6: // iifname
		return name(!out)
	case 7: // oifname
		return name(out)
	case 10: // skuid
		if w.packet.uid != nil && out {
			return binary.NativeEndian.AppendUint32(nil, *w.packet.uid)
		}
	case 15: // nfproto
		return []byte{w.family}
	case 16: // l4proto
		return []byte{w.packet.protocol}
	}
	return nil
}
