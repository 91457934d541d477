package host

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
	"time"
)

func packagesSample() *debian {
	return &debian{broken: []string{"again", "halfway"}, packages: []dpkgPackage{
		{name: "adduser", version: "3.134", publisher: "Debian Adduser Developers", architecture: "all", installed: time.Unix(0, 1700000000123456789)},
		{name: "dpkg", version: "1.21.22", architecture: "amd64", held: true, available: "1.21.23"},
		{name: "libc6:i386", version: "2.36-9", architecture: "i386", available: "2.36-9+deb12u1", security: true},
	}}
}

func TestPackagesAreKept(t *testing.T) {
	for _, want := range []*debian{packagesSample(), {broken: []string{}, packages: []dpkgPackage{}}} {
		got, err := unpackPackages(packPackages(want, "stamp"), "stamp")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	if _, err := unpackPackages(packPackages(packagesSample(), "stamp"), "other"); err == nil {
		t.Error("a reading of other files was taken")
	}
	odd := packagesSample()
	odd.packages[0].publisher = "A\tB"
	if content := packPackages(odd, "stamp"); content != nil {
		t.Errorf("what separates fields was kept in one: %q", content)
	}
}

// TestDamagedPackages: a file cut anywhere, or with any byte changed, is none.
func TestDamagedPackages(t *testing.T) {
	whole := packPackages(packagesSample(), "stamp")
	for i := range whole {
		if _, err := unpackPackages(whole[:i], "stamp"); err == nil {
			t.Fatalf("%d bytes of %d were taken", i, len(whole))
		}
		changed := bytes.Clone(whole)
		changed[i] ^= 1
		if _, err := unpackPackages(changed, "stamp"); err == nil {
			t.Fatalf("byte %d was changed, and the file taken", i)
		}
	}
}

// FuzzPackages reads what has the right sums and may hold anything.
func FuzzPackages(f *testing.F) {
	_, body, _ := bytes.Cut(packPackages(packagesSample(), "stamp"), []byte("\n"))
	_, body, _ = bytes.Cut(body, []byte("\n"))
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		source := sha256.Sum256([]byte("stamp"))
		rest := append([]byte(hex.EncodeToString(source[:])+"\n"), body...)
		sum := sha256.Sum256(rest)
		content := append([]byte(packagesMark+hex.EncodeToString(sum[:])+"\n"), rest...)
		d, err := unpackPackages(content, "stamp")
		if err == nil && packPackages(d, "stamp") == nil {
			t.Errorf("read what can't be written: %+v", d)
		}
	})
}

func TestOpenPackages(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("kept on Linux only")
	}
	dir := filepath.Join(t.TempDir(), "cache")
	p := OpenPackages(dir)
	defer p.Close()
	if p.load("stamp") != nil {
		t.Error("an empty file was taken")
	}
	p.save("old", &debian{packages: make([]dpkgPackage, 100)})
	p.save("stamp", packagesSample())
	again := OpenPackages(dir)
	defer again.Close()
	if got := again.load("stamp"); !reflect.DeepEqual(got, packagesSample()) {
		t.Errorf("%+v", got)
	}
	name := filepath.Join(dir, "packages")
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: want a file for its owner alone", info, err)
	}
	if err := os.Chmod(name, 0o622); err != nil {
		t.Fatal(err)
	}
	if OpenPackages(dir) != nil {
		t.Error("a file was taken that anybody can write")
	}
	// A link does not lead to a file elsewhere.
	other := filepath.Join(t.TempDir(), "other")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, name); err != nil {
		t.Fatal(err)
	}
	if OpenPackages(dir) != nil {
		t.Error("a link out of the directory was followed")
	}
	if OpenPackages("/proc/nowhere") != nil {
		t.Error("a place that can't be written was taken")
	}
	var none *Packages // costs nothing
	none.save("stamp", packagesSample())
	if none.load("stamp") != nil {
		t.Error("nothing was kept, and something read")
	}
	none.Close()
}
