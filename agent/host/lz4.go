package host

import (
	"bufio"
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
	in       *bufio.Reader
	started  bool
	linked   bool // blocks refer to the ones before
	blockSum bool
	packed   []byte
	// plain holds up to 64 KiB of history, then the block that is read from.
	plain []byte
	from  int
	block int // largest block
}

const lz4Window = 64 << 10

func newLZ4(in io.Reader) io.Reader { return &lz4{in: bufio.NewReaderSize(in, 64<<10)} }

func (l *lz4) Read(p []byte) (int, error) {
	for l.from == len(l.plain) {
		if !l.started {
			if err := l.header(); err != nil {
				return 0, err
			}
		}
		if err := l.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, l.plain[l.from:])
	l.from += n
	return n, nil
}

// header reads the frame descriptor.
func (l *lz4) header() error {
	var head [6]byte
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return fmt.Errorf("%w: %w", errLZ4, err)
	}
	flags, size := head[4], head[5]>>4&7
	if binary.LittleEndian.Uint32(head[:]) != 0x184D2204 || flags>>6 != 1 || flags&1 != 0 || size < 4 {
		return errLZ4 // other versions and dictionaries included
	}
	l.linked, l.blockSum = flags&0x20 == 0, flags&0x10 != 0
	l.block = 1 << (8 + 2*size)
	rest := 1 // the header's checksum
	if flags&0x08 != 0 {
		rest += 8 // the content's size
	}
	if _, err := l.in.Discard(rest); err != nil {
		return fmt.Errorf("%w: %w", errLZ4, err)
	}
	l.started = true
	return nil
}

// next reads one block; io.EOF after the last one.
func (l *lz4) next() error {
	var word [4]byte
	if _, err := io.ReadFull(l.in, word[:]); err != nil {
		return fmt.Errorf("%w: %w", errLZ4, err)
	}
	size := binary.LittleEndian.Uint32(word[:])
	if size == 0 {
		return io.EOF // frames that follow are not apt's
	}
	stored := size>>31 != 0
	size &= 1<<31 - 1
	if int(size) > l.block {
		return errLZ4
	}
	if cap(l.packed) < int(size) {
		l.packed = make([]byte, size)
	}
	l.packed = l.packed[:size]
	if _, err := io.ReadFull(l.in, l.packed); err != nil {
		return fmt.Errorf("%w: %w", errLZ4, err)
	}
	if l.blockSum {
		if _, err := l.in.Discard(4); err != nil {
			return fmt.Errorf("%w: %w", errLZ4, err)
		}
	}
	history := 0
	if l.linked {
		history = copy(l.plain, l.plain[max(0, len(l.plain)-lz4Window):])
	}
	if cap(l.plain) < history+l.block {
		l.plain = append(make([]byte, 0, lz4Window+l.block), l.plain[:history]...)
	}
	l.plain, l.from = l.plain[:history], history
	if stored {
		l.plain = append(l.plain, l.packed...)
		return nil
	}
	var err error
	l.plain, err = unpackLZ4(l.plain, l.packed, history+l.block)
	return err
}

// unpackLZ4 appends what a block (LZ4 block format) holds to plain, which
// starts with the history that the block may refer to, up to limit bytes.
func unpackLZ4(plain, packed []byte, limit int) ([]byte, error) {
	length := func(n int) (int, bool) {
		for n >= 15 {
			if len(packed) == 0 || n > limit {
				return 0, false
			}
			more := int(packed[0])
			packed = packed[1:]
			if n += more; more != 255 {
				break
			}
		}
		return n, true
	}
	for len(packed) > 0 {
		token := packed[0]
		packed = packed[1:]
		literals, ok := length(int(token >> 4))
		if !ok || literals > len(packed) || len(plain)+literals > limit {
			return plain, errLZ4
		}
		plain = append(plain, packed[:literals]...)
		if packed = packed[literals:]; len(packed) == 0 {
			return plain, nil // the last sequence has no match
		}
		if len(packed) < 2 {
			return plain, errLZ4
		}
		offset := int(binary.LittleEndian.Uint16(packed))
		packed = packed[2:]
		match, ok := length(int(token & 15))
		match += 4
		if !ok || offset == 0 || offset > len(plain) || len(plain)+match > limit {
			return plain, errLZ4
		}
		for match > 0 { // a match may run into what it makes
			n := min(match, offset)
			plain = append(plain, plain[len(plain)-offset:len(plain)-offset+n]...)
			match -= n
		}
	}
	return plain, nil
}
