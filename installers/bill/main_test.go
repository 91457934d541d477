package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// TestBillHasWhatBrowsersGet: the collector carries libraries that no linker sees.
func TestBillHasWhatBrowsersGet(t *testing.T) {
	// What has the collector's name and nothing in it builds at once.
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "collector"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go.mod": "module constat\n", "collector/main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "constat-collector")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./collector")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	modules, err := linked([]string{program})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, m := range modules {
		found[m.path] = m.url() + " " + strings.Join(m.licences(), ",") + " " + strings.Join(m.programs, ",")
	}
	if !regexp.MustCompile(`^pkg:npm/htmx\.org@2\S+ 0BSD constat-collector$`).MatchString(found["htmx.org"]) || !regexp.MustCompile(`^pkg:npm/uplot@1\S+ MIT constat-collector$`).MatchString(found["uplot"]) {
		t.Errorf("the bill has %q", found)
	}
}
