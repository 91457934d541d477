//go:build !linux

package journal

import "errors"

// openJournal: only Linux has any.
func openJournal(string) (openFile, error) { return openFile{}, errors.ErrUnsupported }

func spawnKind(string, string) (kind, detail string) { return "", "" }
