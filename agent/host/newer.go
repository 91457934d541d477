package host

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"strings"
)

// Bounds of what application stores list.
const (
	maxCatalog    = 256 << 20
	maxComponent  = 4 << 20
	maxCandidates = 1 << 20
)

// flatpakBundle finds the reference of an application in a store's catalog
// ("app/org.gimp.GIMP/x86_64/stable"), where nothing else has that form.
var flatpakBundle = form(`<bundle\b[^>]{0,100}>\s*(app/[\w.-]{1,255}/[\w-]{1,32}/[\w.+-]{1,100})\s*</bundle>`)

// newestReleases reads the catalog of a flatpak remote (AppStream, one component
// an application) and returns the newest release of those that are wanted, by
// their reference. What is larger than a component can be ends the reading.
func newestReleases(catalog io.Reader, wanted map[string]bool) (map[string]string, error) {
	const end = "</component>"
	found := map[string]string{}
	components := bufio.NewScanner(io.LimitReader(catalog, maxCatalog))
	components.Buffer(make([]byte, 64<<10), maxComponent)
	components.Split(func(data []byte, atEnd bool) (int, []byte, error) {
		if i := bytes.Index(data, []byte(end)); i >= 0 {
			return i + len(end), data[:i], nil
		}
		if atEnd {
			return len(data), nil, nil
		}
		return 0, nil, nil
	})
	for components.Scan() && len(found) < len(wanted) {
		bundle := bytes.LastIndex(components.Bytes(), []byte("<bundle"))
		if bundle < 0 {
			continue
		}
		reference := flatpakBundle().FindSubmatch(components.Bytes()[bundle:])
		if reference == nil || !wanted[string(reference[1])] {
			continue
		}
		if version := flatpakVersion(components.Bytes()); version != nil {
			found[string(reference[1])] = *version
		}
	}
	return found, components.Err()
}

// flatpakOrigin is the remote that an application came from: the first text in
// the file that flatpak writes beside what it installed.
func flatpakOrigin(deploy []byte) string {
	name, _, found := bytes.Cut(deploy, []byte{0})
	if !found || len(name) == 0 || len(name) > 100 || bytes.ContainsAny(name, "/\n") {
		return ""
	}
	return string(name)
}

// knowsRelease tells whether an application's own metadata lists a release: then
// it is not newer than what is installed.
func knowsRelease(metainfo []byte, version string) bool {
	return bytes.Contains(metainfo, []byte(`version="`+version+`"`))
}

// parseCandidates reads which snaps snapd has found newer revisions of, and
// waits to install: their versions by name.
func parseCandidates(content []byte) (map[string]string, error) {
	var listed map[string]struct{ Version string }
	if len(content) > maxCandidates {
		content = content[:maxCandidates] // which is no JSON any more
	}
	if err := json.Unmarshal(content, &listed); err != nil {
		return nil, err
	}
	candidates := map[string]string{}
	for name, one := range listed {
		if version := strings.TrimSpace(one.Version); version != "" {
			candidates[name] = version
		}
	}
	return candidates, nil
}
