package main

import (
	"bytes"
	"compress/gzip"
	"debug/macho"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"constat/internal/lab"
)

// tree makes a directory of files and their contents.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	top := t.TempDir()
	for name, content := range files {
		name = filepath.Join(top, name)
		mode := os.FileMode(0o644)
		if strings.HasPrefix(content, "#!") {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

var made = product{version: "1.2.3", processors: "x86_64,arm64", time: time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)}

// TestPackage has the archives read by bsdtar, which is not ours, and compares
// what they hold with what the documents and the list of files say.
func TestPackage(t *testing.T) {
	_, err := exec.LookPath("bsdtar")
	lab.Need(t, "bsdtar (Debian: libarchive-tools)", err == nil)
	root := tree(t, map[string]string{"usr/local/bin/constat-agent": "#!program", "Library/LaunchAgents/org.constat.tray.plist": "<plist/>", "usr/local/share/constat/LICENSE": ""})
	scripts := tree(t, map[string]string{"postinstall": "#!/bin/sh\n"})
	written, err := made.write(root, scripts)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := made.write(root, scripts); err != nil || !bytes.Equal(written, again) {
		t.Errorf("the same files give other bytes: %v", err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "constat.pkg")
	if err := os.WriteFile(name, written, 0o644); err != nil {
		t.Fatal(err)
	}
	bsdtar := func(arguments ...string) string {
		t.Helper()
		cmd := exec.Command("bsdtar", arguments...)
		cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("bsdtar %v: %v\n%s", arguments, err, out)
		}
		return string(out)
	}
	if got, want := strings.Fields(bsdtar("-tf", name)), []string{"Distribution", "agent.pkg", "agent.pkg/Bom", "agent.pkg/PackageInfo", "agent.pkg/Payload", "agent.pkg/Scripts"}; !slices.Equal(got, want) {
		t.Fatalf("the package has %q", got)
	}
	bsdtar("-xf", name, "-C", dir) // and checks every sum

	payload := bsdtar("-tvf", filepath.Join(dir, "agent.pkg", "Payload"))
	for _, want := range []string{
		"drwxr-xr-x  2 0      0           0 Mar  1  2026 .\n",
		"-rwxr-xr-x  1 0      0           9 Mar  1  2026 ./usr/local/bin/constat-agent\n",
		"-rw-r--r--  1 0      0           8 Mar  1  2026 ./Library/LaunchAgents/org.constat.tray.plist\n",
		"-rw-r--r--  1 0      0           0 Mar  1  2026 ./usr/local/share/constat/LICENSE\n",
	} {
		if !strings.Contains(columns(payload), columns(want)) {
			t.Errorf("no %q in\n%s", want, payload)
		}
	}
	if got := bsdtar("-tvf", filepath.Join(dir, "agent.pkg", "Scripts")); !strings.Contains(got, "-rwxr-xr-x") || !strings.Contains(got, "./postinstall") {
		t.Errorf("scripts:\n%s", got)
	}

	var info struct {
		Identifier string `xml:"identifier,attr"`
		Version    string `xml:"version,attr"`
		Auth       string `xml:"auth,attr"`
		Payload    struct {
			Files int `xml:"numberOfFiles,attr"`
		} `xml:"payload"`
		Scripts struct {
			Post struct {
				File string `xml:"file,attr"`
			} `xml:"postinstall"`
		} `xml:"scripts"`
	}
	var distribution struct {
		Options struct {
			Processors string `xml:"hostArchitectures,attr"`
		} `xml:"options"`
		References []struct {
			ID   string `xml:"id,attr"`
			Text string `xml:",chardata"`
		} `xml:"pkg-ref"`
	}
	for file, into := range map[string]any{"agent.pkg/PackageInfo": &info, "Distribution": &distribution} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err == nil {
			err = xml.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	entries := strings.Count(payload, "\n")
	if info.Identifier != identifier || info.Version != "1.2.3" || info.Auth != "root" || info.Payload.Files != entries || info.Scripts.Post.File != "./postinstall" {
		t.Errorf("PackageInfo is %+v, with %d files in the payload", info, entries)
	}
	if distribution.Options.Processors != made.processors {
		t.Errorf("it is for %q", distribution.Options.Processors)
	}
	if len(distribution.References) != 1 || distribution.References[0].ID != identifier || distribution.References[0].Text != "#agent.pkg" {
		t.Errorf("the distribution refers to %+v", distribution.References)
	}

	list, err := os.ReadFile(filepath.Join(dir, "agent.pkg", "Bom"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		".": "40755 0/0", "./usr": "40755 0/0", "./usr/local": "40755 0/0", "./usr/local/bin": "40755 0/0", "./usr/local/share": "40755 0/0", "./usr/local/share/constat": "40755 0/0",
		"./Library": "40755 0/0", "./Library/LaunchAgents": "40755 0/0",
		"./usr/local/bin/constat-agent":                 fmt.Sprintf("100755 0/0 9 %d", posix(t, "#!program")),
		"./Library/LaunchAgents/org.constat.tray.plist": fmt.Sprintf("100644 0/0 8 %d", posix(t, "<plist/>")),
		"./usr/local/share/constat/LICENSE":             fmt.Sprintf("100644 0/0 0 %d", posix(t, "")),
	}
	got := readBom(t, list)
	for path := range want {
		if got[path] != want[path] {
			t.Errorf("the list says of %s %q, want %q", path, got[path], want[path])
		}
	}
	if len(got) != len(want) || len(got) != entries {
		t.Errorf("the list has %d paths, the payload %d: %v", len(got), entries, got)
	}
}

func columns(text string) string { return strings.Join(strings.Fields(text), " ") }

// posix is what the system's cksum says.
func posix(t *testing.T, content string) (sum uint32) {
	t.Helper()
	cmd := exec.Command("cksum")
	cmd.Stdin = strings.NewReader(content)
	out, err := cmd.Output()
	if err == nil {
		_, err = fmt.Sscan(string(out), &sum)
	}
	lab.Need(t, fmt.Sprintf("cksum (%v)", err), err == nil)
	return sum
}

// readBom reads a list of files by what is known of its form, from its header on.
func readBom(t *testing.T, b []byte) map[string]string {
	t.Helper()
	u32 := func(b []byte, at int) int { return int(binary.BigEndian.Uint32(b[at:])) }
	u16 := func(b []byte, at int) int { return int(binary.BigEndian.Uint16(b[at:])) }
	if string(b[:8]) != "BOMStore" || u32(b, 8) != 1 {
		t.Fatalf("it begins with %q", b[:12])
	}
	index, vars := b[u32(b, 16):][:u32(b, 20)], b[u32(b, 24):][:u32(b, 28)]
	if u32(index, 0) != u32(b, 12)+1 {
		t.Errorf("the header counts %d blocks, the table %d", u32(b, 12), u32(index, 0)-1)
	}
	block := func(n int) []byte { return b[u32(index, 4+8*n):][:u32(index, 8+8*n)] }
	names := map[string][]byte{}
	for at, n := 4, u32(vars, 0); n > 0; n-- {
		length := int(vars[at+4])
		names[string(vars[at+5:][:length])] = block(u32(vars, at))
		at += 5 + length
	}
	for _, name := range []string{"BomInfo", "Paths", "HLIndex", "VIndex", "Size64"} {
		if names[name] == nil {
			t.Fatalf("no %s", name)
		}
	}
	tree := names["Paths"]
	if string(tree[:4]) != "tree" {
		t.Fatalf("Paths is %q", tree)
	}
	leaf := block(u32(tree, 8))
	for u16(leaf, 0) == 0 {
		leaf = block(u32(leaf, 12))
	}
	type entry struct {
		parent int
		name   string
	}
	known, said := map[int]entry{}, map[int]string{}
	for {
		for i := range u16(leaf, 2) {
			one, name := block(u32(leaf, 12+8*i)), block(u32(leaf, 16+8*i))
			about := block(u32(one, 4))
			id := u32(one, 0)
			known[id] = entry{u32(name, 0), strings.TrimRight(string(name[4:]), "\x00")}
			said[id] = fmt.Sprintf("%o %d/%d", u16(about, 4), u32(about, 6), u32(about, 10))
			if about[0] == 1 {
				said[id] += fmt.Sprintf(" %d %d", u32(about, 18), u32(about, 23))
			}
			if at := u32(about, 14); at != int(made.time.Unix()) {
				t.Errorf("%s is of %d", name[4:], at)
			}
		}
		next := u32(leaf, 4)
		if next == 0 {
			break
		}
		leaf = block(next)
	}
	if u32(names["BomInfo"], 4) != len(known)+1 || u32(tree, 16) != len(known) {
		t.Errorf("%d paths of %d and %d", len(known), u32(names["BomInfo"], 4)-1, u32(tree, 16))
	}
	paths := map[string]string{}
	for id, e := range known {
		path := e.name
		for e.parent != 0 {
			e = known[e.parent]
			path = e.name + "/" + path
		}
		paths[path] = said[id]
	}
	return paths
}

// TestManyFiles: a list of more than one leaf is whole.
func TestManyFiles(t *testing.T) {
	files := []file{{path: ".", mode: directory | 0o755}}
	for i := range 700 {
		files = append(files, file{path: fmt.Sprintf("./%04d", i), mode: regular | 0o644, content: []byte{byte(i)}})
	}
	if got := readBom(t, bom(files, made.time)); len(got) != 701 || !strings.HasPrefix(got["./0699"], "100644") {
		t.Errorf("%d paths of 701", len(got))
	}
	packed, err := archive(files, made.time)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if content, err := io.ReadAll(z); err != nil || !bytes.HasPrefix(content, []byte("070707")) {
		t.Errorf("%v", err)
	}
}

// TestUniversal joins what the compiler writes for both processors.
func TestUniversal(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var programs []string
	for _, architecture := range []string{"amd64", "arm64"} {
		out := filepath.Join(dir, architecture)
		cmd := exec.Command("go", "build", "-o", out, filepath.Join(dir, "main.go"))
		cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+architecture, "CGO_ENABLED=0", "GOFLAGS=")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		programs = append(programs, out)
	}
	written, err := join(programs)
	if err != nil {
		t.Fatal(err)
	}
	fat, err := macho.NewFatFile(bytes.NewReader(written))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, a := range fat.Arches {
		found = append(found, a.Cpu.String())
		content := written[a.Offset:][:a.Size]
		whole, err := os.ReadFile(programs[len(found)-1])
		if err != nil || !bytes.Equal(content, whole) || a.Offset%(1<<14) != 0 {
			t.Errorf("%v at %d is not what it was: %v", a.Cpu, a.Offset, err)
		}
	}
	if strings.Join(found, " ") != "CpuAmd64 CpuArm64" {
		t.Errorf("it is for %q", found)
	}
	if _, err := join(programs[:1]); err == nil {
		t.Error("one program makes a universal one")
	}
}
