package lab

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Responder answers as many devices of one recording do, from memory.
type Responder struct {
	// Addresses of the devices, HOST:PORT.
	Addresses []string
	PID       int
}

// Respond plays a recording at as many addresses of the loopback network, by
// SNMPv2c, until the test ends: a hundred times as fast as Play, for those who
// measure. It is a process of its own, whose time is not the measured one's.
// Options are those of the program responder.
func Respond(t testing.TB, devices int, text string, options ...string) Responder {
	t.Helper()
	dir := t.TempDir()
	program, recording := filepath.Join(dir, "responder"), filepath.Join(dir, "recording")
	if out, err := exec.Command("go", "build", "-o", program, "constat/internal/lab/responder").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if err := os.WriteFile(recording, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append(options, strconv.Itoa(devices), recording)...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
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
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	r := Responder{PID: cmd.Process.Pid}
	for lines := bufio.NewScanner(stdout); len(r.Addresses) < devices && lines.Scan(); {
		r.Addresses = append(r.Addresses, lines.Text())
	}
	if len(r.Addresses) < devices {
		t.Fatalf("the responder gave %d of %d addresses", len(r.Addresses), devices)
	}
	return r
}
