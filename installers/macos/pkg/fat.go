package main

import (
	"bytes"
	"debug/macho"
	"errors"
	"fmt"
	"os"
)

// pages is what each program in a universal one is aligned to: arm64's pages.
const pages = 14

// join writes a universal program of programs for one processor each
// (mach-o/fat.h).
func join(names []string) ([]byte, error) {
	if len(names) < 2 {
		return nil, errors.New("a universal program is made of two or more")
	}
	out := words(macho.MagicFat, uint32(len(names)))
	var programs [][]byte
	at := uint32(1 << pages)
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		program, err := macho.NewFile(bytes.NewReader(content))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, words(uint32(program.Cpu), program.SubCpu, at, uint32(len(content)), pages)...)
		programs = append(programs, content)
		at += (uint32(len(content)) + 1<<pages - 1) &^ (1<<pages - 1)
	}
	for _, content := range programs {
		out = append(out, make([]byte, -len(out)&(1<<pages-1))...)
		out = append(out, content...)
	}
	return out, nil
}
