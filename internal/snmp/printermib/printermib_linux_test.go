package printermib_test

import (
	"context"
	"fmt"
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

// Supplies whose type a printer does not tell are known by what it calls them.
func TestSupplyKinds(t *testing.T) {
	supplies := []struct {
		kind, level        int
		name, is, expected string
	}{
		{0, 5, "Waste Toner Container, PN unknown", "wasteToner", "unknown"},
		{1, 5, "Black Toner, PN unknown", "toner", "low"},
		{2, 50, "Drum Cartridge (R1)", "drum", "ok"},
		{0, 50, "Fusing Unit", "fuser", "ok"},
		{0, 50, "Developer Cartridge (Cyan)", "other", "ok"},
		{0, 50, "Black Cartridge X", "other", "ok"},
		{4, 5, "Toner collector", "wasteToner", "unknown"},
		{12, 50, "Toner pump", "other", "ok"},
	}
	var text strings.Builder
	for i, s := range supplies {
		line := func(column int, kind string, value any) {
			fmt.Fprintf(&text, "1.3.6.1.2.1.43.11.1.1.%d.1.%d|%s|%v\n", column, i+1, kind, value)
		}
		if s.kind > 0 {
			line(5, "2", s.kind)
		}
		line(6, "4", s.name)
		line(8, "2", 100)
		line(9, "2", s.level)
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	slices.SortFunc(lines, func(a, b string) int {
		return slices.Compare(snmp.Index(strings.Split(a, "|")[0]), snmp.Index(strings.Split(b, "|")[0]))
	})
	played := lab.Play(t, lab.Recording{Community: "public", Text: strings.Join(lines, "\n") + "\n"})
	p, _ := read(t, played.Address, snmp.Credentials{Community: "public"})
	if len(p.GetSupplies()) != len(supplies) {
		t.Fatalf("supplies %v", p.GetSupplies())
	}
	for i, s := range supplies {
		if got := p.GetSupplies()[i]; got.GetKind() != s.is || got.GetState() != s.expected {
			t.Errorf("%s: %s, %s; want %s, %s", s.name, got.GetKind(), got.GetState(), s.is, s.expected)
		}
	}
}
