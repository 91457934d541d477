package snmp

import "strings"

// SamePort tells that two names of a port are one, written out and short:
// "GigabitEthernet1/0/5" and "Gi1/0/5".
func SamePort(a, b string) bool {
	wordA, numberA := splitName(a)
	wordB, numberB := splitName(b)
	if numberA == "" || numberA != numberB || wordA == "" || wordB == "" {
		return false
	}
	return strings.HasPrefix(wordA, wordB) || strings.HasPrefix(wordB, wordA)
}

func splitName(name string) (word, number string) {
	name = strings.ToLower(strings.ReplaceAll(name, " ", ""))
	i := strings.IndexAny(name, "0123456789")
	if i < 0 {
		return name, ""
	}
	return name[:i], name[i:]
}
