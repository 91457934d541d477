package house

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"constat/internal/fault"
)

// TestReadmeQuotesTheLab keeps the figures in the README those of the lab's
// last report.
func TestReadmeQuotesTheLab(t *testing.T) {
	root := filepath.Join("..", "..")
	report, err := os.ReadFile(filepath.Join(root, "docs", "lab.md"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(report)) {
		if strings.HasPrefix(line, "Faults injected live:") {
			if !strings.Contains(string(readme), "> "+line) {
				t.Errorf("the README does not quote docs/lab.md; write this line into it:\n> %s", line)
			}
			return
		}
	}
	t.Error("docs/lab.md has no line of figures: run make lab-report")
}

// TestReadmeCountsTheCatalog keeps the number of faults in the README true.
func TestReadmeCountsTheCatalog(t *testing.T) {
	root := filepath.Join("..", "..")
	fixtures, err := filepath.Glob(filepath.Join(root, "internal", "fault", "testdata", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("The catalog has %d faults", len(fixtures)); !strings.Contains(string(readme), want) {
		t.Errorf("the README does not say %q", want)
	}
}

// TestReadmeShowsTodaysWords keeps the answer that the README shows the one that
// the catalog gives.
func TestReadmeShowsTodaysWords(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.Join(strings.Fields(string(readme)), " ")
	f := catalog.Lookup("net-dns-unreachable")
	for _, text := range []fault.Text{f.Explanation, f.User, f.Technician} {
		if !strings.Contains(shown, text.EN) {
			t.Errorf("the README's example does not say %q", text.EN)
		}
	}
}

// TestReadmeNamesRealTargets wants every make target of the documents to exist.
func TestReadmeNamesRealTargets(t *testing.T) {
	root := filepath.Join("..", "..")
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "CONTRIBUTING.md"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			target, isMake := strings.CutPrefix(strings.TrimSpace(line), "make ")
			if !isMake || !strings.HasPrefix(line, "    ") {
				continue
			}
			target, _, _ = strings.Cut(target, " ")
			if !strings.Contains(string(makefile), "\n"+target+":") {
				t.Errorf("%s names make %s, which is not in the Makefile", name, target)
			}
		}
	}
}
