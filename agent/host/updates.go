package host

import (
	"cmp"
	"strings"
)

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
