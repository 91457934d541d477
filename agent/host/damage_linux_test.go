package host

import (
	"os"
	"path/filepath"
	"testing"
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
}
