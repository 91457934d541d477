package snmp

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gosnmp/gosnmp"
)

func TestQuirksTable(t *testing.T) {
	rows, err := parseQuirks("quirks.tsv", quirksText)
	if err != nil || len(rows) < 10 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for text, want := range map[string]string{
		"1.3.6.1\t-\tnext":                             "quirks.tsv:2: 3 columns",
		"1.3.6.1 \t-\tnext\thttps://example.org":       `quirks.tsv:2: "1.3.6.1 " is no object identifier`,
		"1.3.6.1\t-\tbulk\thttps://example.org":        `unknown quirk "bulk"`,
		"1.3.6.1\t-\tmost=many\thttps://example.org":   "most=many: expected a number",
		"1.3.6.1\t-\tmost=0\thttps://example.org":      "most=0: expected a number",
		"1.3.6.1\t-\tnext=1\thttps://example.org":      `"next=1" takes no value`,
		"1.3.6.1\t-\tnext\tsomebody said":              `"somebody said" is no source`,
		"1.3.6.1\tall\tnext\thttps://example.org":      `"all" are no versions`,
		"1.3.6.1\t5..x\tnext\thttps://example.org":     `"5..x" are no versions`,
		"1.3.6.1\t5.2..5.2\tnext\thttps://example.org": `no version is in "5.2..5.2"`,
		"1.3.6.1\t/(/\tnext\thttps://example.org":      "the pattern /(/ is not understood",
	} {
		if _, err := parseQuirks("quirks.tsv", "# who\n"+text+"\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestQuirksOf(t *testing.T) {
	for _, c := range []struct {
		object, description string
		want                Quirks
	}{
		{"1.3.6.1.4.1.9.1.1208", "Cisco IOS Software, C2960X Software, Version 15.2(7)E4", Quirks{Views: true}},
		{"1.3.6.1.4.1.9.1.3210", "Catalyst 1200 Series Smart Switch, 8-port GE (C1200-8T-D)", Quirks{}},
		{"1.3.6.1.4.1.9.6.1.1004.28.5", "CBS350-24P-4G", Quirks{}},
		{"1.3.6.1.4.1.890.1.15", "NWA3560-N", Quirks{Order: true}},
		{"1.3.6.1.4.1.890.1.15.1", "GS1920-48", Quirks{Order: true, Most: 25}},
		{"1.3.6.1.4.1.236.11.5.1", "Samsung ML-3470 Series", Quirks{Next: true}},
		{"1.3.6.1.4.1.236.11.5.1", "Samsung ML-2850 Series", Quirks{}},
		{"1.3.6.1.4.1.10002.1", "Linux 2.6.32.68 #1 mips", Quirks{Next: true}},
		{"1.3.6.1.4.1.10002.11", "Linux 2.6.32.68 #1 mips", Quirks{}},
		{"", "", Quirks{}},
	} {
		if got := QuirksOf(c.object, c.description); got != c.want {
			t.Errorf("%s %q: %+v, want %+v", c.object, c.description, got, c.want)
		}
	}
	rows, err := parseQuirks("x", "1.3.6.1.4.1.9.1.\t12.2(33)..15.0\tnext\thttps://example.org\n1.3.6.1.4.1.9.1.\t..3\tnext\thttps://example.org\n1.3.6.1.4.1.9.1.\t15.2(4)E..\tnext\thttps://example.org\n")
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string][]bool{
		"Version 12.2(33)SE": {true, false, false}, "Version 12.2(32)": {false, false, false}, "Version 15.0(1)": {false, false, false},
		"Version 14.9": {true, false, false}, "version v2.9.9": {false, true, false}, "Version 15.2(4)": {false, false, true}, "Version 17.3.1,": {false, false, true},
		"no number": {false, false, false},
	} {
		for i, row := range rows {
			if got := row.fits("1.3.6.1.4.1.9.1.5", version); got != want[i] {
				t.Errorf("%s, row %d: %t", version, i, got)
			}
		}
	}
}

// Agents that no defence sees through are asked as the table says.
func TestQuirksOfSessions(t *testing.T) {
	var objects []string
	for column := range 2 {
		for row := range 60 {
			objects = append(objects, fmt.Sprintf("1.3.1.%d.%d", column+1, row+1))
		}
	}
	table := of(append(objects, "1.3.2.0")...)
	for name, c := range map[string]struct {
		object string
		answer func(*gosnmp.SnmpPacket) *gosnmp.SnmpPacket
	}{
		"passes over rows without a word": {"1.3.6.1.4.1.890.1.15.3.1", func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket {
			answer := next(r, 1000, table)
			if len(answer.Variables) > 25 {
				answer.Variables = append(answer.Variables[:12:12], answer.Variables[16:]...)
			}
			return answer
		}},
		"GetBulk stays without an answer": {"1.3.6.1.4.1.45855.1.3.68.1", func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket {
			if r.PDUType == gosnmp.GetBulkRequest {
				return nil
			}
			return next(r, 1000, table)
		}},
		"comes round to where it was": {"1.3.6.1.4.1.11.2.3.9.1", func(r *gosnmp.SnmpPacket) *gosnmp.SnmpPacket {
			return next(r, 1000, func(oid string) string {
				if oid == "1.3.1.1.60" {
					return "1.3.1.1.1"
				}
				return table(oid)
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := agent(t, c.answer)
			s.Suit(c.object, "")
			var found []string
			if err := s.Walk(t.Context(), []string{"1.3.1.1", "1.3.1.2"}, func(column int, index string, _ Value) {
				found = append(found, fmt.Sprintf("1.3.1.%d.%s", column+1, index))
			}); err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(found, func(a, b string) int { return slices.Compare(Index(a), Index(b)) })
			if !slices.Equal(found, objects) {
				t.Errorf("%d objects, want %d: %q", len(found), len(objects), found)
			}
		})
	}
}
