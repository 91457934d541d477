package wine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	constatv1 "constat/proto/constat/v1"
)

// scratch is this test process's directory of programs.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "constat-wine"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(scratch)
	defer func() {
		if common != nil {
			common.end()
		}
	}()
	return seen(m.Run())
}

// common is the Windows that tests look at together.
var (
	common *session
	once   sync.Once
)

// shared is a Windows for what changes nothing that others look at; [Start] is
// for the rest, and costs two seconds. constat-agent.exe is there.
func shared(t testing.TB) *Windows {
	t.Helper()
	from := image(t)
	once.Do(func() {
		s, err := start(from, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		common = s
		install(&Windows{s, t})
	})
	if common == nil {
		t.Fatal("the shared Windows did not start: see the first test that asked for it")
	}
	return &Windows{common, t}
}

// agent is where the agent is installed.
const agent = `C:\Program Files\Constat\constat-agent.exe`

// install puts the agent's program where it belongs.
func install(w *Windows) {
	w.t.Helper()
	file, err := built()
	if err != nil {
		w.t.Fatal(err)
	}
	w.Copy(file, agent)
}

// built is constat-agent.exe of this tree.
var built = sync.OnceValues(func() (string, error) {
	return program("constat-agent.exe", "constat/agent")
})

func program(name, pkg string) (string, error) {
	file := filepath.Join(scratch, name)
	flags, tags := "-s -w", "grpcnotrace"
	if name == "constat-tray.exe" {
		flags += " -H windowsgui" // as installers/windows/programs has it
	}
	if strings.HasSuffix(name, ".exe") {
		tags += ",nethttpomithttp2"
	}
	cmd := exec.Command("go", "build", "-tags", tags, "-ldflags", flags, "-o", file, pkg)
	if strings.HasSuffix(name, ".exe") {
		changes, err := overlay()
		if err != nil {
			return "", err
		}
		cmd.Args = append(cmd.Args[:2], append([]string{"-overlay", changes}, cmd.Args[2:]...)...)
		cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return file, nil
}

// testsOf are a package's own tests, for Windows.
func testsOf(t *testing.T, pkg string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tests.exe")
	changes, err := overlay()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-c", "-overlay", changes, "-tags", "grpcnotrace", "-o", file, pkg)
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the tests of %s: %v\n%s", pkg, err, out)
	}
	return file
}

// facts are what the agent sees of some groups, all when none is named.
func facts(w *Windows, groups ...string) *constatv1.Snapshot {
	w.t.Helper()
	var arguments []string
	if len(groups) > 0 {
		arguments = []string{"--group", strings.Join(groups, ",")}
	}
	return factsBy(w, arguments...)
}

// factsBy are what the agent sees as these words ask for it.
func factsBy(w *Windows, arguments ...string) *constatv1.Snapshot {
	w.t.Helper()
	s := &constatv1.Snapshot{}
	if err := protojson.Unmarshal([]byte(w.Run(agent, append([]string{"facts", "--json"}, arguments...)...)), s); err != nil {
		w.t.Fatal(err)
	}
	note(s)
	return s
}
