package host

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// openedKey is a key of the registry that is open for reading, or none, which
// has no values.
type openedKey struct {
	key  registry.Key
	open bool
}

// openKey opens a key for reading, in the view of 64-bit programs. One that is
// not there is fs.ErrNotExist, one that may not be read fs.ErrPermission.
func openKey(root registry.Key, path string) (openedKey, error) {
	k, err := registry.OpenKey(root, path, registry.READ|registry.WOW64_64KEY)
	if err != nil {
		return openedKey{}, fmt.Errorf(`the registry's key %s: %w`, path, err)
	}
	return openedKey{k, true}, nil
}

// machineKey opens a key below HKEY_LOCAL_MACHINE; one that can't be opened is
// empty.
func machineKey(path string) openedKey {
	k, _ := openKey(registry.LOCAL_MACHINE, path)
	return k
}

// sub opens a key below this one, empty where it can't be opened.
func (k openedKey) sub(path string) openedKey {
	if !k.open {
		return openedKey{}
	}
	below, _ := openKey(k.key, path)
	return below
}

func (k openedKey) close() {
	if k.open {
		k.key.Close()
	}
}

// text is a text value; "" where there is none.
func (k openedKey) text(name string) string {
	if !k.open {
		return ""
	}
	value, kind, err := k.key.GetStringValue(name)
	if err != nil {
		return ""
	}
	if kind == registry.EXPAND_SZ {
		if expanded, err := registry.ExpandString(value); err == nil {
			return expanded
		}
	}
	return value
}

// texts are the lines of a value of several texts, or its only text.
func (k openedKey) texts(name string) []string {
	if !k.open {
		return nil
	}
	if values, _, err := k.key.GetStringsValue(name); err == nil {
		return values
	}
	if text := k.text(name); text != "" {
		return []string{text}
	}
	return nil
}

// number is a number; nil where there is none.
func (k openedKey) number(name string) *uint64 {
	if !k.open {
		return nil
	}
	value, _, err := k.key.GetIntegerValue(name)
	if err != nil {
		return nil
	}
	return &value
}

// flag is a number that is 0 or not; nil where there is none.
func (k openedKey) flag(name string) *bool {
	n := k.number(name)
	if n == nil {
		return nil
	}
	return set(*n != 0)
}

// bytes is a value of bytes; nil where there is none.
func (k openedKey) bytes(name string) []byte {
	if !k.open {
		return nil
	}
	value, _, err := k.key.GetBinaryValue(name)
	if err != nil {
		return nil
	}
	return value
}

// keys are the names of the keys below, sorted, and bounded.
func (k openedKey) keys(most int) []string {
	if !k.open {
		return nil
	}
	names, _ := k.key.ReadSubKeyNames(most) // io.EOF where there are fewer
	slices.Sort(names)
	return names
}

// values are the names of the values, bounded.
func (k openedKey) values(most int) []string {
	if !k.open {
		return nil
	}
	names, _ := k.key.ReadValueNames(most)
	return names
}

// call runs a procedure of a system DLL that returns an error number. Windows
// that does not have it says errors.ErrUnsupported. What its arguments point to must
// not move while it runs: a stack does, when it grows.
//
//go:uintptrescapes
func call(p *windows.LazyProc, arguments ...uintptr) error {
	if err := p.Find(); err != nil {
		return fmt.Errorf("this Windows has no %s: %w", p.Name, errors.ErrUnsupported)
	}
	result, _, _ := p.Call(arguments...)
	if result == 0 {
		return nil
	}
	return windowsError(p.Name, windows.Errno(result))
}
