package gear

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// maxSerials bounds the chassis that a device is known by: stacks have nine, and
// fabrics of extenders some dozens.
const maxSerials = 64

// serials are the numbers of all chassis.
func (p *poll) serials() []string {
	all := []string{p.out.GetIdentity().GetSerial()}
	for _, r := range p.physical {
		if r.class == classChassis {
			all = append(all, r.serial)
		}
	}
	all = slices.DeleteFunc(all, func(s string) bool { return s == "" })
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), maxSerials)]
}

// another tells that what was read is another device than the one known before.
// Serial numbers decide where both have some, of a stack any chassis'; then the
// address by which it announces itself; then what it is. Firmware may change the
// last alone, so it counts only where nothing else is told.
func another(last Known, now *Result) bool {
	was, is := last.Gear.GetIdentity(), now.Gear.GetIdentity()
	if last.Plan.GetTakenAt() == 0 || was == nil {
		return false // none was known
	}
	before := last.Plan.GetSerials()
	if len(before) == 0 && was.GetSerial() != "" {
		before = []string{was.GetSerial()}
	}
	if after := now.Plan.GetSerials(); len(before) > 0 && len(after) > 0 {
		return !slices.ContainsFunc(after, func(s string) bool { return slices.Contains(before, s) })
	}
	if was.GetChassisId() != "" && is.GetChassisId() != "" {
		return was.GetChassisId() != is.GetChassisId()
	}
	kind := func(p *constatv1.GearPlan) string { id, _, _ := strings.Cut(p.GetSoftware(), " "); return id }
	return kind(last.Plan) != "" && kind(now.Plan) != "" && kind(last.Plan) != kind(now.Plan)
}

// replacement is that another device stands at the address of one.
type replacement struct {
	at    time.Time
	event *constatv1.GearEvent
	// ports are those of the one before, gone those that have no heir: a port of
	// the same index and name.
	ports map[int32]string
	gone  map[int32]bool
}

func replacing(last Known, r *Result, now time.Time) *replacement {
	was, is := last.Gear.GetIdentity(), r.Gear.GetIdentity()
	found := &replacement{at: now.Truncate(sampleTime), ports: map[int32]string{}, gone: map[int32]bool{}}
	found.event = &constatv1.GearEvent{
		At: timestamppb.New(now), Kind: proto.String("replaced"), Source: proto.String("snmp"), Severity: proto.String("notice"),
		ReplacedModel: cut(was.Model), ReplacedSerial: cut(was.Serial), Model: cut(is.Model), Serial: cut(is.Serial),
	}
	for _, i := range last.Gear.GetInterfaces() {
		found.ports[i.GetIfIndex()] = i.GetName()
	}
	return found
}

func cut(s *string) *string {
	if s == nil || *s == "" {
		return nil
	}
	return proto.String(word(*s, maxWord))
}

// saw takes up that the one before saw stations at a port.
func (r *replacement) saw(ifIndex int32, g *constatv1.Gear) {
	if ifIndex == 0 { // wireless ones are at no port
		return
	}
	name, known := r.ports[ifIndex]
	r.gone[ifIndex] = !known || !slices.ContainsFunc(g.GetInterfaces(), func(i *constatv1.GearInterface) bool {
		return i.GetIfIndex() == ifIndex && (i.GetName() == name || snmp.SamePort(i.GetName(), name))
	})
}

// keep stores that the device was replaced, and forgets what was the one's before.
func (r *replacement) keep(ctx context.Context, q *query.Queries, id string) error {
	content, err := store.PackMessage(r.event)
	if err != nil {
		return err
	}
	at := store.Millis(r.event.GetAt().AsTime())
	err = q.AddEvent(ctx, query.AddEventParams{
		ID: uuid.Must(uuid.NewV7()).String(), GearID: id, FirstAt: at, At: at, Count: 1, SameKey: "replaced", Content: content,
	})
	if err != nil {
		return err
	}
	if err := q.ReplaceGear(ctx, id, store.Millis(r.at)); err != nil {
		return err
	}
	if err := q.DropGearAddresses(ctx, id); err != nil {
		return err
	}
	for ifIndex, gone := range r.gone {
		if !gone {
			continue
		}
		if err := q.ForgetPort(ctx, id, ifIndex); err != nil {
			return err
		}
	}
	return nil
}
