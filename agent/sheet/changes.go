package sheet

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"

	constatv1 "constat/proto/constat/v1"
)

// labelTable is a copy of the console's: `make generate` keeps it the same.
//
//go:embed labels.tsv
var labelTable string

// labels are the names of facts by field, English and French.
var labels = sync.OnceValue(func() map[string][2]string {
	byField := map[string][2]string{}
	for line := range strings.Lines(labelTable) {
		if columns := strings.Split(strings.TrimSpace(line), "\t"); len(columns) == 3 {
			byField[columns[0]] = [2]string{columns[1], columns[2]}
		}
	}
	return byField
})

// factName names a field, without a capital where it stands inside a sentence and
// is no abbreviation. A list's element is labelled as `field[]`.
func (s *sheet) factName(field string, element, inside bool) string {
	column := 0
	if s.fr {
		column = 1
	}
	text := labels()[field][column]
	if one := labels()[field+"[]"][column]; element && one != "" {
		text = one
	}
	if text == "" {
		text = strings.ReplaceAll(field, "_", " ")
	}
	first, size := utf8.DecodeRuneInString(text)
	if second, _ := utf8.DecodeRuneInString(text[size:]); inside && !unicode.IsUpper(second) && !unicode.IsDigit(second) {
		text = string(unicode.ToLower(first)) + text[size:]
	}
	return text
}

// change words a change as a sentence: what it is of, from what to what, when.
func (s *sheet) change(c *constatv1.Change) string {
	path := strings.Split(c.GetFact(), ".")
	last := path[len(path)-1]
	when := ", " + s.recently(c.GetAt().AsTime())
	if isElement(c.GetGroup(), path) && (c.GetBefore() == "") != (c.GetAfter() == "") {
		word := s.say("New", "Apparition")
		if c.GetAfter() == "" {
			word = s.say("Gone", "Disparition")
		}
		return word + s.colon() + s.factName(last, true, true) + " " + c.GetBefore() + c.GetAfter() + when
	}
	// Of "links.driver" the owner "eth0" says which; of "firmware.version" there
	// is one.
	subject := s.factName(path[0], c.GetOwner() != "", false)
	if c.GetOwner() != "" {
		subject += " " + c.GetOwner()
	}
	for i, field := range path[1:] {
		if c.GetOwner() == "" || i == len(path)-2 {
			subject += ", " + s.factName(field, false, true)
		}
	}
	return subject + s.colon() + s.value(last, c.GetBefore()) + " → " + s.value(last, c.GetAfter()) + when
}

// isElement tells whether a path leads to a list of messages, so that a change
// there is one of them that came or went.
func isElement(group string, path []string) bool {
	m := (&constatv1.Snapshot{}).ProtoReflect().Descriptor()
	var field protoreflect.FieldDescriptor
	for _, name := range append([]string{group}, path...) {
		if m == nil {
			return false
		}
		if field = m.Fields().ByName(protoreflect.Name(name)); field == nil {
			return false
		}
		m = field.Message()
	}
	return field.IsList() && m != nil
}

// value words a value of a change, with the unit that its field's name says.
func (s *sheet) value(field, text string) string {
	switch n, err := strconv.ParseInt(text, 10, 64); {
	case text == "":
		return s.say("none", "aucun")
	case text == "true":
		return s.say("yes", "oui")
	case text == "false":
		return s.say("no", "non")
	case err == nil && strings.HasSuffix(field, "_bytes"):
		return s.size(&n)
	case err == nil && strings.HasSuffix(field, "_percent"):
		return text + "\u00a0%"
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.Local().Format("2006-01-02\u00a015:04")
	}
	return text
}

// recently tells a time as people do, seen from the snapshot's.
func (s *sheet) recently(at time.Time) string {
	at, now := at.Local(), s.snapshot.GetManifest().GetTakenAt().AsTime().Local()
	switch at.Format(time.DateOnly) {
	case now.Format(time.DateOnly):
		return at.Format(s.say("today\u00a015:04", "aujourd’hui à\u00a015:04"))
	case now.AddDate(0, 0, -1).Format(time.DateOnly):
		return at.Format(s.say("yesterday\u00a015:04", "hier à\u00a015:04"))
	}
	return at.Format("2006-01-02\u00a015:04")
}

// vitals are the kinds of series, in the order they are told, with their unit.
var vitals = []struct{ kind, en, fr, unit string }{
	{"gatewayMs", "answer of the gateway", "réponse de la passerelle", "ms"},
	{"dnsMs", "answer of the name server", "réponse du serveur de noms", "ms"},
	{"lossPercent", "loss to the gateway", "pertes vers la passerelle", "%"},
	{"wifiSignalDbm", "Wi-Fi signal", "signal Wi-Fi", "dBm"},
	{"cpuPercent", "processor", "processeur", "%"},
	{"cpuPressurePercent", "waiting for the processor", "attente du processeur", "%"},
	{"memoryAvailablePercent", "memory left", "mémoire libre", "%"},
	{"memoryPressurePercent", "waiting for memory", "attente de mémoire", "%"},
	{"diskFreePercent", "space left", "espace libre", "%"},
	{"ioPressurePercent", "waiting for disks", "attente des disques", "%"},
	{"batteryPercent", "battery", "batterie", "%"},
}

// lately is what the agent remembers: the longest window of each series, links
// and devices that came and went, and what was changed.
func (s *sheet) lately() {
	some(s, "Changed", "Changements", s.snapshot.GetChanges().GetChanges(), 15, func(c *constatv1.Change) []string {
		return []string{s.change(c)}
	})
	remembered := s.snapshot.GetVitals()
	days := func(seconds int32) bool { return seconds > 3600 }
	for _, k := range vitals {
		for _, v := range remembered.GetVitals() {
			if v.GetKind() != k.kind || !days(v.GetWindowSeconds()) {
				continue
			}
			s.row("Two days", "Deux jours", strings.TrimSpace(s.say(k.en, k.fr)+" "+v.GetOwner())+s.colon()+s.say("usually", "d’habitude")+" "+s.measure(v.Median, 1, k.unit),
				named(s.say("least", "au moins"), s.measure(v.Minimum, 1, k.unit)), named(s.say("most", "au plus"), s.measure(v.Maximum, 1, k.unit)),
				named(s.say("last", "en dernier"), s.measure(v.Last, 1, k.unit)), named(s.say("UNUSUAL SINCE", "INHABITUEL DEPUIS"), when(v.UnusualSince)))
		}
	}
	for _, e := range remembered.GetLinkEvents() {
		if days(e.GetWindowSeconds()) && e.GetCarrierLosses() > 0 {
			s.row("Lost the line", "Ligne perdue", e.GetLink(), s.count(int(e.GetCarrierLosses()), "time", "times", "fois", "fois"), named(s.say("last", "en dernier"), when(e.LastLossAt)))
		}
	}
	for _, e := range remembered.GetPlugEvents() {
		if days(e.GetWindowSeconds()) {
			s.row("Unplugged", "Débranché", "USB "+e.GetPath(), e.GetId(), s.count(int(e.GetUnplugs()), "time", "times", "fois", "fois"), named(s.say("last", "en dernier"), when(e.LastUnplugAt)))
		}
	}
}
