package host

import (
	"bytes"
	"io"
	"strings"
)

// archive is what the Release file of an apt source says of it.
type archive struct {
	// optional archives are installed from only on demand ("NotAutomatic", as
	// backports and experimental): what they have newer is no update.
	optional bool
	security bool
}

// parseRelease reads the head of an apt source's Release or InRelease file
// (wiki.debian.org/DebianRepository/Format); the checksums that follow do not
// matter here.
func parseRelease(content []byte) archive {
	var a archive
	for line := range bytes.Lines(content) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), ": ")
		switch key {
		case "NotAutomatic":
			a.optional = value == "yes"
		case "Suite", "Codename":
			a.security = a.security || strings.HasSuffix(value, "-security")
		case "Label":
			a.security = a.security || strings.HasSuffix(value, "-Security")
		case "MD5Sum:", "SHA1:", "SHA256:", "SHA512:":
			return a
		}
	}
	return a
}

// releaseOf picks, among the names in apt's directory of lists, the Release
// file that covers a list; "" when there is none.
func releaseOf(names []string, list string) string {
	best, longest := "", -1
	for _, name := range names {
		prefix, found := strings.CutSuffix(name, "InRelease")
		if !found {
			prefix, found = strings.CutSuffix(name, "Release")
		}
		if found && len(prefix) > longest && strings.HasPrefix(list, prefix) {
			best, longest = name, len(prefix)
		}
	}
	return best
}

// listArchitecture is the architecture in the name of a package list:
// "…_main_binary-amd64_Packages"; "" for sources without that order.
func listArchitecture(list string) string {
	_, rest, _ := strings.Cut(list, "_binary-")
	architecture, _, _ := strings.Cut(rest, "_")
	return architecture
}

// offer notes in the installed packages what a package list has newer; at is
// their place by name. A package that only a part of the machines is given yet
// (Phased-Update-Percentage) is not counted as offered. suffix is ":arch" where
// the list is of another architecture than the machine's own.
func offer(packages []dpkgPackage, at map[string]int, list io.Reader, suffix string, from archive) error {
	var name []byte
	return eachNamed(list, func(value []byte) bool {
		name = append(append(name[:0], value...), suffix...)
		_, installed := at[string(name)]
		return installed
	}, func(p []byte) {
		name = append(append(name[:0], fieldOf(p, "Package: ")...), suffix...)
		i, installed := at[string(name)]
		if !installed {
			return
		}
		if phase := fieldOf(p, "Phased-Update-Percentage: "); phase != nil && string(phase) != "100" {
			return
		}
		version := string(fieldOf(p, "Version: "))
		one := &packages[i]
		if compareDebian(version, one.version) <= 0 {
			return
		}
		one.security = one.security || from.security
		if one.available == "" || compareDebian(version, one.available) > 0 {
			one.available = version
		}
	})
}

// parsePins reads a preferences file (apt_preferences(5)): the packages whose
// version an administrator decides on by name, and the first pattern that is
// more than a name, "" when there is none.
func parsePins(preferences []byte) (names []string, pattern string) {
	for line := range bytes.Lines(preferences) {
		list, found := strings.CutPrefix(strings.TrimSpace(string(line)), "Package:")
		if !found {
			continue
		}
		for _, word := range strings.Fields(list) {
			if strings.ContainsAny(word, "*?[/:") {
				return nil, word
			}
			names = append(names, word)
		}
	}
	return names, ""
}
