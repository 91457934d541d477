package printermib_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"constat/internal/lab"
	"constat/internal/snmp"
	"constat/internal/snmp/printermib"
	constatv1 "constat/proto/constat/v1"
)

func read(t *testing.T, address string, c snmp.Credentials) (*constatv1.Printer, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	session, err := snmp.Open(ctx, address, c, snmp.Patience{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	printer, description, err := printermib.Read(ctx, session)
	if err != nil {
		t.Fatalf("%s: %v", c.Community, err)
	}
	return printer, description
}

func TestRead(t *testing.T) {
	played := lab.Play(t,
		lab.Recording{Community: "public", Path: "testdata/public.snmprec"},
		lab.Recording{Community: "switch", Text: "1.3.6.1.2.1.1.1.0|4|Example Switch\n1.3.6.1.2.1.25.3.2.1.2.1|6|1.3.6.1.2.1.25.3.1.4\n1.3.6.1.2.1.25.3.2.1.3.1|4|eth0\n"})
	text, number := proto.String, proto.Int32
	want := &constatv1.Printer{
		Serial: text("EX42-0001"), Manufacturer: text("Example"), Model: text("Colour 42"), State: text("stopped"),
		StateReasons: []string{"cover-open-report", "door-open-error", "media-jam-error", "output-area-full-error"},
		Supplies: []*constatv1.Supply{
			{Name: text("Black Toner"), Kind: text("toner"), Colour: text("black"), Percent: number(7), State: text("low")},
			{Name: text("Waste Box"), Kind: text("wasteToner"), Percent: number(100), State: text("unknown")},
			{Name: text("Cyan Toner"), Kind: text("toner"), Colour: text("cyan"), State: text("unknown")},
		},
		Trays: []*constatv1.Tray{
			{Name: text("Tray 1"), Media: text("iso-a4-white"), State: text("empty"), Percent: number(0)}, {Name: text("Bypass"), State: text("ok")},
		},
		Alerts: []*constatv1.PrinterAlert{
			{Severity: text("critical"), Training: text("untrained"), Group: text("mediaPath"), Location: number(2), Code: number(8), Description: text("Paper jam, open front door")},
			{Severity: text("warning"), Training: text("fieldService"), Group: text("markerSupplies"), Location: number(-1), Code: number(1104), Description: text("Job … needs toner")},
		},
	}
	for name, c := range map[string]snmp.Credentials{"version 2c": {Community: "public"}, "version 1": {Community: "public", Version1: true}, "version 3": played.V3("public")} {
		t.Run(name, func(t *testing.T) {
			p, description := read(t, played.Address, c)
			if diff := cmp.Diff(want, p, protocmp.Transform()); diff != "" {
				t.Errorf("printer (-want +got):\n%s", diff)
			}
			if description != "Example Colour 42" {
				t.Errorf("description %q", description)
			}
		})
	}
	if p, _ := read(t, played.Address, snmp.Credentials{Community: "switch"}); p != nil {
		t.Errorf("a switch is a printer: %v", p)
	}
}

// Real printers' tables, where the recordings are there.
func TestRecordedPrinters(t *testing.T) {
	files, _ := filepath.Glob("../../../../shared/recordings/printers/*.snmprec")
	if len(files) == 0 {
		t.Skip("no recordings of printers beside the repository")
	}
	var recordings []lab.Recording
	for _, file := range files {
		recordings = append(recordings, lab.Recording{Community: strings.TrimSuffix(filepath.Base(file), ".snmprec"), Path: file})
	}
	address := lab.Play(t, recordings...).Address
	for _, r := range recordings {
		p, _ := read(t, address, snmp.Credentials{Community: r.Community})
		if len(p.GetSupplies())+len(p.GetTrays()) == 0 {
			t.Errorf("%s: %v", r.Community, p)
		}
		for _, s := range p.GetSupplies() {
			if s.GetPercent() < 0 || s.GetPercent() > 100 || s.Percent == nil && slices.Contains([]string{"low", "empty"}, s.GetState()) {
				t.Errorf("%s: %v", r.Community, s)
			}
		}
	}
}
