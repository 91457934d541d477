// Package config reads a program's settings: one YAML file, strictly, each key
// overridable by the environment and by a flag.
//
// A field `KeyFile string` with the tag `yaml:"keyFile"` is the key keyFile in
// the file, CONSTAT_KEY_FILE in the environment and --key-file on the command
// line. The command line wins over the environment, the environment over the
// file, the file over what the struct held before.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/pflag"
)

// maxFile bounds a configuration file: far more than anyone writes by hand.
const maxFile = 1 << 20

// Load fills into, a pointer to a struct that holds the defaults. An empty file
// name means no file. Flags that were set on the command line are found in
// flags by name. Errors name file, line and key, and say what was expected.
func Load(into any, file string, env func(string) (string, bool), flags *pflag.FlagSet) error {
	if file != "" {
		if err := readFile(into, file); err != nil {
			return err
		}
	}
	v := reflect.ValueOf(into).Elem()
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if key == "" || !scalar(v.Field(i).Type()) {
			continue
		}
		words := split(key)
		name := "CONSTAT_" + strings.ToUpper(strings.Join(words, "_"))
		if text, ok := env(name); ok {
			if err := set(v.Field(i), text); err != nil {
				return fmt.Errorf("environment variable %s: %w", name, err)
			}
		}
		name = strings.Join(words, "-")
		if f := flags.Lookup(name); f != nil && f.Changed {
			text := f.Value.String()
			if list, ok := f.Value.(pflag.SliceValue); ok {
				text = strings.Join(list.GetSlice(), ",")
			}
			if err := set(v.Field(i), text); err != nil {
				return fmt.Errorf("flag --%s: %w", name, err)
			}
		}
	}
	return nil
}

// File is the configuration file to read: the one that was named, else the one
// that a package put on this machine. Who names another data directory means
// another installation, which that file is not about.
func File(named, packaged string, flags *pflag.FlagSet) string {
	data := flags.Lookup("data")
	if named != "" || data != nil && data.Changed {
		return named
	}
	if _, err := os.Stat(packaged); err != nil {
		return ""
	}
	return packaged
}

func readFile(into any, file string) error {
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxFile {
		return fmt.Errorf("%s: %d bytes; a configuration has at most %d", file, info.Size(), maxFile)
	}
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no configuration file %s; leave --config away to use the defaults", file)
	case err != nil:
		return fmt.Errorf("cannot read the configuration: %w", err)
	}
	if err := Parse(text, into); err != nil {
		return fmt.Errorf("%s:%w", file, err)
	}
	return nil
}

var duration = reflect.TypeFor[time.Duration]()

func scalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64:
		return true
	case reflect.Slice:
		return t.Elem().Kind() == reflect.String
	}
	return false
}

// set parses text as the field's type; a list is separated by commas.
func set(field reflect.Value, text string) error {
	switch {
	case field.Type() == duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration like 90s or 5m", text)
		}
		field.SetInt(int64(d))
	case field.Kind() == reflect.String:
		field.SetString(text)
	case field.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		field.SetBool(b)
	case field.Kind() == reflect.Slice:
		var list []string
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		field.Set(reflect.ValueOf(list))
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		field.SetInt(n)
	}
	return nil
}

// split cuts a lowerCamel key into lower-case words.
func split(key string) []string {
	var words []string
	start := 0
	for i, r := range key {
		if unicode.IsUpper(r) {
			words = append(words, strings.ToLower(key[start:i]))
			start = i
		}
	}
	return append(words, strings.ToLower(key[start:]))
}
