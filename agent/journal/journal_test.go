package journal

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// The journals of testdata were made by systemd-journal-remote 252, once with
// offsets of 32 bits and once with those of 64; this is when their first entry
// was written.
var begun = time.Unix(1795000000, 0)

// recorded unpacks a journal of testdata.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	packed, err := os.Open(filepath.Join("testdata", name+".journal.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	in, err := zstd.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	content, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// kept writes a journal where systemd keeps them.
func kept(t testing.TB, content []byte) (directory string) {
	t.Helper()
	directory = t.TempDir()
	if err := os.MkdirAll(filepath.Join(directory, "0123456789abcdef0123456789abcdef"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(directory, "0123456789abcdef0123456789abcdef", "system.journal"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	return directory
}

func TestFailures(t *testing.T) {
	want := []Failure{
		{Kind: "incompatible", Program: "tool", Detail: "ENOEXEC"},
		{Kind: "permission", Program: "files"},
		{Kind: "instanceLock", Program: "chronyd", Detail: "chronyd.pid"},
		{Kind: "configCorrupt", Program: "sshd", Detail: "sshd_config"},
		{Kind: "portInUse", Program: "nginx", Detail: "80"},
		{Kind: "missingLibrary", Program: "scan", Detail: "libusb-0.1.so.4"}, // twice, told once
	}
	at := []time.Duration{480, 460, 450, 440, 420, 410}
	for _, name := range []string{"compact", "regular"} {
		found, err := Failures([]string{filepath.Join(t.TempDir(), "none"), kept(t, recorded(t, name))}, begun.Add(time.Hour))
		if err != nil || len(found) != len(want) {
			t.Fatalf("%s: %v, %v", name, found, err)
		}
		for i, one := range found {
			if when := one.At.Sub(begun); when != at[i]*time.Second {
				t.Errorf("%s: %v was %v after the first entry, want %v", name, one, when, at[i]*time.Second)
			}
			if one.At = (time.Time{}); one != want[i] {
				t.Errorf("%s: %s", name, cmp.Diff(want[i], one))
			}
			if strings.Contains(strings.ToLower(one.Program+one.Detail), "secret") {
				t.Errorf("%s: %v tells a secret", name, one)
			}
		}
	}
}

func TestNoJournalIsNoAnswer(t *testing.T) {
	now := begun.Add(time.Hour)
	if found, err := Failures([]string{filepath.Join(t.TempDir(), "none")}, now); found != nil || err == nil {
		t.Errorf("no journal: %v, %v", found, err)
	}
	// Long after the last entry, nobody knows what happened since.
	if found, err := Failures([]string{kept(t, recorded(t, "compact"))}, now.Add(30*24*time.Hour)); found != nil || err == nil {
		t.Errorf("old journal: %v, %v", found, err)
	}
	for _, content := range [][]byte{nil, []byte("LPKSHHRH"), make([]byte, 1<<12), recorded(t, "compact")[:4000]} {
		if found, err := Failures([]string{kept(t, content)}, now); found != nil || err == nil {
			t.Errorf("%d bytes: %v, %v", len(content), found, err)
		}
	}
	directory := kept(t, recorded(t, "compact"))
	name := filepath.Join(directory, "0123456789abcdef0123456789abcdef", "system.journal")
	if err := os.Rename(name, name+"~"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(name+"~", name); err != nil {
		t.Fatal(err)
	}
	if found, err := Failures([]string{directory}, now); found != nil || err == nil {
		t.Errorf("a link: %v, %v", found, err)
	}
}

func TestQuietJournalIsAnAnswer(t *testing.T) {
	found, err := Failures([]string{kept(t, recorded(t, "compact"))}, begun.Add(100*time.Second))
	if err != nil || len(found) != 0 {
		t.Errorf("%v, %v; want none", found, err)
	}
}

func TestClassify(t *testing.T) {
	for text, want := range map[string][3]string{
		"/usr/bin/viewer: error while loading shared libraries: libssl.so.1.1: cannot open shared object file: No such file or directory": {"missingLibrary", "/usr/bin/viewer", "libssl.so.1.1"},
		"viewer: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by viewer)":                                    {"missingLibrary", "viewer", "libc.so.6"},
		"viewer: symbol lookup error: /usr/lib/libdraw.so.2: undefined symbol: draw_it":                                                   {"missingLibrary", "viewer", "libdraw.so.2"},
		"Error loading shared library libz.so.1: No such file or directory (needed by /usr/bin/viewer)":                                   {"missingLibrary", "/usr/bin/viewer", "libz.so.1"},
		"/bin/sh: 1: /opt/tool/tool: Exec format error":                                                                                   {"incompatible", "/opt/tool/tool", "ENOEXEC"},
		"bash: ligne 1: /opt/tool/tool: ne peut exécuter le fichier binaire : Erreur de format pour exec()":                               {},
		"nginx: [emerg] bind() to [::]:8080 failed (98: Address already in use)":                                                          {"portInUse", "", "8080"},
		"(98)Address already in use: AH00072: make_sock: could not bind to address [::]:80":                                               {"portInUse", "", "80"},
		"error: Bind to port 22 on 0.0.0.0 failed: Address already in use.":                                                               {"portInUse", "", "22"},
		"Error: listen EADDRINUSE: address already in use :::3000":                                                                        {"portInUse", "", "3000"},
		"2026/11/22 19:41:07 listen tcp :8080: bind: address already in use":                                                              {"portInUse", "", "8080"},
		"bind : Adresse déjà utilisée":                                                                                                    {"portInUse", "", ""},
		`FATAL:  lock file "/var/lib/postgresql/15/main/postmaster.pid" already exists`:                                                   {"instanceLock", "", "postmaster.pid"},
		"pidfile '/run/rsyslogd.pid' and pid 123 already exist.":                                                                          {"instanceLock", "", "rsyslogd.pid"},
		"Daemon already running on PID 123":                                                                                               {"instanceLock", "", ""},
		"Could not get lock /home/ann/secret/lock. It is held by process 12":                                                              {"instanceLock", "", ""},
		`nginx: [emerg] unknown directive "sever" in /etc/nginx/nginx.conf:12`:                                                            {"configCorrupt", "", "nginx.conf"},
		"AH00526: Syntax error on line 3 of /etc/apache2/apache2.conf:":                                                                   {"configCorrupt", "", "apache2.conf"},
		"dnsmasq: bad option at line 3 of /etc/dnsmasq.conf":                                                                              {"configCorrupt", "", "dnsmasq.conf"},
		"could not parse /home/ann/secret.json: unexpected token":                                                                         {},
		"SELECT * FROM a: syntax error at or near FROM":                                                                                   {},
		"open /var/lib/app/data.db: permission denied":                                                                                    {"permission", "", ""},
		"All is well, the block is unlocked":                                                                                              {},
		"secret@example.com: error while loading shared libraries of texts, see http://secret.example/x":                                  {},
	} {
		kind, program, detail, _ := classify(text)
		if got := [3]string{kind, program, detail}; got != want {
			t.Errorf("%s\n is %q, want %q", text, got, want)
		}
	}
}

func TestProgramName(t *testing.T) {
	for want, of := range map[string][3]string{
		"viewer":    {"/opt/viewer/bin/viewer", "sh", "lab.service"},
		"nginx":     {"", "nginx", "web.service"},
		"inventory": {"", "python3", "inventory.service"},
		"python3":   {"", "python3", "app-org.gnome.Terminal-12.scope"},
		"":          {"", "", "session-2.scope"},
	} {
		if got := programName(of[0], of[1], of[2]); got != want {
			t.Errorf("%v is called %q, want %q", of, got, want)
		}
	}
}

func TestSpawnKind(t *testing.T) {
	shut := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(shut, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ number, file, want string }{
		{"8", "/opt/tool", "incompatible"}, {"13", shut, "permission"}, {"13", "/bin/sh", ""}, {"2", "/opt/tool", ""}, {"x", "/opt/tool", ""}, {"8", "tool", ""},
	} {
		if kind, _ := spawnKind(c.number, c.file); kind != c.want {
			t.Errorf("%s of %s is %q, want %q", c.number, c.file, kind, c.want)
		}
	}
}

// FuzzJournal: whatever a journal holds, looking through it ends, and tells
// nothing that is no name.
func FuzzJournal(f *testing.F) {
	whole := recorded(f, "compact")
	used := whole[:min(len(whole), 256<<10)]
	f.Add(uint32(120), []byte{0xff, 0xff})
	f.Add(uint32(176), []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(uint32(len(used)/2), bytes.Repeat([]byte{8}, 64))
	f.Fuzz(func(t *testing.T, at uint32, change []byte) {
		content := bytes.Clone(used)
		copy(content[min(int(at), len(content)):], change)
		one, err := open(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return
		}
		l := look{since: begun.Add(-time.Hour), until: begun.Add(time.Hour), left: 2000}
		_ = l.file(openFile{one, func() {}})
		for _, found := range l.failures() {
			if len(found.Program) > 64 || strings.ContainsAny(found.Program+found.Detail, "\n\t/ ") {
				t.Errorf("%q", found)
			}
		}
	})
}

// FuzzClassify: nothing of a message gets out but a name.
func FuzzClassify(f *testing.F) {
	f.Add("/usr/bin/viewer: error while loading shared libraries: libssl.so.1.1: cannot open shared object file")
	f.Add("nginx: [emerg] unknown directive \"sever\" in /etc/nginx/nginx.conf:12")
	f.Fuzz(func(t *testing.T, text string) {
		_, program, detail, _ := classify(text)
		if strings.ContainsAny(programName(program, "", "")+detail, "\n\t/ ") {
			t.Errorf("%q gives %q and %q", text, program, detail)
		}
	})
}
