package main

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/local"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// found is a diagnosis with secrets in two groups, one of which its proof quotes.
func found() kept {
	at := timestamppb.Now()
	s := &constatv1.Snapshot{
		Manifest: &constatv1.Manifest{Id: "s", TakenAt: at, AgentVersion: "1.2.3", Groups: []*constatv1.GroupEntry{
			{Group: "host", Observation: &constatv1.Observation{Status: "observed", At: at}},
			{Group: "network", Observation: &constatv1.Observation{Status: "observed", At: at}},
		}},
		Host:    &constatv1.Host{Hostname: proto.String("canary-host"), OsFamily: proto.String("linux")},
		Network: &constatv1.Network{Links: []*constatv1.Link{{Name: proto.String("canary-eth0")}, {Name: proto.String("canary-eth1")}}},
	}
	snapshot.Seal(s)
	return kept{local.User{ID: "1000", Name: "claire"}, &constatv1.Diagnosis{
		Id: "d", Verdict: "fault", StartedAt: at, SnapshotId: "s",
		RootCauses: []*constatv1.RootCause{{Fault: "f", Title: "The cable is out", Certainty: "confirmed", Evidence: []*constatv1.Evidence{
			{Fact: "network.links[canary-eth0].oper_status", Value: "down"}, {Fact: "host.hostname", Value: "canary-host"},
		}, PrecededBy: []*constatv1.Change{{Group: proto.String("network"), Fact: proto.String("links.driver"), Owner: proto.String("canary-eth0")}}}},
	}, s}
}

func TestPreviewIsWhole(t *testing.T) {
	k := found()
	var said []string
	sections := []*constatv1.PreviewTicketResponse_Section{k.always("fr")}
	for _, s := range sections {
		for _, f := range s.GetFacts() {
			said = append(said, f.GetName()+"="+f.GetValue())
		}
	}
	text := strings.Join(said, "\n")
	for _, want := range []string{"Votre compte=claire, 1000", "Trouvé=The cable is out, confirmé", "Preuve=network.links[canary-eth0].oper_status = down", "Logiciel=1.2.3"} {
		if !strings.Contains(text, want) {
			t.Errorf("the preview does not say %q:\n%s", want, text)
		}
	}
}

// What a person keeps is in nothing that is sent, and everything else is.
func TestWhatIsLeftOutStays(t *testing.T) {
	k := found()
	less, err := k.without([]string{"network"})
	if err != nil {
		t.Fatal(err)
	}
	sent := less.diagnosis.String() + less.snapshot.String()
	for _, p := range snapshot.Payloads(less.snapshot) {
		sent += p.GetGroup() + string(p.GetContent())
	}
	if strings.Contains(sent, "canary-eth") {
		t.Errorf("what was left out is sent: %s", sent)
	}
	if !strings.Contains(sent, "canary-host") || !strings.Contains(sent, "The cable is out") || !strings.Contains(sent, "the user left it out") {
		t.Errorf("something else is gone too: %s", sent)
	}
	if len(k.snapshot.GetNetwork().GetLinks()) != 2 || len(k.diagnosis.GetRootCauses()[0].GetEvidence()) != 2 {
		t.Error("what is kept for the next ticket was changed")
	}
	if _, err := k.without([]string{"passwords"}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a group that does not exist: %v", err)
	}
}

// Another user's diagnosis does not exist.
func TestPreviewIsOnesOwn(t *testing.T) {
	c := &counter{kept: []kept{found()}}
	if _, err := c.PreviewTicket(context.Background(), &constatv1.PreviewTicketRequest{DiagnosisId: "d"}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("nobody: %v", err)
	}
	if _, ok := c.find(local.User{ID: "1001", Name: "marc"}, "d"); ok {
		t.Error("another user found it")
	}
}
