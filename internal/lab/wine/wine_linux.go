package wine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"constat/internal/lab"
)

// begin is the first process of a Windows. With it everything else ends, and it
// ends when the test process does, however that goes: its standard input closes.
// $1 is an empty directory, $2 the image, $3 a network namespace or nothing. What
// /sys shows of links is what there was where it was mounted.
const begin = `
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/debian"
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" overlay "$1/debian"
root=$1/debian
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
: >"$root/etc/resolv.conf"
hosts="$root` + home + `/drive_c/windows/system32/drivers/etc/hosts"
mkdir -p "${hosts%/*}"
: >"$hosts"
stay='echo ready; while read -r line; do :; done'
cd /
for file in hosts resolv.conf; do
	[ ! -e "/etc/netns/$3/$file" ] || mount --bind "/etc/netns/$3/$file" "$root/etc/$file"
done
# Wine resolves names as Debian does. One file, and no link: it would lead out of here.
mount --bind "$root/etc/hosts" "$hosts"
if [ -z "$3" ]; then
	exec unshare --net sh -c 'mount -t sysfs sysfs "$1/sys"; ip link set lo up; exec chroot "$1" sh -c "$2"' sh "$root" "$stay"
fi
exec nsenter --net="/run/netns/$3" sh -c 'mount -t sysfs sysfs "$1/sys"; exec chroot "$1" sh -c "$2"' sh "$root" "$stay"
`

// patience is how long one program may take that was given no other limit.
const patience = 5 * time.Minute

// Windows is one Wine, with a C: drive and a registry of its own.
type Windows struct {
	*session
	t testing.TB
}

// session is what a Windows is made of; several tests may look at one.
type session struct {
	dir   string
	first *exec.Cmd
	stdin io.Closer
	awake *exec.Cmd // Wine ends its services with the last program
	env   []string
}

// Start starts a Windows whose network is its own loopback device. It is gone
// when the test ends.
func Start(t testing.TB) *Windows { t.Helper(); return startIn(t, "") }

// StartIn starts one in the place of a world's computer: with its network, its
// name servers and its hosts file.
func StartIn(t testing.TB, w *lab.World) *Windows { t.Helper(); return startIn(t, w.Namespace(lab.PC)) }

func startIn(t testing.TB, namespace string) *Windows {
	t.Helper()
	s, err := start(image(t), namespace, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	return &Windows{s, t}
}

// start starts a session; before, unless it is nil, is what comes before the first
// program of Windows.
func start(image, namespace string, before func(*session) error) (*session, error) {
	dir, err := os.MkdirTemp("", "wine")
	if err != nil {
		return nil, err
	}
	s := &session{dir: dir}
	s.first = exec.Command("sh", "-c", begin, "sh", dir, image, namespace)
	s.first.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC}
	stdin, err := s.first.StdinPipe()
	if err != nil {
		return nil, err
	}
	s.stdin = stdin
	stdout, err := s.first.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var complaint bytes.Buffer
	s.first.Stderr = &complaint
	if err := s.first.Start(); err != nil {
		return nil, fmt.Errorf("Wine's first process: %w", err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
		s.end()
		return nil, fmt.Errorf("Wine's first process says %q: %v\n%s", line, err, complaint.String())
	}
	if before != nil {
		if err := before(s); err != nil {
			s.end()
			return nil, err
		}
	}
	s.awake = s.command(context.Background(), "cmd.exe")
	input, err := s.awake.StdinPipe() // it waits for commands until its namespace ends
	if err == nil {
		err = s.awake.Start()
	}
	if err == nil {
		err = s.command(context.Background(), "cmd.exe", "/c", "ver").Run() // answers once Wine is up
	}
	if err != nil {
		if input != nil {
			input.Close()
		}
		s.end()
		return nil, fmt.Errorf("starting Wine: %w", err)
	}
	return s, nil
}

// end ends all of its processes and removes what it wrote.
func (s *session) end() {
	s.stdin.Close()
	_ = s.first.Process.Kill() // with it the kernel kills all others of its namespace
	_ = s.first.Wait()
	if s.awake != nil && s.awake.Process != nil {
		_ = s.awake.Process.Kill() // nsenter, which waits outside
		_ = s.awake.Wait()
	}
	_ = os.Remove(s.dir) // only the place where it was mounted
}

// outside is a command of Debian's in the Windows' root directory.
func (s *session) outside(ctx context.Context, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--target", strconv.Itoa(s.first.Process.Pid),
		"--mount", "--pid", "--net", "--ipc", "--root", "--wd"}, arguments...)...)
	cmd.Env = slices.DeleteFunc(strings.Fields(environment), func(v string) bool { return v == shimmed })
	cmd.Env = append(cmd.Env, s.env...)
	// What a program left running may hold its output open.
	cmd.WaitDelay = time.Second
	// nsenter waits for a child in the other namespace.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

func (s *session) command(ctx context.Context, program string, arguments ...string) *exec.Cmd {
	return s.outside(ctx, append([]string{"env", shimmed, "wine", program}, arguments...)...)
}

// Setenv sets a variable for all programs that are started from now on. Wine
// hands it on to them.
func (w *Windows) Setenv(name, value string) { w.env = append(w.env, name+"="+value) }

// Command is a Windows program that is about to be run; the program is a name or
// a path of Windows.
func (w *Windows) Command(ctx context.Context, program string, arguments ...string) *exec.Cmd {
	return w.command(ctx, program, arguments...)
}

// Result is what became of a program.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// Try runs a program to its end, however that is.
func (w *Windows) Try(program string, arguments ...string) Result {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	cmd := w.Command(ctx, program, arguments...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		w.t.Fatalf("%s %v: %v", program, arguments, err)
	}
	if ctx.Err() != nil {
		w.t.Fatalf("%s %v: no end within %v\n%s%s", program, arguments, patience, stdout.String(), stderr.String())
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// Run runs a program that has to succeed, and returns its output.
func (w *Windows) Run(program string, arguments ...string) string {
	w.t.Helper()
	r := w.Try(program, arguments...)
	if r.Code != 0 {
		w.t.Fatalf("%s %v: exit code %d\n%s%s", program, arguments, r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// Debian runs a command of the system below Wine.
func (w *Windows) Debian(arguments ...string) string {
	w.t.Helper()
	out, err := w.outside(w.t.Context(), arguments...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v: %v\n%s", arguments, err, out)
	}
	return string(out)
}

// Registry brings in what stands in a .reg file: the text with its header.
func (w *Windows) Registry(text string) {
	w.t.Helper()
	const file = `C:\windows\temp\fixture.reg`
	content := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(strings.ReplaceAll(text, "\n", "\r\n"))) {
		content = binary.LittleEndian.AppendUint16(content, unit)
	}
	w.Write(file, content)
	w.Run("regedit.exe", "/S", file)
	if err := os.Remove(w.Path(file)); err != nil {
		w.t.Fatal(err)
	}
}

// Path is where this process finds what Windows calls by an absolute name. Like
// there, capital letters make no difference for what exists. A link on the way is
// refused: it would lead this process to another place than Windows.
func (w *Windows) Path(name string) string {
	w.t.Helper()
	drive, rest, found := strings.Cut(name, `:\`)
	if !found || len(drive) != 1 {
		w.t.Fatalf("%s is no absolute path of Windows", name)
	}
	path := w.inside("/")
	if drive = strings.ToLower(drive); drive == "c" {
		path = w.inside(home + "/drive_c")
	} else if drive != "z" {
		w.t.Fatalf("Wine has drives C: and Z:, not %s", name)
	}
	for part := range strings.SplitSeq(rest, `\`) {
		path = filepath.Join(path, spelled(path, part))
		if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			w.t.Fatalf("%s goes through a link, %s: this process would follow it out of Wine", name, path)
		}
	}
	return path
}

func (w *Windows) inside(path string) string {
	return fmt.Sprintf("/proc/%d/root%s", w.first.Process.Pid, path)
}

// spelled is an entry's name as it is on disk.
func spelled(dir, name string) string {
	if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
		return name
	}
	entries, _ := os.ReadDir(dir) //nolint:errcheck // a directory that is missing has no entries
	for _, e := range entries {
		if strings.EqualFold(e.Name(), name) {
			return e.Name()
		}
	}
	return name
}

// Write makes a file, and the directories it is in.
func (w *Windows) Write(name string, content []byte) {
	w.t.Helper()
	path := w.Path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o755); err != nil {
		w.t.Fatal(err)
	}
}

// Copy brings a file of this system to Windows.
func (w *Windows) Copy(file, name string) {
	w.t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Write(name, content)
}

// Share shows a directory of this system to Windows, and returns its name there.
func (w *Windows) Share(dir string) string {
	w.t.Helper()
	if err := os.MkdirAll(w.inside(dir), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		w.t.Fatal(err)
	}
	out, err := exec.Command("nsenter", "--target", strconv.Itoa(w.first.Process.Pid), "--mount",
		"mount", "--bind", dir, filepath.Join(w.dir, "debian", dir)).CombinedOutput()
	if err != nil {
		w.t.Fatalf("sharing %s: %v\n%s", dir, err, out)
	}
	return `Z:` + strings.ReplaceAll(dir, "/", `\`)
}
