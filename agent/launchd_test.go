package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

// TestLaunchdJob: whatever the program's place is called, launchd is given it as one
// word, and the service library finds no template.
func TestLaunchdJob(t *testing.T) {
	job := launchdJob("constat-agent", "/Applications/A & B {{x}}/constat-agent", []string{"service", "execute", "--data", "/Library/Application Support/Constat"})
	if strings.Contains(job, "{{") {
		t.Error("it holds a template")
	}
	d := xml.NewDecoder(strings.NewReader(job))
	var words []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			words = append(words, string(text))
		}
	}
	for _, want := range []string{"constat-agent", "/Applications/A & B {{x}}/constat-agent", "/Library/Application Support/Constat", "63", "/var/log/constat-agent.log"} {
		found := false
		for _, word := range words {
			found = found || word == want
		}
		if !found {
			t.Errorf("%q is not among %q", want, words)
		}
	}
}
