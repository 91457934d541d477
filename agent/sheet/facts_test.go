package sheet

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

func TestFacts(t *testing.T) {
	m := &constatv1.Network{Links: []*constatv1.Link{{Name: proto.String("eth0"), Mac: proto.String("02:00:00:00:00:01")}, {Name: proto.String("wlan0")}}}
	want := []Fact{{"Links 1, name", "eth0"}, {"Links 1, MAC", "02:00:00:00:00:01"}, {"Links 2, name", "wlan0"}}
	got := Facts(m.ProtoReflect(), "en")
	for i := range got {
		got[i].Name = "Links" + got[i].Name[slices.Index([]byte(got[i].Name), ' '):]
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	at := Facts((&constatv1.Host{BootTime: timestamppb.New(timestamppb.Now().AsTime())}).ProtoReflect(), "fr")
	if len(at) != 1 || len(at[0].Value) < len("2026-01-01 10:00") {
		t.Errorf("a time is %q", at)
	}
}
