package host

import (
	"maps"
	"strings"
	"testing"
)

// flatpakCatalog is a remote's catalog, shortened.
const flatpakCatalog = `<?xml version="1.0" encoding="utf-8"?>
<components version="0.16" origin="flathub">
  <component type="desktop-application">
    <id>org.gimp.GIMP</id>
    <name>GIMP</name>
    <description><p>See &lt;bundle&gt; and version="9.9.9"</p></description>
    <releases>
      <release type="stable" timestamp="1759708800" version="3.0.6"><description><p>x</p></description></release>
      <release version="3.0.4"/>
    </releases>
    <bundle type="flatpak" runtime="org.gnome.Platform/x86_64/48" sdk="org.gnome.Sdk/x86_64/48">app/org.gimp.GIMP/x86_64/stable</bundle>
  </component>
  <component type="desktop-application">
    <id>org.gimp.GIMP</id>
    <releases><release version="3.1.4"/></releases>
    <bundle type="flatpak">app/org.gimp.GIMP/x86_64/beta</bundle>
  </component>
  <component type="addon"><id>org.example.None</id><bundle type="flatpak">app/org.example.None/x86_64/stable</bundle></component>
</components>
`

func TestNewestReleases(t *testing.T) {
	wanted := map[string]bool{"app/org.gimp.GIMP/x86_64/stable": true, "app/org.example.None/x86_64/stable": true, "app/not.There/x86_64/stable": true}
	got, err := newestReleases(strings.NewReader(flatpakCatalog), wanted)
	if want := map[string]string{"app/org.gimp.GIMP/x86_64/stable": "3.0.6"}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if _, err := newestReleases(strings.NewReader("<component>"+strings.Repeat("x", maxComponent+1)), wanted); err == nil {
		t.Error("a component without an end is no error")
	}
	if o := flatpakOrigin([]byte("flathub\x00rest")); o != "flathub" {
		t.Errorf("origin %q", o)
	}
	for _, deploy := range []string{"", "flathub", "../etc\x00", "\x00"} {
		if o := flatpakOrigin([]byte(deploy)); o != "" {
			t.Errorf("%q has origin %q", deploy, o)
		}
	}
}

func FuzzStores(f *testing.F) {
	f.Add(flatpakCatalog, "flathub\x00")
	f.Add(`{"firefox": {"Version": "129.0-1"}}`, `name: firefox
version: "128.0-2"
`)
	f.Fuzz(func(t *testing.T, content, other string) {
		wanted := map[string]bool{"app/org.gimp.GIMP/x86_64/stable": true}
		if found, err := newestReleases(strings.NewReader(content), wanted); err == nil && len(found) > len(wanted) {
			t.Errorf("found %v", found)
		}
		if origin := flatpakOrigin([]byte(other)); strings.ContainsAny(origin, "/\x00\n") {
			t.Errorf("origin %q", origin)
		}
		if candidates, err := parseCandidates([]byte(content)); err == nil {
			for name, version := range candidates {
				if version == "" {
					t.Errorf("%q has a version that is none", name)
				}
			}
		}
		snapVersion([]byte(other))
		flatpakVersion([]byte(content))
		startupItem("x.desktop", []byte(content))
	})
}
