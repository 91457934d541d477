package house

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	// maxLines is where a file has become more than one room.
	maxLines = 700
	// maxAgent is what may be installed on every machine.
	maxAgent = 20 << 20
)

// TestFilesAreOneRoom bounds the files people write.
func TestFilesAreOneRoom(t *testing.T) {
	for _, p := range list(t, "./...") {
		for _, f := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.HasPrefix(text, []byte("// Code generated")) {
				continue
			}
			if n := bytes.Count(text, []byte("\n")); n > maxLines {
				t.Errorf("%s/%s has %d lines, more than %d: is it still one room?", p.ImportPath, f, n, maxLines)
			}
		}
	}
}

// TestAgentIsSmall builds the agent as it is shipped.
func TestAgentIsSmall(t *testing.T) {
	file := filepath.Join(t.TempDir(), "constat-agent")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", file, "./agent")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("stripped: %.1f MiB", float64(info.Size())/(1<<20))
	if info.Size() > maxAgent {
		t.Errorf("the agent has %d bytes, more than %d", info.Size(), maxAgent)
	}
}

// TestNothingNamesAMachine keeps absolute paths of somebody's machine out of
// what is tracked.
func TestNothingNamesAMachine(t *testing.T) {
	cmd := exec.Command("git", "grep", "-nE", "/(root|home/[a-z]+)/[a-z.]", "--", ":!go.sum", ":!*_test.go", ":!*/testdata/*", ":!internal/house")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil && len(out) == 0 {
		return // Nothing found, or not a checkout.
	}
	for line := range strings.Lines(string(out)) {
		t.Errorf("a path of somebody's machine: %s", strings.TrimSpace(line))
	}
}
