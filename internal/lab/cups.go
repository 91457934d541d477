package lab

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// PrintQueue is a queue that a lab print server starts with.
type PrintQueue struct {
	Name      string
	DeviceURI string // "file:///dev/null" swallows documents
	Paused    bool
	Rejecting bool
	Default   bool
}

// CUPS is a print server of the test's own: own socket, own queues, nothing of
// the machine's.
type CUPS struct {
	// Address is its socket, as Config.CUPS and CUPS_SERVER take it.
	Address string
	dir     string
	process *exec.Cmd
}

// StartCUPS starts a print server with these queues and waits until it answers.
// It is gone when the test ends. Without cupsd the test is skipped.
func StartCUPS(t testing.TB, queues ...PrintQueue) *CUPS {
	t.Helper()
	daemon, err := exec.LookPath("cupsd")
	if err != nil {
		daemon, err = exec.LookPath("/usr/sbin/cupsd")
	}
	Need(t, "cupsd (Debian: cups-daemon)", err == nil)
	// Not t.TempDir: a socket's path must be short.
	dir, err := os.MkdirTemp("", "cups")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &CUPS{Address: filepath.Join(dir, "sock"), dir: dir}
	for _, sub := range []string{"cache", "log", "run", "root", "spool", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		"cupsd.conf": c.daemonConf(), "cups-files.conf": c.filesConf(t), "root/printers.conf": printersConf(queues),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c.process = exec.Command(daemon, "-f", "-c", filepath.Join(dir, "cupsd.conf"), "-s", filepath.Join(dir, "cups-files.conf"))
	c.process.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent")
	var output bytes.Buffer
	c.process.Stdout, c.process.Stderr = &output, &output
	if err := c.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	if !answers("unix", c.Address) {
		c.Stop()
		log, _ := os.ReadFile(filepath.Join(dir, "log", "error_log"))
		t.Fatalf("cupsd did not start: %s\n%s", output.String(), log)
	}
	return c
}

// Stop ends the print server; its socket stays behind and refuses, as after a
// crash.
func (c *CUPS) Stop() {
	if c.process.ProcessState == nil {
		_ = c.process.Process.Kill()
		_ = c.process.Wait()
	}
}

// Hold puts a document in a queue that waits until somebody releases it.
func (c *CUPS) Hold(t testing.TB, queue, title string) {
	t.Helper()
	c.run(t, "lp", "-d", queue, "-t", title, "-H", "hold", filepath.Join(c.dir, "cupsd.conf"))
}

// Print puts a document in a queue and waits until the server is done with it.
func (c *CUPS) Print(t testing.TB, queue, title string) {
	t.Helper()
	c.run(t, "lp", "-d", queue, "-t", title, filepath.Join(c.dir, "cupsd.conf"))
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-again.C {
		if len(c.run(t, "lpstat", "-W", "not-completed", "-o", queue)) == 0 {
			return
		}
	}
	t.Fatalf("queue %s has not printed its document", queue)
}

// run runs a CUPS client program against this server, and returns its words.
func (c *CUPS) run(t testing.TB, program string, arguments ...string) []byte {
	t.Helper()
	_, err := exec.LookPath(program)
	Need(t, program+" (Debian: cups-client)", err == nil)
	command := exec.Command(program, arguments...)
	command.Env = append(os.Environ(), "CUPS_SERVER="+c.Address)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, output)
	}
	return output
}

// answers waits up to ten seconds for an address to accept connections.
func answers(network, address string) bool {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-again.C {
		if conn, err := net.Dial(network, address); err == nil {
			_ = conn.Close()
			return true
		}
	}
	return false
}

func (c *CUPS) daemonConf() string {
	return fmt.Sprintf(`LogLevel warn
Listen %s
Browsing No
WebInterface No
<Location />
  Order allow,deny
  Allow all
</Location>
<Policy default>
  JobPrivateAccess default
  JobPrivateValues default
  <Limit All>
    Order deny,allow
  </Limit>
</Policy>
`, c.Address)
}

func (c *CUPS) filesConf(t testing.TB) string {
	t.Helper()
	var conf strings.Builder
	for _, row := range [][2]string{
		{"AccessLog", "log/access_log"}, {"CacheDir", "cache"}, {"ErrorLog", "log/error_log"}, {"PageLog", "log/page_log"},
		{"RequestRoot", "spool"}, {"ServerRoot", "root"}, {"StateDir", "run"}, {"TempDir", "tmp"},
	} {
		fmt.Fprintf(&conf, "%s %s\n", row[0], filepath.Join(c.dir, row[1]))
	}
	fmt.Fprintln(&conf, "FileDevice Yes")
	// As root cupsd gives its rights up to this account for what it runs.
	account := "lp"
	if os.Geteuid() != 0 {
		me, err := user.Current()
		if err != nil {
			t.Fatal(err)
		}
		account = me.Username
	}
	fmt.Fprintf(&conf, "User %s\n", account)
	return conf.String()
}

// printersConf is the file cupsd keeps its queues in.
func printersConf(queues []PrintQueue) string {
	var conf strings.Builder
	for _, q := range queues {
		kind, state, accepting := "Printer", "State Idle", "Yes"
		if q.Default {
			kind = "DefaultPrinter"
		}
		if q.Paused {
			state = "State Stopped\nStateMessage Paused\nReason paused"
		}
		if q.Rejecting {
			accepting = "No"
		}
		fmt.Fprintf(&conf, "<%s %s>\nDeviceURI %s\n%s\nAccepting %s\nShared No\nJobSheets none none\nOpPolicy default\nErrorPolicy retry-job\n</Printer>\n",
			kind, q.Name, q.DeviceURI, state, accepting)
	}
	return conf.String()
}

// StartPrinter starts an IPP Everywhere printer (CUPS' ippeveprinter) on
// loopback and returns its host:port. For each document it runs the command, a
// shell script, whose lines "STATE: +media-jam" and "ATTR: name=value" on
// standard error change what the printer says of itself. It takes PDF only.
func StartPrinter(t testing.TB, command string) (address string) {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/ippeveprinter")
	if err != nil {
		program, err = exec.LookPath("ippeveprinter")
	}
	Need(t, "ippeveprinter (Debian: cups-ipp-utils)", err == nil)
	dir, err := os.MkdirTemp("", "printer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	bus := startBus(t, dir)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	_ = free.Close()
	script := filepath.Join(dir, "print")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"+command+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	printer := exec.Command(program, "-r", "off", "-n", "localhost", "-p", port, "-d", dir, "-M", "HP", "-m", "LaserJet Lab", "-f", "application/pdf", "-c", script, "lab")
	printer.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+bus)
	start(t, printer)
	if !answers("tcp", address) {
		t.Fatal("ippeveprinter did not start")
	}
	return address
}

// startBus starts a bus in a directory, once, and returns its address:
// ippeveprinter wants one to look for Avahi on, even to be told that there is
// none.
func startBus(t testing.TB, dir string) (address string) {
	t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	Need(t, "dbus-daemon (Debian: dbus)", err == nil)
	bus := filepath.Join(dir, "bus")
	if _, err := os.Stat(bus); err == nil {
		return "unix:path=" + bus
	}
	start(t, exec.Command(daemon, "--session", "--nofork", "--nopidfile", "--address=unix:path="+bus))
	if !answers("unix", bus) {
		t.Fatal("the private bus did not start")
	}
	return "unix:path=" + bus
}

// start runs a program until the test ends.
func start(t testing.TB, command *exec.Cmd) {
	t.Helper()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
}
