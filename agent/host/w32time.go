package host

import (
	"strconv"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// w32timeStatus reads what "w32tm /query /status" prints. Its words are in the
// system's language; their order is not: the leap indicator first, of which 3
// means not synchronised (RFC 5905), and the source eighth, with its flags after a
// comma. A source that is this machine's own clock is none.
func w32timeStatus(c *constatv1.Clock, output string) bool {
	var values []string
	for line := range strings.Lines(output) {
		if _, value, found := strings.Cut(line, ": "); found {
			values = append(values, strings.TrimSpace(value))
		}
	}
	if len(values) < 8 {
		return false
	}
	digits, _, _ := strings.Cut(values[0], "(")
	leap, err := strconv.Atoi(strings.TrimSpace(digits))
	if err != nil || leap < 0 || leap > 3 {
		return false
	}
	// "LOCL", the clock of this machine: the fifth and later lines are its own.
	own := strings.HasPrefix(values[5], "0x4C4F434C")
	c.Synchronized = set(leap != 3 && !own)
	if source, _, _ := strings.Cut(values[7], ","); source != "" && !own {
		c.Source = &source
	}
	return true
}

// w32timeWanted tells whether the time service is to run with the machine and to
// ask somebody for the time; nil where Windows starts it when it thinks fit.
func w32timeWanted(startType string, parameters registryKey) *bool {
	switch {
	case startType == "disabled", strings.EqualFold(parameters.text("Type"), "NoSync"):
		return set(false)
	case startType == "automatic":
		return set(true)
	}
	return nil
}
