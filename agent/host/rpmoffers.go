package host

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what repositories of rpm list.
const (
	maxPrimary      = 768 << 20 // unpacked
	maxRPMRecord    = 8 << 20   // one package; a kernel lists all its symbols
	maxRepositories = 200
)

// rpmRepository is a source that a package manager is set up with: a section of
// a .repo file (dnf.conf(5), "REPO OPTIONS").
type rpmRepository struct {
	id               string
	enabled          bool
	priority         int // the lower wins
	exclude, include []string
	// zypper has it: what another vendor has newer is no update then.
	zypper bool
}

// iniSection is one of a file of settings as yum, dnf and zypper write them.
type iniSection struct {
	name   string
	values map[string]string
}

// parseINI reads such a file. A line that starts with a blank goes on with the
// value before it.
func parseINI(content []byte) []iniSection {
	var sections []iniSection
	last := ""
	for line := range strings.Lines(string(content)) {
		text := strings.TrimSpace(line)
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
			continue
		case text[0] == '[' && strings.HasSuffix(text, "]"):
			sections = append(sections, iniSection{text[1 : len(text)-1], map[string]string{}})
			last = ""
			continue
		case len(sections) == 0:
			continue
		}
		values := sections[len(sections)-1].values
		if (line[0] == ' ' || line[0] == '\t') && last != "" {
			values[last] += " " + text
			continue
		}
		key, value, found := strings.Cut(text, "=")
		if !found {
			continue
		}
		last = strings.TrimSpace(key)
		values[last] = strings.TrimSpace(value)
	}
	return sections
}

// apply takes over what a section says of a repository.
func (r *rpmRepository) apply(values map[string]string) {
	if value, set := values["enabled"]; set {
		r.enabled = slices.Contains([]string{"1", "yes", "true", "on"}, strings.ToLower(value))
	}
	if n, err := strconv.Atoi(values["priority"]); err == nil {
		r.priority = n
	}
	r.exclude = append(r.exclude, patternsOf(values, "exclude", "excludepkgs")...)
	r.include = append(r.include, patternsOf(values, "includepkgs")...)
}

// patternsOf are the words of lists of packages.
func patternsOf(values map[string]string, keys ...string) []string {
	var words []string
	for _, key := range keys {
		words = append(words, strings.FieldsFunc(values[key], func(c rune) bool { return c == ' ' || c == '\t' || c == ',' })...)
	}
	return words
}

// leavesOut tells whether a repository's settings keep a package from being
// offered. A pattern may be of any of the forms that dnf takes.
func (r *rpmRepository) leavesOut(name, architecture, version string) bool {
	matches := func(patterns []string) bool {
		_, plain := debianEpoch(version)
		upstream, _ := debianRevision(plain)
		for _, form := range []string{
			name, name + "." + architecture, name + "-" + upstream, name + "-" + plain, name + "-" + version,
			name + "-" + plain + "." + architecture, name + "-" + version + "." + architecture,
		} {
			if slices.ContainsFunc(patterns, func(pattern string) bool {
				matched, err := path.Match(pattern, form)
				return matched && err == nil
			}) {
				return true
			}
		}
		return false
	}
	return matches(r.exclude) || len(r.include) > 0 && !matches(r.include)
}

// rpmOffer is what the repositories have of a package, of the best priority.
type rpmOffer struct {
	version  string
	priority int
}

// rpmOffers collects what repositories offer of installed packages.
type rpmOffers struct {
	installed map[string][]rpmPackage // by name
	found     map[string]rpmOffer     // by name and architecture, as key makes it
}

func newRPMOffers(installed []rpmPackage) *rpmOffers {
	o := &rpmOffers{map[string][]rpmPackage{}, map[string]rpmOffer{}}
	for _, p := range installed {
		o.installed[p.GetName()] = append(o.installed[p.GetName()], p)
	}
	return o
}

func (p rpmPackage) key() string { return p.GetName() + "." + p.architecture }

// modular tells by the release of a package that it belongs to a stream of a
// module. Whether dnf would take it depends on the streams that are switched on.
func modular(version string) bool {
	_, release := debianRevision(version)
	return strings.Contains(release, ".module")
}

// newer are the offers that are newer than all that is installed of the package,
// by key: of a kernel there are several.
func (o *rpmOffers) newer() map[string]string {
	newer := map[string]string{}
	for key, offer := range o.found {
		newer[key] = offer.version
	}
	for _, same := range o.installed {
		for _, p := range same {
			if version, found := newer[p.key()]; found && compareRPM(version, p.GetVersion()) <= 0 {
				delete(newer, p.key())
			}
		}
	}
	return newer
}

var (
	errPrimaryLong = fmt.Errorf("it has more than %d bytes", maxPrimary)
	errPrimaryCut  = errors.New("it has no end")
)

// read takes in a repository's list of packages, its primary.xml
// as createrepo_c writes it: one element a package, name, architecture and version
// the first of its parts. Of most packages no more than the name is looked at,
// which is why no parser of XML goes through it all.
func (o *rpmOffers) read(primary io.Reader, from *rpmRepository) error {
	const end = "</package>"
	bounded := &io.LimitedReader{R: primary, N: maxPrimary}
	records := bufio.NewScanner(bounded)
	records.Buffer(make([]byte, 256<<10), maxRPMRecord)
	ended := false
	records.Split(func(data []byte, atEnd bool) (int, []byte, error) {
		if i := bytes.Index(data, []byte(end)); i >= 0 {
			return i + len(end), data[:i], nil
		}
		if atEnd {
			ended = bytes.Contains(data, []byte("</metadata>"))
			return len(data), nil, nil
		}
		return 0, nil, nil
	})
	for records.Scan() {
		o.note(records.Bytes(), from)
	}
	switch {
	case records.Err() != nil:
		return records.Err()
	case bounded.N <= 0:
		return errPrimaryLong
	case !ended:
		return errPrimaryCut
	}
	return nil
}

// note takes in one package.
func (o *rpmOffers) note(record []byte, from *rpmRepository) {
	name := between(record, "<name>", "</name>")
	installed := o.installed[string(name)]
	if len(installed) == 0 {
		return
	}
	architecture := string(between(record, "<arch>", "</arch>"))
	version := rpmVersionOf(between(record, "<version ", ">"))
	if version == "" || modular(version) || from.leavesOut(string(name), architecture, version) {
		return
	}
	vendor := ""
	if from.zypper {
		vendor = unescapeXML(string(between(record, "<rpm:vendor>", "</rpm:vendor>")))
	}
	for _, p := range installed {
		if architecture != p.architecture && architecture != "noarch" || modular(p.GetVersion()) || from.zypper && vendor != p.GetPublisher() {
			continue
		}
		best, known := o.found[p.key()]
		if !known || cmp.Or(cmp.Compare(best.priority, from.priority), compareRPM(version, best.version)) > 0 {
			o.found[p.key()] = rpmOffer{version, from.priority}
		}
	}
}

// rpmVersionOf puts together the parts of a version as parseRPM does; "" for
// what is none.
func rpmVersionOf(attributes []byte) string {
	version, release := attribute(attributes, "ver"), attribute(attributes, "rel")
	if version == "" || release == "" || strings.ContainsAny(version+release, "-: \t\n&<") {
		return ""
	}
	version += "-" + release
	if epoch := attribute(attributes, "epoch"); epoch != "" && epoch != "0" {
		if digits(epoch) != len(epoch) {
			return ""
		}
		version = epoch + ":" + version
	}
	return version
}

// attribute is the value of one in the inside of a tag.
func attribute(inside []byte, name string) string {
	for _, quote := range []string{`"`, `'`} {
		if at := bytes.Index(inside, []byte(name+"="+quote)); at == 0 || at > 0 && inside[at-1] <= ' ' {
			value, _, _ := bytes.Cut(inside[at+len(name)+2:], []byte(quote))
			return string(value)
		}
	}
	return ""
}

// between is the text between the first of two marks and the next of the other.
func between(text []byte, from, to string) []byte {
	_, rest, _ := bytes.Cut(text, []byte(from))
	inside, _, found := bytes.Cut(rest, []byte(to))
	if !found {
		return nil
	}
	return inside
}

var unescapeXML = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&").Replace

// primaryOf finds in a repository's index (repomd.xml) the names its list of
// packages may have in the directory beside it, the usual one first: dnf fetches
// the one in chunks instead where there is one.
func primaryOf(repomd []byte) (names []string) {
	for _, kind := range []string{"primary", "primary_zck"} {
		data := between(repomd, `<data type="`+kind+`">`, "</data>")
		if name := path.Base(attribute(between(data, "<location ", ">"), "href")); name != "." && name != "/" && name != ".." {
			names = append(names, name)
		}
	}
	return names
}

// compareRPM orders two versions of a package as rpm does: epoch, version,
// release (rpm-version(7)).
func compareRPM(a, b string) int {
	epochA, a := debianEpoch(a)
	epochB, b := debianEpoch(b)
	a, releaseA := debianRevision(a)
	b, releaseB := debianRevision(b)
	return cmp.Or(compareDigits(epochA, epochB), compareRPMPart(a, b), compareRPMPart(releaseA, releaseB))
}

// compareRPMPart compares runs of digits and runs of letters in turn; all else
// only parts them. Digits are newer than letters, more parts than fewer, and a
// tilde is older than the end. A caret is newer than the end, and older than
// anything else.
func compareRPMPart(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, rpmSeparates), strings.TrimLeftFunc(b, rpmSeparates)
		tildeA, tildeB := strings.HasPrefix(a, "~"), strings.HasPrefix(b, "~")
		caretA, caretB := strings.HasPrefix(a, "^"), strings.HasPrefix(b, "^")
		switch {
		case tildeA && tildeB, caretA && caretB:
			a, b = a[1:], b[1:]
			continue
		case tildeA:
			return -1
		case tildeB:
			return 1
		case a == "" || b == "":
			return cmp.Compare(len(a), len(b))
		case caretA:
			return -1
		case caretB:
			return 1
		}
		if number := isDigit(a[0]); number != isDigit(b[0]) {
			if number {
				return 1
			}
			return -1
		}
		order, n, m := 0, digits(a), digits(b)
		if n > 0 {
			order = compareDigits(a[:n], b[:m])
		} else {
			n, m = letters(a), letters(b)
			order = strings.Compare(a[:n], b[:m])
		}
		if order != 0 {
			return order
		}
		a, b = a[n:], b[m:]
	}
}

// letters is how many letters text starts with.
func letters(text string) int {
	n := 0
	for n < len(text) && isLetter(text[n]) {
		n++
	}
	return n
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func rpmSeparates(c rune) bool {
	return c >= 0x80 || !isLetter(byte(c)) && !isDigit(byte(c)) && c != '~' && c != '^'
}
