package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// errLZ4 says that a file is not what the LZ4 formats allow.
var errLZ4 = errors.New("not an LZ4 frame, or a damaged one")

// lz4 reads the LZ4 frame format (version 1.6.1), in which apt keeps its lists
// where Acquire::GzipIndexes is on. Checksums are passed over: a list that was
// damaged costs a wrong version at worst.
type lz4 struct {
	in io.Reader
	// packed[next:] was read and not unpacked yet.
	packed   []byte
	next     int
	started  bool
	blockSum bool
	block    int // largest block
	// text is what Read gave out and, from there on, will give out.
	text []byte
	from int
}

const (
	// lz4Window is how far back a block may refer, in bytes.
	lz4Window = 64 << 10
	// lz4Slack is how far behind its end unpackLZ4 may write, and read.
	lz4Slack = 32
)

func newLZ4(in io.Reader) *lz4 { return &lz4{in: in} }

func (l *lz4) Read(p []byte) (int, error) {
	for l.from == len(l.text) {
		text, n, err := l.extend(l.text, 0)
		if err != nil {
			return 0, err
		}
		l.text, l.from = text, len(text)-n
	}
	n := copy(p, l.text[l.from:])
	l.from += n
	return n, nil
}

// extend unpacks the next block behind the text, whose end is what it unpacked
// before, and returns how much that is. Of the text the last bytes stay that are
// unread or that blocks may refer to. It ends with io.EOF.
func (l *lz4) extend(text []byte, unread int) ([]byte, int, error) {
	if !l.started {
		if err := l.header(); err != nil {
			return text, 0, err
		}
	}
	word, err := l.take(4)
	if err != nil {
		return text, 0, err
	}
	size := binary.LittleEndian.Uint32(word)
	if size == 0 {
		return text, 0, io.EOF // frames that follow are not apt's
	}
	stored := size>>31 != 0
	size &= 1<<31 - 1
	if int(size) > l.block {
		return text, 0, errLZ4
	}
	text = room(text, max(unread, lz4Window), l.block+lz4Slack)
	before := len(text)
	block, err := l.take(int(size))
	if err != nil {
		return text, 0, err
	}
	if stored {
		text = append(text, block...)
	} else if text, err = unpackLZ4(text, block, before+l.block); err != nil {
		return text, 0, err
	}
	if l.blockSum {
		_, err = l.take(4)
	}
	return text, len(text) - before, err
}

// room makes place for more behind the last bytes of a text, which it keeps.
func room(text []byte, kept, more int) []byte {
	if cap(text)-len(text) >= more {
		return text
	}
	kept = min(kept, len(text))
	to := text
	if cap(text) < 2*(kept+more) {
		to = make([]byte, 0, 4*(kept+more)) // moved seldom
	}
	return to[:copy(to[:kept], text[len(text)-kept:])]
}

// take returns the next bytes of the file; they are valid until the next call.
func (l *lz4) take(n int) ([]byte, error) {
	if len(l.packed)-l.next < n {
		const usual = 32 << 10
		rest := len(l.packed) - l.next
		l.packed = room(l.packed, rest, max(n, usual))
		l.next = len(l.packed) - rest
		for len(l.packed)-l.next < n {
			m, err := l.in.Read(l.packed[len(l.packed):cap(l.packed)])
			l.packed = l.packed[:len(l.packed)+m]
			if err != nil && len(l.packed)-l.next < n {
				if err == io.EOF { // in the middle of what was promised
					err = io.ErrUnexpectedEOF
				}
				return nil, fmt.Errorf("%w: %w", errLZ4, err)
			}
		}
	}
	taken := l.packed[l.next : l.next+n]
	l.next += n
	return taken, nil
}

// header reads the frame descriptor.
func (l *lz4) header() error {
	head, err := l.take(6)
	if err != nil {
		return err
	}
	flags, size := head[4], head[5]>>4&7
	if binary.LittleEndian.Uint32(head) != 0x184D2204 || flags>>6 != 1 || flags&1 != 0 || size < 4 {
		return errLZ4 // other versions and dictionaries included
	}
	l.blockSum = flags&0x10 != 0
	l.block = 1 << (8 + 2*int(size))
	rest := 1 // the header's checksum
	if flags&0x08 != 0 {
		rest += 8 // the content's size
	}
	if _, err := l.take(rest); err != nil {
		return err
	}
	l.started = true
	return nil
}

// unpackLZ4 appends what a block (LZ4 block format) holds to plain, which
// starts with the history that the block may refer to, up to limit bytes. Most
// sequences are a few bytes long: where there is room behind both, they are
// copied by words, and what is too much is written over by the next one.
func unpackLZ4(plain, packed []byte, limit int) ([]byte, error) {
	at := len(plain)
	if cap(plain) < limit+lz4Slack {
		plain = append(make([]byte, 0, limit+lz4Slack), plain...)
	}
	to := plain[:limit+lz4Slack]
	from := 0
	length := func(n int) (int, bool) {
		for {
			if from == len(packed) || n > limit {
				return 0, false
			}
			more := int(packed[from])
			from++
			if n += more; more != 255 {
				return n, true
			}
		}
	}
	for from < len(packed) {
		token := packed[from]
		from++
		ok := true
		literals, match := int(token>>4), int(token&15)
		if literals < 15 && len(packed)-from >= lz4Slack && at+literals <= limit {
			*(*[16]byte)(to[at:]) = *(*[16]byte)(packed[from:])
		} else {
			if literals == 15 {
				literals, ok = length(literals)
			}
			if !ok || literals > len(packed)-from || at+literals > limit {
				return to[:at], errLZ4
			}
			copy(to[at:], packed[from:from+literals])
		}
		at, from = at+literals, from+literals
		if from == len(packed) {
			return to[:at], nil // the last sequence has no match
		}
		if len(packed)-from < 2 {
			return to[:at], errLZ4
		}
		offset := int(binary.LittleEndian.Uint16(packed[from:]))
		from += 2
		if match == 15 {
			match, ok = length(match)
		}
		match += 4
		if !ok || offset == 0 || offset > at || at+match > limit {
			return to[:at], errLZ4
		}
		switch source := at - offset; {
		case offset >= 16 && match <= 32:
			*(*[16]byte)(to[at:]) = *(*[16]byte)(to[source:])
			if match > 16 {
				*(*[16]byte)(to[at+16:]) = *(*[16]byte)(to[source+16:])
			}
		case offset >= match:
			copy(to[at:at+match], to[source:])
		default: // a match may run into what it makes
			for done := 0; done < match; {
				done += copy(to[at+done:at+match], to[source:at+done])
			}
		}
		at += match
	}
	return to[:at], nil
}
