package gear

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
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

const (
	maxEventText = 500
	// judgedFor is how long an event is part of what a device is judged by.
	judgedFor = 15 * time.Minute
	// portFor is how long an event stands with its port.
	portFor = 24 * time.Hour
	// sameFor is how long after an event the same is counted with it.
	sameFor    = time.Minute
	eventsKept = 90 * 24 * time.Hour
	// Each device keeps as many events as this, in all and in its facts.
	maxEvents       = 1000
	maxJudgedEvents = 100
	// settle is how long a device is left alone after an event, since what it tells
	// comes in bursts, and rest how long after it was read: one that never ends
	// telling is not asked all the time. rereadAfter is how long ago all must have
	// been read to be read anew.
	settle      = time.Second
	rest        = 5 * time.Second
	rereadAfter = time.Minute
)

// meanings say what a mnemonic is about, the more special first. The texts are
// those of Cisco's message guides (System Message Guide of IOS, of NX-OS).
var meanings = []struct {
	kind    string
	pattern *regexp.Regexp
}{
	{"errDisable", regexp.MustCompile(`^PM(-[A-Z0-9]+)?-\d-ERR_DISABLE|IF_DOWN_ERROR_DISABLED|^LINK-W-(?:ERR_?DISABLE|PortSuspended|PORT_SUSPENDED)`)},
	{"errDisableRecover", regexp.MustCompile(`^PM(-[A-Z0-9]+)?-\d-ERR_RECOVER|IF_ERRDIS_RECOVERY`)},
	{"macFlap", regexp.MustCompile(`MACFLAP|MAC_MOVE|^MAC_MOVE|^L2FM-.*MOVE`)},
	{"duplexMismatch", regexp.MustCompile(`DUPLEX_MISMATCH`)},
	{"nativeVlanMismatch", regexp.MustCompile(`NATIVE_VLAN_MISMATCH`)},
	{"portSecurity", regexp.MustCompile(`PSECURE_VIOLATION|^PORT_SECURITY`)},
	{"powerDenied", regexp.MustCompile(`^ILPOWER.*DEN(?:Y|IED)`)},
	{"dot1xFailed", regexp.MustCompile(`^(?:DOT1X|AUTHMGR|MAB)[A-Z0-9_]*(?:-[A-Z0-9]+)?-\d-FAIL`)},
	{"memory", regexp.MustCompile(`MALLOCFAIL|NOMEMORY|^PLATFORM-\d-.*MEMORY`)},
	{"cpu", regexp.MustCompile(`CPURISINGTHRESHOLD|CPUHOG`)},
	{"configChanged", regexp.MustCompile(`-CONFIG_I$|VSHD_SYSLOG_CONFIG_I|CFGLOG_LOGGEDCMD|-CONFIG_P$`)},
	{"restarted", regexp.MustCompile(`^SYS-\d-(?:RESTART|RELOAD|BOOTED)|COLDSTART|WARMSTART|SYSTEM_MSG.*RELOAD`)},
	{"authenticationFailure", regexp.MustCompile(`^SNMP-\d-AUTHFAIL|^SNMPD-\d-ERROR.*AUTH`)},
	{"topologyChange", regexp.MustCompile(`^(?:SPANTREE|STP)[A-Z0-9_]*(?:-[A-Z0-9]+)?-[0-7W]-(?:TOPO|ROOTCHANGE|ROOT_CHANGE|NEWROOT|LOOPGUARD|ROOTGUARD|.*INCONSIST)`)},
	{"duplicateAddress", regexp.MustCompile(`DUPADDR|DUP_ADDR|DUPLICATE_ADDRESS`)},
	{"fan", regexp.MustCompile(`(?:ENV|PLATFORM|CMRP|IOSXE|THERMAL|FRU)[A-Z0-9_-]*.*FAN`)},
	{"powerSupply", regexp.MustCompile(`(?:ENV|PLATFORM|CMRP|IOSXE|FRU|RPS)[A-Z0-9_-]*.*(?:_PS_|PSU|PWR|POWER_?SUPPLY|POWERSUPP|RPS)|PS_(?:FAIL|DETECT|OK|FOUND|REMOVE)`)},
	{"temperature", regexp.MustCompile(`(?:ENV|PLATFORM|CMRP|IOSXE|THERMAL)[A-Z0-9_-]*.*(?:TEMP|THERMAL|OVERHEAT)`)},
	{"stack", regexp.MustCompile(`^STACKMGR|^STACKWISE|^PLATFORM_STACKPOWER|^STACK_`)},
	{"accessPoint", regexp.MustCompile(`^(?:LWAPP|CAPWAP|APMGR|AP_)[A-Z0-9_]*-`)},
}

// linkForm are the mnemonics about links, whose text says which way.
var linkForm = regexp.MustCompile(`^(?:LINK|LINEPROTO|ETHPORT|ETH_PORT_CHANNEL|PKT_INFRA-LINK|PKT_INFRA-LINEPROTO)(?:-SW\d[A-Z0-9_]*)?-(?:[0-7]|[WI])-(UPDOWN|CHANGED|IF_UP|IF_DOWN|Up|Down)`)

// meaning is the kind of event that a mnemonic stands for; empty when it concerns
// no fault.
func meaning(mnemonic, text string) string {
	for _, m := range meanings {
		if m.pattern.MatchString(mnemonic) {
			return m.kind
		}
	}
	m := linkForm.FindStringSubmatch(mnemonic)
	if m == nil {
		return ""
	}
	switch text := strings.ToLower(text); {
	case m[1] == "IF_UP" || m[1] == "Up" || strings.Contains(text, "state to up") || strings.HasSuffix(text, " up"):
		return "linkUp"
	}
	return "linkDown"
}

// rereads are the kinds after which everything is worth reading; after the others
// the states of ports are.
var rereads = []string{"configChanged", "restarted", "topologyChange", "stack", "powerSupply", "fan", "temperature", "accessPoint"}

// Notice takes in what a device told by itself: it stands in the device's
// timeline and with its port, the device is judged by it at once, and polled soon.
// repeated: the same came within the last minute, and was only counted.
func (w *Watch) Notice(ctx context.Context, gearID string, e *constatv1.GearEvent) (repeated bool, err error) {
	now := w.now()
	row, err := w.store.Read().GearFacts(ctx, gearID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	g := &constatv1.Gear{}
	read := row.GearID != "" && len(row.Content) > 0
	if read {
		if err := store.UnpackMessage(row.Content, g); err != nil {
			return false, fmt.Errorf("the facts of device %s: %w", gearID, err)
		}
		namePort(g, e)
	}
	key := strings.Join([]string{e.GetSource(), e.GetMnemonic(), e.GetKind(), fmt.Sprint(e.GetIfIndex()), e.GetPort(), e.GetMac(), e.GetCause()}, "|")
	err = w.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		same, err := q.RecentEvent(ctx, gearID, key, store.Millis(now.Add(-sameFor)))
		if err != nil {
			return err
		}
		content, err := store.PackMessage(e)
		if err != nil {
			return err
		}
		if repeated = len(same) > 0; repeated {
			err = q.RepeatEvent(ctx, same[0].ID, store.Millis(now), content)
		} else {
			err = q.AddEvent(ctx, query.AddEventParams{
				ID: uuid.Must(uuid.NewV7()).String(), GearID: gearID, FirstAt: store.Millis(now), At: store.Millis(now), Count: 1, SameKey: key, Content: content,
			})
		}
		if err != nil {
			return err
		}
		if err := q.TrimEvents(ctx, gearID, store.Millis(now.Add(-eventsKept)), maxEvents); err != nil {
			return err
		}
		if read {
			if err := w.learn(ctx, q, row, g, e, now); err != nil {
				return err
			}
		}
		soon := max(store.Millis(now.Add(settle)), row.TakenAt+rest.Milliseconds())
		if err := q.HastenGear(ctx, soon, gearID); err != nil {
			return err
		}
		if slices.Contains(rereads, e.GetKind()) && row.WholeAt < store.Millis(now.Add(-rereadAfter)) {
			return q.RereadGear(ctx, gearID)
		}
		return nil
	})
	return repeated, err
}

// learn changes a device's facts by an event, and judges it anew.
func (w *Watch) learn(ctx context.Context, q *query.Queries, row query.GearFact, g *constatv1.Gear, e *constatv1.GearEvent, now time.Time) error {
	apply(g, e)
	replaced, err := q.GearReplacedAt(ctx, row.GearID)
	if err != nil {
		return err
	}
	if err := recall(ctx, q, row.GearID, g, store.Time(replaced), now); err != nil {
		return err
	}
	if row.Content, err = store.PackMessage(g); err != nil {
		return err
	}
	if row.Diagnosis, err = store.PackMessage(w.judge(g, now)); err != nil {
		return err
	}
	for _, column := range []*[]byte{&row.Counters, &row.Plan} { // an empty one is read as none
		if *column == nil {
			*column = []byte{}
		}
	}
	return q.PutGearFacts(ctx, query.PutGearFactsParams(row))
}

// namePort finds the interface that an event names.
func namePort(g *constatv1.Gear, e *constatv1.GearEvent) {
	if e.IfIndex == nil && e.GetPort() != "" {
		var found []*constatv1.GearInterface
		for _, p := range g.GetInterfaces() {
			if snmp.SamePort(p.GetName(), e.GetPort()) {
				found = append(found, p)
			}
		}
		if len(found) == 1 {
			e.IfIndex = found[0].IfIndex
		}
	}
	for _, p := range g.GetInterfaces() {
		if e.IfIndex != nil && p.GetIfIndex() == e.GetIfIndex() && p.GetName() != "" {
			e.Port = p.Name
		}
	}
}

// apply changes what is known of the port that an event is about; the next poll
// sees for itself.
func apply(g *constatv1.Gear, e *constatv1.GearEvent) {
	if e.IfIndex == nil {
		return
	}
	for _, p := range g.GetInterfaces() {
		if p.GetIfIndex() != e.GetIfIndex() {
			continue
		}
		switch e.GetKind() {
		case "errDisable":
			p.OperStatus, p.ErrDisableCause = proto.String("down"), proto.String(e.GetCause())
		case "linkDown":
			p.OperStatus = proto.String("down")
		case "linkUp":
			p.OperStatus, p.ErrDisableCause, p.OperStatusCause = proto.String("up"), nil, nil
		default:
			return
		}
		p.LastChangeAt = e.At
	}
}

// recall puts into a device's facts what it told by itself of late; what was told
// before a time, another device did.
func recall(ctx context.Context, q *query.Queries, gearID string, g *constatv1.Gear, from, now time.Time) error {
	rows, err := q.EventsOf(ctx, gearID, max(store.Millis(from), store.Millis(now.Add(-portFor))), maxEvents)
	if err != nil {
		return err
	}
	g.Events = nil
	last := map[int32]*constatv1.GearEvent{}
	flaps := map[string]int32{}
	for _, row := range rows { // the latest first
		e, err := eventOf(row)
		if err != nil {
			return err
		}
		judged := row.At >= store.Millis(now.Add(-judgedFor))
		if judged && len(g.Events) < maxJudgedEvents {
			g.Events = append(g.Events, e)
		}
		if e.IfIndex != nil && last[e.GetIfIndex()] == nil && e.GetKind() != "configChanged" {
			last[e.GetIfIndex()] = e
		}
		if judged && e.GetKind() == "macFlap" && e.GetMac() != "" {
			flaps[e.GetMac()] += e.GetCount()
		}
	}
	for _, p := range g.GetInterfaces() {
		p.LastEvent = last[p.GetIfIndex()]
	}
	for _, f := range g.GetForwarding() {
		if n := flaps[f.GetMac()]; n > f.GetMoves() {
			f.Moves = proto.Int32(n)
		}
	}
	return nil
}

func eventOf(row query.GearEvent) (*constatv1.GearEvent, error) {
	e := &constatv1.GearEvent{}
	if err := store.UnpackMessage(row.Content, e); err != nil {
		return nil, fmt.Errorf("the event %s: %w", row.ID, err)
	}
	e.At, e.Count = timestamppb.New(store.Time(row.At)), proto.Int32(row.Count)
	return e, nil
}

// witnesses names what tells a device's facts: polls, and what it told by itself
// that no poll has looked after yet.
func witnesses(g *constatv1.Gear, now time.Time) string {
	source := "snmp"
	for _, word := range []string{"snmpTrap", "syslog"} {
		if slices.ContainsFunc(g.GetEvents(), func(e *constatv1.GearEvent) bool {
			return e.GetSource() == word && now.Sub(e.GetAt().AsTime()) < settle
		}) {
			source += ", " + strings.TrimPrefix(strings.ToLower(word), "snmp")
		}
	}
	return source
}
