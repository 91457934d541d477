package diagnosis

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

// An agent has no switch to ask, and does not say of forty faults of switches
// that it could not judge them.
func TestAgentAloneIsSilentAboutGear(t *testing.T) {
	c := builtinCatalog(t)
	s := caseOf(t, "cisco-errdisable-bpduguard", "faulty no signal at the computer, a cause at its port").Snapshot
	s = proto.Clone(s).(*constatv1.Snapshot)
	s.Gear, s.Attachment, s.Fleet = nil, nil, nil
	var asked []*constatv1.GroupEntry
	for _, g := range s.Manifest.Groups {
		if g.Group != "gear" && g.Group != "attachment" && g.Group != "fleet" {
			asked = append(asked, g)
		}
	}
	s.Manifest.Groups = asked
	for _, p := range Procedures() {
		d := Judge(c, p, s, fixture.Now, "en")
		for _, u := range d.Undetermined {
			if strings.HasPrefix(u.Fault, "cisco-") {
				t.Errorf("%s: %s is undetermined: %v", p.ID, u.Fault, u.Missing)
			}
		}
		if p.ID == "internet" && first(d.RootCauses) != "net-link-no-carrier" {
			t.Errorf("internet: root %v, want net-link-no-carrier", ids(d.RootCauses))
		}
	}
}

// What the switch adds turns the cable into a symptom, and what easily passes
// for the cable stays a hypothesis beside the new root.
func TestSwitchExplainsTheCable(t *testing.T) {
	c := builtinCatalog(t)
	s := caseOf(t, "cisco-errdisable-bpduguard", "faulty no signal at the computer, a cause at its port").Snapshot
	d := Judge(c, procedure(t, "internet"), s, fixture.Now, "fr")
	if len(d.RootCauses) != 1 || d.RootCauses[0].Fault != "cisco-errdisable-bpduguard" || d.RootCauses[0].Component != "Gi1/0/5" {
		t.Fatalf("roots %v", d.RootCauses)
	}
	var rivals []string
	for _, h := range d.Hypotheses {
		if h.InsteadOf == "cisco-errdisable-bpduguard" && h.Check != "" {
			rivals = append(rivals, h.Fault)
		}
	}
	if strings.Join(rivals, " ") != "net-adapter-disabled wifi-radio-off" {
		t.Errorf("hypotheses %v, want net-adapter-disabled and wifi-radio-off", d.Hypotheses)
	}
}

func TestHealthyGearIsHealthy(t *testing.T) {
	c := builtinCatalog(t)
	s := caseOf(t, "cisco-psu-failed", "healthy an empty bay").Snapshot
	if d := Judge(c, Gear(), s, fixture.Now, "en"); d.Verdict != healthy || len(d.Undetermined) > 0 {
		t.Errorf("verdict %s, undetermined %v, next: %s", d.Verdict, d.Undetermined, d.NextStep)
	}
	s = proto.Clone(s).(*constatv1.Snapshot)
	s.Gear.PollResult = proto.String("partial")
	if d := Judge(c, Gear(), s, fixture.Now, "en"); d.Verdict != undetermined {
		t.Errorf("a poll in part: verdict %s, want undetermined", d.Verdict)
	}
}

// A full stack of nine switches: no rule gives up over its ports.
func TestLargeGearIsJudged(t *testing.T) {
	c := builtinCatalog(t)
	s := proto.Clone(caseOf(t, "cisco-psu-failed", "healthy an empty bay").Snapshot).(*constatv1.Snapshot)
	desk := s.Gear.Interfaces[0]
	for i := range 500 {
		port := proto.Clone(desk).(*constatv1.GearInterface)
		port.IfIndex, port.Name = proto.Int32(int32(1000+i)), proto.String(fmt.Sprintf("Gi%d/0/%d", i/56+2, i%56+1))
		s.Gear.Interfaces = append(s.Gear.Interfaces, port)
		s.Gear.Forwarding = append(s.Gear.Forwarding, &constatv1.Forwarding{
			Mac: proto.String(fmt.Sprintf("02:00:00:00:%02x:%02x", i/256+1, i%256)), Vlan: port.Vlan, IfIndex: port.IfIndex, Moves: proto.Int32(0),
		})
	}
	for i := range 20 {
		n := proto.Clone(s.Gear.Neighbours[0]).(*constatv1.GearNeighbour)
		n.LocalIfIndex, n.Kind = proto.Int32(int32(1000+i)), proto.String("phone")
		s.Gear.Neighbours = append(s.Gear.Neighbours, n)
	}
	d := Judge(c, Gear(), s, fixture.Now, "en")
	if d.Verdict != healthy || len(d.Undetermined) > 0 {
		t.Errorf("verdict %s, roots %v, undetermined %v", d.Verdict, ids(d.RootCauses), d.Undetermined)
	}
}
