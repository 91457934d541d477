package host

import (
	"math"
	"strconv"
	"strings"
)

// profiled are the entries of one data type in what system_profiler wrote: in JSON
// they stand under its name, in a property list beside it.
func profiled(tree node, dataType string) []node {
	if entries := tree.at(dataType).list(); len(entries) > 0 {
		return entries
	}
	for _, report := range tree.list() {
		if report.at("_dataType").text() == dataType {
			return report.at("_items").list()
		}
	}
	return nil
}

// ioEntries calls visit for every entry of a tree that ioreg(8) wrote, parents
// before their children.
func ioEntries(tree node, visit func(entry node)) { descend(tree, 0, visit) }

func descend(n node, depth int, visit func(node)) {
	if depth > maxPlistDepth {
		return
	}
	if list, ok := n.v.([]any); ok {
		for _, one := range list {
			descend(node{one}, depth+1, visit)
		}
		return
	}
	if _, ok := n.v.(map[string]any); ok {
		visit(n)
		descend(n.at("IORegistryEntryChildren"), depth+1, visit)
	}
}

// firstOfKeys is the first of some keys that a dictionary has something under: names
// of properties changed over the years.
func firstOfKeys(n node, keys ...string) node {
	for _, key := range keys {
		if v := n.at(key); v.there() {
			return v
		}
	}
	return node{}
}

// memorySize reads a size of memory as system_profiler writes it, "16 GB": of
// memory, these are powers of 1024. nil of what is none.
func memorySize(text string) *int64 {
	amount, unit, _ := strings.Cut(strings.TrimSpace(text), " ")
	shift, known := map[string]uint{"KB": 10, "MB": 20, "GB": 30, "TB": 40}[strings.TrimSpace(unit)]
	n, err := strconv.ParseFloat(strings.Replace(amount, ",", ".", 1), 64)
	if err != nil || !known || !(n >= 0) || n > 1<<20 {
		return nil
	}
	return set(int64(n * float64(int64(1)<<shift)))
}

// hexNumber reads "0x05ac" and what may stand behind it, as in "0x046d  (Logitech
// Inc.)"; nil of what is none.
func hexNumber(text string) *int64 {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return nil
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(fields[0], "0x"), 16, 64)
	if err != nil || n < 0 || n > math.MaxUint32 {
		return nil
	}
	return &n
}

// labelled is a line "key: value" or "key : value" in what a program wrote for
// people; both are "" where there is no such line.
func labelled(line string) (key, value string) {
	key, value, found := strings.Cut(line, ":")
	if !found {
		return "", ""
	}
	return strings.TrimSpace(key), strings.TrimSpace(value)
}
