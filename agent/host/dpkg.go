package host

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strings"
	"time"
)

// Limits of what a snapshot tells of a package database.
const (
	maxBroken   = 200
	maxPackages = 20000
)

// dpkgPackage is an installed package of dpkg's status file.
type dpkgPackage struct {
	// name is without the architecture for packages of the machine's own, and
	// "name:arch" for those of another one.
	name, version, publisher, architecture string
	// list is the base name of the file in /var/lib/dpkg/info that was written
	// when the package was installed.
	list      string
	installed time.Time // zero: not known
	held      bool      // an administrator decides on its version: on hold, or pinned
	// available is the newest version that apt's lists offer, "" when that is
	// the installed one; security tells that one of the newer ones comes from a
	// security archive.
	available string
	security  bool
}

// debian is what dpkg and apt know of this machine. It is shared between
// observations and must not be changed.
type debian struct {
	packages []dpkgPackage // sorted by name
	broken   []string
	// offered says why it is not known what newer versions there are; nil when
	// it is.
	offered error
	// classified: a list of a security archive is among those of offers, so that
	// those from elsewhere are known not to be for security.
	classified bool
}

// settled are dpkg's states of packages that need nothing more to be done.
var settled = map[string]bool{"installed": true, "not-installed": true, "config-files": true}

// parseDpkg reads dpkg's status file (dpkg(1), "INFORMATION ABOUT PACKAGES"),
// and what it wrote of single packages since: what is installed, sorted by name,
// and the packages that `dpkg --audit` complains of, sorted: neither installed
// nor gone, or to be installed again.
func parseDpkg(status, since io.Reader) (packages []dpkgPackage, broken []string, err error) {
	news := map[string][]byte{} // by name and architecture
	key := func(p []byte) string {
		return string(fieldOf(p, "Package: ")) + ":" + string(fieldOf(p, "Architecture: "))
	}
	if err := eachParagraph(since, func(p []byte) error {
		news[key(p)] = bytes.Clone(p)
		return nil
	}); err != nil {
		return nil, nil, err
	}
	broken = []string{}
	native := ""
	known := map[string]string{}
	intern := func(text []byte) string { // few makers make many packages
		if _, again := known[string(text)]; !again {
			known[string(text)] = string(text)
		}
		return known[string(text)]
	}
	note := func(p []byte) {
		name := string(fieldOf(p, "Package: "))
		words := bytes.Fields(fieldOf(p, "Status: ")) // want, error flag, state
		if name == "" || len(words) != 3 {
			return
		}
		state := string(words[2])
		if (string(words[1]) != "ok" || !settled[state]) && len(broken) < maxBroken {
			broken = append(broken, name)
		}
		if state == "not-installed" || state == "config-files" || len(packages) == maxPackages {
			return
		}
		architecture := intern(fieldOf(p, "Architecture: "))
		if name == "dpkg" {
			native = architecture
		}
		one := dpkgPackage{
			name: name, version: string(fieldOf(p, "Version: ")), architecture: architecture, list: name + ".list", held: string(words[0]) == "hold",
		}
		if string(fieldOf(p, "Multi-Arch: ")) == "same" {
			one.list = name + ":" + architecture + ".list"
		}
		maintainer, _, _ := bytes.Cut(fieldOf(p, "Maintainer: "), []byte("<")) // the name, not the address
		one.publisher = intern(bytes.TrimSpace(maintainer))
		packages = append(packages, one)
	}
	err = eachParagraph(status, func(p []byte) error {
		if newer, found := news[key(p)]; found {
			delete(news, key(p))
			p = newer
		}
		note(p)
		return nil
	})
	for _, p := range news {
		note(p)
	}
	for i, one := range packages {
		if one.architecture != "all" && one.architecture != native && native != "" {
			packages[i].name += ":" + one.architecture
		}
	}
	slices.SortFunc(packages, func(a, b dpkgPackage) int { return strings.Compare(a.name, b.name) })
	slices.Sort(broken)
	return packages, slices.Compact(broken), err
}

// compareDebian orders two versions of a package as dpkg does: epoch, upstream
// version, revision (deb-version(7)).
func compareDebian(a, b string) int {
	epochA, a := debianEpoch(a)
	epochB, b := debianEpoch(b)
	if order := compareDigits(epochA, epochB); order != 0 {
		return order
	}
	a, revisionA := debianRevision(a)
	b, revisionB := debianRevision(b)
	return cmp.Or(compareDebianPart(a, b), compareDebianPart(revisionA, revisionB))
}

func debianEpoch(version string) (epoch, rest string) {
	if epoch, rest, found := strings.Cut(version, ":"); found {
		return epoch, rest
	}
	return "", version
}

func debianRevision(version string) (upstream, revision string) {
	if at := strings.LastIndex(version, "-"); at >= 0 {
		return version[:at], version[at+1:]
	}
	return version, ""
}

// compareDebianPart compares runs of other characters and runs of digits in
// turn. A letter sorts before any sign, the end before a letter, and a tilde
// before even the end.
func compareDebianPart(a, b string) int {
	weight := func(text string) int {
		switch {
		case text == "" || isDigit(text[0]):
			return 0
		case text[0] == '~':
			return -1
		case text[0] >= 'A' && text[0] <= 'Z', text[0] >= 'a' && text[0] <= 'z':
			return int(text[0])
		}
		return int(text[0]) + 256
	}
	for a != "" || b != "" {
		for a != "" && !isDigit(a[0]) || b != "" && !isDigit(b[0]) {
			if order := cmp.Compare(weight(a), weight(b)); order != 0 {
				return order
			}
			a, b = a[1:], b[1:] // of the same weight and no digit: neither is at its end
		}
		numberA, numberB := a[:digits(a)], b[:digits(b)]
		if order := compareDigits(numberA, numberB); order != 0 {
			return order
		}
		a, b = a[len(numberA):], b[len(numberB):]
	}
	return 0
}

// digits is how many digits text starts with.
func digits(text string) int {
	n := 0
	for n < len(text) && isDigit(text[n]) {
		n++
	}
	return n
}

// compareDigits compares two runs of digits as numbers of any length; none is
// zero.
func compareDigits(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}
