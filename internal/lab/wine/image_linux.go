package wine

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"constat/internal/lab"
)

// Debian 12's Wine 8 lacks most of WMI and what Go's own library needs.
const (
	suite    = "trixie"
	packages = "wine,wine64,xvfb,xauth,ca-certificates,libcups2t64"
)

//go:embed testdata/ipv6_route.c
var shim string

// boot makes the first prefix: half a minute of every test, made once.
const boot = `
set -eu
mount --make-rprivate /
mount -t proc proc "$1/debian/proc"
mount --rbind /sys "$1/debian/sys"
mount --rbind /dev "$1/debian/dev"
export ` + environment + `
cd /
chroot "$1/debian" wineboot --init </dev/null
chroot "$1/debian" wineserver --wait
`

const (
	home        = "/opt/prefix"
	preload     = "/usr/local/lib/ipv6_route.so"
	shimmed     = "LD_PRELOAD=" + preload
	environment = "HOME=/opt PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 WINEPREFIX=" + home +
		" WINEARCH=win64 WINEDEBUG=-all XDG_RUNTIME_DIR=/tmp " + shimmed
)

var errNoMirror = errors.New("a Debian mirror with " + suite)

// image is the directory with Wine and a booted prefix, below root.
func image(t testing.TB) string {
	t.Helper()
	lab.Need(t, "root, to run Wine in a root directory of its own", os.Geteuid() == 0)
	for _, need := range []struct{ program, pkg string }{
		{"mmdebstrap", "mmdebstrap"}, {"gcc", "gcc"}, {"nsenter", "util-linux"}, {"ip", "iproute2"},
	} {
		_, err := exec.LookPath(need.program)
		lab.Need(t, need.program+" (Debian: "+need.pkg+")", err == nil)
	}
	dir, err := lab.Cached("wine-"+strings.Join([]string{suite, packages, shim, boot}, "\n"), build)
	if errors.Is(err, errNoMirror) {
		lab.Need(t, err.Error(), false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "debian")
}

func build(dir string) error {
	from, err := lab.Mirror()
	if err != nil {
		return fmt.Errorf("%w: %w", errNoMirror, err)
	}
	root := filepath.Join(dir, "debian")
	cmd := exec.Command("mmdebstrap", "--quiet", "--variant=minbase", "--include="+packages, suite, root, from)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: mmdebstrap: %w\n%s", errNoMirror, err, out)
	}
	gcc := exec.Command("gcc", "-shared", "-fPIC", "-O", "-o", root+preload, "-x", "c", "-", "-ldl")
	gcc.Stdin = strings.NewReader(shim)
	if out, err := gcc.CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w\n%s", err, out)
	}
	if out, err := exec.Command("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c", boot, "sh", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("booting Wine: %w\n%s", err, out)
	}
	return nil
}
