package host

import (
	"maps"
	"slices"
	"strings"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// rpmOrders are pairs of versions and their order: of rpm's own tests
// (tests/rpmvercmp.at), and with epochs and releases.
var rpmOrders = []struct {
	a, b  string
	order int
}{
	{"1.0", "1.0", 0},
	{"1.0", "2.0", -1},
	{"2.0.1a", "2.0.1", 1},
	{"5.5p10", "5.5p1", 1},
	{"10xyz", "10.1xyz", -1},
	{"xyz10", "xyz10.1", -1},
	{"xyz.4", "8", -1},
	{"5.5p2", "5.6p1", -1},
	{"6.0.rc1", "6.0", 1},
	{"10b2", "10a1", 1},
	{"7.4.052", "7.4.52", 0},
	{"1.0", "1_0", 0},
	{"a", "1.", -1},
	{"2_0", "2.0+", 0},
	{"1.0~rc1", "1.0", -1},
	{"1.0~rc1", "1.0~rc2", -1},
	{"1.0~rc1~git123", "1.0~rc1", -1},
	{"1.0^", "1.0", 1},
	{"1.0^git1", "1.0", 1},
	{"1.0^git1", "1.0^git2", -1},
	{"1.0^git1", "1.01", -1},
	{"1.0^20160101", "1.0.1", -1},
	{"1.0^20160101^git1", "1.0^20160102", -1},
	{"1.0~rc1^git1", "1.0~rc1", 1},
	{"1.0^git1~pre", "1.0^git1", -1},
	{"1.é.2", "1.2", 0},
	{"20101121", "99999999999999999999999999", -1},
}

func TestCompareRPM(t *testing.T) {
	for _, c := range rpmOrders {
		if got := compareRPM(c.a, c.b); got != c.order {
			t.Errorf("%s and %s: %d, want %d", c.a, c.b, got, c.order)
		}
		if got := compareRPM(c.b, c.a); got != -c.order {
			t.Errorf("%s and %s: %d, want %d", c.b, c.a, got, -c.order)
		}
	}
	for _, c := range []struct {
		older, newer string
	}{
		{"9.9-9", "1:1.0-1"}, {"1:1.0-1.fc40", "1:1.0-2.fc40"}, {"1.0~rc1-5", "1.0-1"}, {"1.0-1.fc39", "1.0-1.fc40"}, {"2:1-1", "10:1-1"},
	} {
		if compareRPM(c.older, c.newer) >= 0 || compareRPM(c.newer, c.older) <= 0 {
			t.Errorf("%s is not older than %s", c.older, c.newer)
		}
	}
	if compareRPM("0:1.0-1", "1.0-1") != 0 {
		t.Error("no epoch is not the epoch 0")
	}
}

// rpmRecord is a package in a repository's list, in the order createrepo_c
// writes.
func rpmRecord(name, architecture, epoch, version, release, vendor string) string {
	return `<package type="rpm">
  <name>` + name + `</name>
  <arch>` + architecture + `</arch>
  <version epoch="` + epoch + `" ver="` + version + `" rel="` + release + `"/>
  <summary>A &lt;name&gt;</summary>
  <format>
    <rpm:vendor>` + vendor + `</rpm:vendor>
    <rpm:provides>
      <rpm:entry name="` + name + `" flags="EQ" epoch="` + epoch + `" ver="99" rel="99"/>
    </rpm:provides>
  </format>
</package>
`
}

func rpmPrimary(records ...string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="1">
` + strings.Join(records, "") + "</metadata>"
}

func rpmInstalled(name, version, architecture, vendor string) rpmPackage {
	return rpmPackage{&constatv1.Program{Name: set(name), Version: set(version), Publisher: filled(vendor)}, architecture}
}

func TestRPMOffers(t *testing.T) {
	installed := []rpmPackage{
		rpmInstalled("bash", "5.2.26-3", "x86_64", "Fedora"),
		rpmInstalled("glibc", "2.39-1", "x86_64", "Fedora"), rpmInstalled("glibc", "2.39-1", "i686", "Fedora"),
		rpmInstalled("kernel", "6.8.1-1", "x86_64", "Fedora"), rpmInstalled("kernel", "6.8.5-1", "x86_64", "Fedora"),
		rpmInstalled("nodejs", "1:18.1-1.module_el8+1", "x86_64", "Fedora"),
		rpmInstalled("vim", "2:9.1-1", "x86_64", "A <b> & c"),
		rpmInstalled("held", "1-1", "noarch", ""),
	}
	plain := &rpmRepository{id: "base", priority: 99}
	for _, c := range []struct {
		name  string
		lists []string
		from  []*rpmRepository
		want  map[string]string
	}{
		{"newer", []string{rpmPrimary(rpmRecord("bash", "x86_64", "0", "5.2.30", "1", ""), rpmRecord("bash", "x86_64", "0", "5.2.32", "1", ""), rpmRecord("other", "x86_64", "0", "1", "1", ""))}, nil,
			map[string]string{"bash.x86_64": "5.2.32-1"}},
		{"older, and the same", []string{rpmPrimary(rpmRecord("bash", "x86_64", "0", "5.2.26", "3", ""), rpmRecord("vim", "x86_64", "0", "99", "1", ""), rpmRecord("bash", "x86_64", "0", "5.2.27~rc1", "1", ""))}, nil,
			map[string]string{"bash.x86_64": "5.2.27~rc1-1"}},
		{"architectures", []string{rpmPrimary(rpmRecord("glibc", "i686", "0", "2.40", "1", ""), rpmRecord("bash", "src", "0", "6", "1", ""), rpmRecord("held", "noarch", "1", "1", "1", ""), rpmRecord("vim", "noarch", "2", "9.2", "1", ""))}, nil,
			map[string]string{"glibc.i686": "2.40-1", "held.noarch": "1:1-1", "vim.x86_64": "2:9.2-1"}},
		{"the newest of several that are installed counts", []string{rpmPrimary(rpmRecord("kernel", "x86_64", "0", "6.8.5", "1", ""))}, nil, map[string]string{}},
		{"modules", []string{rpmPrimary(rpmRecord("nodejs", "x86_64", "1", "20", "1", ""), rpmRecord("bash", "x86_64", "0", "9", "1.module_el8+2", ""))}, nil, map[string]string{}},
		{"priorities", []string{rpmPrimary(rpmRecord("bash", "x86_64", "0", "5.2.30", "1", "")), rpmPrimary(rpmRecord("bash", "x86_64", "0", "9", "1", ""))},
			[]*rpmRepository{{priority: 10}, {priority: 99}}, map[string]string{"bash.x86_64": "5.2.30-1"}},
		{"left out", []string{rpmPrimary(rpmRecord("bash", "x86_64", "0", "9", "1", ""), rpmRecord("glibc", "x86_64", "0", "9", "1", ""), rpmRecord("held", "noarch", "0", "9", "1", ""))},
			[]*rpmRepository{{exclude: []string{"ba*", "held-9-1.noarch"}}}, map[string]string{"glibc.x86_64": "9-1"}},
		{"only some", []string{rpmPrimary(rpmRecord("bash", "x86_64", "0", "9", "1", ""), rpmRecord("glibc", "x86_64", "0", "9", "1", ""))},
			[]*rpmRepository{{include: []string{"bash"}}}, map[string]string{"bash.x86_64": "9-1"}},
		{"vendors", []string{rpmPrimary(rpmRecord("bash", "x86_64", "0", "9", "1", "Packman"), rpmRecord("vim", "x86_64", "2", "9.2", "1", "A &lt;b&gt; &amp; c"))},
			[]*rpmRepository{{zypper: true}}, map[string]string{"vim.x86_64": "2:9.2-1"}},
		{"no versions", []string{rpmPrimary(rpmRecord("bash", "x86_64", "x", "9", "1", ""), rpmRecord("bash", "x86_64", "0", "9-1", "1", ""), rpmRecord("bash", "x86_64", "0", "", "1", ""), "<package><name>bash</name></package>")}, nil, map[string]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			offers := newRPMOffers(installed)
			for i, list := range c.lists {
				from := plain
				if c.from != nil {
					from = c.from[i]
				}
				if err := offers.read(strings.NewReader(list), from); err != nil {
					t.Fatal(err)
				}
			}
			if got := offers.newer(); !maps.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
	whole := rpmPrimary(rpmRecord("bash", "x86_64", "0", "9", "1", ""))
	for name, list := range map[string]string{"cut": whole[:len(whole)-4], "empty": "", "record too long": "<package>" + strings.Repeat("x", maxRPMRecord+1)} {
		if newRPMOffers(installed).read(strings.NewReader(list), plain) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPrimaryOf(t *testing.T) {
	const index = `<repomd><data type="filelists"><location href="repodata/f.xml.gz"/></data>
<data type="primary"><checksum type="sha256">ab</checksum><location href="repodata/ab-primary.xml.zst"/></data>
<data type="primary_zck"><location href="../../../etc/ab-primary.xml.zck"/></data></repomd>`
	if names := primaryOf([]byte(index)); !slices.Equal(names, []string{"ab-primary.xml.zst", "ab-primary.xml.zck"}) {
		t.Errorf("%q", names)
	}
	if names := primaryOf([]byte(`<data type="primary"><location href=".."/></data>`)); names != nil {
		t.Errorf("%q", names)
	}
}

func TestParseINI(t *testing.T) {
	sections := parseINI([]byte("stray=1\n[a]\nenabled = 0\n# enabled=1\nexcludepkgs=x, y\n  z\n[b]\npriority=5\nenabled=True\n[c\n"))
	if len(sections) != 2 {
		t.Fatalf("%v", sections)
	}
	a, b := rpmRepository{enabled: true, priority: 99}, rpmRepository{}
	a.apply(sections[0].values)
	b.apply(sections[1].values)
	if a.enabled || a.priority != 99 || !slices.Equal(a.exclude, []string{"x", "y", "z"}) || !b.enabled || b.priority != 5 {
		t.Errorf("%+v, %+v", a, b)
	}
}

func FuzzRPMOffers(f *testing.F) {
	f.Add(rpmPrimary(rpmRecord("bash", "x86_64", "0", "9", "1", "A &amp; b")), "[a]\nexclude=ba*\n")
	f.Add(`<data type="primary"><location href="repodata/a-primary.xml.gz"/></data>`, "[a]\nenabled=0\n x\n")
	f.Fuzz(func(t *testing.T, content, settings string) {
		from := &rpmRepository{zypper: len(content)%2 == 0}
		for _, section := range parseINI([]byte(settings)) {
			from.apply(section.values)
		}
		offers := newRPMOffers([]rpmPackage{rpmInstalled("bash", "5-1", "x86_64", "A & b")})
		_ = offers.read(strings.NewReader(content), from)
		for key, version := range offers.newer() {
			if key != "bash.x86_64" || compareRPM(version, "5-1") <= 0 || strings.ContainsAny(version, "\t\n<") {
				t.Errorf("%s has %q newer", key, version)
			}
		}
		for _, name := range primaryOf([]byte(content)) {
			if name == ".." || strings.Contains(name, "/") {
				t.Errorf("a list is at %q", name)
			}
		}
	})
}

func FuzzCompareRPM(f *testing.F) {
	for _, c := range rpmOrders {
		f.Add(c.a, c.b)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if compareRPM(a, a) != 0 || compareRPM(a, b) != -compareRPM(b, a) {
			t.Errorf("%q and %q have no order", a, b)
		}
	})
}
