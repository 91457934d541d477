package console

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"strings"
	"testing"
)

func TestVendoredFilesAreThoseNamed(t *testing.T) {
	readme, err := os.ReadFile("static/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"htmx.min.js", "uPlot.iife.min.js", "uPlot.min.css"} {
		content, err := fs.ReadFile(static, "static/"+name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if !strings.Contains(string(readme), hex.EncodeToString(sum[:])) {
			t.Errorf("static/README.md does not name %s by its SHA-256 %x: write the new version and hash there", name, sum)
		}
	}
}

// The policy forbids them, so that a page with one would be half broken.
func TestNothingInline(t *testing.T) {
	files, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := fs.ReadFile(templates, file)
		if err != nil {
			t.Fatal(err)
		}
		for _, forbidden := range []string{" style=", "<style", "<script>", " onclick=", " onchange=", " onsubmit=", "hx-on", "javascript:", "https://", "http://"} {
			if strings.Contains(string(content), forbidden) {
				t.Errorf("%s holds %q, which the Content-Security-Policy forbids", file, forbidden)
			}
		}
	}
}
