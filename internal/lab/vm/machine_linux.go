package vm

import (
	"bufio"
	"bytes"
	"cmp"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Limits of patience: these machines compute some twenty times slower than
// their host, which may be busy. The machine itself ends a step that takes 150
// seconds (init.sh), so that it answers before stepTime is over.
const (
	bootTime = 4 * time.Minute
	stepTime = 3 * time.Minute
	leapTime = 15 * time.Minute // a step of a machine that leaps
)

// Hardware is what a machine is made of, beside two processors and memory.
type Hardware struct {
	BIOS BIOS
	// ACPI are the sources of further ACPI tables, in ASL.
	ACPI []string
	// Memory in MiB; 0: 1024.
	Memory int
	// Kernel has further words for the kernel's command line.
	Kernel string
	// Devices are further arguments of QEMU.
	Devices []string
	// Leaps: time goes by instructions, and leaps over what is not computed, so an
	// hour in which the machine rests takes a minute. It has one processor, steps
	// may last for days of it, and between two steps it stands still.
	Leaps bool
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
	leaps   bool
	// within is a process in whose namespaces steps are taken; empty: the first's.
	within string
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
	arguments := []string{"-accel", "tcg,thread=multi,tb-size=256", "-machine", "q35", "-smp", "2"}
	if h.Leaps {
		arguments = []string{"-accel", "tcg,thread=single,tb-size=256", "-machine", "q35,hpet=off", "-smp", "1", "-icount", "shift=0,sleep=off"}
		h.Kernel += " patience=1000000"
	}
	arguments = append(arguments,
		"-cpu", "max", "-m", strconv.Itoa(cmp.Or(h.Memory, 1024)),
		"-display", "none", "-nodefaults", "-no-user-config",
		"-serial", "file:"+filepath.Join(dir, "console"),
		"-kernel", base.kernel, "-initrd", m.initialFiles(base, h.Files),
		"-append", fmt.Sprintf("console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable net.ifnames=0 memmap=64K$%#x %s", dialsAddress, h.Kernel),
		"-device", "virtio-serial-pci",
		"-chardev", "socket,id=shell,server=on,wait=off,path="+filepath.Join(dir, "shell"), "-device", "virtserialport,chardev=shell",
		"-qmp", "unix:"+filepath.Join(dir, "qmp")+",server=on,wait=off",
	)
	for _, s := range h.BIOS.options(m.write) {
		arguments = append(arguments, "-smbios", s)
	}
	for i, source := range h.ACPI {
		arguments = append(arguments, "-acpitable", "file="+m.compile(fmt.Sprintf("table%d", i), source))
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
	m.awaitStart()
	if h.Leaps {
		m.leaps = true
		m.Command("stop", nil)
	}
	t.Logf("the machine is up after %.1f s", time.Since(begin).Seconds())
	return m
}

// awaitStart waits until the machine takes steps.
func (m *Machine) awaitStart() {
	m.t.Helper()
	_ = m.shell.SetDeadline(time.Now().Add(bootTime))
	if line, err := m.answers.ReadString('\n'); err != nil || line != "ready\n" {
		m.t.Fatalf("the machine did not boot: %q, %v", line, err)
	}
}

// Crash runs a script that ends in a restart of the machine, and waits until it
// takes steps again. Files that it wrote are gone, as after a start of its own.
func (m *Machine) Crash(script string) {
	m.t.Helper()
	m.send(script)
	m.awaitStart()
}

// Stop switches the machine off, before its test ends.
func (m *Machine) Stop() {
	_ = m.process.Process.Kill()
	<-m.ended
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
func (m *Machine) compile(name, source string) string {
	m.t.Helper()
	source = m.write(name+".asl", []byte(source))
	name = filepath.Join(m.dir, name)
	if out, err := exec.Command("iasl", "-p", name, source).CombinedOutput(); err != nil {
		m.t.Fatalf("iasl: %v\n%s", err, out)
	}
	return name + ".aml"
}

func (m *Machine) start(arguments []string) {
	m.t.Helper()
	m.process = exec.Command("qemu-system-x86_64", arguments...)
	var said bytes.Buffer
	m.process.Stdout, m.process.Stderr = &said, &said
	// It is a child of a thread that lives as long as it does, and dies with it:
	// so even a killed test leaves none.
	m.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		defer close(m.ended)
		err := m.process.Start()
		started <- err
		if err == nil {
			_ = m.process.Wait()
		}
	}()
	if err := <-started; err != nil {
		m.t.Fatal(err)
	}
	t := m.t
	t.Cleanup(func() {
		m.Stop()
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
	//go:embed bluetooth.sh
	bluetoothWords string
	words          = `ip() { /bin/ip "$@"; }
tc() { /sbin/tc "$@"; }
seconds() { cut -d. -f1 /proc/uptime; }
await() { # waits until a command succeeds, for three quarters of a minute
  begun=$(seconds)
  until "$@" >/dev/null 2>&1; do
    [ $(($(seconds) - begun)) -lt 45 ] || { echo "waited in vain: $*"; "$@"; return 1; }
    usleep 200000
  done
}
` + usbWords + officeWords + bluetoothWords
)

const prelude = ". /lib/words.sh; set -e\n"

// failure is what went wrong in a try.
type failure string

func (f failure) Error() string { return string(f) }

// trial is a test that outlives its fatal errors.
type trial struct{ testing.TB }

func (t trial) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }
func (t trial) Fatal(args ...any)                 { panic(failure(fmt.Sprint(args...))) }

// Try does something with the machine whose failure is no failure of the test.
func (m *Machine) Try(t testing.TB, do func()) (err error) {
	whose := m.t
	m.t = trial{t}
	defer func() {
		m.t = whose
		switch told := recover().(type) {
		case nil:
		case failure:
			err = told
		default:
			panic(told)
		}
	}()
	do()
	return nil
}

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
	if m.leaps {
		m.Command("cont", nil)
		defer m.Command("stop", nil)
	}
	m.send(script)
	line, err := m.answers.ReadString('\n')
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

// asFirmware is a step that puts the machine to sleep, and sets up again what is lost of
// its bridge: where its clock and its sleep are asked for (ICH9 datasheet, 13.1.13 and
// 13.1.14). Firmware does so when it wakes; QEMU's does not for a kernel that it was given,
// and the next sleep would end at once.
func asFirmware(script string) string {
	const bridge = "dd bs=4 skip=16 seek=16 count=2 conv=notrunc 2>/dev/null if=%s of=%s\n"
	const there, kept = "/sys/bus/pci/devices/0000:00:1f.0/config", "/tmp/.bridge"
	return fmt.Sprintf(bridge, there, kept) + script + "\n" + fmt.Sprintf(bridge, kept, there)
}

// Sleep runs a script that puts the machine to sleep, wakes it after so long of its
// host's time, and waits until the script has ended.
func (m *Machine) Sleep(script string, d time.Duration) {
	m.t.Helper()
	m.Command("cont", nil)
	if m.leaps {
		defer m.Command("stop", nil)
	}
	m.send(asFirmware(script))
	asleep := func() bool {
		if _ = m.shell.SetReadDeadline(time.Now().Add(time.Millisecond)); m.state() == "suspended" {
			return true
		}
		if _, err := m.answers.Peek(1); err == nil { // it answers, so it is awake
			_ = m.shell.SetReadDeadline(time.Now().Add(time.Second))
			line, _ := m.answers.ReadString('\n')
			code, encoded, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			text, _ := base64.StdEncoding.DecodeString(encoded)
			m.t.Fatalf("the machine did not sleep, or not for long: status %s of\n%s\nwhich said\n%s", code, script, text)
		}
		return false
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(stepTime); !asleep(); <-tick.C {
		if time.Now().After(deadline) {
			m.t.Fatal("the machine does not sleep")
		}
	}
	<-time.After(d)
	_ = m.shell.SetDeadline(time.Now().Add(leapTime))
	m.Command("system_wakeup", nil)
	if line, err := m.answers.ReadString('\n'); err != nil || !strings.HasPrefix(line, "0 ") {
		m.t.Fatalf("after its sleep the machine says %q, %v", line, err)
	}
}

// state is what QEMU calls the machine's.
func (m *Machine) state() string {
	m.t.Helper()
	var answer struct{ Status string }
	m.ask("query-status", nil, &answer)
	return answer.Status
}

// send gives the machine a step.
func (m *Machine) send(script string) {
	m.t.Helper()
	patience := stepTime
	if m.leaps {
		patience = leapTime
	}
	_ = m.shell.SetDeadline(time.Now().Add(patience))
	step := prelude + script
	if m.within != "" {
		step = fmt.Sprintf("echo %s | base64 -d >/tmp/.within; exec nsenter -t %s -m -p -- sh /tmp/.within", base64.StdEncoding.EncodeToString([]byte(step)), m.within)
	}
	if _, err := io.WriteString(m.shell, base64.StdEncoding.EncodeToString([]byte(step))+"\n"); err != nil {
		m.t.Fatalf("the machine does not take\n%s\n%v", script, err)
	}
}

// Command asks QEMU's monitor (QMP): it acts on the hardware from outside.
func (m *Machine) Command(name string, arguments map[string]any) {
	m.t.Helper()
	m.ask(name, arguments, nil)
}

// ask takes the answer's content too, unless it is nil.
func (m *Machine) ask(name string, arguments map[string]any, content any) {
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
			Error  *struct{ Desc string }
			Event  string
			Return json.RawMessage
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			m.t.Fatalf("QEMU's monitor: %v", err)
		}
		if answer.Error != nil {
			m.t.Fatalf("QEMU refuses %s: %s", name, answer.Error.Desc)
		}
		if answer.Event == "" {
			if content != nil {
				if err := json.Unmarshal(answer.Return, content); err != nil {
					m.t.Fatalf("QEMU's monitor: %v", err)
				}
			}
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
