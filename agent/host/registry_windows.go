package host

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// Limits of what is read of the registry: subkeys of a key, values of a key.
const (
	maxSubkeys = 5000
	maxValues  = 2000
)

// windowsError gives errors of Windows' interface the kinds that statusOf knows:
// what this version has no function for is unsupported.
func windowsError(call string, err error) error {
	switch {
	case errors.Is(err, windows.ERROR_SUCCESS): // it said no, and not why
		return fmt.Errorf("%s is not offered here: %w", call, errors.ErrUnsupported)
	case errors.Is(err, windows.ERROR_CALL_NOT_IMPLEMENTED), errors.Is(err, windows.ERROR_NOT_SUPPORTED), errors.Is(err, windows.ERROR_INVALID_FUNCTION),
		errors.Is(err, windows.ERROR_PROC_NOT_FOUND),
		errors.Is(err, windows.ERROR_MOD_NOT_FOUND), errors.Is(err, windows.ERROR_EVT_CHANNEL_NOT_FOUND):
		return fmt.Errorf("%s: %w: %w", call, err, errors.ErrUnsupported)
	case errors.Is(err, windows.ERROR_PRIVILEGE_NOT_HELD):
		return fmt.Errorf("%s: %w: %w", call, err, windows.ERROR_ACCESS_DENIED)
	}
	return fmt.Errorf("%s: %w", call, err)
}

// registryValues reads a key of the machine or a user. View is
// registry.WOW64_32KEY for what 32-bit programs see, else 0.
func registryValues(root registry.Key, path string, view uint32) (registryKey, error) {
	key := registryKey{name: path[strings.LastIndexByte(path, '\\')+1:], values: map[string]any{}}
	k, err := registry.OpenKey(root, path, registry.QUERY_VALUE|view64(view))
	if err != nil {
		return key, fmt.Errorf("the registry's %s: %w", key.name, err)
	}
	defer k.Close()
	if info, err := k.Stat(); err == nil {
		key.written = info.ModTime()
	}
	names, err := k.ReadValueNames(maxValues)
	if err != nil && len(names) == 0 {
		return key, nil // empty
	}
	for _, name := range names {
		if value := registryValue(k, name); value != nil {
			key.values[strings.ToLower(name)] = value
			key.names = append(key.names, name)
		}
	}
	return key, nil
}

// view64 has a program see the registry of its machine and not that for its own
// word size.
func view64(view uint32) uint32 {
	if view == 0 {
		return registry.WOW64_64KEY
	}
	return view
}

func registryValue(k registry.Key, name string) any {
	_, kind, err := k.GetValue(name, nil)
	if err != nil {
		return nil
	}
	switch kind {
	case registry.SZ, registry.EXPAND_SZ:
		if text, _, err := k.GetStringValue(name); err == nil {
			return text
		}
	case registry.DWORD, registry.QWORD:
		if n, _, err := k.GetIntegerValue(name); err == nil {
			return n
		}
	case registry.MULTI_SZ:
		if list, _, err := k.GetStringsValue(name); err == nil {
			return list
		}
	case registry.BINARY:
		if raw, _, err := k.GetBinaryValue(name); err == nil {
			return raw
		}
	}
	return nil
}

// registryNames lists the keys below a key, sorted.
func registryNames(root registry.Key, path string, view uint32) ([]string, error) {
	k, err := registry.OpenKey(root, path, registry.ENUMERATE_SUB_KEYS|view64(view))
	if err != nil {
		return nil, fmt.Errorf("the registry's %s: %w", path[strings.LastIndexByte(path, '\\')+1:], err)
	}
	defer k.Close()
	names, err := k.ReadSubKeyNames(maxSubkeys)
	if len(names) > 0 || errors.Is(err, nil) {
		slices.Sort(names)
		return names, nil
	}
	return nil, nil
}

// registryBelow reads all the keys below a key.
func registryBelow(root registry.Key, path string, view uint32) ([]registryKey, error) {
	names, err := registryNames(root, path, view)
	var keys []registryKey
	for _, name := range names {
		if key, err := registryValues(root, path+`\`+name, view); err == nil {
			keys = append(keys, key)
		}
	}
	return keys, err
}

// people are the security ids of the persons whose part of the registry is
// loaded: who is signed in, on this machine's accounts, a domain's or Entra's.
func people() []string {
	names, _ := registryNames(registry.USERS, "", 0)
	return slices.DeleteFunc(names, func(name string) bool {
		person := strings.HasPrefix(name, "S-1-5-21-") || strings.HasPrefix(name, "S-1-12-1-")
		return !person || strings.HasSuffix(name, "_Classes")
	})
}
