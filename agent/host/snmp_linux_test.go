package host

import (
	"context"
	"net"
	"os"
	"os/exec"
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

// startSNMP has an SNMP agent play the recordings in a directory, each to the
// community that its file is named after, and returns its address.
func startSNMP(t *testing.T, recordings map[string][]byte) string {
	t.Helper()
	program, err := exec.LookPath("snmpsimd")
	lab.Need(t, "snmpsimd (Debian: snmpsim)", err == nil)
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		_ = os.Chmod(d, 0o755)
	}
	data := filepath.Join(dir, "data")
	cache := filepath.Join(dir, "cache")
	for _, d := range []string{data, cache} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range recordings {
		if err := os.WriteFile(filepath.Join(data, name+".snmprec"), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	probe, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := probe.LocalAddr().String()
	_ = probe.Close()
	args := []string{"--data-dir=" + data, "--cache-dir=" + cache, "--agent-udpv4-endpoint=" + address, "--logging-method=null"}
	if os.Geteuid() == 0 {
		args = append(args, "--process-user=nobody", "--process-group=nogroup")
	}
	cmd := exec.Command(program, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return address
}

// asked reads a printer's tables from an agent that may still be starting.
func asked(t *testing.T, address, community string) mibTables {
	t.Helper()
	var tables mibTables
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && tables == nil; {
		conn, dialErr := net.Dial("udp", address)
		if dialErr != nil {
			t.Fatal(dialErr)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		tables, err = readPrinterMIB(ctx, &snmpTalk{conn: conn, community: community})
		cancel()
		_ = conn.Close()
	}
	if tables == nil {
		t.Fatalf("no answer: %v", err)
	}
	return tables
}

func TestPrinterMIB(t *testing.T) {
	content, err := os.ReadFile("testdata/snmp/public.snmprec")
	if err != nil {
		t.Fatal(err)
	}
	p := &constatv1.Printer{}
	describeByMIB(p, asked(t, startSNMP(t, map[string][]byte{"public": content}), "public"))
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
	recordings := map[string][]byte{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		recordings[strings.TrimSuffix(filepath.Base(file), ".snmprec")] = content
	}
	address := startSNMP(t, recordings)
	for name := range recordings {
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
