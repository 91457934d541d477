package store

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Every table that holds something of endpoints is emptied of an endpoint's where it
// is erased. What a new one needs, queries/erase.sql says.
func TestErasureKnowsAllTables(t *testing.T) {
	// These stay: tickets lose their machine, and certificates are refused.
	stays := map[string]bool{"tickets": true, "certificates": true}
	erasure, err := os.ReadFile("queries/erase.sql")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d migrations, %v", len(files), err)
	}
	table := regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\);`)
	ofEndpoints := regexp.MustCompile(`(?m)^\s+endpoint_id\s`)
	found := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range table.FindAllSubmatch(content, -1) {
			name := string(m[1])
			if !ofEndpoints.Match(m[2]) || stays[name] {
				continue
			}
			found++
			if !regexp.MustCompile(`DELETE FROM ` + name + ` WHERE`).Match(erasure) {
				t.Errorf("%s: the table %s has a column endpoint_id, and erasing an endpoint leaves its rows", file, name)
			}
		}
	}
	if found < 12 {
		t.Errorf("%d tables hold something of endpoints: the test does not read the migrations any more", found)
	}
}
