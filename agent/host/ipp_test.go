package host

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

// ippCollection is a response with a collection that holds another, and with
// out-of-band, additional and language values, written by hand from RFC 8010.
var ippCollection = bytes.Join([][]byte{
	{2, 0, 0, 0, 0, 0, 0, 7, ippGroupPrinter},
	field(0x13, "media-default", ""), // no-value
	field(ippKeyword, "printer-state-reasons", "media-jam-error"), field(ippKeyword, "", "cover-open"),
	field(ippTextLanguage, "printer-info", "\x00\x02fr\x00\x06accueil"[:4]+"\x00\x07accueil"),
	field(ippBeginCollection, "media-col-ready", ""),
	field(ippMemberName, "", "media-size"), field(ippBeginCollection, "", ""),
	field(ippMemberName, "", "x-dimension"), field(ippInteger, "", "\x00\x00\x52\x08"),
	field(ippEndCollection, "", ""),
	field(ippEndCollection, "", ""),
	field(ippDateTime, "printer-current-time", "\x07\xe8\x03\x0e\x0a\x14\x1e\x05+\x01\x00"),
	field(ippBoolean, "printer-is-accepting-jobs", "\x01"),
	{ippGroupEnd}, []byte("a document"),
}, nil)

func field(tag byte, name, value string) []byte {
	b := []byte{tag, 0, byte(len(name))}
	b = append(b, name...)
	b = append(b, 0, byte(len(value)))
	return append(b, value...)
}

func TestDecodeIPP(t *testing.T) {
	m, err := decodeIPP(ippCollection)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2024, 3, 14, 10, 20, 30, 5e8, time.FixedZone("", 3600))
	want := []ippGroup{{ippGroupPrinter, []ippAttribute{
		{"media-default", 0x13, nil},
		{"printer-state-reasons", ippKeyword, []any{"media-jam-error", "cover-open"}},
		{"printer-info", ippTextLanguage, []any{"accueil"}},
		{"media-col-ready", ippBeginCollection, []any{[]ippAttribute{
			{"media-size", ippBeginCollection, []any{[]ippAttribute{{"x-dimension", ippInteger, []any{int32(21000)}}}}},
		}}},
		{"printer-current-time", ippDateTime, []any{at}},
		{"printer-is-accepting-jobs", ippBoolean, []any{true}},
	}}}
	if m.requestID != 7 {
		t.Errorf("request %d, want 7", m.requestID)
	}
	if diff := cmp.Diff(want, m.groups, cmp.AllowUnexported(ippGroup{}, ippAttribute{})); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

func TestDecodeIPPRefuses(t *testing.T) {
	deep := []byte{2, 0, 0, 0, 0, 0, 0, 1, ippGroupPrinter}
	deep = append(deep, field(ippBeginCollection, "a", "")...)
	for range ippMaxDepth {
		deep = append(append(deep, field(ippMemberName, "", "m")...), field(ippBeginCollection, "", "")...)
	}
	header := []byte{2, 0, 0, 0, 0, 0, 0, 1}
	for name, content := range map[string][]byte{
		"nothing": nil, "no end": header, "value outside": append(header, 0x21),
		"too deep": deep, "too large": make([]byte, ippMaxMessage+1),
		"short integer": append(append(header, ippGroupPrinter), field(ippInteger, "a", "\x00")...),
		"value first":   append(append(header, ippGroupPrinter), field(ippInteger, "", "\x00\x00\x00\x01")...),
		"lying length":  append(header, ippGroupPrinter, ippInteger, 0xff, 0xff),
	} {
		if m, err := decodeIPP(content); err == nil {
			t.Errorf("%s: decoded as %v", name, m)
		}
	}
}

func FuzzDecodeIPP(f *testing.F) {
	f.Add(ippCollection)
	f.Add(ippMessage{code: cupsGetPrinters, groups: []ippGroup{{ippGroupOperation, []ippAttribute{wanted("a", "b")}}}}.encode())
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := decodeIPP(content)
		if err != nil {
			return
		}
		for _, g := range m.groups {
			queueOf(g.attributes)
			jobOf(g.attributes, time.Unix(0, 0))
			describePrinter(&constatv1.Printer{}, g.attributes)
		}
		if again, err := decodeIPP(m.encode()); err == nil && len(again.groups) != len(m.groups) {
			t.Errorf("%d groups became %d", len(m.groups), len(again.groups))
		}
	})
}

func TestPrinterDescribesItself(t *testing.T) {
	p := &constatv1.Printer{Id: set("192.0.2.9:631")}
	describePrinter(p, []ippAttribute{
		{"printer-state", ippEnum, []any{int32(5)}},
		{"printer-state-reasons", ippKeyword, []any{"media-jam-error", "none", "cover-open"}},
		{"printer-make-and-model", 0x41, []any{"Brother HL-L2350DW series"}},
		{"printer-uuid", ippURI, []any{"urn:uuid:e3248000-80ce-11db-8000-30055c000000"}},
		{"printer-device-id", 0x41, []any{"MFG:Brother;CMD:PJL;MDL:HL-L2350DW series;CLS:PRINTER;"}},
		{"marker-names", 0x42, []any{"Black Toner", "Drum", "Cyan", "Waste", "Mystery"}},
		{"marker-types", ippKeyword, []any{"toner", "opc", "ink-cartridge", "waste-toner", "toner"}},
		{"marker-colors", 0x42, []any{"#000000", "none", "#00FFFF", "none", "#123456"}},
		{"marker-levels", ippInteger, []any{int32(0), int32(9), int32(-3), int32(100), int32(-2)}},
		{"marker-low-levels", ippInteger, []any{int32(10), int32(5), int32(10), int32(0), int32(10)}},
		{"printer-input-tray", ippOctetString, []any{"type=sheetFeedAutoRemovableTray;maxcapacity=250;level=0;name=Tray 1;", "level=-2;name=Tray 2", "level=125;maxcapacity=250"}},
	})
	want := &constatv1.Printer{
		Id: set("e3248000-80ce-11db-8000-30055c000000"), Uuid: set("e3248000-80ce-11db-8000-30055c000000"),
		Manufacturer: set("Brother"), Brand: set("Brother"), Model: set("HL-L2350DW series"), State: set("stopped"),
		StateReasons: []string{"cover-open", "media-jam-error"},
		Supplies: []*constatv1.Supply{
			{Name: set("Black Toner"), Kind: set("toner"), Colour: set("black"), Percent: set(int32(0)), State: set("empty")},
			{Name: set("Drum"), Kind: set("drum"), Percent: set(int32(9)), State: set("ok")},
			{Name: set("Cyan"), Kind: set("ink"), Colour: set("cyan"), State: set("ok")},
			{Name: set("Waste"), Kind: set("wasteToner"), Percent: set(int32(100)), State: set("unknown")},
			{Name: set("Mystery"), Kind: set("toner"), Colour: set("#123456"), State: set("unknown")},
		},
		Trays: []*constatv1.Tray{
			{Name: set("Tray 1"), State: set("empty"), Percent: set(int32(0))},
			{Name: set("Tray 2")},
			{State: set("ok"), Percent: set(int32(50))},
		},
	}
	if diff := cmp.Diff(want, p, protocmp.Transform()); diff != "" {
		t.Errorf("printer (-want +got):\n%s", diff)
	}
}

func TestParsePrintDevice(t *testing.T) {
	yes, no := set(true), set(false)
	for uri, want := range map[string]printDevice{
		"ipp://ann:pw@printer.example/ipp/print?waitjob=false":    {"ipp://printer.example", "ipp", "printer.example:631", "/ipp/print", false, "", yes},
		"ipps://[2001:db8::9]:8631/ipp/print":                     {"ipps://[2001:db8::9]:8631", "ipps", "[2001:db8::9]:8631", "/ipp/print", true, "", yes},
		"socket://192.0.2.9":                                      {"socket://192.0.2.9", "socket", "192.0.2.9:9100", "", false, "", yes},
		"lpd://print.example/queue":                               {"lpd://print.example", "lpd", "print.example:515", "/queue", false, "", yes},
		"smb://DOM/ann:pw@srv/Secret%20Share":                     {"smb://DOM", "smb", "DOM:445", "/ann:pw@srv/Secret Share", false, "", yes},
		"smb://ann:pw@srv/Share":                                  {"smb://srv", "smb", "srv:445", "/Share", false, "", yes},
		"usb://HP/LaserJet%20P2015?serial=00CNFW":                 {"usb://HP/LaserJet%20P2015", "usb", "", "/LaserJet P2015", false, "00CNFW", yes},
		"dnssd://HP%20Color._ipps._tcp.local/?uuid=01234567-89ab": {"dnssd://HP Color._ipps._tcp.local", "ipps", "", "/", false, "01234567-89ab", yes},
		"hp:/net/HP_LaserJet?ip=192.0.2.9":                        {"hp://192.0.2.9", "socket", "192.0.2.9:9100", "/net/HP_LaserJet", false, "", yes},
		"file:///dev/null":                                        {"file://", "file", "", "/dev/null", false, "", no},
		"beh:/1/3/5/socket://192.0.2.9":                           {"beh://", "other", "", "/1/3/5/socket://192.0.2.9", false, "", nil},
		"\x7f":                                                    {"", "other", "", "", false, "", nil},
		"":                                                        {"", "other", "", "", false, "", nil},
	} {
		got := parsePrintDevice(uri)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(printDevice{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", uri, diff)
		}
	}
}

func TestMessagesKeepDocumentsToThemselves(t *testing.T) {
	for message, want := range map[string]string{
		`Printing "Redundancies.pdf", page 3`:   `Printing …, page 3`,
		`Unable to open smb://ann:pw@srv/share`: `Unable to open smb://srv/share`,
		"The printer is not responding.":        "The printer is not responding.",
	} {
		if got := discreetMessage(&message); *got != want {
			t.Errorf("%q became %q, want %q", message, *got, want)
		}
	}
	if discreetMessage(nil) != nil || discreetMessage(set("")) != nil {
		t.Error("no message became one")
	}
}

// TestPrintServersThatMisbehave: HTTP errors, IPP errors, garbage and endless
// answers are each a clear failure.
func TestPrintServersThatMisbehave(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"HTTP":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUpgradeRequired) }, "426"},
		"refused": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(ippMessage{code: 0x0403}.encode()) }, "0x0403"},
		"garbage": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>welcome</html>")) }, "IPP"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for chunk := make([]byte, 1<<20); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, "limit"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		}, "302"},
	} {
		server := httptest.NewServer(test.answer)
		client := cupsClient(strings.TrimPrefix(server.URL, "http://"))
		_, err := client.do(t.Context(), cupsGetPrinters, ippGroupPrinter)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
		client.close()
		server.Close()
	}
}

func TestPrintServerAddress(t *testing.T) {
	for address, want := range map[string]string{
		"/run/cups/cups.sock": "ipp://localhost/", "print.example": "ipp://print.example:631/", "print.example:8631": "ipp://print.example:8631/",
		"print.example:631/version=1.1": "ipp://print.example:631/", "[2001:db8::1]": "ipp://[2001:db8::1]:631/",
	} {
		if got := cupsClient(address).uri; got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
