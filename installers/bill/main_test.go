package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestBill reads the test's own program: the standard library is in every one.
func TestBill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(&out, "cyclonedx", "1.2.3", []string{self}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		BomFormat, SpecVersion string
		Components             []struct {
			Type, Name, Version, Purl string
			Licenses                  []struct{ License struct{ ID string } }
			Hashes                    []struct{ Alg, Content string }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.BomFormat != "CycloneDX" || len(got.Components) < 2 {
		t.Fatalf("%+v", got)
	}
	program, std := got.Components[0], got.Components[1]
	if program.Version != "1.2.3" || len(program.Hashes) != 1 || len(program.Hashes[0].Content) != 64 {
		t.Errorf("the program: %+v", program)
	}
	if !strings.HasPrefix(std.Purl, "pkg:golang/std@1.") || len(std.Licenses) != 1 || std.Licenses[0].License.ID != "BSD-3-Clause" {
		t.Errorf("the standard library: %+v", std)
	}
	out.Reset()
	if err := run(&out, "licences", "", []string{self}); err != nil || !strings.Contains(out.String(), "Redistributions in binary form") {
		t.Errorf("licences: %v\n%.200s", err, out.String())
	}
}
