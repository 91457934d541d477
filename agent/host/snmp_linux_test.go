package host

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// asked reads a printer's tables.
func asked(t *testing.T, address, community string) mibTables {
	t.Helper()
	conn, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		tables, err := readPrinterMIB(ctx, &snmpTalk{conn: conn, community: community})
		if err == nil {
			return tables
		}
		if ctx.Err() != nil {
			t.Fatalf("%s does not answer: %v", community, err)
		}
	}
}

func TestPrinterMIB(t *testing.T) {
	played := lab.Play(t, lab.Recording{Community: "public", Path: "testdata/snmp/public.snmprec"})
	p := &constatv1.Printer{}
	describeByMIB(p, asked(t, played.Address, "public"))
	want := &constatv1.Printer{
		Id: set("EX42-0001"), Serial: set("EX42-0001"), Manufacturer: set("Example"), Model: set("Colour 42"), State: set("stopped"),
		StateReasons: []string{"cover-open-report", "door-open-error", "media-jam-error", "output-area-full-error"},
		Supplies: []*constatv1.Supply{
			{Name: set("Black Toner"), Kind: set("toner"), Colour: set("black"), Percent: set(int32(7)), State: set("low")},
			{Name: set("Waste Box"), Kind: set("wasteToner"), State: set("unknown")},
			{Name: set("Cyan Toner"), Kind: set("toner"), Colour: set("cyan"), State: set("unknown")},
		},
		Trays: []*constatv1.Tray{
			{Name: set("Tray 1"), Media: set("iso-a4-white"), State: set("empty"), Percent: set(int32(0))}, {Name: set("Bypass"), State: set("ok")},
		},
		Alerts: []*constatv1.PrinterAlert{
			{Severity: set("critical"), Training: set("untrained"), Group: set("mediaPath"), Location: set(int32(2)), Code: set(int32(8)), Description: set("Paper jam, open front door")},
			{Severity: set("warning"), Training: set("fieldService"), Group: set("markerSupplies"), Location: set(int32(-1)), Code: set(int32(1104)), Description: set("Job … needs toner")},
		},
	}
	if diff := cmp.Diff(want, p, protocmp.Transform()); diff != "" {
		t.Errorf("printer (-want +got):\n%s", diff)
	}
}

// Real printers' tables, where the recordings are there.
func TestRecordedPrinters(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/recordings/printers/*.snmprec")
	if len(files) == 0 {
		t.Skip("no recordings of printers beside the repository")
	}
	var recordings []lab.Recording
	for _, file := range files {
		recordings = append(recordings, lab.Recording{Community: strings.TrimSuffix(filepath.Base(file), ".snmprec"), Path: file})
	}
	address := lab.Play(t, recordings...).Address
	for _, r := range recordings {
		name := r.Community
		p := &constatv1.Printer{}
		describeByMIB(p, asked(t, address, name))
		if len(p.Supplies)+len(p.Trays) == 0 {
			t.Errorf("%s: %v", name, p)
		}
		for _, s := range p.Supplies {
			if s.GetPercent() < 0 || s.GetPercent() > 100 || s.Percent == nil && slices.Contains([]string{"low", "empty"}, s.GetState()) {
				t.Errorf("%s: %v", name, s)
			}
		}
	}
}

// A printer that takes requests and never answers costs its time and no more.
func TestSilentPrinter(t *testing.T) {
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if _, err := talkToPrinter(t.Context(), silent.LocalAddr().String()); err == nil {
		t.Error("an answer out of silence")
	}
}

func FuzzSNMP(f *testing.F) {
	f.Add(getNext(1, "public", 7, []oid{hrDeviceDescr, prtSerial}))
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	answer := getNext(0, "public", 9, []oid{ppmDeviceID})
	answer[slices.Index(answer, snmpGetNext)] = snmpAnswer
	f.Add(answer)
	f.Fuzz(func(t *testing.T, packet []byte) {
		_, _, _, bindings, err := parseSNMP(packet)
		if err != nil && bindings != nil {
			t.Error("bindings of an answer that makes no sense")
		}
		tables := mibTables{}
		for _, b := range bindings {
			if b.value != nil && len(b.value.octets) > snmpMaxValue {
				t.Errorf("%d octets", len(b.value.octets))
			}
			for _, column := range append(columnsOf(prtAlert, 2, 7, 8), hrPrinterError, prtCoverStatus, below(prtSupplies, 9), below(prtInput, 10)) {
				if rest, inside := b.at.under(column); inside && b.value != nil {
					tables[column.String()] = map[uint32]snmpValue{rest[len(rest)-1]: *b.value}
				}
			}
		}
		describeByMIB(&constatv1.Printer{}, tables)
	})
}

func TestOIDs(t *testing.T) {
	o := oid{1, 3, 6, 1, 4, 1, 2699, 1, 0, 16384, 1<<32 - 1}
	content, _, err := expect(berOID, o.ber())
	if err != nil {
		t.Fatal(err)
	}
	if back, err := unOID(content); err != nil || !slices.Equal(back, o) {
		t.Errorf("%v, error %v", back, err)
	}
	if _, err := unOID([]byte{0x2b, 0x80}); err == nil {
		t.Error("a number that does not end")
	}
}
