package privileged

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"constat/internal/lab"
)

// The test binary is both halves: the helper as Split starts it, which begins
// before any test, and, with halfVariable set to a directory, an agent that
// splits itself and tells about it.
const halfVariable = "CONSTAT_TEST_HALF"

func TestMain(m *testing.M) {
	if dir := os.Getenv(halfVariable); dir != "" {
		half(dir)
		return
	}
	os.Exit(m.Run())
}

// told is what the unprivileged half says of itself.
type told struct {
	Error           string
	UID, GID        int
	Groups          []int
	RootAgain       bool
	Dir, Wrote      string
	Answer          string // of the helper, to a verb that does not exist
	Helper          int
	Dumpable        int
	ReadsRootsFiles bool
}

func half(dir string) {
	var t told
	client, name, err := Split(context.Background(), dir, Anything)
	if err != nil {
		t.Error = err.Error()
	} else {
		t.UID, t.GID = os.Getuid(), os.Getgid()
		t.Groups, _ = os.Getgroups()
		t.RootAgain = syscall.Setuid(0) == nil
		t.Dir = name
		if err := os.WriteFile(filepath.Join(name, "proof"), nil, 0o600); err != nil {
			t.Wrote = err.Error()
		}
		if _, err := client.Do(context.Background(), "no-such-verb", ""); errors.Is(err, fs.ErrNotExist) {
			t.Answer = err.Error()
		}
		t.Helper = childOf(os.Getpid())
		t.Dumpable, _ = unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		_, err := os.ReadFile("/etc/shadow")
		t.ReadsRootsFiles = err == nil
	}
	_ = json.NewEncoder(os.Stdout).Encode(t)
	// Until killed, or told to end by the end of standard input.
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

func childOf(pid int) int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, _ := os.ReadFile(file)
		_, rest, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			return child
		}
	}
	return 0
}

// startHalf runs an agent's unprivileged half on a directory.
func startHalf(t *testing.T, dir string) (*exec.Cmd, told) {
	t.Helper()
	lab.Need(t, "root, to give it up", os.Geteuid() == 0)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), halfVariable+"="+dir, "CANARY=hush-hush")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var said told
	if err := json.NewDecoder(stdout).Decode(&said); err != nil {
		t.Fatal(err)
	}
	return cmd, said
}

// openDir is a directory that an ordinary user can reach.
func openDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "constat-half")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSplitGivesRootUp(t *testing.T) {
	data := filepath.Join(openDir(t), "data")
	_, said := startHalf(t, data)
	if said.Error != "" || said.UID == 0 || said.GID == 0 || len(said.Groups) != 0 || said.RootAgain || said.ReadsRootsFiles {
		t.Errorf("the unprivileged half: %+v", said)
	}
	if said.Dir != "." || said.Wrote != "" {
		t.Errorf("its directory is %q: %s", said.Dir, said.Wrote)
	}
	if said.Answer == "" || said.Helper == 0 {
		t.Errorf("its helper does not answer: %+v", said)
	}
	if said.Dumpable != 0 {
		t.Errorf("others of the same account may attach to it, and ask the helper as it does (dumpable %d)", said.Dumpable)
	}
	of := func(name string) string {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(said.Helper), name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if environment := of("environ"); strings.Contains(environment, "CANARY") || strings.Contains(environment, halfVariable) {
		t.Errorf("the helper inherited the environment: %q", environment)
	}
	if status := of("status"); !strings.Contains(status, "Uid:\t0\t0\t0\t0") {
		t.Errorf("the helper has no rights:\n%s", status)
	}
}

func TestHelperEndsWithTheAgent(t *testing.T) {
	cmd, said := startHalf(t, openDir(t)+"/data")
	pidfd, err := unix.PidfdOpen(said.Helper, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// A pidfd becomes readable when its process ends. Signals, the runtime's
	// own among them, interrupt poll and mean nothing.
	n, err := 0, error(unix.EINTR)
	for err == unix.EINTR {
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int((10 * time.Second).Milliseconds()))
	}
	if n != 1 || err != nil {
		t.Errorf("the helper outlived its agent: %d, %v", n, err)
	}
}

func TestHandOverRefuses(t *testing.T) {
	lab.Need(t, "root, to hand files over", os.Geteuid() == 0)
	nobody, err := findAccount()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/", "/etc", "/etc/default", "/usr/lib", "/var/lib", "/home/constat-nobody"} {
		if dir == "/home/constat-nobody" {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(dir)
		}
		if err := handOver(dir, nobody); err == nil || !strings.Contains(err.Error(), "--data") {
			t.Fatalf("%s was handed over: %v", dir, err)
		}
	}
	dir := openDir(t)
	secret := filepath.Join(dir, "secret")
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(secret, filepath.Join(data, "innocent")); err != nil {
		t.Fatal(err)
	}
	if err := handOver(data, nobody); err == nil || !strings.Contains(err.Error(), "another name") {
		t.Errorf("a file of root's was given away by a link: %v", err)
	}
	if info, err := os.Stat(secret); err != nil || ownedBy(info, nobody) {
		t.Errorf("the file of root's is %v, %v", info.Sys(), err)
	}
}

// TestListeningHelperEnds: told to stop, it does not wait for its idle time.
func TestListeningHelperEnds(t *testing.T) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: filepath.Join(t.TempDir(), "socket")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- listen(ctx, f, time.Hour) }()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on listening")
	}
}
