package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func TestFactsSayWhatIsNotKnown(t *testing.T) {
	s := newSpeeches()["en"]
	snapshot := &constatv1.Snapshot{
		Manifest: &constatv1.Manifest{Groups: []*constatv1.GroupEntry{
			{Group: "load", Observation: &constatv1.Observation{Status: "observed"}},
			{Group: "wifi", Observation: &constatv1.Observation{Status: "denied", Reason: "needs the helper"}},
			{Group: "tomorrow", Observation: &constatv1.Observation{Status: "observed"}},
		}},
		Load: &constatv1.Load{
			Memory:    &constatv1.Memory{TotalBytes: proto.Int64(16 << 30), AvailablePercent: proto.Int32(0)},
			Processes: []*constatv1.Process{{Name: proto.String("firefox"), ResidentBytes: proto.Int64(3 << 29)}, {Name: proto.String("zsh")}},
		},
	}
	groups := s.factGroups(snapshot)
	if len(groups) != 3 || !groups[0].Observed || groups[1].Observed || groups[2].Observed {
		t.Fatalf("groups = %+v", groups)
	}
	memory := groups[0].Facts.Sections[0].Facts
	// A zero that was read is shown; what was not read is named as not known.
	want := []pair{{"Size", "16 GiB"}, {"Available, share", "0 %"}}
	if diff := cmp.Diff(want, memory.Pairs); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(memory.Unknown, "Swap free") {
		t.Errorf("unknown = %q, want it to name the swap", memory.Unknown)
	}
	processes := groups[0].Facts.Lists[0]
	if diff := cmp.Diff([][]string{{"firefox", "1.5 GiB"}, {"zsh", ""}}, processes.Rows); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(processes.Unknown, "Age") || strings.Contains(processes.Unknown, "Memory") {
		t.Errorf("unknown of all processes = %q", processes.Unknown)
	}
}

func TestNestedListsBecomeRecords(t *testing.T) {
	s := newSpeeches()["fr"]
	f := s.facts((&constatv1.Network{Links: []*constatv1.Link{{
		Name: proto.String("eth0"), OperStatus: proto.String("lowerLayerDown"),
		Addresses: []*constatv1.Address{{Cidr: proto.String("192.0.2.5/24")}},
	}}}).ProtoReflect())
	records := f.Lists[0].Records
	if len(records) != 1 || records[0].Label != "eth0 · lowerLayerDown" {
		t.Fatalf("records = %+v", records)
	}
	if got := records[0].Facts.Lists[0].Rows[0][0]; got != "192.0.2.5/24" {
		t.Errorf("address = %q", got)
	}
}

func TestFactLabel(t *testing.T) {
	for _, test := range []struct{ lang, path, want string }{
		{"en", "probes.dns[192.0.2.53].rcode", "DNS question 192.0.2.53 › Answer code"},
		{"fr", "space.filesystems[/home/a.b].used_percent", "Système de fichiers /home/a.b › Part utilisée"},
		{"en", "system.serial", "System › Serial"},
		{"en", "probes.tcp[[2001:db8::1]:443].result", "TCP connection [2001:db8::1]:443 › Result"},
		{"en", "services[intranet].result", "Service intranet › Result"},
		{"en", "load", "load"},
		{"en", "", ""},
		{"en", "a[b", "a[b"},
		{"en", "space.filesystems.new_in_tomorrows_agent", "File systems › new in tomorrows agent"},
	} {
		if got := newSpeeches()[test.lang].factLabel(test.path); got != test.want {
			t.Errorf("factLabel(%q) in %s = %q, want %q", test.path, test.lang, got, test.want)
		}
	}
}

func FuzzFactLabel(f *testing.F) {
	f.Add("probes.gateways[10.0.0.1].neighbour", "true")
	f.Add("a[b]]..[", "1e308")
	s := newSpeeches()["en"]
	f.Fuzz(func(t *testing.T, path, value string) {
		s.factLabel(path)
		s.factValue(path, value)
	})
}

func TestQuantity(t *testing.T) {
	for _, test := range []struct {
		lang, unit string
		value      float64
		want       string
	}{
		{"en", "bytes", 0, "0 B"},
		{"en", "bytes", 1536, "1.5 KiB"},
		{"fr", "bytes", 1536, "1,5 Kio"},
		{"fr", "bytes", 512 << 30, "512 Gio"},
		{"en", "ms", 3.649, "3.6 ms"},
		{"en", "ms", 0.047, "0.05 ms"},
		{"en", "ms", 61500, "1 min 2 s"},
		{"en", "mbps", 1000, "1 Gbit/s"},
		{"en", "mbps", 2500, "2.5 Gbit/s"},
		{"en", "seconds", 93784, "1 d 2 h"},
		{"fr", "seconds", 93784, "1 j 2 h"},
		{"en", "seconds", -5400, "−1 h 30 min"},
		{"en", "percent", 99.6, "99.6 %"},
		{"en", "celsius", -4, "−4 °C"},
		{"en", "dbm", -67, "−67 dBm"},
		{"en", "", 443, "443"},
	} {
		if got := newSpeeches()[test.lang].quantity(test.unit, test.value); got != test.want {
			t.Errorf("quantity(%s, %v) in %s = %q, want %q", test.unit, test.value, test.lang, got, test.want)
		}
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		before   time.Duration
		en, want string
	}{
		{20 * time.Second, "just now", "à l’instant"},
		{5 * time.Minute, "5 min ago", "il y a 5 min"},
		{90 * time.Minute, "1 h ago", "il y a 1 h"},
		{30 * time.Hour, "yesterday", "hier"},
		{72 * time.Hour, "3 days ago", "il y a 3 jours"},
		{-5 * time.Minute, "in 5 min", "dans 5 min"},
	} {
		for lang, want := range map[string]string{"en": test.en, "fr": test.want} {
			if got := newSpeeches()[lang].ago(now.Add(-test.before), now); got != want {
				t.Errorf("%s: ago(%v) = %q, want %q", lang, test.before, got, want)
			}
		}
	}
}

func TestUnitOf(t *testing.T) {
	for name, want := range map[string]string{
		"size_kbytes": "kbytes", "free_bytes": "bytes", "io_bytes_per_second": "bytes_per_second", "ms": "ms",
		"available_ma": "ma", "schema": "", "items": "", "ping_ms": "ms", "percent": "percent", "speed_mts": "mts",
	} {
		if got := unitOf(name); got != want {
			t.Errorf("unitOf(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestInside(t *testing.T) {
	for address, want := range map[string]string{
		"/tickets/7?run=1":       "/tickets/7?run=1",
		"":                       "/tickets",
		"//evil.example/":        "/tickets",
		"https://evil.example/x": "/tickets",
		`/\evil.example`:         "/tickets",
		"javascript:alert(1)":    "/tickets",
		"/\t/evil.example":       "/tickets",
	} {
		if got := inside(address); got != want {
			t.Errorf("inside(%q) = %q, want %q", address, got, want)
		}
	}
	if got := inside(fmt.Sprintf("/%c/evil.example", '\n')); got != "/tickets" {
		t.Errorf("inside with a line break = %q", got)
	}
}
