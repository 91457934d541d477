package host

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// maxBroken is how many half-way packages a snapshot names.
const maxBroken = 200

// brokenPackages finds in dpkg's status file what `dpkg --audit` complains of:
// packages whose state is neither installed nor gone, or which must be
// installed again. Sorted.
func brokenPackages(status []byte) []string {
	broken := []string{}
	const key = "\nStatus: "
	for at := 0; ; {
		found := bytes.Index(status[at:], []byte(key))
		if found < 0 {
			break
		}
		at += found + len(key)
		line, _, _ := bytes.Cut(status[at:], []byte("\n"))
		words := strings.Fields(string(line)) // want, error flag, state
		if len(words) != 3 || words[1] == "ok" && (words[2] == "installed" || words[2] == "not-installed" || words[2] == "config-files") {
			continue
		}
		if name := packageAbove(status[:at]); name != "" && len(broken) < maxBroken {
			broken = append(broken, name)
		}
	}
	slices.Sort(broken)
	return slices.Compact(broken)
}

// packageAbove names the package whose paragraph the text ends in.
func packageAbove(status []byte) string {
	start := bytes.LastIndex(status, []byte("\n\n")) + 1
	_, rest, found := bytes.Cut(append([]byte("\n"), status[start:]...), []byte("\nPackage: "))
	if !found {
		return ""
	}
	name, _, _ := bytes.Cut(rest, []byte("\n"))
	return strings.TrimSpace(string(name))
}

// compareVersions orders kernel releases as people do: runs of digits count as
// numbers, so that 6.1.0-9 comes before 6.1.0-37.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		x, y := leadingRun(a), leadingRun(b)
		a, b = a[len(x):], b[len(y):]
		if x == y {
			continue
		}
		if isDigit(x[0]) && isDigit(y[0]) {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if order := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); order != 0 {
				return order
			}
			continue
		}
		return strings.Compare(x, y)
	}
	return cmp.Compare(len(a), len(b))
}

// leadingRun is the digits, or the other characters, that text starts with.
func leadingRun(text string) string {
	end := 1
	for end < len(text) && isDigit(text[end]) == isDigit(text[0]) {
		end++
	}
	return text[:end]
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// newerKernel finds among the names in /boot the newest kernel of the running
// one's flavour ("-amd64"), when it is newer; known is false when the running
// kernel is not among them, as in containers.
func newerKernel(boot []string, running string) (newest string, known bool) {
	flavour := running[strings.LastIndex(running, "-")+1:]
	newest = running
	for _, name := range boot {
		release, found := strings.CutPrefix(name, "vmlinuz-")
		if !found {
			continue
		}
		if release == running {
			known = true
		}
		if release[strings.LastIndex(release, "-")+1:] == flavour && compareVersions(release, newest) > 0 {
			newest = release
		}
	}
	if newest == running {
		newest = ""
	}
	return newest, known
}
