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

var errNoPackage = errors.New("a paragraph is of no package")

// eachNamed hands over those paragraphs of a package list whose package is
// wanted, and refuses a list with a paragraph that is of none. A list has 60,000
// paragraphs, of which a machine has one of a hundred: it is gone through by
// lines, and only names are looked at. Limits are eachParagraph's.
func eachNamed(list io.Reader, wanted func(name []byte) bool, do func(paragraph []byte)) error {
	const key = "Package: "
	extend := extendFrom(list)
	var text []byte
	start, line := 0, 0           // where the paragraph begins, and the line
	named, chosen := false, false // what is known of the paragraph
	for total, ended := 0, false; !ended; {
		if len(text)-start > maxParagraph {
			return fmt.Errorf("a paragraph of more than %d bytes", maxParagraph)
		}
		unread, looked := len(text)-start, line-start
		longer, n, err := extend(text, unread)
		if ended = errors.Is(err, io.EOF); err != nil && !ended {
			return err
		}
		text, start = longer, len(longer)-n-unread
		line = start + looked
		if total += n; total > maxDeb822 {
			return fmt.Errorf("more than %d bytes", maxDeb822)
		}
		for {
			size := bytes.IndexByte(text[line:], '\n')
			if size < 0 && !ended {
				break
			}
			if size < 0 {
				size = len(text) - line
			}
			if size == 0 {
				if line > start && !named {
					return errNoPackage
				}
				if chosen {
					do(text[start:line])
				}
				if line == len(text) {
					return nil
				}
				start, named, chosen = line+1, false, false
			} else if !named && text[line] == key[0] && bytes.HasPrefix(text[line:line+size], []byte(key)) {
				name := bytes.TrimSpace(text[line+len(key) : line+size])
				if named = len(name) > 0; !named {
					return errNoPackage
				}
				chosen = wanted(name)
			}
			line = min(line+size+1, len(text))
		}
	}
	return nil
}

// extendFrom returns what reads more of a file behind the end of a text: it
// returns the text, of which only the last unread bytes need stay, and how much
// more it is, with io.EOF at the end.
func extendFrom(in io.Reader) func(text []byte, unread int) ([]byte, int, error) {
	if packed, ok := in.(*lz4); ok {
		return packed.extend
	}
	return func(text []byte, unread int) ([]byte, int, error) {
		text = room(text, unread, 64<<10)
		n, err := in.Read(text[len(text):cap(text)])
		return text[:len(text)+n], n, err
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
