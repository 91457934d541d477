package diagnosis

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

func change(ago time.Duration, group, fact, owner, before, after string) *constatv1.Change {
	return &constatv1.Change{
		At: timestamppb.New(fixture.Now.Add(-ago)), Group: &group, Fact: &fact, Owner: &owner, Before: &before, After: &after,
	}
}

// When it began and what had changed are told from the machine's history, and
// make nobody surer.
func TestWhenItBegan(t *testing.T) {
	unplugged := []*constatv1.Change{
		change(10*time.Minute, "network", "links.carrier", "eth0", "true", "false"),
		change(10*time.Minute, "network", "links.addresses", "eth0/192.0.2.5/24", "192.0.2.5/24", ""), // an effect
	}
	upgrade := change(13*time.Minute, "software", "programs.version", "cups", "2.4.1", "2.4.2")
	for _, tt := range []struct {
		name, fault, world string
		changes            []*constatv1.Change
		vitals             []*constatv1.Vital
		by                 string
		en, fr             string
	}{
		{
			name: "nothing is remembered", fault: "net-link-no-carrier", world: "faulty static route stays",
		},
		{
			name: "the fact became so", fault: "net-link-no-carrier", world: "faulty static route stays", changes: unplugged,
			by: byChanges, en: "It began at 08:50.", fr: "Cela a commencé à 8 h 50.",
		},
		{
			name: "after an upgrade", fault: "net-link-no-carrier", world: "faulty static route stays", changes: append(unplugged, upgrade),
			by: byChanges, en: "It began at 08:50, 3 minutes after cups changed from 2.4.1 to 2.4.2 (the programs).",
			fr: "Cela a commencé à 8 h 50, 3 minutes après ceci : cups passé de 2.4.1 à 2.4.2 (les logiciels).",
		},
		{
			name: "another link's cable", fault: "net-link-no-carrier", world: "faulty static route stays",
			changes: []*constatv1.Change{change(time.Hour, "network", "links.carrier", "eth7", "true", "false")},
		},
		{
			name: "an upgrade long before, one after, and one without a time", fault: "net-link-no-carrier", world: "faulty static route stays",
			changes: append(unplugged, change(30*time.Hour, "software", "programs.version", "cups", "1", "2"), change(time.Minute, "usb", "devices", "1-2", "", "1-2"), &constatv1.Change{}),
			by:      byChanges, en: "It began at 08:50.", fr: "Cela a commencé à 8 h 50.",
		},
		{
			name: "a series left its range", fault: "net-dns-unreachable", world: "faulty silent",
			vitals:  []*constatv1.Vital{{Kind: proto.String("dnsMs"), Owner: proto.String("192.0.2.53"), UnusualSince: timestamppb.New(fixture.Now.Add(-26 * time.Hour))}},
			changes: []*constatv1.Change{change(27*time.Hour, "network", "vpns", "office", "", "office"), change(27*time.Hour, "usb", "devices", "1-2", "1-2", "")},
			by:      byVitals, en: "It began on 1 March at 07:00, 1 hour after office was added (the network settings), among other changes.",
			fr: "Cela a commencé le 1er mars à 7 h 00, 1 heure après ceci : ajout de office (la configuration du réseau), entre autres changements.",
		},
		{
			name: "a series fell silent", fault: "net-dns-unreachable", world: "faulty silent",
			vitals: []*constatv1.Vital{{Kind: proto.String("dnsMs"), Owner: proto.String("192.0.2.53"), LastAt: timestamppb.New(fixture.Now.Add(-time.Hour))}},
			by:     byVitals, en: "It began at 08:00.", fr: "Cela a commencé à 8 h 00.",
		},
		{
			name: "a series of another server, one of the future, and one just taken", fault: "net-dns-unreachable", world: "faulty silent",
			vitals: []*constatv1.Vital{
				{Kind: proto.String("dnsMs"), Owner: proto.String("203.0.113.1"), UnusualSince: timestamppb.New(fixture.Now.Add(-time.Hour))},
				{Kind: proto.String("dnsMs"), Owner: proto.String("192.0.2.53"), UnusualSince: timestamppb.New(fixture.Now.Add(time.Hour))},
				{Kind: proto.String("dnsMs"), Owner: proto.String("192.0.2.53"), LastAt: timestamppb.New(fixture.Now.Add(-time.Minute))},
			},
		},
	} {
		c, p := builtinCatalog(t), procedure(t, "full")
		s := proto.Clone(caseOf(t, tt.fault, tt.world).Snapshot).(*constatv1.Snapshot)
		before := Judge(c, p, s, fixture.Now, "en").RootCauses[0]
		s.Changes, s.Vitals = &constatv1.Changes{Changes: tt.changes}, &constatv1.Vitals{Vitals: tt.vitals}
		r := Judge(c, p, s, fixture.Now, "en").RootCauses[0]
		if r.Fault != tt.fault || r.Certainty != before.Certainty || r.Score != before.Score {
			t.Errorf("%s: %s, %s, %v; without a history %s, %s, %v", tt.name, r.Fault, r.Certainty, r.Score, before.Fault, before.Certainty, before.Score)
		}
		en, fr := Began(r, "en", fixture.Now), Began(r, "fr-CA", fixture.Now)
		if r.SinceBy != tt.by || en != tt.en || fr != tt.fr {
			t.Errorf("%s, by %q:\n%s\n%s\nwant %q\n%s\n%s", tt.name, r.SinceBy, en, fr, tt.by, tt.en, tt.fr)
		}
	}
}
