package lab

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// installed is a machine on which packages are installed.
type installed struct {
	*Machine
	t *testing.T
}

// buildPackage builds a Debian package of this tree and returns its file.
func buildPackage(t *testing.T, name, version string) string {
	t.Helper()
	out := t.TempDir()
	cmd := exec.Command(filepath.Join("..", "..", "installers", "linux", "build"), out, name, "amd64", "deb")
	cmd.Env = append(os.Environ(), "VERSION="+version, "COMPRESSION=none")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the package of the %s: %v\n%s", name, err, text)
	}
	files, err := filepath.Glob(filepath.Join(out, "*.deb"))
	if err != nil || len(files) != 1 {
		t.Fatalf("built %v, %v", files, err)
	}
	return files[0]
}

// put copies a file onto the machine.
func (m *installed) put(file, to string) {
	m.t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		m.t.Fatal(err)
	}
	m.WriteFile(to, string(content))
}

func TestExplore(t *testing.T) {
	script := os.Getenv("EXPLORE")
	if script == "" {
		t.Skip()
	}
	w := NewWorld(t)
	agent := os.Getenv("AGENT_DEB")
	m := &installed{StartMachine(t, w, PC, "/bin/true"), t}
	m.put(agent, "/root/agent.deb")
	m.put(os.Getenv("COLLECTOR_DEB"), "/root/collector.deb")
	text, _ := os.ReadFile(script)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Second)
	defer cancel()
	out, err := m.Command(ctx, "sh", "-c", string(text)).CombinedOutput()
	t.Logf("%v\n%s", err, strings.TrimSpace(string(out)))
}
