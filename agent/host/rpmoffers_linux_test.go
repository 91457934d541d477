package host

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"constat/internal/lab"
)

// TestCompareRPMAsRPM holds the order against rpm's own.
func TestCompareRPMAsRPM(t *testing.T) {
	rpm, err := exec.LookPath("rpm")
	lab.Need(t, "rpm (Debian: rpm)", err == nil)
	var script strings.Builder
	for _, c := range rpmOrders {
		fmt.Fprintf(&script, "print(rpm.vercmp(%q, %q) .. ' ')", c.a, c.b)
	}
	out, err := exec.Command(rpm, "--eval", "%{lua:"+script.String()+"}").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	theirs := strings.Fields(string(out))
	if len(theirs) != len(rpmOrders) {
		t.Fatalf("rpm answers %q", out)
	}
	for i, c := range rpmOrders {
		if theirs[i] != fmt.Sprint(c.order) {
			t.Errorf("rpm says of %s and %s %s, want %d", c.a, c.b, theirs[i], c.order)
		}
	}
}

// availableOf is what a look at a root tells of a package, and why not all is
// known.
func availableOf(t *testing.T, c Config, name string) (version, why string) {
	t.Helper()
	s := Observe(t.Context(), c, []string{"software"})
	for _, p := range s.Software.GetPrograms() {
		if p.GetName() == name {
			return p.GetAvailableVersion(), gapsOf(s, "software")["programs.available_version"]
		}
	}
	t.Fatalf("%s is not there: %v", name, s.Manifest.Groups[0].Observation)
	return "", ""
}

// TestDNFCache: rpmbuild builds a package in two versions, createrepo_c makes
// the repository, rpm installs the old one, dnf fetches the list, and the agent
// tells what dnf tells.
func TestDNFCache(t *testing.T) {
	for _, program := range []string{"rpm", "rpmbuild", "createrepo_c", "dnf"} {
		_, err := exec.LookPath(program)
		lab.Need(t, program+" (Debian: rpm createrepo-c dnf)", err == nil)
	}
	work := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), "HOME="+work, "LC_ALL=C.UTF-8")
		var out, bad bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &bad
		// dnf ends with 100 where there are updates.
		if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() != 100 {
			t.Fatalf("%s: %v\n%s%s", name, err, &out, &bad)
		}
		return out.String()
	}
	root, repo := filepath.Join(work, "root"), filepath.Join(work, "repo")
	spec := filepath.Join(work, "tried.spec")
	files := map[string]string{
		spec: "Name: tried\nVersion: %{v}\nRelease: 1\nEpoch: 1\nSummary: A & B <x>\nLicense: MIT\nBuildArch: noarch\n%description\nx\n%files\n",
		filepath.Join(root, "etc/yum.repos.d/tried.repo"): "[tried]\nname=Tried\nbaseurl=file://" + repo + "\ngpgcheck=0\n\n[off]\nname=Off\nbaseurl=file:///nowhere\nenabled=0\n",
		filepath.Join(root, "etc/dnf/dnf.conf"):           "[main]\n",
		filepath.Join(root, "usr/bin/rpm"):                "#!/bin/sh\nexec rpm --root " + root + " --dbpath /var/lib/rpm \"$@\"\n",
	}
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, version := range []string{"1.0~rc1", "1.0"} {
		run("rpmbuild", "-bb", "--define", "v "+version, "--define", "_topdir "+work+"/top", "--define", "_rpmdir "+repo, spec)
	}
	run("createrepo_c", "-q", repo)
	run("rpm", "--root", root, "--dbpath", "/var/lib/rpm", "-i", "--nodeps", repo+"/noarch/tried-1.0~rc1-1.noarch.rpm")
	c := Config{Root: root}
	if version, why := availableOf(t, c, "tried"); version != "" || why == "" {
		t.Errorf("before a list was fetched: %q is available, gap %q", version, why)
	}
	dnf := func(args ...string) string {
		return run("dnf", append([]string{"-q", "--installroot=" + root, "--releasever=1", "--setopt=reposdir=" + root + "/etc/yum.repos.d"}, args...)...)
	}
	dnf("makecache")
	if version, why := availableOf(t, c, "tried"); version != "1:1.0-1" || why != "" {
		t.Errorf("%q is available, gap %q", version, why)
	}
	run("rpm", "--root", root, "--dbpath", "/var/lib/rpm", "-U", "--nodeps", repo+"/noarch/tried-1.0-1.noarch.rpm")
	if version, why := availableOf(t, c, "tried"); version != "" || why != "" {
		t.Errorf("of the newest one %q is available, gap %q", version, why)
	}
}

// TestRPMLists: where each manager keeps its lists, what switches them off, and
// what makes newer versions unknown.
func TestRPMLists(t *testing.T) {
	packed := func(list string) string {
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		return string(w.EncodeAll([]byte(list), nil))
	}
	const database, program = "var/lib/rpm/rpmdb.sqlite", "usr/bin/rpm"
	index := func(file string) string {
		return `<repomd><data type="primary"><location href="repodata/` + file + `"/></data></repomd>`
	}
	list := rpmPrimary(rpmRecord("bash", "x86_64", "0", "6", "1", "Maker"))
	const repo, dnf5 = "[base]\nname=Base\n", "var/cache/libdnf5/base-0123456789abcdef/repodata/"
	for _, c := range []struct {
		name, version, why string
		files              map[string]string
	}{
		{"dnf5", "6-1", "", map[string]string{"etc/yum.repos.d/a.repo": repo, dnf5 + "repomd.xml": index("a-primary.xml.zst"), dnf5 + "a-primary.xml.zst": packed(list)}},
		{"zypper", "6-1", "", map[string]string{"etc/zypp/repos.d/a.repo": repo, "var/cache/zypp/raw/base/repodata/repomd.xml": index("a-primary.xml"), "var/cache/zypp/raw/base/repodata/a-primary.xml": list}},
		{"overridden", "", statusUnsupported, map[string]string{"etc/yum.repos.d/a.repo": repo, "etc/dnf/repos.override.d/99.repo": "[ba*]\nenabled=0\n", dnf5 + "repomd.xml": index("a-primary.xml"), dnf5 + "a-primary.xml": list}},
		{"left out everywhere", "", "", map[string]string{"etc/yum.repos.d/a.repo": repo, "etc/dnf/dnf.conf": "[main]\nexcludepkgs=bash\n", dnf5 + "repomd.xml": index("a-primary.xml"), dnf5 + "a-primary.xml": list}},
		{"locked", "", statusUnsupported, map[string]string{"etc/yum.repos.d/a.repo": repo, "etc/dnf/plugins/versionlock.list": "# x\nbash-0:5-1.*\n", dnf5 + "repomd.xml": index("a-primary.xml"), dnf5 + "a-primary.xml": list}},
		{"zchunk", "6-1", "", map[string]string{"etc/yum.repos.d/a.repo": repo, dnf5 + "repomd.xml": strings.Replace(index("a-primary.xml.zck"), "primary", "primary_zck", 1), dnf5 + "a-primary.xml.zck": zckOf(list)}},
		{"xz", "", statusUnsupported, map[string]string{"etc/yum.repos.d/a.repo": repo, dnf5 + "repomd.xml": index("a-primary.xml.xz"), dnf5 + "a-primary.xml.xz": "x"}},
		{"damaged", "", statusFailed, map[string]string{"etc/yum.repos.d/a.repo": repo, dnf5 + "repomd.xml": index("a-primary.xml.zst"), dnf5 + "a-primary.xml.zst": packed(list)[:40]}},
		{"one of two was fetched", "6-1", statusUnsupported, map[string]string{"etc/yum.repos.d/a.repo": repo + "[base-x]\n", dnf5 + "repomd.xml": index("a-primary.xml"), dnf5 + "a-primary.xml": list}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.files[database], c.files[program] = "SQLite format 3\x00", "#!/bin/sh\nprintf 'bash\\t(none)\\t5-1\\tMaker\\t1\\tx86_64\\n'\n"
			root := tree(t, c.files)
			if err := os.Chmod(filepath.Join(root, program), 0o755); err != nil {
				t.Fatal(err)
			}
			if version, why := availableOf(t, Config{Root: root}, "bash"); version != c.version || why != c.why {
				t.Errorf("%q is available, gap %q; want %q, %q", version, why, c.version, c.why)
			}
		})
	}
}

// TestUnchangedRPMListsAreNotReadAgain: a new process takes what the last one
// found, as long as no file has changed.
func TestUnchangedRPMListsAreNotReadAgain(t *testing.T) {
	const primary = "/var/cache/dnf/base-0123456789abcdef/repodata/a-primary.xml"
	list := rpmPrimary(rpmRecord("bash", "x86_64", "0", "6", "1", ""))
	root := fedora(t, "printf 'bash\\t(none)\\t5-1\\t(none)\\t1\\tx86_64\\n'\n")
	for name, content := range map[string]string{
		"/etc/yum.repos.d/a.repo": "[base]\n", primary: list,
		filepath.Dir(primary) + "/repomd.xml": `<data type="primary"><location href="a-primary.xml"/></data>`,
	} {
		if err := os.MkdirAll(filepath.Dir(root+name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	look := func(want string) {
		t.Helper()
		p := OpenPackages(dir)
		defer p.Close()
		rpmOffersCache.Lock()
		rpmOffersCache.stamp, rpmOffersCache.newer = "", nil
		rpmOffersCache.Unlock()
		if version, why := availableOf(t, Config{Root: root, Packages: p}, "bash"); version != want || why != "" {
			t.Errorf("%q is available, gap %q; want %q", version, why, want)
		}
	}
	look("6-1")
	info, err := os.Stat(root + primary)
	if err != nil {
		t.Fatal(err)
	}
	// Other content behind the same name, size and time: not read again.
	if err := os.WriteFile(root+primary, []byte(strings.Replace(list, `ver="6"`, `ver="7"`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(root+primary, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	look("6-1")
	if err := os.Chtimes(root+primary, info.ModTime(), info.ModTime().Add(1)); err != nil {
		t.Fatal(err)
	}
	look("7-1")
	if err := os.Truncate(filepath.Join(dir, "offers"), 70); err != nil {
		t.Fatal(err)
	}
	look("7-1")
}
