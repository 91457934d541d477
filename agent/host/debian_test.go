package host

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

const dpkgSample = `Package: adduser
Status: install ok installed
Maintainer: Debian Adduser Developers <adduser@packages.debian.org>
Architecture: all
Version: 3.134
Description: add and remove users
 Version: 9.9 is not a field here
 .
 Status: nor this

Package: dpkg
Status: hold ok installed
Architecture: amd64
Version: 1.21.22

Package: libc6
Status: install ok installed
Architecture: i386
Multi-Arch: same
Version: 2.36-9

Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9

Package: halfway
Status: install ok half-configured
Architecture: amd64
Version: 1

Package: again
Status: install reinstreq unpacked
Architecture: amd64
Version: 2

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 3`

func TestParseDpkg(t *testing.T) {
	// One byte at a time: the paragraphs come out the same.
	for _, in := range []io.Reader{strings.NewReader(dpkgSample), iotest.OneByteReader(strings.NewReader(dpkgSample))} {
		packages, broken, err := parseDpkg(in, strings.NewReader(""))
		if err != nil || !slices.Equal(broken, []string{"again", "halfway"}) {
			t.Errorf("broken %v, error %v", broken, err)
		}
		var names []string
		for _, one := range packages {
			names = append(names, one.name+" "+one.version)
		}
		if want := []string{"adduser 3.134", "again 2", "dpkg 1.21.22", "halfway 1", "libc6 2.36-9", "libc6:i386 2.36-9"}; !slices.Equal(names, want) {
			t.Fatalf("packages %q, want %q", names, want)
		}
		if one := packages[0]; one.publisher != "Debian Adduser Developers" || one.list != "adduser.list" || one.held {
			t.Errorf("adduser %+v", one)
		}
		if !packages[2].held || packages[5].list != "libc6:i386.list" {
			t.Errorf("dpkg %+v, libc6 %+v", packages[2], packages[5])
		}
	}
}

// TestInterruptedDpkg: what dpkg noted of packages before it was killed goes
// before its status file.
func TestInterruptedDpkg(t *testing.T) {
	const since = `Package: adduser
Status: install ok half-configured
Architecture: all
Version: 3.135

Package: halfway
Status: install ok installed
Architecture: amd64
Version: 1


Package: libc6
Status: deinstall ok config-files
Architecture: i386
Multi-Arch: same
Version: 2.36-9


Package: new
Status: install ok unpacked
Architecture: amd64
Version: 7
`
	packages, broken, err := parseDpkg(strings.NewReader(dpkgSample), strings.NewReader(since))
	if want := []string{"adduser", "again", "new"}; err != nil || !slices.Equal(broken, want) {
		t.Errorf("broken %v, want %v; error %v", broken, want, err)
	}
	var names []string
	for _, one := range packages {
		names = append(names, one.name+" "+one.version)
	}
	if want := []string{"adduser 3.135", "again 2", "dpkg 1.21.22", "halfway 1", "libc6 2.36-9", "new 7"}; !slices.Equal(names, want) {
		t.Errorf("packages %q, want %q", names, want)
	}
}

func TestParagraphsAreBounded(t *testing.T) {
	endless := io.MultiReader(strings.NewReader("Package: a\n"), iotest.TimeoutReader(strings.NewReader(strings.Repeat("x", 2*maxParagraph))))
	if err := eachParagraph(endless, func([]byte) error { return nil }); err == nil {
		t.Error("an endless paragraph was taken")
	}
	stop := errors.New("enough")
	if err := eachParagraph(strings.NewReader("a\n\nb\n\nc"), func(p []byte) error {
		if string(p) == "b" {
			return stop
		}
		return nil
	}); !errors.Is(err, stop) {
		t.Errorf("error %v, want what the caller said", err)
	}
}

// TestCompareDebian has versions in their order, by deb-version(7) and the
// cases of dpkg's own test of it.
func TestCompareDebian(t *testing.T) {
	ordered := [][]string{
		{"~~", "~~a", "~", "", "a"},
		{"1.0~beta1~svn1245", "1.0~beta1", "1.0", "1.0+b1", "1.0.1"},
		{"1.0-1", "1.0-1+deb12u1", "1.0-1+deb12u10", "1.0-2", "1.0-10"},
		{"9", "10", "1:1", "1:1-0.1", "2:0"},
		{"2.36-9+deb12u9", "2.36-9+deb12u10", "2.36-10"},
		{"1.2-1-1", "1.2-1-2"},
		{"1.-1", "1.a", "1.b", "1.+"},
		{"6.1.99-1", "6.1.100-1", "6.1.18446744073709551617-1"},
	}
	for _, versions := range ordered {
		for i := range versions {
			for j := range versions {
				want := 0
				if i < j {
					want = -1
				} else if i > j {
					want = 1
				}
				if got := compareDebian(versions[i], versions[j]); got != want {
					t.Errorf("%q to %q: %d, want %d", versions[i], versions[j], got, want)
				}
			}
		}
	}
	for _, same := range [][2]string{{"0:1", "1"}, {"1.0", "1.00"}, {"1-0", "1"}, {"1.", "1.0"}} {
		if got := compareDebian(same[0], same[1]); got != 0 {
			t.Errorf("%q to %q: %d, want the same", same[0], same[1], got)
		}
	}
}

func TestOffer(t *testing.T) {
	packages, _, err := parseDpkg(strings.NewReader(dpkgSample), strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, one := range packages {
		at[one.name] = i
	}
	lists := []struct {
		text, suffix string
		from         archive
	}{
		{"Package: libc6\nVersion: 2.36-10\n\nPackage: adduser\nVersion: 3.134\n\nPackage: unknown\nVersion: 1\n", "", archive{}},
		{"Package: libc6\nVersion: 2.36-9+deb12u3\n", "", archive{security: true}},
		{"Package: libc6\nVersion: 2.36-9+deb12u3\n", ":i386", archive{}},
		{"Package: halfway\nVersion: 2\nPhased-Update-Percentage: 30\n", "", archive{}},
	}
	for _, list := range lists {
		if err := offer(packages, at, strings.NewReader(list.text), list.suffix, list.from); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"libc6": "2.36-10 true", "libc6:i386": "2.36-9+deb12u3 false", "adduser": " false", "halfway": " false"} {
		if got := fmt.Sprint(packages[at[name]].available, " ", packages[at[name]].security); got != want {
			t.Errorf("%s is offered %q, want %q", name, got, want)
		}
	}
}

func TestAptSources(t *testing.T) {
	for text, want := range map[string]archive{
		"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nLabel: Debian-Security\nSuite: stable-security\n": {security: true},
		"Origin: Ubuntu\nSuite: noble-security\nCodename: noble\n":                                                             {security: true},
		"Origin: Debian Backports\nSuite: stable-backports\nNotAutomatic: yes\nButAutomaticUpgrades: yes\n":                    {optional: true},
		"Suite: stable\nSHA256:\n abc 1 main-security\nNotAutomatic: yes\n":                                                    {},
	} {
		if got := parseRelease([]byte(text)); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
	names := []string{"d_dists_a_InRelease", "d_dists_a_main_InRelease", "lock", "x_Release"}
	for list, want := range map[string]string{
		"d_dists_a_main_binary-amd64_Packages": "d_dists_a_main_InRelease", "d_dists_a_contrib_binary-all_Packages": "d_dists_a_InRelease",
		"x_Packages": "x_Release", "other_Packages": "",
	} {
		if got := releaseOf(names, list); got != want {
			t.Errorf("%s is covered by %q, want %q", list, got, want)
		}
	}
	if got := listArchitecture("d_dists_a_main_binary-i386_Packages"); got != "i386" {
		t.Errorf("architecture %q", got)
	}
	for text, want := range map[string]string{
		"Explanation: x\nPackage: nodejs npm\nPin: origin a\n": "nodejs npm|", "Package: *\nPin: release a=x\n": "|*", "Package: src:linux\n": "|src:linux", "": "|",
	} {
		if names, pattern := parsePins([]byte(text)); strings.Join(names, " ")+"|"+pattern != want {
			t.Errorf("%q: %q, %q", text, names, pattern)
		}
	}
}

// lz4Frames were made by lz4 1.9.4: linked blocks; independent ones with a
// checksum each, and the content's size; one that could not be packed.
var lz4Frames = []string{
	"BCJNGGRAp1YBAAD2C1BhY2thZ2U6IHAwClZlcnNpb246IDEuMAoKGgAYMRoAGDEaABgyGgAYMhoAGDMaABgzGgAYNBoAGDQaABg1GgAYNRoAGDYaABg2GgAYNxoAGDcaABg4GgAYOBoAGDkaABg5GgAZMQUBGjEGAQoHAQkIARkxCQEZMQoBGTELARkxDAEZMQ0BGTEOARkxDwEZMRABGTERARkxEgEZMRMBGTEUARkxFQEZMRYBGTEXARkxGAEZMhgBGTIYARkyGAEZMhgBGTIYARkyGAEZMhgBGTIYARkyGAEZMhgBGTIYARkyGAEZMhgBGTIYARkyGAEZMhgBGTIYARkyGAEZMhgBGTIYARkzGAEZMxgBGTMYARkzGAEZMxgBGTMYARkzGAEZMxgBGTMYARkzGAEZMxgBGTMYARkzGAEZMxgBGTMYARkzGAEZMxgBGTMYARgzGAFQLjM5CgoAAAAAyc8Lhw==",
	"BCJNGHxATAQAAAAAAACGVgEAAPYLUGFja2FnZTogcDAKVmVyc2lvbjogMS4wCgoaABgxGgAYMRoAGDIaABgyGgAYMxoAGDMaABg0GgAYNBoAGDUaABg1GgAYNhoAGDYaABg3GgAYNxoAGDgaABg4GgAYORoAGDkaABkxBQEaMQYBCgcBCQgBGTEJARkxCgEZMQsBGTEMARkxDQEZMQ4BGTEPARkxEAEZMREBGTESARkxEwEZMRQBGTEVARkxFgEZMRcBGTEYARkyGAEZMhgBGTIYARkyGAEZMhgBGTIYARkyGAEZMhgBGTIYARkyGAEZMhgBGTIYARkyGAEZMhgBGTIYARkyGAEZMhgBGTIYARkyGAEZMhgBGTMYARkzGAEZMxgBGTMYARkzGAEZMxgBGTMYARkzGAEZMxgBGTMYARkzGAEZMxgBGTMYARkzGAEZMxgBGTMYARkzGAEZMxgBGDMYAVAuMzkKCpGoal4AAAAAyc8Lhw==",
	"BCJNGGRAp1oAAIAACB5CdLQHY81K0GkQwINUMyAbJDtgk9QohfBu9Y836Kx+XkxIUmqQxAtbuSqkMcdwJ+e6m4qHkqvSDE+gBHHseha7czkN6trY5AMrYaX3XMpL1XId0ZhtUEEAAAAAwWvWUQ==",
}

func TestLZ4(t *testing.T) {
	var packed strings.Builder
	for i := range 40 {
		fmt.Fprintf(&packed, "Package: p%d\nVersion: 1.%d\n\n", i, i)
	}
	var raw strings.Builder
	for i := range 90 {
		raw.WriteByte(byte((i*i*7 + i) % 251))
	}
	for i, want := range []string{packed.String(), packed.String(), raw.String()} {
		frame, err := base64.StdEncoding.DecodeString(lz4Frames[i])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(newLZ4(bytes.NewReader(frame))); err != nil || string(got) != want {
			t.Errorf("frame %d: %v, %q", i, err, got)
		}
		for cut := range len(frame) - 8 { // the end mark and a checksum follow
			if _, err := io.ReadAll(newLZ4(bytes.NewReader(frame[:cut]))); !errors.Is(err, errLZ4) {
				t.Errorf("frame %d cut after %d bytes: %v", i, cut, err)
			}
		}
	}
}

func FuzzLZ4(f *testing.F) {
	for _, text := range lz4Frames {
		frame, _ := base64.StdEncoding.DecodeString(text)
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		n, err := io.Copy(io.Discard, io.LimitReader(newLZ4(bytes.NewReader(frame)), 1<<20))
		if err == nil && n > int64(len(frame))*256 {
			t.Errorf("%d bytes out of %d", n, len(frame)) // a byte of a length is worth 255 at most
		}
	})
}

func FuzzDebian(f *testing.F) {
	f.Add(dpkgSample, "1:2.3-4", "1.0~rc1")
	f.Add("Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n\n\n", "", "~")
	f.Fuzz(func(t *testing.T, status, a, b string) {
		packages, broken, err := parseDpkg(strings.NewReader(status), strings.NewReader(status))
		if err == nil && (len(packages) > maxPackages || len(broken) > maxBroken) {
			t.Errorf("%d packages, %d broken", len(packages), len(broken))
		}
		if x, y := compareDebian(a, b), compareDebian(b, a); x != -y || compareDebian(a, a) != 0 {
			t.Errorf("%q to %q is %d, and back %d", a, b, x, y)
		}
		at := map[string]int{}
		for i, one := range packages {
			at[one.name] = i
		}
		_ = offer(packages, at, strings.NewReader(status), "", archive{})
		for _, one := range packages {
			if one.available != "" && compareDebian(one.available, one.version) <= 0 {
				t.Errorf("%q is offered %q", one.version, one.available)
			}
		}
		parseRelease([]byte(status))
		parsePins([]byte(status))
	})
}

// However a list arrives, the wanted paragraphs are those that reading all of
// them finds, whole.
func TestWantedParagraphs(t *testing.T) {
	var list strings.Builder
	for i := range 500 {
		fmt.Fprintf(&list, "Package: p%d\nVersion: 1.%d\nDescription: of Package: p%d\n Package: none\n%s\n\n", i, i, i+1, strings.Repeat(" .\n", i%7)+"Size: 1")
	}
	for _, text := range []string{
		list.String(), strings.TrimSpace(list.String()), "\n\n" + list.String() + "Package: p10", list.String() + "Size: 1\nPackage: p20\nVersion: 7\n",
		"Version: 0\nPackage: p0\n\n\n\nPackage: p7\n", "", "\n",
	} {
		wanted := func(name []byte) bool { return bytes.HasSuffix(name, []byte("0")) }
		var want []string
		if err := eachParagraph(strings.NewReader(text), func(p []byte) error {
			if wanted(fieldOf(p, "Package: ")) {
				want = append(want, strings.Trim(string(p), "\n"))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for name, in := range map[string]io.Reader{
			"whole": strings.NewReader(text), "by bytes": iotest.OneByteReader(strings.NewReader(text)),
			"halved": iotest.HalfReader(strings.NewReader(text)), "with its end": iotest.DataErrReader(strings.NewReader(text)),
		} {
			var got []string
			err := eachNamed(in, wanted, func(p []byte) { got = append(got, strings.Trim(string(p), "\n")) })
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v, %q, want %q", name, err, got, want)
			}
		}
	}
	if err := eachNamed(iotest.ErrReader(io.ErrUnexpectedEOF), func([]byte) bool { return true }, func([]byte) {}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	for _, text := range []string{"Package:", "<html>", "Package: a\n\nVersion: 1\n\nPackage: b\n", "Package: a\n\nPackage: \n", "Package: a\n\nx"} {
		if err := eachNamed(strings.NewReader(text), func([]byte) bool { return true }, func([]byte) {}); !errors.Is(err, errNoPackage) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := eachNamed(strings.NewReader("Package: a\n"+strings.Repeat("x", 3*maxParagraph)), func([]byte) bool { return true }, func([]byte) {}); err == nil {
		t.Error("a paragraph without end was read")
	}
}
