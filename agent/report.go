package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// reportWriter prints reports for people, in lines no wider than a terminal.
type reportWriter struct {
	w io.Writer
}

func (r reportWriter) line(format string, args ...any) {
	fmt.Fprintf(r.w, format+"\n", args...)
}

// width is what a terminal shows everywhere.
const width = 78

// wrap prints text indented, cut between words.
func (r reportWriter) wrap(indent, text string) {
	line := indent
	for _, word := range unbroken(text) {
		if len([]rune(line))+1+len([]rune(word)) > width && strings.TrimSpace(line) != "" {
			r.line("%s", line)
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	if strings.TrimSpace(line) != "" {
		r.line("%s", line)
	}
}

// unbroken are the words of a text; French has a space before some marks, and
// those stay with their word.
func unbroken(text string) []string {
	var words []string
	for _, word := range strings.Fields(text) {
		if len(words) > 0 && strings.Contains(": ; ! ? »", word) {
			words[len(words)-1] += " " + word
		} else {
			words = append(words, word)
		}
	}
	return words
}

// group prints one group of a snapshot as an outline.
func (r reportWriter) group(s *constatv1.Snapshot, name string) {
	if m := snapshot.Group(s, name); m != nil {
		r.message("  ", m.ProtoReflect())
	}
}

func (r reportWriter) message(indent string, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		label := label(f)
		switch v := m.Get(f); {
		case f.IsList():
			r.list(indent, label, f, v.List())
		case f.Message() != nil && !isTime(f):
			if text, ok := oneLine(v.Message()); ok && len(indent)+len(label)+len(text) < width {
				r.line("%s%s: %s", indent, label, text)
			} else {
				r.line("%s%s:", indent, label)
				r.message(indent+"  ", v.Message())
			}
		default:
			r.line("%s%s: %s", indent, label, scalarText(f, v))
		}
	}
}

// maxShown is how much of a list a report shows: all that a person compares,
// and not every installed package.
const maxShown = 25

func (r reportWriter) list(indent, label string, f protoreflect.FieldDescriptor, list protoreflect.List) {
	if f.Message() == nil {
		items := make([]string, list.Len())
		for i := range items {
			items[i] = scalarText(f, list.Get(i))
		}
		if more := len(items) - maxShown; more > 0 {
			items = append(items[:maxShown], fmt.Sprintf("… and %d more", more))
		}
		r.line("%s%s: %s", indent, label, strings.Join(items, ", "))
		return
	}
	r.line("%s%s:", indent, label)
	if more := list.Len() - maxShown; more > 0 {
		defer r.line("%s… and %d more: --json has them all", indent, more)
	}
	for i := range min(list.Len(), maxShown) {
		text, ok := oneLine(list.Get(i).Message())
		if ok {
			first := indent + "- "
			for _, l := range wrapWords(text, width-len(first)) {
				r.line("%s%s", first, l)
				first = indent + "    "
			}
			continue
		}
		r.line("%s-", indent)
		r.message(indent+"  ", list.Get(i).Message())
	}
}

func wrapWords(text string, limit int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Split(text, ", ") {
		if line != "" && len(line)+2+len(word) > limit {
			lines = append(lines, line+",")
			line = ""
		}
		if line != "" {
			line += ", "
		}
		line += word
	}
	return append(lines, line)
}

// oneLine writes a message without lists of messages as "name value, …".
func oneLine(m protoreflect.Message) (string, bool) {
	var parts []string
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		v := m.Get(f)
		switch {
		case f.Message() != nil && !isTime(f):
			return "", false
		case f.IsList():
			var items []string
			for j := range v.List().Len() {
				items = append(items, scalarText(f, v.List().Get(j)))
			}
			parts = append(parts, label(f)+" "+strings.Join(items, " "))
		default:
			parts = append(parts, label(f)+" "+scalarText(f, v))
		}
	}
	return strings.Join(parts, ", "), true
}

// label is a field's name as words, without the unit that its value shows.
func label(f protoreflect.FieldDescriptor) string {
	name := string(f.Name())
	for _, unit := range []string{"_bytes", "_percent"} {
		name = strings.TrimSuffix(name, unit)
	}
	return strings.ReplaceAll(name, "_", " ")
}

func isTime(f protoreflect.FieldDescriptor) bool {
	return f.Message() != nil && f.Message().FullName() == (&timestamppb.Timestamp{}).ProtoReflect().Descriptor().FullName()
}

// scalarText writes one value with its unit, which stands in the field's name.
func scalarText(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	name := string(f.Name())
	switch {
	case isTime(f):
		t, ok := v.Message().Interface().(*timestamppb.Timestamp)
		if !ok {
			return "?"
		}
		return t.AsTime().Local().Format(time.DateTime)
	case f.Kind() == protoreflect.BoolKind:
		if v.Bool() {
			return "yes"
		}
		return "no"
	case f.Kind() == protoreflect.DoubleKind:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	case strings.HasSuffix(name, "_bytes") && f.Kind() == protoreflect.Int64Kind:
		return bytesText(v.Int())
	case strings.HasSuffix(name, "_percent"):
		return v.String() + " %"
	}
	if s := v.String(); s != "" {
		return s
	}
	return "none"
}

// bytesText writes a size with a binary unit.
func bytesText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, i := float64(n), -1
	for value >= unit && i < 4 {
		value /= unit
		i++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[i])
}
