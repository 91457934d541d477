package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What can't be sent at all is refused here, with the file, the line and what was
// expected, like what the collector refuses.
func TestFilesThatAreNoKnowledge(t *testing.T) {
	for name, tt := range map[string]struct{ file, text, want string }{
		"no text":     {"vpn.md", "---\nid: vpn\n\xff\xfe\n", "vpn.md:3: expected text in UTF-8"},
		"far too big": {"vpn.md", strings.Repeat("x", maxPushed+1), "vpn.md:1: larger than 4194304 bytes; expected what a person reads: split it"},
		"no kind":     {"vpn.doc", "x", "vpn.doc: expected a file ending in .md (a procedure), .svg (a drawing) or .yaml (faults)"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), tt.file)
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := knowledgeFiles([]string{file}); err == nil || !strings.HasSuffix(strings.SplitAfter(err.Error(), tt.want)[0], tt.want) {
				t.Errorf("%v, expected %s", err, tt.want)
			}
		})
	}
	if firstBad([]byte("déjà")) != len("déjà") {
		t.Error("French is text")
	}
}
