package host

import (
	"strings"
	"time"
)

// registryKey is a key of Windows' registry with its values, by their names in
// lower case: Windows makes no difference.
type registryKey struct {
	name    string
	values  map[string]any // string, uint64, []string or []byte
	names   []string       // of the values, as they are written
	written time.Time
}

// text is a value of text; "" when there is none.
func (k registryKey) text(name string) string {
	text, _ := k.values[strings.ToLower(name)].(string)
	return strings.TrimSpace(text)
}

// number is a value of a number; nil when there is none.
func (k registryKey) number(name string) *uint64 {
	if n, ok := k.values[strings.ToLower(name)].(uint64); ok {
		return &n
	}
	return nil
}

// is tells whether a number is there and is this one.
func (k registryKey) is(name string, want uint64) bool {
	n := k.number(name)
	return n != nil && *n == want
}

func (k registryKey) texts(name string) []string {
	list, _ := k.values[strings.ToLower(name)].([]string)
	return list
}

func (k registryKey) bytes(name string) []byte {
	raw, _ := k.values[strings.ToLower(name)].([]byte)
	return raw
}

// fileTime is Windows' time: tenths of microseconds since 1601; the zero time
// for none and for what no clock tells.
func fileTime(ticks uint64) time.Time {
	const sinceUnix = 116444736000000000
	if ticks <= sinceUnix || ticks > 1<<62 {
		return time.Time{}
	}
	ticks -= sinceUnix
	return time.Unix(int64(ticks/1e7), int64(ticks%1e7)*100).UTC()
}
