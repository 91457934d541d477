package host

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// officeGroups are what the machine of testdata/office.txtar is about.
var officeGroups = []string{"crashes", "host", "security", "sign_in", "software", "updates"}

// office writes that machine, and what a text file cannot hold: a certificate,
// records of sign-ins, times. It was started an hour ago.
func office(t testing.TB) (root string) {
	t.Helper()
	root = machine(t, "office")
	now := time.Now()
	session := make([]byte, utmpSize)
	binary.LittleEndian.PutUint16(session, userProcess)
	copy(session[utmpUser:], "ann")
	for name, content := range map[string][]byte{
		"usr/local/share/ca-certificates/corp/root.crt": certificate(t, pkix.Name{CommonName: "Corp Root"}),
		"run/faillock/zoe":       tallyOf(now.Unix()-30, now.Unix()-20, now.Unix()-10),
		"run/faillock/max":       {},
		"run/utmp":               session,
		"run/systemd/users/1000": []byte("# private\nNAME=ann\nSTATE=active\n"),
		"var/lib/flatpak/app/org.gimp.GIMP/x86_64/stable/active/deploy":    []byte("flathub\x00"),
		"var/lib/flatpak/appstream/flathub/x86_64/active/appstream.xml.gz": packed(t, flatpakCatalog),
		"proc/stat": fmt.Appendf(nil, "btime %d\n", now.Add(-time.Hour).Unix()),
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	installed := time.Unix(1700000000, 0)
	for _, name := range []string{"var/lib/dpkg/info/git.list", "var/lib/dpkg/info/libc6:amd64.list", "var/lib/flatpak/app/org.gimp.GIMP/x86_64/stable/active/deploy"} {
		if err := os.Chtimes(filepath.Join(root, name), installed, installed); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// gapsOf returns the status of each gap of a group, by fact.
func gapsOf(s *constatv1.Snapshot, group string) map[string]string {
	gaps := map[string]string{}
	for _, entry := range s.Manifest.Groups {
		if entry.Group == group {
			for _, g := range entry.Observation.Gaps {
				gaps[g.Fact] = g.Status
			}
		}
	}
	return gaps
}

// packed is a text as gzip packs it.
func packed(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// officeRights stands in for the process with the rights.
func officeRights(_ context.Context, verb, argument string) ([]byte, error) {
	switch verb + " " + argument {
	case "password-days ann":
		return []byte("20000:0:90:7::"), nil
	case "snap-candidates ":
		return []byte(`{"firefox": {"Version": "129.0-1"}}`), nil
	case "directory ":
		return []byte("corp.example\tipa\tfalse\tdc1.corp.example\nother.example\tad\ttrue\t\n"), nil
	case "kerberos-refusals ":
		now := time.Now().UTC() // the machine has no /etc/localtime
		return fmt.Appendf(nil, "%s -1765328360\n%s -1765328228\n", now.Add(-10*time.Minute).Format(time.DateTime), now.Add(-time.Minute).Format(time.DateTime)), nil
	case "ticket-end 1000":
		return []byte("2000000000 -372.5"), nil
	}
	return nil, fs.ErrInvalid
}

func TestOffice(t *testing.T) {
	s := Observe(t.Context(), Config{Root: office(t), Privileged: officeRights}, officeGroups)
	told(t, s)

	installed := timestamppb.New(time.Unix(1700000000, 0))
	wantSoftware := &constatv1.Software{
		Programs: []*constatv1.Program{
			{Name: set("broken"), Source: set("snap")},
			{Name: set("dpkg"), Version: set("1.21.22"), Publisher: set("Dpkg Developers"), Source: set("dpkg")},
			{Name: set("firefox"), Version: set("128.0-2"), Source: set("snap"), AvailableVersion: set("129.0-1")},
			{Name: set("git"), Version: set("1:2.39.5-0+deb12u2"), Source: set("dpkg"), InstalledAt: installed, AvailableVersion: set("1:2.39.5-0+deb12u3")},
			{Name: set("libc6"), Version: set("2.36-9+deb12u10"), Source: set("dpkg"), InstalledAt: installed, AvailableVersion: set("2.36-9+deb12u11")},
			{Name: set("nodejs"), Version: set("18.0.0"), Source: set("dpkg")},
			{Name: set("org.gimp.GIMP"), Version: set("3.0.4"), Source: set("flatpak"), InstalledAt: installed, Channel: set("stable"), AvailableVersion: set("3.0.6")},
		},
		StartupItems: []string{"Backup", "nameless"},
	}
	if diff := cmp.Diff(wantSoftware, s.Software, protocmp.Transform()); diff != "" {
		t.Errorf("software (-want +got):\n%s", diff)
	}

	if h := s.Host; h.GetJoinKind() != "domain" || h.GetDomain() != "corp.example" {
		t.Errorf("host: %v", h)
	}
	u := s.Updates
	if u.GetPending() != 2 || u.GetSecurityPending() != 1 || u.Locked == nil || *u.Locked || len(u.Failures) != 1 || u.Failures[0].GetName() != "driver" ||
		u.Failures[0].GetCode() != "dpkg 1" || u.GetLastSuccessAt().AsTime().Day() != 21 || u.LastCheckAt == nil || len(u.BrokenPackages) != 0 {
		t.Errorf("updates: %v", u)
	}

	wantSignIn := &constatv1.SignIn{
		Accounts: []*constatv1.Account{
			{
				User: set("ann"), Kind: set("local"), Locked: set(false), PasswordExpired: set(true), TemporaryProfile: set(true),
				PasswordExpiresAt: timestamppb.New(time.Unix(20090*24*3600, 0)), TicketExpiresAt: timestamppb.New(time.Unix(2000000000, 0)),
			},
			{User: set("zoe"), Kind: set("domain"), Locked: set(true)},
			{Kind: set("domain"), LastRefusal: set("unreachable")},
		},
		Directory: &constatv1.Directory{Name: set("corp.example"), Kind: set("freeipa"), State: set("offline"), Server: set("dc1.corp.example"), ClockOffsetSeconds: set(-372.5)},
	}
	if diff := cmp.Diff(wantSignIn, s.SignIn, protocmp.Transform()); diff != "" {
		t.Errorf("sign-in (-want +got):\n%s", diff)
	}

	wantSecurity := &constatv1.Security{
		Products: []*constatv1.SecurityProduct{
			{Name: set("ClamAV"), Kind: set("antivirus"), Enabled: set(false), UpToDate: set(false)},
			{Name: set("CrowdStrike Falcon"), Kind: set("edr"), Enabled: set(true)},
			{Name: set("ufw"), Kind: set("firewall"), Enabled: set(true)},
		},
		AddedRoots: []string{"Corp Root"}, DiskEncrypted: set(true),
	}
	if diff := cmp.Diff(wantSecurity, s.Security, protocmp.Transform()); diff != "" {
		t.Errorf("security (-want +got):\n%s", diff)
	}

	c := s.Crashes
	if len(c.OomKills) != 1 || c.OomKills[0].GetProgram() != "chrome" || time.Since(c.OomKills[0].At.AsTime()) > 10*time.Minute {
		t.Errorf("killed for memory: %v", c.OomKills)
	}
	if len(c.Programs) != 2 || c.Programs[0].GetProgram() != "tool" || c.Programs[0].GetCode() != "SIGABRT" || c.Programs[0].GetVersion() != "1.2" ||
		c.Programs[1].GetProgram() != "soffice.bin" || c.Programs[1].GetModule() != "libvcllo.so" {
		t.Errorf("crashes: %v", c.Programs)
	}
	if len(c.System) != 1 || c.System[0].GetKind() != "panic" {
		t.Errorf("crashes of the machine: %v", c.System)
	}
	if text := strings.ToLower(prototext.Format(s)); strings.Contains(text, "secret") || strings.Contains(text, "192.0.2") {
		t.Errorf("the snapshot tells too much:\n%s", text)
	}
}

// TestUnchangedDatabaseIsNotReadAgain makes the database unreadable without a
// trace in its times: what is known stays known.
func TestUnchangedDatabaseIsNotReadAgain(t *testing.T) {
	root := office(t)
	list := filepath.Join(root, aptLists, "deb.example_dists_stable_main_binary-amd64_Packages")
	info, err := os.Stat(list)
	if err != nil {
		t.Fatal(err)
	}
	before := Observe(t.Context(), Config{Root: root}, []string{"updates"})
	content := strings.Repeat("x", int(info.Size()))
	if err := os.WriteFile(list, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(list, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	after := Observe(t.Context(), Config{Root: root}, []string{"updates"})
	if before.Updates.GetPending() != 2 || after.Updates.GetPending() != 2 {
		t.Errorf("pending %v, then %v", before.Updates.Pending, after.Updates.Pending)
	}
	if err := os.WriteFile(list, []byte("Package: another\nVersion: 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if changed := Observe(t.Context(), Config{Root: root}, []string{"updates"}); changed.Updates.GetPending() != 1 {
		t.Errorf("pending %v after the list changed", changed.Updates.Pending)
	}
}

// TestOfficeSaysWhatItDoesNotKnow takes rights and understanding away.
func TestOfficeSaysWhatItDoesNotKnow(t *testing.T) {
	for name, test := range map[string]struct {
		change func(root string) error
		gaps   map[string]string // "group.fact" to status
	}{
		"rights": {
			func(root string) error {
				return os.Chmod(filepath.Join(root, "dev/kmsg"), 0)
			},
			map[string]string{
				"crashes.oom_kills": "denied", "sign_in.accounts.password_expired": "denied", "sign_in.directory.state": "denied",
				"sign_in.accounts.last_refusal": "denied", "sign_in.accounts.ticket_expires_at": "denied",
			},
		},
		"tally": {
			func(root string) error { return os.Chmod(filepath.Join(root, "run/faillock/zoe"), 0) },
			map[string]string{"sign_in.accounts.locked": "denied"},
		},
		"a pin of everything": {
			func(root string) error {
				return os.WriteFile(filepath.Join(root, "etc/apt/preferences"), []byte("Package: *\nPin: release a=testing\n"), 0o644)
			},
			map[string]string{"updates.pending": "unsupported", "updates.security_pending": "unsupported", "software.programs.available_version": "unsupported"},
		},
		"a packed list": {
			func(root string) error {
				return os.WriteFile(filepath.Join(root, aptLists, "x_Packages.xz"), nil, 0o644)
			},
			map[string]string{"updates.pending": "unsupported"},
		},
		"a damaged list": {
			func(root string) error {
				return os.WriteFile(filepath.Join(root, aptLists, "x_Packages.lz4"), []byte("no"), 0o644)
			},
			map[string]string{"updates.pending": "failed"},
		},
		"no lists": {
			func(root string) error { return os.RemoveAll(filepath.Join(root, aptLists)) },
			map[string]string{"updates.pending": "unsupported"},
		},
		"rpm": {
			func(root string) error {
				if err := os.MkdirAll(filepath.Join(root, "var/lib/rpm"), 0o755); err != nil {
					return err
				}
				return os.WriteFile(filepath.Join(root, "var/lib/rpm/rpmdb.sqlite"), nil, 0o644)
			},
			map[string]string{"software.programs": "unsupported"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := office(t)
			for _, dir := range []string{root, filepath.Dir(root)} {
				if err := os.Chmod(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := test.change(root); err != nil {
				t.Fatal(err)
			}
			asNobody(t)
			s := Observe(t.Context(), Config{Root: root}, officeGroups)
			for _, key := range slices.Sorted(maps.Keys(test.gaps)) {
				group, fact, _ := strings.Cut(key, ".")
				if got := gapsOf(s, group)[fact]; got != test.gaps[key] {
					t.Errorf("%s: %q, want %q; all gaps %v", key, got, test.gaps[key], gapsOf(s, group))
				}
			}
			if _, unknown := test.gaps["updates.pending"]; unknown == (s.Updates.Pending != nil) {
				t.Errorf("pending updates: %v", s.Updates.Pending)
			}
		})
	}
}

// TestHostileOffice puts what nobody expects into each file in turn.
func TestHostileOffice(t *testing.T) {
	root := office(t)
	if err := syscall.Mkfifo(filepath.Join(root, "var/crash/_usr_bin_pipe.0.crash"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(root, "var/crash/_usr_bin_link.0.crash")); err != nil {
		t.Fatal(err)
	}
	var files []string
	if err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files = append(files, name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, hostile := range []string{"", "\x00\xff\xfe = : ;,,,\n\n\n[", strings.Repeat("Package: x\n", 20000), ";;;\n: :\n=\n.\n/\n"} {
		for _, name := range files {
			if err := os.WriteFile(name, []byte(hostile), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s := Observe(t.Context(), Config{Root: root, Privileged: func(context.Context, string, string) ([]byte, error) { return []byte(hostile), nil }}, officeGroups)
		for _, entry := range s.Manifest.Groups {
			if o := entry.Observation; strings.Contains(o.Reason, "broke at") || strings.Contains(o.Reason, "timed out") {
				t.Errorf("%.20q: %s: %v", hostile, entry.Group, o)
			}
		}
		if len(s.GetSoftware().GetPrograms()) > 4 || slices.ContainsFunc(s.GetCrashes().GetPrograms(), func(c *constatv1.Crash) bool { return c.GetProgram() == "pipe" || c.GetProgram() == "link" }) {
			t.Errorf("%.20q: programs %v, crashes %v", hostile, s.Software.Programs, s.Crashes.Programs)
		}
	}
}
