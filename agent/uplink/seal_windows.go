package uplink

import (
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
)

// sealedKind is the PEM label of a key that only this computer can open.
const sealedKind = "DPAPI PRIVATE KEY"

// sealKey seals a key with this computer's own (CryptProtectData): who has the
// file, of a backup or a disk, has not the key.
func sealKey(der []byte) (kind string, content []byte, err error) {
	content, err = protection(der, func(in, out *windows.DataBlob) error {
		return windows.CryptProtectData(in, nil, nil, 0, nil, windows.CRYPTPROTECT_LOCAL_MACHINE|windows.CRYPTPROTECT_UI_FORBIDDEN, out)
	})
	return sealedKind, content, err
}

// openKey returns a key's PEM, opened where it is sealed.
func openKey(text []byte) ([]byte, error) {
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return nil, errors.New("the key is missing")
	case block.Type != sealedKind:
		return text, nil
	}
	der, err := protection(block.Bytes, func(in, out *windows.DataBlob) error {
		return windows.CryptUnprotectData(in, nil, nil, 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, out)
	})
	if err != nil {
		return nil, fmt.Errorf("the key was sealed by another computer, or another installation of Windows: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyKind, Bytes: der}), nil
}

// protection runs one of DPAPI's two functions.
func protection(content []byte, f func(in, out *windows.DataBlob) error) ([]byte, error) {
	if len(content) == 0 {
		return nil, errors.New("there is nothing to it")
	}
	in := windows.DataBlob{Size: uint32(len(content)), Data: &content[0]}
	var out windows.DataBlob
	if err := f(&in, &out); err != nil {
		return nil, err
	}
	defer func() { _, _ = windows.LocalFree(windows.Handle(unsafe.Pointer(out.Data))) }()
	return slices.Clone(unsafe.Slice(out.Data, out.Size)), nil
}
