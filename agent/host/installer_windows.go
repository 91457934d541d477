package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/windows/registry"

	constatv1 "constat/proto/constat/v1"
)

// maxComponents is how many components of installed products are looked at: an
// office computer has some ten thousand.
const maxComponents = 60000

// verifyProducts looks whether the files are there by which Windows Installer
// knows each component of a product: where one is missing, it repairs the product
// itself at the next occasion. Products are by their codes.
func verifyProducts(ctx context.Context, products map[string]*constatv1.Program) error {
	byPacked := map[string]*constatv1.Program{}
	for code, p := range products {
		if packed := packedCode(code); packed != "" {
			byPacked[strings.ToLower(packed)] = p
		}
	}
	const place = currentVersion + `\Installer\UserData\S-1-5-18\Components`
	all, err := registry.OpenKey(registry.LOCAL_MACHINE, place, registry.ENUMERATE_SUB_KEYS|registry.WOW64_64KEY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was installed by it
	}
	if err != nil {
		return fmt.Errorf("the components of Windows Installer: %w", err)
	}
	defer all.Close()
	names, err := all.ReadSubKeyNames(maxComponents)
	if err != nil && len(names) == 0 {
		return nil
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			for _, p := range byPacked {
				if !p.GetDamaged() {
					p.Damaged = nil // the rest was not looked at
				}
			}
			return err
		}
		key, err := registryValues(registry.LOCAL_MACHINE, place+`\`+name, 0)
		if err != nil {
			continue
		}
		for packed := range key.values {
			p := byPacked[packed]
			file := keyFile(key.text(packed))
			if p == nil || file == "" || p.GetDamaged() {
				continue
			}
			switch _, err := os.Stat(file); {
			case err == nil:
				p.Damaged = set(false)
			case errors.Is(err, fs.ErrNotExist) && driveThere(file):
				p.Damaged = set(true)
			}
		}
	}
	return nil
}

// driveThere tells whether the drive of a file is there at all.
func driveThere(file string) bool {
	_, err := os.Stat(file[:2] + `\`)
	return err == nil
}
