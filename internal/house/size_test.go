package house

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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

// shipped builds a program as it is shipped for a system and a processor, and tells
// its size in bytes.
func shipped(t testing.TB, platform, pkg string) int64 {
	t.Helper()
	goos, goarch, _ := strings.Cut(platform, "/")
	file := filepath.Join(t.TempDir(), "program")
	tags := "grpcnotrace"
	if strings.HasPrefix(pkg, "./agent") {
		tags += ",nethttpomithttp2"
	}
	cmd := exec.Command("go", "build", "-trimpath", "-tags", tags, "-ldflags", "-s -w", "-o", file, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	return built(t, cmd, file)
}

// built runs a build, and tells the size of what it made in bytes.
func built(t testing.TB, cmd *exec.Cmd, file string) int64 {
	t.Helper()
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestAgentIsSmall builds the agent as it is shipped for this machine;
// internal/lab/wine looks at Windows', and make cross at all.
func TestAgentIsSmall(t *testing.T) {
	size := shipped(t, runtime.GOOS+"/"+runtime.GOARCH, "./agent")
	t.Logf("stripped: %.1f MiB", float64(size)/(1<<20))
	if size > maxAgent {
		t.Errorf("the agent has %d bytes, more than %d", size, maxAgent)
	}
}

// TestAgentWithLibusbIsSmall builds it as make build does where libusb is.
func TestAgentWithLibusbIsSmall(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil || exec.Command("pkg-config", "--exists", "libusb-1.0").Run() != nil {
		if os.Getenv("CONSTAT_REQUIRE_ALL") != "" {
			t.Fatal("gcc or libusb-1.0-0-dev is missing, and CONSTAT_REQUIRE_ALL is set")
		}
		t.Skip("needs gcc and libusb-1.0-0-dev")
	}
	file := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace,nethttpomithttp2,libusb", "-ldflags", "-s -w", "-o", file, "./agent")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	size := built(t, cmd, file)
	t.Logf("with libusb, stripped: %.2f MiB", float64(size)/(1<<20))
	if size > maxAgent {
		t.Errorf("the agent with libusb has %d bytes, more than %d", size, maxAgent)
	}
}

// platforms are the Makefile's.
func platforms(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	_, line, found := strings.Cut(string(text), "\nPLATFORMS := ")
	line, _, _ = strings.Cut(line, "\n")
	if list := strings.Fields(line); found && len(list) > 0 {
		return list
	}
	t.Fatal("the Makefile names no PLATFORMS")
	return nil
}

// BenchmarkSizes builds all programs as they are shipped, and reports their bytes.
// An agent must stay below maxAgent everywhere.
//
//	go test -run '^$' -bench BenchmarkSizes -benchtime 1x ./internal/house
func BenchmarkSizes(b *testing.B) {
	for _, platform := range platforms(b) {
		for _, program := range []struct {
			name, pkg string
			most      int64 // 0: any
		}{
			{"agent", "./agent", maxAgent},
			{"tray", "./agent/tray/program", maxAgent},
			{"collector", "./collector", 0},
		} {
			b.Run(strings.ReplaceAll(platform, "/", "-")+"/"+program.name, func(b *testing.B) {
				var size int64
				for b.Loop() {
					size = shipped(b, platform, program.pkg)
				}
				b.ReportMetric(float64(size), "bytes")
				b.ReportMetric(0, "ns/op") // building is not what is measured
				if program.most > 0 && size > program.most {
					b.Errorf("%d bytes, more than %d", size, program.most)
				}
			})
		}
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
