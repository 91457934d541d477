package kit

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"constat/internal/lab"
)

const token = "constat1_secretsecret"

// makeKit makes a kit of a release of all kinds.
func makeKit(t *testing.T) (dir, steps string) {
	t.Helper()
	release, dir := t.TempDir(), filepath.Join(t.TempDir(), "kit")
	for _, name := range []string{"constat-agent_1.0.0-1_amd64.deb", "constat-agent_1.0.0-1_arm64.deb", "constat-agent-1.0.0-1.x86_64.rpm", "constat-agent-1.0.0-x64.msi", "constat-agent-1.0.0.pkg", "constat-agent-1.0.0-arm64.pkg", "constat-agent-1.0.0-x86_64.pkg", "constat-collector_1.0.0-1_amd64.deb"} {
		if err := os.WriteFile(filepath.Join(release, name), []byte("whole "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	k, err := New(dir, release, now)
	if err != nil {
		t.Fatal(err)
	}
	steps, err = k.Fill(Order{Collector: "collector.example.org:7400", Token: token, Uses: 20, Expires: now.Add(24 * time.Hour)}, "en")
	if err != nil {
		t.Fatal(err)
	}
	return dir, steps
}

func TestNobodyElseReadsTheToken(t *testing.T) {
	dir, steps := makeKit(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if released := strings.HasPrefix(e.Name(), "constat-agent"); !released && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", e.Name(), info.Mode())
		}
	}
	const want = "LISEZMOI.txt README.txt constat-agent-1.0.0-1.x86_64.rpm constat-agent_1.0.0-1_amd64.deb constat-agent_1.0.0-1_arm64.deb " +
		"constat-enrolment-20260301123000-1.noarch.rpm constat-enrolment_20260301123000_all.deb constat-macos.zip constat-windows.zip"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("the kit has\n%s, want\n%s", got, want)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.txt"))
	if err != nil || string(readme) != steps {
		t.Errorf("%v: what is printed is not what README.txt says", err)
	}
	if strings.Contains(steps, token) {
		t.Error("the token would stand in the shell's window")
	}
	for _, part := range []string{
		"Ready for 20 computer(s)", "collector.example.org:7400", "constat-agent status",
		"sudo apt install ./constat-agent_1.0.0-1_arm64.deb ./constat-enrolment_20260301123000_all.deb",
		"sudo dnf install ./constat-agent-1.0.0-1.x86_64.rpm ./constat-enrolment-20260301123000-1.noarch.rpm",
		"install.cmd", "sudo sh install.sh",
	} {
		if !strings.Contains(steps, part) {
			t.Errorf("no %q in\n%s", part, steps)
		}
	}
}

// TestPackagesForOneProcessor: without a package for all Macs, the script takes the
// one for the Mac that it runs on.
func TestPackagesForOneProcessor(t *testing.T) {
	release, dir := t.TempDir(), filepath.Join(t.TempDir(), "kit")
	for _, name := range []string{"constat-agent-1.0.0-arm64.pkg", "constat-agent-1.0.0-x86_64.pkg"} {
		if err := os.WriteFile(filepath.Join(release, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	k, err := New(dir, release, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Fill(Order{Token: token}, "en"); err != nil {
		t.Fatal(err)
	}
	unpacked := t.TempDir()
	z, err := zip.OpenReader(filepath.Join(dir, "constat-macos.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if err := os.CopyFS(unpacked, z); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", "-ec", `cd "$1"
		mkdir bin; printf '#!/bin/sh\necho arm64\n' >bin/uname; printf '#!/bin/sh\ncat "$2"\n' >bin/installer; printf '#!/bin/sh\n' >bin/install; chmod +x bin/*
		PATH="$1/bin:$PATH" sh install.sh 2>&1`, "sh", unpacked).CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "constat-agent-1.0.0-arm64.pkg") {
		t.Errorf("it installs %s, %v", out, err)
	}
}

func TestZips(t *testing.T) {
	dir, _ := makeKit(t)
	for name, want := range map[string]map[string]string{
		"constat-windows.zip": {
			"constat-agent-1.0.0-x64.msi": "-rw-r--r-- whole constat-agent-1.0.0-x64.msi",
			"token.txt":                   "-rw------- " + token,
			"install.cmd":                 `msiexec /i "%~dp0constat-agent-1.0.0-x64.msi" /qn /norestart COLLECTOR=collector.example.org:7400 ENROLTOKENFILE="%~dp0token.txt"`,
		},
		"constat-macos.zip": {
			"constat-agent-1.0.0.pkg": "-rw-r--r-- whole constat-agent-1.0.0.pkg",
			"enrolment.env":           "-rw------- CONSTAT_COLLECTOR=collector.example.org:7400\nCONSTAT_TOKEN=" + token,
			"install.sh":              `installer -pkg "constat-agent-1.0.0.pkg" -target /`,
		},
	} {
		z, err := zip.OpenReader(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(r)
			if got := f.Mode().String() + " " + string(content); err != nil || want[f.Name] == "" || !strings.Contains(got, want[f.Name]) {
				t.Errorf("%s: %s is %q, want %q; %v", name, f.Name, got, want[f.Name], err)
			}
			delete(want, f.Name)
		}
		if len(want) > 0 {
			t.Errorf("%s lacks %v", name, want)
		}
	}
}

// TestLinux has the systems' own tools read the packages.
func TestLinux(t *testing.T) {
	dir, _ := makeKit(t)
	read := func(program string, arguments ...string) string {
		t.Helper()
		_, err := exec.LookPath(program)
		lab.Need(t, program, err == nil)
		cmd := exec.Command(program, arguments...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", program, arguments, err, out)
		}
		return string(out)
	}
	const deb, rpm = "constat-enrolment_20260301123000_all.deb", "constat-enrolment-20260301123000-1.noarch.rpm"
	for _, row := range []struct{ said, want string }{
		{read("dpkg-deb", "--contents", deb), "-rw------- root/root        81 2026-03-01 12:30 ./etc/constat-agent/enrolment.env"},
		{read("dpkg-deb", "--info", deb), "Package: constat-enrolment\n Version: 20260301123000\n Architecture: all"},
		{read("dpkg-deb", "--info", deb, "postinst"), "#!/bin/sh\nset -e\nif [ -d /run/systemd/system ] && [ ! -e /var/lib/constat-agent/identity.json ]; then\n  systemctl try-restart constat-agent.service"},
		{read("rpm", "--dbpath", t.TempDir(), "--checksig", "--nosignature", rpm), "digests OK"},
		{read("rpm", "--dbpath", t.TempDir(), "-qp", "--qf", "%{NAME} %{VERSION} %{ARCH} [%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME} %{FILESIZES}]", rpm), "constat-enrolment 20260301123000 noarch /etc/constat-agent/enrolment.env -rw------- root 81"},
		{read("rpm", "--dbpath", t.TempDir(), "-qp", "--scripts", rpm), "systemctl try-restart constat-agent.service"},
	} {
		if !strings.Contains(row.said, row.want) {
			t.Errorf("no %q in\n%s", row.want, row.said)
		}
	}
	// Unpacked, it is the file that the service reads; and rpm itself installs it.
	root := t.TempDir()
	read("dpkg-deb", "--extract", deb, filepath.Join(root, "deb"))
	if os.Geteuid() == 0 {
		read("rpm", "--root", filepath.Join(root, "rpm"), "--noscripts", "-i", filepath.Join(dir, rpm))
	} else {
		read("sh", "-c", `mkdir "$1/rpm" && cd "$1/rpm" && rpm2cpio "$0" | cpio -id --quiet`, filepath.Join(dir, rpm), root)
	}
	for _, kind := range []string{"deb", "rpm"} {
		name := filepath.Join(root, kind, enrolmentFile)
		content, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(content, []byte("CONSTAT_COLLECTOR=collector.example.org:7400\nCONSTAT_TOKEN="+token+"\n")) {
			t.Errorf("%s: %q, %v", kind, content, err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", kind, info, err)
		}
	}
}
