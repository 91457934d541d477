package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTakeEnrolment(t *testing.T) {
	file := filepath.Join(t.TempDir(), enrolmentFile)
	t.Setenv("CONSTAT_TOKEN", "") // restored when the test ends
	t.Setenv("CONSTAT_COLLECTOR", "given:1")
	os.Unsetenv("CONSTAT_TOKEN")
	if err := takeEnrolment(file); err != nil {
		t.Errorf("no file: %v", err)
	}
	text := "# by hand\r\nPATH=/nowhere\r\n" + enrolmentText("collector.example.org:7400", "constat1_abc")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	path := os.Getenv("PATH")
	if err := takeEnrolment(file); err != nil {
		t.Fatal(err)
	}
	if got := os.Getenv("CONSTAT_TOKEN"); got != "constat1_abc" {
		t.Errorf("the token is %q", got)
	}
	if got := os.Getenv("CONSTAT_COLLECTOR"); got != "given:1" {
		t.Errorf("the environment's own collector became %q", got)
	}
	if os.Getenv("PATH") != path {
		t.Error("the file set something else")
	}
}
