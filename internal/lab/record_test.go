package lab

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

func TestRecord(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CONSTAT_LAB_RECORD", dir)
	want := Run{
		Fault: "net-service-down", Faults: []string{"net-service-down", "net-ipv6-broken"}, How: "a port is closed", Procedure: "internet",
		At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Live: true, ElapsedMs: 12,
		Snapshot:  &constatv1.Snapshot{Clock: &constatv1.Clock{Synchronized: proto.Bool(true)}},
		Diagnosis: &constatv1.Diagnosis{Verdict: "fault"},
	}
	Record(t, "network", want)
	Record(t, "network", want)
	runs, err := Recorded(dir)
	if err != nil || len(runs) != 2 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	for _, got := range runs {
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	}
}
