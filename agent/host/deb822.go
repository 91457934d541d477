package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Limits of a file in paragraphs: package lists of large distributions have
// 100 MB; a paragraph of apt's history names all packages of one run.
const (
	maxParagraph = 1 << 20
	maxDeb822    = 512 << 20
)

// eachParagraph streams a file of paragraphs with "Field: value" lines, as dpkg
// and apt write them (deb822(5)), and hands each paragraph to do. It holds one
// buffer, whatever the file's size; the paragraph is valid during the call
// only. It ends with do's first error, or when the file or a paragraph is
// larger than the limits above.
func eachParagraph(in io.Reader, do func(paragraph []byte) error) error {
	buffer := make([]byte, 0, 64<<10)
	for total := 0; ; {
		if len(buffer) == cap(buffer) {
			if cap(buffer) >= maxParagraph {
				return fmt.Errorf("a paragraph of more than %d bytes", maxParagraph)
			}
			buffer = append(make([]byte, 0, 2*cap(buffer)), buffer...)
		}
		n, err := in.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if total += n; total > maxDeb822 {
			return fmt.Errorf("more than %d bytes", maxDeb822)
		}
		rest := buffer
		for {
			paragraph, after, found := bytes.Cut(rest, []byte("\n\n"))
			if !found {
				break
			}
			rest = after
			if err := do(paragraph); err != nil {
				return err
			}
		}
		buffer = buffer[:copy(buffer, rest)]
		switch {
		case errors.Is(err, io.EOF):
			if len(buffer) == 0 {
				return nil
			}
			return do(buffer)
		case err != nil:
			return err
		}
	}
}

// fieldOf returns the first line of a field of a paragraph, nil when there is
// none. The key is written with its colon and space: "Version: ".
func fieldOf(paragraph []byte, key string) []byte {
	for rest := paragraph; ; {
		at := bytes.Index(rest, []byte(key))
		if at < 0 {
			return nil
		}
		if start := len(paragraph) - len(rest) + at; start == 0 || paragraph[start-1] == '\n' {
			value, _, _ := bytes.Cut(paragraph[start+len(key):], []byte("\n"))
			return bytes.TrimSpace(value)
		}
		rest = rest[at+len(key):]
	}
}
