package host

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// What IPP told stays; the tables fill the gaps.
func TestPrinterOverSNMP(t *testing.T) {
	played := lab.Play(t, lab.Recording{Community: snmpCommunity, Path: filepath.Join("..", "..", "internal", "snmp", "printermib", "testdata", "public.snmprec")})
	var answered *constatv1.Printer
	for answered == nil { // the machine may be too busy for what a device is given
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
		answered = askMIB(t.Context(), played.Address)
	}
	p := &constatv1.Printer{
		Model: set("By IPP"), State: set("idle"), StateReasons: []string{"door-open-report"}, Supplies: []*constatv1.Supply{{Name: set("By IPP")}},
	}
	told(t, &constatv1.Snapshot{Printing: &constatv1.Printing{Printers: []*constatv1.Printer{answered}}})
	addFromMIB(p, answered)
	want := &constatv1.Printer{
		Id: set("EX42-0001"), Serial: set("EX42-0001"), Manufacturer: set("Example"), Model: set("By IPP"), State: set("idle"),
		StateReasons: []string{"cover-open-report", "door-open-report", "media-jam-error", "output-area-full-error"},
		Supplies:     []*constatv1.Supply{{Name: set("By IPP")}}, Trays: answered.Trays, Alerts: answered.Alerts,
	}
	if diff := cmp.Diff(want, p, protocmp.Transform()); diff != "" || len(answered.Trays) != 2 || len(answered.Alerts) != 2 {
		t.Errorf("printer (-want +got):\n%s", diff)
	}
}

// A printer that takes requests and never answers costs its time and no more.
func TestSilentPrinter(t *testing.T) {
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if p := askMIB(t.Context(), silent.LocalAddr().String()); p != nil {
		t.Errorf("an answer out of silence: %v", p)
	}
}
