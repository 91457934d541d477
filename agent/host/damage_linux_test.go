package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"constat/internal/lab"
)

// Programs are compared with what their packages brought, as dpkg --verify does,
// and what was not compared is called neither whole nor damaged.
func TestDamagedPrograms(t *testing.T) {
	sum := func(name string) string { return md5OfNothing + "  " + name + "\n" }
	status := ""
	files := map[string]string{}
	pkg := func(name, list, sums string) {
		status += "Package: " + name + "\nStatus: install ok installed\nArchitecture: all\nMaintainer: Ann <ann@example.org>\nVersion: 1\n\n"
		files["var/lib/dpkg/info/"+name+".list"] = list
		if sums != "" {
			files["var/lib/dpkg/info/"+name+".md5sums"] = sums
		}
	}
	const app = "usr/share/applications/"
	pkg("whole", "/"+app+"whole.desktop\n/usr/share/doc/whole/copyright\n", sum(app+"whole.desktop")+sum("usr/share/doc/whole/copyright"))
	files[app+"whole.desktop"] = ""
	pkg("changed", "/"+app+"changed.desktop\n", sum(app+"changed.desktop"))
	files[app+"changed.desktop"] = "x"
	pkg("missing", "/usr/lib/missing.so\n", sum("usr/lib/missing.so"))
	pkg("library", "/usr/lib/library.so\n", sum("usr/lib/library.so")) // nobody starts it: its contents are not compared
	files["usr/lib/library.so"] = "x"
	pkg("taken-over", "/usr/bin/other\n", sum("usr/bin/gone")) // another package has that file now
	pkg("diverted", "/"+app+"diverted.desktop\n", sum(app+"diverted.desktop"))
	files[app+"diverted.desktop"], files[app+"diverted.real"] = "somebody’s", ""
	files["var/lib/dpkg/diversions"] = "/" + app + "diverted.desktop\n/" + app + "diverted.real\n:\n"
	pkg("linked", "/"+app+"linked.desktop\n", sum(app+"linked.desktop")) // an administrator’s own
	pkg("plain", "/usr/bin/plain\n", "")
	files["var/lib/dpkg/status"] = status
	root := tree(t, files)
	if err := os.Symlink("whole.desktop", filepath.Join(root, app, "linked.desktop")); err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	want := map[string]*bool{"whole": &no, "changed": &yes, "missing": &yes, "diverted": &no, "library": nil, "taken-over": nil, "linked": nil, "plain": nil}
	for _, verify := range []bool{true, false} {
		s := Observe(t.Context(), Config{Root: root, Verify: verify}, []string{"software"})
		if len(s.GetSoftware().GetPrograms()) != len(want) {
			t.Fatalf("%v, %v", s.Software, s.Manifest.Groups[0].Observation)
		}
		// Where it was compared, the list of the damaged is whole; else it is not known.
		names := strings.Join(s.Software.DamagedPrograms, " ")
		if gap := gapsOf(s, "software")["damaged_programs"]; verify && (names != "changed missing" || gap != "") || !verify && (names != "" || gap == "") {
			t.Errorf("asked %v: damaged are %q, gap %q", verify, names, gap)
		}
		for _, p := range s.Software.Programs {
			w := want[p.GetName()]
			if !verify {
				w = nil
			}
			if (p.Damaged == nil) != (w == nil) || w != nil && p.GetDamaged() != *w {
				t.Errorf("%s (asked %v): %v", p.GetName(), verify, p.Damaged)
			}
		}
	}
	// One that is asked for by its name is compared to the end, and no other.
	for name, bad := range map[string]bool{"library": true, "changed": true, "whole": false} {
		s := Observe(t.Context(), Config{Root: root, Verify: true, VerifyProgram: name}, []string{"software"})
		if all := s.GetSoftware().GetPrograms(); len(all) != 1 || all[0].GetName() != name || all[0].Damaged == nil || all[0].GetDamaged() != bad {
			t.Errorf("asked for %s: %v", name, all)
		}
		if listed := slices.Equal(s.GetSoftware().GetDamagedPrograms(), []string{name}); listed != bad || gapsOf(s, "software")["damaged_programs"] != "" {
			t.Errorf("asked for %s: damaged are %q", name, s.GetSoftware().GetDamagedPrograms())
		}
		if gaps := gapsOf(s, "software"); gaps["programs.damaged"] != "" {
			t.Errorf("asked for %s: %v", name, gaps)
		}
	}
}

// The real rpm tells which of its programs are damaged.
func TestDamagedRPMs(t *testing.T) {
	for _, program := range []string{"rpm", "rpmbuild"} {
		_, err := exec.LookPath(program)
		lab.Need(t, program+" (Debian: rpm)", err == nil)
	}
	top, inner := t.TempDir(), t.TempDir()
	at := filepath.Join(inner, "opt")
	sh := func(script string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-euc", script)
		cmd.Env = append(os.Environ(), "HOME="+top, "TOP="+top, "AT="+at, "DB="+filepath.Join(inner, "db"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	sh(`for n in whole gone changed; do cat >$TOP/$n.spec <<END
Name: lab-$n
Version: 1.0
Release: 1
Summary: A tool
License: none
BuildArch: noarch
%description
A tool
%install
mkdir -p %{buildroot}$AT/$n
echo one >%{buildroot}$AT/$n/one; echo two >%{buildroot}$AT/$n/two; echo set >%{buildroot}$AT/$n/settings
%files
%config $AT/$n/settings
$AT/$n/one
$AT/$n/two
END
rpmbuild -bb --define "_topdir $TOP/top" --define "_rpmdir $TOP/rpms" $TOP/$n.spec >/dev/null 2>&1
rpm --dbpath $DB -i --nodeps --force-debian $TOP/rpms/noarch/lab-$n-1.0-1.noarch.rpm
echo other >$AT/$n/settings; done
rm $AT/gone/one; echo tow >$AT/changed/two`)
	root := fedora(t, "exec /usr/bin/rpm --dbpath "+filepath.Join(inner, "db")+` "$@"`+"\n")
	look := func(program string) map[string]string {
		t.Helper()
		s := Observe(t.Context(), Config{Root: root, Verify: true, VerifyProgram: program}, []string{"software"})
		said := map[string]string{}
		for _, p := range s.GetSoftware().GetPrograms() {
			said[p.GetName()] = map[bool]string{true: "damaged", false: "whole"}[p.GetDamaged()]
			if p.Damaged == nil {
				said[p.GetName()] = ""
			}
		}
		if gaps := gapsOf(s, "software"); (len(said) != 3) == (program == "") || gaps["programs.damaged"] != "" {
			t.Fatalf("%v, %v", said, gaps)
		}
		return said
	}
	// A content of the same size is only seen where it is read.
	if got := look(""); got["lab-gone"] != "damaged" || got["lab-changed"] != "" || got["lab-whole"] != "" {
		t.Errorf("of all: %v", got)
	}
	for name, want := range map[string]string{"lab-gone": "damaged", "lab-changed": "damaged", "lab-whole": "whole"} {
		if got := look(name); got[name] != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
