package vm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"constat/internal/lab"
)

var errNoPackages = errors.New("Debian's packages")

// unpacked are the files of Debian packages that need not be installed on this
// system: in a machine they do no harm, and nothing starts here.
type unpacked struct{ dir string }

// needPackages ends the test unless these packages are cached or can be had.
// What they depend on must be among them, or on this system.
func needPackages(t testing.TB, names ...string) unpacked {
	t.Helper()
	dir, err := cached("packages-"+strings.Join(names, " "), func(dir string) error {
		cmd := exec.Command("apt-get", append([]string{"download", "-qq"}, names...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: apt-get download %s: %w\n%s", errNoPackages, strings.Join(names, " "), err, out)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
		if err != nil || len(files) != len(names) {
			return fmt.Errorf("%w: %d files came, %v", errNoPackages, len(files), err)
		}
		for _, file := range files {
			if out, err := exec.Command("dpkg", "-x", file, dir).CombinedOutput(); err != nil {
				return fmt.Errorf("dpkg -x: %w\n%s", err, out)
			}
			if err := os.Remove(file); err != nil {
				return err
			}
		}
		return os.RemoveAll(filepath.Join(dir, "usr/share/doc"))
	})
	if errors.Is(err, errNoPackages) {
		lab.Need(t, err.Error(), false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return unpacked{dir}
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
