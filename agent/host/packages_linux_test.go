package host

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/internal/snapshot"
)

// TestUnchangedPackagesAreNotReadAgain: a new process sees the same with the copy
// as without, does not read an unchanged database again, and a changed one at once.
func TestUnchangedPackagesAreNotReadAgain(t *testing.T) {
	const list = "/var/lib/apt/lists/example.org_debian_dists_stable_main_binary-amd64_Packages"
	root := tree(t, map[string]string{
		dpkgStatus:                        dpkgSample,
		list:                              "Package: adduser\nVersion: 3.135\n\nPackage: dpkg\nVersion: 1.21.23\n",
		"/var/lib/dpkg/info/adduser.list": "/.\n",
	})
	dir := filepath.Join(t.TempDir(), "cache")
	// look is what a process that starts anew sees.
	look := func(p *Packages) map[string]proto.Message {
		t.Helper()
		defer p.Close()
		debianCache.Lock()
		debianCache.stamp, debianCache.value = "", nil
		debianCache.Unlock()
		s := Observe(t.Context(), Config{Root: root, Packages: p}, []string{"software", "updates"})
		seen := map[string]proto.Message{}
		for _, group := range []string{"software", "updates"} {
			seen[group] = snapshot.Group(s, group)
			if seen[group] == nil {
				t.Fatalf("%s was not seen: %v", group, s.Manifest.Groups)
			}
		}
		return seen
	}
	same := func(what string, a, b map[string]proto.Message) bool {
		t.Helper()
		for group := range a {
			if !proto.Equal(a[group], b[group]) {
				t.Logf("%s: %s\n%v\n%v", what, group, a[group], b[group])
				return false
			}
		}
		return true
	}
	without := look(nil)
	if !same("first", look(OpenPackages(dir)), without) || !same("second", look(OpenPackages(dir)), without) {
		t.Error("the copy changes what is seen")
	}
	// Other content behind the same name, size and time: not read again.
	status := filepath.Join(root, dpkgStatus)
	info, err := os.Stat(status)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(dpkgSample, "3.134", "3.133", 1)
	if err := os.WriteFile(status, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(status, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if !same("unchanged", look(OpenPackages(dir)), without) {
		t.Error("an unchanged database was read again")
	}
	if err := os.Chtimes(status, info.ModTime(), info.ModTime().Add(1)); err != nil {
		t.Fatal(err)
	}
	changed := look(OpenPackages(dir))
	if same("changed", changed, without) || !same("changed", changed, look(nil)) {
		t.Error("a changed database was not read")
	}
	// A damaged copy is passed over.
	if err := os.Truncate(filepath.Join(dir, "packages"), 300); err != nil {
		t.Fatal(err)
	}
	if !same("damaged", look(OpenPackages(dir)), changed) {
		t.Error("a damaged copy was taken")
	}
}

// TestGroupsWithoutRights: readers of groups that are said to need no rights do
// not ask for any.
func TestGroupsWithoutRights(t *testing.T) {
	for _, group := range withoutRights {
		if NeedsRights([]string{group, "changes"}) {
			t.Errorf("%s needs rights and does not", group)
		}
	}
	if !NeedsRights([]string{"software", "hardware"}) {
		t.Error("hardware needs no rights")
	}
	asked := make(chan string, 100)
	Observe(t.Context(), Config{Privileged: func(_ context.Context, verb, _ string) ([]byte, error) {
		asked <- verb
		return nil, os.ErrPermission
	}}, withoutRights)
	if len(asked) > 0 {
		t.Errorf("%s was asked for", <-asked)
	}
}
