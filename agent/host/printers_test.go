package host

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func TestOnePrinterSeenThreeWays(t *testing.T) {
	joined := joinPrinters([]*constatv1.Printer{
		{Id: set("VN1"), Serial: set("VN1"), Connection: set("usb"), Address: set("1-3"), Reachable: set(true), Manufacturer: set("HP"), Sources: []string{"usb"}},
		{Id: set("printer:631"), Connection: set("network"), Reachable: set(true), Sources: []string{"ipp"}},
		{Id: set("vn1"), Serial: set("vn1"), Connection: set("network"), Address: set("localhost:60000"), Reachable: set(true), State: set("idle"),
			StateReasons: []string{"media-low-report"}, Supplies: []*constatv1.Supply{{Name: set("Black")}}, Sources: []string{"ipp", "snmp"}},
	})
	if len(joined) != 2 {
		t.Fatalf("printers %v", joined)
	}
	if p := joined[0]; p.GetConnection() != "usb" || p.GetAddress() != "1-3" || p.GetState() != "idle" || len(p.Supplies) != 1 ||
		!slices.Equal(p.Sources, []string{"usb", "ipp", "snmp"}) || !slices.Equal(p.StateReasons, []string{"media-low-report"}) {
		t.Errorf("joined: %v", p)
	}
}

func TestBrokenHop(t *testing.T) {
	healthy := &constatv1.Queue{
		State: set("idle"), AcceptingJobs: set(true), DriverPresent: set(true), DeviceReachable: set(true), DeviceResult: set("ok"), PrinterId: set("VN1"), Connection: set("ipp"),
	}
	device := &constatv1.Printer{Id: set("VN1"), Reachable: set(true), State: set("idle"), Sources: []string{"ipp"}}
	for want, change := range map[string]func(*constatv1.Queue, *constatv1.Printer){
		"none":   func(*constatv1.Queue, *constatv1.Printer) {},
		"queue":  func(q *constatv1.Queue, _ *constatv1.Printer) { q.AcceptingJobs = set(false) },
		"filter": func(q *constatv1.Queue, _ *constatv1.Printer) { q.DriverPresent = set(false) },
		"name": func(q *constatv1.Queue, _ *constatv1.Printer) {
			q.DeviceResult, q.DeviceReachable, q.PrinterId = set("nameNotResolved"), nil, nil
		},
		"port": func(q *constatv1.Queue, p *constatv1.Printer) {
			// A queue that CUPS paused because of that is no hop of its own.
			q.DeviceResult, q.DeviceReachable, q.State, p.Sources = set("timeout"), set(false), set("stopped"), []string{"snmp"}
		},
		"path": func(q *constatv1.Queue, p *constatv1.Printer) {
			q.DeviceResult, q.DeviceReachable, q.DeviceAnswersPing, p.State, p.Sources = set("timeout"), set(false), set(false), nil, nil
		},
		"usb": func(q *constatv1.Queue, p *constatv1.Printer) {
			q.DeviceResult, q.DeviceReachable, q.Connection, p.Reachable, p.State = nil, nil, set("usb"), set(false), nil
		},
		"printer": func(_ *constatv1.Queue, p *constatv1.Printer) { p.StateReasons = []string{"media-jam-error"} },
		"":        func(q *constatv1.Queue, p *constatv1.Printer) { p.State = nil },
	} {
		q, p := proto.CloneOf(healthy), proto.CloneOf(device)
		change(q, p)
		got := brokenHop(q, []*constatv1.Printer{p})
		if want == "" && got != nil || want != "" && (got == nil || *got != want) {
			t.Errorf("want %q, got %v", want, got)
		}
	}
}

func TestIdentity(t *testing.T) {
	p := &constatv1.Printer{Serial: set("VN1"), Uuid: set("12345678-0000-0000-0000-000000000000")}
	if c := identityChanged("vn1", p); c == nil || *c {
		t.Error("the same serial is another device")
	}
	if c := identityChanged("VN2", p); c == nil || !*c {
		t.Error("another serial is the same device")
	}
	if identityChanged("", p) != nil || identityChanged("VN1", &constatv1.Printer{}) != nil {
		t.Error("told what nobody knows")
	}
}
