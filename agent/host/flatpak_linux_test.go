package host

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"constat/internal/lab"
)

// TestFlatpakStore: flatpak builds an application in two versions, installs the
// old one from a remote of its own, and fetches the remote's catalog; the agent
// tells what flatpak tells.
func TestFlatpakStore(t *testing.T) {
	_, err := exec.LookPath("flatpak")
	lab.Need(t, "flatpak (Debian: flatpak)", err == nil)
	work := t.TempDir()
	root := filepath.Join(work, "root")
	flatpak := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "flatpak", args...)
		cmd.Env = append(os.Environ(), "HOME="+work, "XDG_CACHE_HOME="+work+"/cache", "XDG_DATA_HOME="+work+"/data", "LC_ALL=C.UTF-8",
			"FLATPAK_USER_DIR="+work+"/user", "FLATPAK_SYSTEM_DIR="+root+"/var/lib/flatpak", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent")
		var out, bad bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &bad
		err := cmd.Run()
		lab.Need(t, "file systems and rights that flatpak can work with ("+strings.TrimSpace(bad.String())+")", err == nil)
		return strings.TrimSpace(out.String())
	}
	write := func(name, content string) {
		t.Helper()
		name = filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const platform = "org.example.Platform/x86_64/1"
	publish := func(version string) {
		t.Helper()
		component := fmt.Sprintf(`<component type="desktop"><id>org.example.Tried</id><name>Tried</name><summary>x</summary>`+
			`<bundle type="flatpak" runtime="%s">app/org.example.Tried/x86_64/stable</bundle>`+
			`<releases><release version="%s" date="2026-01-01"/></releases></component>`, platform, version)
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = fmt.Fprintf(w, `<components version="0.8" origin="tried">%s</components>`, component)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		write("app/metadata", "[Application]\nname=org.example.Tried\nruntime="+platform+"\ncommand=tried\n")
		write("app/files/bin/tried", "#!/bin/sh\n")
		write("app/files/share/metainfo/org.example.Tried.metainfo.xml", component)
		write("app/files/share/app-info/xmls/org.example.Tried.xml.gz", packed.String())
		if err := os.MkdirAll(filepath.Join(work, "app/export"), 0o755); err != nil {
			t.Fatal(err)
		}
		flatpak("build-export", "--arch=x86_64", "--disable-sandbox", work+"/repo", work+"/app", "stable")
		flatpak("build-update-repo", work+"/repo")
	}
	write("platform/metadata", "[Runtime]\nname=org.example.Platform\nruntime="+platform+"\nsdk="+platform+"\n")
	for _, dir := range []string{"platform/files", "platform/usr"} {
		if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	flatpak("build-export", "--arch=x86_64", "--runtime", "--disable-sandbox", work+"/repo", work+"/platform", "1")
	publish("1.0")
	flatpak("remote-add", "--system", "--no-gpg-verify", "tried", "file://"+work+"/repo")
	flatpak("install", "--system", "--arch=x86_64", "-y", "--noninteractive", "tried", "org.example.Tried")

	seen := func() (installed, offered string) {
		t.Helper()
		s := Observe(t.Context(), Config{Root: root}, []string{"software"})
		for _, p := range s.Software.GetPrograms() {
			if p.GetName() == "org.example.Tried" && p.GetSource() == "flatpak" {
				return p.GetVersion(), p.GetAvailableVersion()
			}
		}
		t.Fatalf("the application is not there: %v", s.Software.GetPrograms())
		return "", ""
	}
	list := func(args ...string) string {
		return flatpak(append(args, "--system", "--app", "--columns=version")...)
	}
	flatpak("update", "--system", "--appstream", "tried")
	if installed, offered := seen(); installed != list("list") || installed != "1.0" || offered != "" || list("remote-ls", "--updates") != "" {
		t.Errorf("version %q, offered %q; flatpak has %q and offers %q", installed, offered, list("list"), list("remote-ls", "--updates"))
	}
	publish("2.0")
	flatpak("update", "--system", "--appstream", "tried")
	if installed, offered := seen(); installed != list("list") || offered != list("remote-ls", "--updates") || offered != "2.0" {
		t.Errorf("version %q, offered %q; flatpak has %q and offers %q", installed, offered, list("list"), list("remote-ls", "--updates"))
	}
	flatpak("update", "--system", "-y", "--noninteractive")
	if installed, offered := seen(); installed != "2.0" || offered != "" {
		t.Errorf("after the update: version %q, offered %q", installed, offered)
	}
}
