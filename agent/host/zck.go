package host

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Bounds of zchunk files.
const (
	maxZckHeader = 16 << 20
	maxZckChunk  = 64 << 20
	maxZckChunks = 1 << 20
)

var errZck = errors.New("not a zchunk file, or a damaged one")

// zckChunk is a part of the file that is packed by itself: its sizes there and
// unpacked.
type zckChunk struct{ packed, plain uint64 }

// zckReader unpacks zchunk (zchunk_format.txt of github.com/zchunk/zchunk), in
// which Fedora's repositories list their packages: chunks of Zstandard after a
// header that says how long they are, the first of which is the dictionary of
// all others.
type zckReader struct {
	in     *bufio.Reader
	chunks []zckChunk
	zstd   *zstd.Decoder // nil: the chunks are not packed
	packed []byte
	plain  []byte
	rest   []byte
}

// newZck reads the header and the dictionary. The caller closes it.
func newZck(in io.Reader) (*zckReader, error) {
	z := &zckReader{in: bufio.NewReaderSize(in, 64<<10)}
	var magic [5]byte
	if _, err := io.ReadFull(z.in, magic[:]); err != nil || string(magic[:]) != "\x00ZCK1" {
		return nil, errZck
	}
	sum, err := z.sum()
	if err != nil {
		return nil, err
	}
	size, err := zckNumber(z.in)
	if err != nil || size > maxZckHeader {
		return nil, errZck
	}
	if _, err := z.in.Discard(sum); err != nil { // the header's; who fetched it compared it
		return nil, errZck
	}
	head := make([]byte, size)
	if _, err := io.ReadFull(z.in, head); err != nil {
		return nil, errZck
	}
	kind, chunks, err := parseZckHeader(head, sum)
	if err != nil {
		return nil, err
	}
	var dictionary []byte
	if chunks[0].packed > 0 {
		z.chunks = chunks[:1]
		if kind == zckZstd {
			if z.zstd, err = zckDecoder(); err != nil {
				return nil, err
			}
		}
		if err := z.next(); err != nil {
			z.Close()
			return nil, err
		}
		dictionary = z.rest
		z.rest, z.plain = nil, nil
		z.Close()
	}
	z.chunks = chunks[1:]
	if kind == zckZstd {
		var options []zstd.DOption
		if len(dictionary) > 0 {
			options = append(options, zstd.WithDecoderDicts(dictionary))
		}
		if z.zstd, err = zckDecoder(options...); err != nil {
			return nil, err
		}
	}
	return z, nil
}

func zckDecoder(options ...zstd.DOption) (*zstd.Decoder, error) {
	return zstd.NewReader(nil, append(options, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxZckChunk), zstd.WithDecoderMaxWindow(32<<20))...)
}

// Kinds of packing.
const (
	zckPlain = 0
	zckZstd  = 2
)

// sum reads a kind of checksum, and tells its length: SHA-1, SHA-256, SHA-512, and
// 16 bytes of that.
func (z *zckReader) sum() (int, error) {
	n, err := zckNumber(z.in)
	if err != nil || n > 3 {
		return 0, errZck
	}
	return []int{20, 32, 64, 16}[n], nil
}

// zckNumber reads a number: seven bits a byte, the lowest first, and the highest
// bit set in the last.
func zckNumber(in io.ByteReader) (n uint64, err error) {
	for shift := 0; shift < 63; shift += 7 {
		b, err := in.ReadByte()
		if err != nil {
			return 0, errZck
		}
		n |= uint64(b&0x7f) << shift
		if b&0x80 != 0 {
			return n, nil
		}
	}
	return 0, errZck
}

// parseZckHeader reads how the chunks are packed and how long they are, the
// dictionary first. sum is the length of the checksum of all data.
func parseZckHeader(head []byte, sum int) (kind uint64, chunks []zckChunk, err error) {
	h := &zckHeader{rest: head}
	h.skip(uint64(sum))
	flags := h.number()
	kind = h.number()
	if flags&^uint64(7) != 0 || kind != zckPlain && kind != zckZstd {
		return 0, nil, fmt.Errorf("%w: flags %#x, packed in the way %d", errZck, flags, kind)
	}
	if flags&2 != 0 { // optional elements
		for count := h.number(); count > 0 && !h.bad; count-- {
			h.number()
			h.skip(h.number())
		}
	}
	h.number() // the index's size
	which, count := h.number(), h.number()
	if which > 3 || count > maxZckChunks || h.bad {
		return 0, nil, errZck
	}
	length := []uint64{20, 32, 64, 16}[which]
	for range count {
		if flags&1 != 0 {
			h.number() // the stream
		}
		h.skip(length)
		if flags&4 != 0 {
			h.skip(length) // of the unpacked chunk
		}
		c := zckChunk{h.number(), h.number()}
		if h.bad || c.packed > maxZckChunk || c.plain > maxZckChunk {
			return 0, nil, errZck
		}
		chunks = append(chunks, c)
	}
	if len(chunks) == 0 {
		return 0, nil, errZck
	}
	return kind, chunks, nil
}

// zckHeader is what is left of a header; past its end all is zero, and bad is set.
type zckHeader struct {
	rest []byte
	bad  bool
}

func (h *zckHeader) ReadByte() (byte, error) {
	if len(h.rest) == 0 {
		return 0, io.EOF
	}
	b := h.rest[0]
	h.rest = h.rest[1:]
	return b, nil
}

func (h *zckHeader) number() uint64 {
	n, err := zckNumber(h)
	h.bad = h.bad || err != nil
	return n
}

func (h *zckHeader) skip(n uint64) {
	if n > uint64(len(h.rest)) {
		h.bad, n = true, uint64(len(h.rest))
	}
	h.rest = h.rest[n:]
}

// next unpacks the next chunk.
func (z *zckReader) next() error {
	if len(z.chunks) == 0 {
		return io.EOF
	}
	c := z.chunks[0]
	z.chunks = z.chunks[1:]
	if uint64(cap(z.packed)) < c.packed {
		z.packed = make([]byte, c.packed)
	}
	z.packed = z.packed[:c.packed]
	if _, err := io.ReadFull(z.in, z.packed); err != nil {
		return fmt.Errorf("%w: cut off", errZck)
	}
	if z.zstd == nil || c.packed == 0 {
		z.rest = z.packed
		return nil
	}
	plain, err := z.zstd.DecodeAll(z.packed, z.plain[:0])
	if err != nil || uint64(len(plain)) != c.plain {
		return fmt.Errorf("%w: a chunk of %d bytes instead of %d: %v", errZck, len(plain), c.plain, err)
	}
	z.plain, z.rest = plain, plain
	return nil
}

func (z *zckReader) Read(p []byte) (int, error) {
	for len(z.rest) == 0 {
		if err := z.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.rest)
	z.rest = z.rest[n:]
	return n, nil
}

// Close frees what unpacking took.
func (z *zckReader) Close() {
	if z.zstd != nil {
		z.zstd.Close()
	}
}
