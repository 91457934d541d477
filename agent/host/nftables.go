package host

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
)

// Messages and attributes of nf_tables that are read (linux/netfilter/nf_tables.h).
const (
	nftNewChain   = 10<<8 | 3
	nftNewRule    = 10<<8 | 6
	nftNewSet     = 10<<8 | 9
	nftNewSetElem = 10<<8 | 12
)

// Hooks of chains that our own packets pass (enum nf_inet_hooks), and the
// families of their tables.
const (
	nftHookIn  = 1
	nftHookOut = 3

	nftFamilyInet = 1
	nftFamily4    = 2
	nftFamily6    = 10
)

// Bounds of what is kept of one machine's rules.
const (
	maxFilterRules    = 20_000
	maxRuleParts      = 64
	maxFilterElements = 50_000
)

// ruleset is the part of a packet filter that decides about our own packets.
type ruleset struct {
	chains map[chainKey]*chain
	hooks  []*chain // those that packets enter by, in no order
	sets   map[chainKey]*ruleSet
	rules  int
}

// chainKey names a chain or a set.
type chainKey struct {
	family      byte
	table, name string
}

type chain struct {
	key      chainKey
	base     bool
	hook     uint32
	priority int32
	kind     string // filter | nat | route
	drops    bool   // by policy
	rules    []rule
}

type rule []ruleExpression

// ruleExpression is one step of a rule: what it is called, and its attributes.
type ruleExpression struct {
	name string
	argument
}

// argument are the attributes of an expression: numbers and values by type.
type argument struct {
	numbers map[uint16]uint32
	values  map[uint16][]byte
	verdict *verdict
	text    string
}

// expressions says of which types the attributes are that hold data, and, where
// there is one, the text.
var expressions = map[string]struct {
	data []uint16
	text uint16
}{
	"immediate": {data: []uint16{2}}, "cmp": {data: []uint16{3}}, "range": {data: []uint16{3, 4}}, "bitwise": {data: []uint16{4, 5}},
	"lookup": {text: 1}, "match": {text: 1}, "target": {text: 1},
}

// decode reads the attributes of an expression.
func (e *ruleExpression) decode(content []byte) error {
	known := expressions[e.name]
	e.numbers, e.values = map[uint16]uint32{}, map[uint16][]byte{}
	return filterAttributes(content, func(ad *netlink.AttributeDecoder) {
		switch {
		case slices.Contains(known.data, ad.Type()):
			value, v := dataOf(ad)
			e.values[ad.Type()] = value
			if v != nil {
				e.verdict = v
			}
		case known.text != 0 && ad.Type() == known.text:
			e.text = ad.String()
		case len(ad.Bytes()) == 4:
			e.numbers[ad.Type()] = binary.BigEndian.Uint32(ad.Bytes())
		default:
			e.values[ad.Type()] = ad.Bytes()
		}
	})
}

// ruleSet is a named or nameless set, or a map to verdicts. Known says that its
// elements were read.
type ruleSet struct {
	known     bool
	intervals bool
	isMap     bool
	elements  []setElement
}

type setElement struct {
	key      []byte
	end      bool // the first value beyond an interval
	catchall bool
	ranged   bool // the key has an end of its own, of several fields
	verdict  *verdict
}

// verdict is where a rule sends a packet (enum nf_verdict, nft_verdicts).
type verdict struct {
	code  int32
	chain string
}

const (
	verdictDrop     = 0
	verdictAccept   = 1
	verdictContinue = -1
	verdictBreak    = -2
	verdictJump     = -3
	verdictGoto     = -4
	verdictReturn   = -5
)

// parseRuleset reads the messages that the verb "filter" returns. What it does
// not know it passes over; a cut message is an error.
func parseRuleset(content []byte) (*ruleset, error) {
	r := &ruleset{chains: map[chainKey]*chain{}, sets: map[chainKey]*ruleSet{}}
	const header, generic = 16, 4 // struct nlmsghdr, struct nfgenmsg
	elements := 0
	for len(content) > 0 {
		if len(content) < header+generic {
			return nil, fmt.Errorf("nf_tables: a message is cut at %d bytes", len(content))
		}
		length := int(binary.NativeEndian.Uint32(content))
		if length < header+generic || length > len(content) {
			return nil, fmt.Errorf("nf_tables: a message of %d bytes where %d are left", length, len(content))
		}
		kind, family := binary.NativeEndian.Uint16(content[4:]), content[header]
		body := content[header+generic : length]
		content = content[length:]
		var err error
		switch kind {
		case nftNewChain:
			err = r.addChain(family, body)
		case nftNewRule:
			err = r.addRule(family, body)
		case nftNewSet:
			err = r.addSet(family, body)
		case nftNewSetElem:
			err = r.addElements(family, body, &elements)
		}
		if err != nil {
			return nil, fmt.Errorf("nf_tables: %w", err)
		}
	}
	for _, c := range r.chains {
		if c.base {
			r.hooks = append(r.hooks, c)
		}
	}
	return r, nil
}

// filterAttributes calls read for each attribute; numbers are big endian.
func filterAttributes(content []byte, read func(*netlink.AttributeDecoder)) error {
	ad, err := netlink.NewAttributeDecoder(content)
	if err != nil {
		return err
	}
	ad.ByteOrder = binary.BigEndian
	for ad.Next() {
		read(ad)
	}
	return ad.Err()
}

// eachInside reads the attributes inside one.
func eachInside(ad *netlink.AttributeDecoder, read func(*netlink.AttributeDecoder)) {
	ad.Do(func(content []byte) error { return filterAttributes(content, read) })
}

func (r *ruleset) addChain(family byte, body []byte) error {
	c := &chain{key: chainKey{family: family}}
	err := filterAttributes(body, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case 1:
			c.key.table = ad.String()
		case 3:
			c.key.name = ad.String()
		case 4:
			c.base = true
			eachInside(ad, func(hook *netlink.AttributeDecoder) {
				switch hook.Type() {
				case 1:
					c.hook = hook.Uint32()
				case 2:
					c.priority = int32(hook.Uint32())
				}
			})
		case 5:
			c.drops = ad.Uint32() == verdictDrop
		case 7:
			c.kind = ad.String()
		}
	})
	if err == nil && len(r.chains) < maxFilterRules {
		r.chains[c.key] = c
	}
	return err
}

func (r *ruleset) addRule(family byte, body []byte) error {
	key := chainKey{family: family}
	var parts rule
	err := filterAttributes(body, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case 1:
			key.table = ad.String()
		case 2:
			key.name = ad.String()
		case 4:
			eachInside(ad, func(list *netlink.AttributeDecoder) {
				var e ruleExpression
				eachInside(list, func(one *netlink.AttributeDecoder) {
					switch one.Type() {
					case 1:
						e.name = one.String()
					case 2:
						one.Do(e.decode)
					}
				})
				parts = append(parts, e)
			})
		}
	})
	if err != nil {
		return err
	}
	if r.rules++; r.rules > maxFilterRules || len(parts) > maxRuleParts {
		return fmt.Errorf("more than %d rules, or more than %d parts in one", maxFilterRules, maxRuleParts)
	}
	if c := r.chains[key]; c != nil {
		c.rules = append(c.rules, parts)
	}
	return nil
}

func (r *ruleset) addSet(family byte, body []byte) error {
	const interval, isMap = 4, 8 // enum nft_set_flags
	key, set := chainKey{family: family}, &ruleSet{}
	err := filterAttributes(body, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case 1:
			key.table = ad.String()
		case 2:
			key.name = ad.String()
		case 3:
			flags := ad.Uint32()
			set.intervals, set.isMap = flags&interval != 0, flags&isMap != 0
		}
	})
	if err == nil {
		r.sets[key] = set
	}
	return err
}

func (r *ruleset) addElements(family byte, body []byte, total *int) error {
	const end, catchall = 1, 2 // enum nft_set_elem_flags
	key := chainKey{family: family}
	var elements []setElement
	err := filterAttributes(body, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case 1:
			key.table = ad.String()
		case 2:
			key.name = ad.String()
		case 3:
			eachInside(ad, func(list *netlink.AttributeDecoder) {
				var e setElement
				eachInside(list, func(one *netlink.AttributeDecoder) {
					switch one.Type() {
					case 1:
						e.key, _ = dataOf(one)
					case 2:
						_, e.verdict = dataOf(one)
					case 3:
						flags := one.Uint32()
						e.end, e.catchall = flags&end != 0, flags&catchall != 0
					case 10:
						e.ranged = true
					}
				})
				elements = append(elements, e)
			})
		}
	})
	if err != nil {
		return err
	}
	if *total += len(elements); *total > maxFilterElements {
		return fmt.Errorf("more than %d elements of sets", maxFilterElements)
	}
	if set := r.sets[key]; set != nil {
		set.known = true
		set.elements = append(set.elements, elements...)
	}
	return nil
}

// dataOf reads a value or a verdict (enum nft_data_attributes).
func dataOf(ad *netlink.AttributeDecoder) (value []byte, v *verdict) {
	eachInside(ad, func(data *netlink.AttributeDecoder) {
		switch data.Type() {
		case 1:
			value = data.Bytes()
		case 2:
			v = &verdict{}
			eachInside(data, func(one *netlink.AttributeDecoder) {
				switch one.Type() {
				case 1:
					v.code = int32(one.Uint32())
				case 2:
					v.chain = one.String()
				}
			})
		}
	})
	return value, v
}
