package host

import (
	"slices"
	"strings"
	"testing"
)

const (
	md5OfNothing = "d41d8cd98f00b204e9800998ecf8427e"
	someSums     = md5OfNothing + "  usr/bin/tool\n" + md5OfNothing + "  usr/share/doc/tool/copyright\n" + md5OfNothing + "  usr/bin/taken\n" +
		"D41D8CD98F00B204E9800998ECF8427E  ./usr/lib/tool.so\nshort  usr/bin/x\n" + md5OfNothing + "  ../etc/passwd\n\n"
	someList = "/.\n/usr\n/usr/bin\n/usr/bin/tool\n/usr/lib/tool.so\n/usr/share/doc/tool/copyright\n/../etc/passwd\n"
)

func TestParseMD5Sums(t *testing.T) {
	want := []packageFile{{"usr/bin/tool", md5OfNothing}, {"usr/lib/tool.so", md5OfNothing}}
	if got := parseMD5Sums([]byte(someSums), []byte(someList)); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestParseDiversions(t *testing.T) {
	got := parseDiversions([]byte("/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/x\n/usr/bin/x.real\n:\n/usr/bin/y\n"))
	if len(got) != 2 || got["bin/sh"] != (diversion{"bin/sh.distrib", "dash"}) || got["usr/bin/x"] != (diversion{"usr/bin/x.real", ":"}) {
		t.Errorf("%v", got)
	}
}

func FuzzDamage(f *testing.F) {
	f.Add([]byte(someSums), []byte(someList))
	f.Add([]byte("/a\n/b\n:\n"), []byte(""))
	f.Fuzz(func(t *testing.T, sums, list []byte) {
		for _, file := range parseMD5Sums(sums, list) {
			if file.name == "" || len(file.md5) != 32 || strings.HasPrefix(file.name, "/") || strings.Contains("/"+file.name+"/", "/../") {
				t.Errorf("%q", file)
			}
		}
		for from, to := range parseDiversions(sums) {
			if from == "" || to.to == "" || strings.Contains("/"+to.to+"/", "/../") {
				t.Errorf("%q to %q", from, to)
			}
		}
	})
}

const someVerify = "missing     /usr/bin/tool\nS.5....T.    /usr/lib64/tool.so\nS.5....T.  c /etc/tool.conf\n.......T.    /usr/lib64/old.so\n..?......    /usr/sbin/secret\n" +
	"missing   d /usr/share/doc/tool/README\n.M.......  g /run/tool\n..5......    /opt/tool/a b\nmissing     /opt/shut/x (Permission denied)\nUnsatisfied dependencies for tool-1.0: libx\npackage tool is not installed\n"

func TestParseRPMVerify(t *testing.T) {
	want := []rpmFile{
		{name: "/usr/bin/tool", missing: true}, {name: "/usr/lib64/tool.so", changed: true}, {name: "/usr/sbin/secret", unread: true},
		{name: "/opt/tool/a b", changed: true}, {name: "/opt/shut/x", unread: true},
	}
	if got := parseRPMVerify([]byte(someVerify)); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func FuzzRPMVerify(f *testing.F) {
	f.Add([]byte(someVerify))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, file := range parseRPMVerify(content) {
			if !strings.HasPrefix(file.name, "/") || strings.Contains(file.name+"/", "/../") || strings.Contains(file.name, "\n") || !file.missing && !file.changed && !file.unread {
				t.Errorf("%+v", file)
			}
		}
	})
}
