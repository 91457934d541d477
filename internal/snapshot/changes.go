package snapshot

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// volatile groups change by themselves; a difference in them is no change of
// the machine.
var volatile = map[string]bool{
	"changes": true, "counters": true, "load": true, "probes": true, "readings": true, "space": true, "vitals": true,
}

// Stable tells whether a group changes only when the machine does.
func Stable(group string) bool { return groups[group] != nil && !volatile[group] }

// fleeting facts of stable groups come and go in normal use.
var fleeting = map[protoreflect.FullName]bool{
	"constat.v1.Account.ticket_expires_at":       true,
	"constat.v1.AudioEndpoint.in_use":            true,
	"constat.v1.AudioEndpoint.muted":             true,
	"constat.v1.AudioEndpoint.volume_percent":    true,
	"constat.v1.Battery.charge_percent":          true,
	"constat.v1.Battery.now_mwh":                 true,
	"constat.v1.Battery.state":                   true,
	"constat.v1.BluetoothDevice.battery_percent": true,
	"constat.v1.Camera.used_by":                  true,
	"constat.v1.Charger.online":                  true,
	"constat.v1.Directory.clock_offset_seconds":  true,
	"constat.v1.Disk.celsius":                    true,
	"constat.v1.Disk.power_on_hours":             true,
	"constat.v1.Fan.rpm":                         true,
	"constat.v1.Host.sessions":                   true,
	"constat.v1.Lease.expires_at":                true,
	"constat.v1.LinkNeighbour.current":           true,
	"constat.v1.LinkNeighbour.heard_at":          true,
	"constat.v1.Peripheral.battery_percent":      true,
	"constat.v1.Peripheral.linked":               true, // a mouse that sleeps
	"constat.v1.Power.limit_mhz":                 true,
	"constat.v1.Power.on_battery":                true,
	"constat.v1.Power.throttle_events":           true,
	"constat.v1.Power.throttle_events_delta":     true,
	"constat.v1.Printer.state":                   true,
	"constat.v1.Printing.discovered_printers":    true, // an answer may be lost
	"constat.v1.Queue.jobs":                      true,
	"constat.v1.Queue.oldest_job_seconds":        true,
	"constat.v1.Queue.pending_jobs":              true,
	"constat.v1.Radio.better_access_points":      true,
	"constat.v1.Radio.channel_busy_percent":      true,
	"constat.v1.Radio.failed_percent":            true,
	"constat.v1.Radio.networks_heard":            true,
	"constat.v1.Radio.networks_on_channel":       true,
	"constat.v1.Radio.noise_dbm":                 true,
	"constat.v1.Radio.retry_percent":             true,
	"constat.v1.Radio.rx_mbps":                   true,
	"constat.v1.Radio.signal_dbm":                true,
	"constat.v1.Radio.tx_mbps":                   true,
	"constat.v1.Route.neighbour_state":           true,
	"constat.v1.Supply.percent":                  true,
	"constat.v1.ThermalZone.celsius":             true,
	"constat.v1.Tray.percent":                    true,
	"constat.v1.Updates.last_check_at":           true,
	"constat.v1.Updates.locked":                  true,
	"constat.v1.UsbDevice.runtime_status":        true, // runtime power saving, every few seconds
	"constat.v1.Vpn.last_handshake_at":           true,
}

// keys are the fields that tell the elements of a list apart, best first.
var keys = []protoreflect.Name{
	"name", "path", "mount_point", "id", "address", "locator", "connector", "destination", "cidr", "link", "user", "server", "url", "kind",
}

// Changes tells what became different from before to after, sorted by group,
// fact and owner, at the later snapshot's time. Only stable groups that both
// snapshots hold are compared, and only facts that both know: what is unknown
// on one side did not change, as far as anyone can tell. Elements of lists are
// matched by their name, path or the like; one that appeared has an empty
// `before`, one that went has an empty `after`. A list that one side could not
// read whole lacks elements, so there none appeared, or went.
func Changes(before, after *constatv1.Snapshot) []*constatv1.Change {
	d := differ{at: after.GetManifest().GetTakenAt()}
	for _, name := range Names() {
		old, now := Group(before, name), Group(after, name)
		if volatile[name] || old == nil || now == nil || proto.Equal(old, now) {
			continue
		}
		d.group = name
		d.gapsBefore, d.gapsAfter = gaps(before, name), gaps(after, name)
		d.messages("", "", old.ProtoReflect(), now.ProtoReflect())
	}
	slices.SortStableFunc(d.found, func(a, b *constatv1.Change) int {
		return cmp.Or(cmp.Compare(a.GetGroup(), b.GetGroup()), cmp.Compare(a.GetFact(), b.GetFact()), cmp.Compare(a.GetOwner(), b.GetOwner()))
	})
	return d.found
}

// differ gathers the changes of one group after another.
type differ struct {
	at    *timestamppb.Timestamp
	group string
	// What each side could not read of the group.
	gapsBefore, gapsAfter []string
	found                 []*constatv1.Change
}

func (d *differ) add(fact, owner, before, after string) {
	group := d.group // the next one is written over it
	d.found = append(d.found, &constatv1.Change{
		At: d.at, Group: &group, Fact: &fact, Owner: &owner, Before: &before, After: &after,
	})
}

// messages compares two messages of one type field by field. The path leads to
// them from the group, the owner is the list element they belong to.
func (d *differ) messages(path, owner string, before, after protoreflect.Message) {
	fields := before.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if fleeting[f.FullName()] {
			continue
		}
		fact := string(f.Name())
		if path != "" {
			fact = path + "." + fact
		}
		switch {
		case f.IsList() && f.Message() != nil:
			d.elements(fact, owner, before.Get(f).List(), after.Get(f).List())
		case f.IsList():
			if b, a := join(f, before.Get(f).List()), join(f, after.Get(f).List()); b != a {
				d.add(fact, owner, b, a)
			}
		case !before.Has(f) || !after.Has(f):
		case f.Message() != nil && f.Message().FullName() != "google.protobuf.Timestamp":
			d.messages(fact, owner, before.Get(f).Message(), after.Get(f).Message())
		default:
			if b, a := text(f, before.Get(f)), text(f, after.Get(f)); b != a && !near(f, before.Get(f), after.Get(f)) {
				d.add(fact, owner, b, a)
			}
		}
	}
}

// elements compares two lists of messages, matched by key.
func (d *differ) elements(fact, owner string, before, after protoreflect.List) {
	old, now := index(before), index(after)
	for _, key := range sortedKeys(old, now) {
		inner := key
		if owner != "" {
			inner = owner + "/" + key
		}
		b, was := old[key]
		a, is := now[key]
		switch {
		case was && is:
			d.messages(fact, inner, b, a)
		case is && !covered(d.gapsBefore, fact):
			d.add(fact, inner, "", title(a, key))
		case was && !covered(d.gapsAfter, fact):
			d.add(fact, inner, title(b, key), "")
		}
	}
}

// gaps are the facts of a group that a snapshot could not read.
func gaps(s *constatv1.Snapshot, group string) (facts []string) {
	for _, entry := range s.GetManifest().GetGroups() {
		if entry.GetGroup() == group {
			for _, gap := range entry.GetObservation().GetGaps() {
				facts = append(facts, gap.GetFact())
			}
		}
	}
	return facts
}

// covered tells whether a fact is one of the gaps, or inside one.
func covered(gaps []string, fact string) bool {
	return slices.ContainsFunc(gaps, func(g string) bool { return fact == g || strings.HasPrefix(fact, g+".") })
}

// near tells whether two times are the same but for rounding: the kernel works
// out when it started from a clock that is being corrected.
func near(f protoreflect.FieldDescriptor, before, after protoreflect.Value) bool {
	if f.Kind() != protoreflect.MessageKind {
		return false
	}
	b, isTime := before.Message().Interface().(*timestamppb.Timestamp)
	a, both := after.Message().Interface().(*timestamppb.Timestamp)
	return isTime && both && a.AsTime().Sub(b.AsTime()).Abs() <= 2*time.Second
}

// title names an element that came or went by what a person knows of it; where
// it has no name, by its key.
func title(m protoreflect.Message, key string) string {
	var words []string
	fields := m.Descriptor().Fields()
	for _, name := range []protoreflect.Name{"brand", "product", "model", "name", "version"} {
		if f := fields.ByName(name); f != nil && m.Has(f) && f.Kind() == protoreflect.StringKind {
			word := m.Get(f).String()
			if len(words) > 0 && strings.HasPrefix(word, words[0]) {
				words = words[1:] // "HP", "HP LaserJet"
			}
			if word != "" {
				words = append(words, word)
			}
		}
	}
	if len(words) == 0 {
		return key
	}
	return strings.Join(words, " ")
}

// Carry adds to a group of after what could not be read this time and was known
// before, so that a difference that a gap hides is still found once it closes.
func Carry(before, after *constatv1.Snapshot, group string) {
	old, now := Group(before, group), Group(after, group)
	if old == nil || now == nil {
		return
	}
	for _, gap := range gaps(after, group) {
		carry(strings.Split(gap, "."), old.ProtoReflect(), now.ProtoReflect())
	}
}

func carry(path []string, old, now protoreflect.Message) {
	f := now.Descriptor().Fields().ByName(protoreflect.Name(path[0]))
	switch {
	case f == nil || !old.Has(f):
	case f.IsList() && f.Message() != nil:
		before, after := index(old.Get(f).List()), index(now.Get(f).List())
		for _, key := range sortedKeys(before, nil) {
			switch m, is := after[key]; {
			case is && len(path) > 1:
				carry(path[1:], before[key], m)
			case !is && len(path) == 1:
				now.Mutable(f).List().Append(protoreflect.ValueOfMessage(before[key]))
			}
		}
	case len(path) > 1 && f.Message() != nil && !f.IsList():
		carry(path[1:], old.Get(f).Message(), now.Mutable(f).Message())
	case !now.Has(f):
		now.Set(f, old.Get(f))
	}
}

// index finds the elements of a list by key; a key met again gets a number.
func index(list protoreflect.List) map[string]protoreflect.Message {
	byKey := make(map[string]protoreflect.Message, list.Len())
	for i := range list.Len() {
		m := list.Get(i).Message()
		key := keyOf(m)
		for n := 2; ; n++ {
			if _, taken := byKey[key]; !taken {
				break
			}
			key = keyOf(m) + "#" + strconv.Itoa(n)
		}
		byKey[key] = m
	}
	return byKey
}

// keyOf is what tells m apart from its siblings: the first key field it has
// set, else its first number, else nothing.
func keyOf(m protoreflect.Message) string {
	fields := m.Descriptor().Fields()
	for _, name := range keys {
		if f := fields.ByName(name); f != nil && m.Has(f) {
			if key := text(f, m.Get(f)); key != "" {
				return key
			}
		}
	}
	for _, name := range []protoreflect.Name{"index", "number"} {
		if f := fields.ByName(name); f != nil && m.Has(f) {
			return text(f, m.Get(f))
		}
	}
	return string(m.Descriptor().Name())
}

func sortedKeys(a, b map[string]protoreflect.Message) []string {
	var all []string
	for key := range a {
		all = append(all, key)
	}
	for key := range b {
		if _, both := a[key]; !both {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	return all
}

// join writes a list of scalars in one line.
func join(f protoreflect.FieldDescriptor, list protoreflect.List) string {
	words := make([]string, list.Len())
	for i := range words {
		words[i] = text(f, list.Get(i))
	}
	return strings.Join(words, ", ")
}

// text writes a scalar or a time as a person reads it.
func text(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch f.Kind() {
	case protoreflect.MessageKind:
		if t, ok := v.Message().Interface().(*timestamppb.Timestamp); ok {
			return t.AsTime().Format(time.RFC3339)
		}
		return ""
	case protoreflect.BytesKind:
		return hex.EncodeToString(v.Bytes())
	default:
		return fmt.Sprint(v.Interface())
	}
}
