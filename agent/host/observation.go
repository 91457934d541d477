package host

import (
	"context"
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// Words of Observation.status and Gap.status.
const (
	statusObserved    = "observed"
	statusUnsupported = "unsupported"
	statusDenied      = "denied"
	statusFailed      = "failed"
	statusWithheld    = "withheld"
)

// errWithheld: the system could tell it, and does not tell it to programs.
var errWithheld = errors.New("withheld by the operating system")

// observed says that a group was read from the named source.
func observed(source string) *constatv1.Observation {
	return &constatv1.Observation{Status: statusObserved, Source: source}
}

// failed says why a group was not read. The error's kind decides between
// denied, unsupported and failed.
func failed(source string, err error) *constatv1.Observation {
	return &constatv1.Observation{Status: statusOf(err), Source: source, Reason: reasonOf(err)}
}

// gap notes a fact of an observed group that could not be read.
func gap(o *constatv1.Observation, fact string, err error) {
	o.Gaps = append(o.Gaps, &constatv1.Gap{Fact: fact, Status: statusOf(err), Reason: reasonOf(err)})
}

// statusOf is the one place that tells denied, unsupported and failed apart. A
// file that does not exist is something this kernel or machine does not have.
func statusOf(err error) string {
	switch {
	case errors.Is(err, errWithheld):
		return statusWithheld
	case errors.Is(err, fs.ErrPermission):
		return statusDenied
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, fs.ErrNotExist):
		return statusUnsupported
	default:
		return statusFailed
	}
}

// reasonOf writes an error for a technician.
func reasonOf(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return clean("timed out: " + err.Error())
	}
	text := strings.ReplaceAll(err.Error(), ": "+errors.ErrUnsupported.Error(), "") // the status says so
	return clean(strings.ReplaceAll(text, "\n", "; "))                              // of several, as errors.Join has them
}

// maxText is the longest text a fact keeps, in bytes; names, models and
// addresses are far below.
const maxText = 1024

// scrub makes every text of a message fit for the wire, a log and a terminal,
// whatever a device or file put there: valid UTF-8, no control characters, no
// space around, at most maxText bytes. A message that is clean already is only
// read.
func scrub(m proto.Message) { scrubStruct(reflect.ValueOf(m).Elem()) }

// scrubStruct goes through a generated struct, which costs a fraction of asking
// the schema.
func scrubStruct(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			if text := f.String(); !isClean(text) {
				f.SetString(clean(text))
			}
		case reflect.Interface: // one of several
			if !f.IsNil() {
				scrubStruct(f.Elem().Elem())
			}
		case reflect.Pointer:
			scrubPointer(f)
		case reflect.Slice:
			scrubList(f)
		}
	}
}

func scrubList(list reflect.Value) {
	switch list.Type().Elem().Kind() {
	case reflect.Pointer:
		for i := range list.Len() {
			scrubPointer(list.Index(i))
		}
	case reflect.String:
		for i := range list.Len() {
			if text := list.Index(i).String(); !isClean(text) {
				list.Index(i).SetString(clean(text))
			}
		}
	}
}

func scrubPointer(p reflect.Value) {
	switch v := p.Elem(); v.Kind() {
	case reflect.Struct:
		scrubStruct(v)
	case reflect.String:
		if text := v.String(); !isClean(text) {
			text = clean(text)
			p.Set(reflect.ValueOf(&text)) // others may point to the old one
		}
	}
}

// clean is what scrub does to one text.
func clean(text string) string {
	if isClean(text) {
		return text
	}
	text = strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case c == utf8.RuneError || unicode.IsControl(c):
			return -1
		}
		return c
	}, text)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return strings.TrimSpace(text)
}

// isClean tells of nearly all texts that there is nothing to clean.
func isClean(text string) bool {
	if len(text) > maxText || text != "" && (text[0] == ' ' || text[len(text)-1] == ' ') {
		return false
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
