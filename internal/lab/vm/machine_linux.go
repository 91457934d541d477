package vm

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Limits of patience: these machines compute some twenty times slower than
// their host, which may be busy.
const (
	bootTime = 4 * time.Minute
	stepTime = 3 * time.Minute
)

// Hardware is what a machine is made of, beside two processors and memory.
type Hardware struct {
	BIOS BIOS
	// ACPI is the source of a further ACPI table, in ASL; may be empty.
	ACPI string
	// Devices are further arguments of QEMU.
	Devices []string
	// Files are this machine's, by their path in the guest.
	Files map[string]string
}

// Machine is a running virtual machine. One goroutine may use it.
type Machine struct {
	t       testing.TB
	dir     string
	process *exec.Cmd
	ended   chan struct{}
	shell   net.Conn
	answers *bufio.Reader
	monitor net.Conn
	events  *bufio.Reader
}

// Boot starts a machine and waits until it takes steps. It is gone when the
// test ends.
func Boot(t testing.TB, h Hardware) *Machine {
	t.Helper()
	base := needImage(t)
	// Not t.TempDir: a socket's path must be short.
	dir, err := os.MkdirTemp("", "vm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	m := &Machine{t: t, dir: dir, ended: make(chan struct{})}
	arguments := []string{
		"-accel", "tcg,thread=multi,tb-size=256", "-machine", "q35", "-cpu", "max", "-smp", "2", "-m", "1024",
		"-display", "none", "-nodefaults", "-no-user-config", "-no-reboot",
		"-serial", "file:" + filepath.Join(dir, "console"),
		"-kernel", base.kernel, "-initrd", m.initialFiles(base, h.Files),
		"-append", fmt.Sprintf("console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable net.ifnames=0 memmap=64K$%#x", dialsAddress),
		"-device", "virtio-serial-pci",
		"-chardev", "socket,id=shell,server=on,wait=off,path=" + filepath.Join(dir, "shell"), "-device", "virtserialport,chardev=shell",
		"-qmp", "unix:" + filepath.Join(dir, "qmp") + ",server=on,wait=off",
	}
	for _, s := range h.BIOS.options(m.write) {
		arguments = append(arguments, "-smbios", s)
	}
	if h.ACPI != "" {
		arguments = append(arguments, "-acpitable", "file="+m.compile(h.ACPI))
	}
	m.start(append(arguments, h.Devices...))
	begin := time.Now()
	m.shell, m.monitor = m.connect("shell"), m.connect("qmp")
	m.answers, m.events = bufio.NewReader(m.shell), bufio.NewReader(m.monitor)
	_ = m.monitor.SetDeadline(begin.Add(bootTime))
	if _, err := m.events.ReadString('\n'); err != nil {
		t.Fatalf("QEMU's monitor: %v", err)
	}
	m.Command("qmp_capabilities", nil)
	_ = m.shell.SetDeadline(begin.Add(bootTime))
	if line, err := m.answers.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the machine did not boot: %q, %v", line, err)
	}
	t.Logf("the machine is up after %.1f s", time.Since(begin).Seconds())
	return m
}

// initialFiles writes the base and this machine's own files as one.
func (m *Machine) initialFiles(base image, files map[string]string) string {
	m.t.Helper()
	name := filepath.Join(m.dir, "initrd")
	out, err := os.Create(name)
	if err != nil {
		m.t.Fatal(err)
	}
	defer out.Close()
	in, err := os.Open(base.base)
	if err != nil {
		m.t.Fatal(err)
	}
	defer in.Close()
	if _, err := io.Copy(out, in); err != nil {
		m.t.Fatal(err)
	}
	a := newArchive(out)
	a.add("lib/words.sh", 0o644, []byte(words))
	for inside, here := range files {
		a.addFile(inside, here)
	}
	if err := a.close(); err != nil {
		m.t.Fatal(err)
	}
	return name
}

// write puts a file beside the machine's sockets and returns its path.
func (m *Machine) write(name string, content []byte) string {
	m.t.Helper()
	name = filepath.Join(m.dir, name)
	if err := os.WriteFile(name, content, 0o644); err != nil {
		m.t.Fatal(err)
	}
	return name
}

// compile makes an ACPI table of its source.
func (m *Machine) compile(source string) string {
	m.t.Helper()
	name := filepath.Join(m.dir, "table")
	if out, err := exec.Command("iasl", "-p", name, m.write("table.asl", []byte(source))).CombinedOutput(); err != nil {
		m.t.Fatalf("iasl: %v\n%s", err, out)
	}
	return name + ".aml"
}

func (m *Machine) start(arguments []string) {
	m.t.Helper()
	m.process = exec.Command("qemu-system-x86_64", arguments...)
	var said bytes.Buffer
	m.process.Stdout, m.process.Stderr = &said, &said
	if err := m.process.Start(); err != nil {
		m.t.Fatal(err)
	}
	go func() {
		_ = m.process.Wait()
		close(m.ended)
	}()
	t := m.t
	t.Cleanup(func() {
		_ = m.process.Process.Kill()
		<-m.ended
		if t.Failed() {
			console, _ := os.ReadFile(filepath.Join(m.dir, "console"))
			t.Logf("QEMU said: %s\nthe machine's console:\n%s", &said, console)
		}
	})
}

// connect waits for a socket of QEMU's.
func (m *Machine) connect(name string) net.Conn {
	m.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(bootTime); ; {
		conn, err := net.Dial("unix", filepath.Join(m.dir, name))
		if err == nil {
			m.t.Cleanup(func() { conn.Close() })
			return conn
		}
		select {
		case <-m.ended:
			m.t.Fatal("QEMU ended at once")
		case <-deadline:
			m.t.Fatal(err)
		case <-tick.C:
		}
	}
}

// words are what steps are written in; prelude, put before every step, brings
// them. busybox' own ip and tc know less.
var (
	//go:embed usb.sh
	usbWords string
	//go:embed office.sh
	officeWords string
	words       = `ip() { /bin/ip "$@"; }
tc() { /sbin/tc "$@"; }
await() { # waits until a command succeeds, for half a minute and more
  for _ in $(seq 150); do "$@" >/dev/null 2>&1 && return 0; usleep 200000; done
  echo "waited in vain: $*"; "$@"; return 1
}
` + usbWords + officeWords
)

const prelude = ". /lib/words.sh; set -e\n"

// In makes a subtest the one that the machine's failures are told to, until it
// ends.
func (m *Machine) In(t testing.TB) {
	whose := m.t
	m.t = t
	t.Cleanup(func() { m.t = whose })
}

// Run runs a shell script as root in the machine and returns what it printed.
// Its failure fails the test.
func (m *Machine) Run(script string) string {
	m.t.Helper()
	_ = m.shell.SetDeadline(time.Now().Add(stepTime))
	line := ""
	_, err := io.WriteString(m.shell, base64.StdEncoding.EncodeToString([]byte(prelude+script))+"\n")
	if err == nil {
		line, err = m.answers.ReadString('\n')
	}
	if err != nil {
		m.t.Fatalf("no answer of the machine to\n%s\n%v", script, err)
	}
	code, encoded, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	text, err1 := base64.StdEncoding.DecodeString(encoded)
	status, err2 := strconv.Atoi(code)
	if err1 != nil || err2 != nil {
		m.t.Fatalf("the machine answers nonsense: %v %v", err1, err2)
	}
	if status != 0 {
		m.t.Fatalf("status %d of\n%s\nwhich said\n%s", status, script, text)
	}
	return string(text)
}

// Command asks QEMU's monitor (QMP): it acts on the hardware from outside.
func (m *Machine) Command(name string, arguments map[string]any) {
	m.t.Helper()
	_ = m.monitor.SetDeadline(time.Now().Add(stepTime))
	request := map[string]any{"execute": name}
	if arguments != nil {
		request["arguments"] = arguments
	}
	if err := json.NewEncoder(m.monitor).Encode(request); err != nil {
		m.t.Fatalf("QEMU's monitor: %v", err)
	}
	for {
		line, err := m.events.ReadBytes('\n')
		if err != nil {
			m.t.Fatalf("QEMU's monitor: %v", err)
		}
		var answer struct {
			Error *struct{ Desc string }
			Event string
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			m.t.Fatalf("QEMU's monitor: %v", err)
		}
		if answer.Error != nil {
			m.t.Fatalf("QEMU refuses %s: %s", name, answer.Error.Desc)
		}
		if answer.Event == "" {
			return
		}
	}
}

// Build compiles one of our programs so that it runs in any machine, and
// returns its file.
func Build(t testing.TB, program string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), filepath.Base(program))
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", file, program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", program, err, out)
	}
	return file
}
