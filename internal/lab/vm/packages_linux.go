package vm

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"constat/internal/lab"
)

// unpacked are the files of Debian packages that need not be installed on this
// system: in a machine they do no harm, and nothing starts here.
type unpacked struct{ dir string }

// needPackages ends the test unless these packages are cached or can be had.
// What they depend on must be among them, or on this system.
func needPackages(t testing.TB, names ...string) unpacked {
	t.Helper()
	return unpacked{lab.Debian(t, names...)}
}

// path is where a file of the packages lies.
func (u unpacked) path(name string) string { return filepath.Join(u.dir, name) }

// libraries is the environment in which programs of the packages run here.
func (u unpacked) libraries(further ...string) string {
	dirs := append([]string{"usr/lib/x86_64-linux-gnu"}, further...)
	for i, dir := range dirs {
		dirs[i] = u.path(dir)
	}
	return "LD_LIBRARY_PATH=" + strings.Join(dirs, ":")
}

// onlyHere are parts of packages that machines do without.
var onlyHere = regexp.MustCompile(`^usr/share/(?:locale|man|bash-completion|OVMF|AAVMF|ovmf|qemu|polkit-1|icons)/`)

// into adds the packages' files to those of a machine, and the libraries of this
// system that their programs load.
func (u unpacked) into(t testing.TB, files map[string]string) {
	t.Helper()
	err := filepath.WalkDir(u.dir, func(path string, entry fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(u.dir, path)
		if err = errors.Join(err, relErr); err != nil || entry.IsDir() || onlyHere.MatchString(name) {
			return err
		}
		if entry.Type().IsRegular() || entry.Type()&fs.ModeSymlink != 0 && reaches(path, u.dir) {
			files["/"+name] = path
		}
		if info, err := entry.Info(); err != nil || !entry.Type().IsRegular() || info.Mode()&0o111 == 0 && !strings.Contains(name, ".so") {
			return err
		}
		cmd := exec.Command("ldd", path)
		cmd.Env = append(os.Environ(), u.libraries("usr/lib/x86_64-linux-gnu/systemd", "usr/lib/x86_64-linux-gnu/swtpm"))
		out, _ := cmd.Output() // a script has none
		for _, found := range libraryPath.FindAllSubmatch(out, -1) {
			if library := string(found[1]); !strings.HasPrefix(library, u.dir) {
				files[library] = library
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// reaches tells whether a link leads to a file below a directory.
func reaches(link, dir string) bool {
	target, err := filepath.EvalSymlinks(link)
	if err != nil {
		return false
	}
	info, err := os.Stat(target)
	return err == nil && info.Mode().IsRegular() && strings.HasPrefix(target, dir)
}
