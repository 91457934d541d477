package history

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"iter"
	"slices"
	"strings"
	"time"

	"constat/internal/series"
)

// A file of vitals is a row of frames:
//
//	2 bytes  length of the rest, big endian
//	4 bytes  CRC-32C of the rest, big endian
//	rest     kind and owner, each behind its length in one byte, and a chunk
//
// While its hour lasts a file grows by one write a minute, each sample a chunk
// of its own; when the hour is over, it is written again with one chunk a
// series, a sixth of the size. Both are read alike, so that what a crash left
// as it was is good as well. A frame that is not whole ends the file: it was
// being written when the power went.

// name is what a series is of.
type name struct{ kind, owner string }

const (
	frameHeader = 6
	// maxFrame bounds a frame. A minute's chunk has some 20 bytes, an hour's 200.
	maxFrame = 1 << 15
	// maxFile bounds a file: an hour of maxSeries series, a sample a minute.
	maxFile = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame adds a chunk to a file's content. Owners come from outside and
// are cut.
func appendFrame(b []byte, n name, chunk []byte) []byte {
	body := make([]byte, 0, 2+len(n.kind)+len(n.owner)+len(chunk))
	for _, text := range []string{n.kind, n.owner} {
		text = text[:min(len(text), 255)]
		body = append(append(body, byte(len(text))), text...)
	}
	body = append(body, chunk...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(body, castagnoli))
	return append(b, body...)
}

// readFrames gives the chunks of a file, and how many of its bytes are good.
// Frames that are whole and say nothing we know are passed over.
func readFrames(content []byte, take func(name, *series.Chunk)) (good int) {
	for {
		rest := content[good:]
		if len(rest) < frameHeader {
			return good
		}
		size := int(binary.BigEndian.Uint16(rest))
		if size == 0 || size > maxFrame || len(rest) < frameHeader+size {
			return good
		}
		body := rest[frameHeader : frameHeader+size]
		if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(rest[2:]) {
			return good
		}
		good += frameHeader + size
		if n, chunk, err := parseFrame(body); err == nil {
			take(n, chunk)
		}
	}
}

func parseFrame(body []byte) (n name, c *series.Chunk, err error) {
	for _, text := range []*string{&n.kind, &n.owner} {
		if len(body) == 0 || len(body) < 1+int(body[0]) {
			return n, nil, fmt.Errorf("a frame without names")
		}
		*text = string(body[1 : 1+body[0]])
		body = body[1+body[0]:]
	}
	c, err = series.Parse(body)
	return n, c, err
}

// rows are chunks by series, each row in the order of time.
type rows map[name][]*series.Chunk

// add takes the chunks of a file, up to maxSeries series and without samples at
// or after the end of time: a clock that ran ahead left them.
func (r rows) add(content []byte, end time.Time) (good int) {
	return readFrames(content, func(n name, c *series.Chunk) {
		row, known := r[n]
		if !known && len(r) >= maxSeries {
			return
		}
		if len(row) == 0 || row[len(row)-1].Hour().Before(c.Hour()) {
			if !c.Hour().Add(time.Hour).After(end) {
				r[n] = append(row, c) // whole, as after an hour was packed
				return
			}
			row = append(row, new(series.Chunk))
		}
		last := row[len(row)-1]
		for s := range c.Samples() {
			if s.At.Before(end) {
				_ = last.Append(s.At, s.Value) // not in order: the same again
			}
		}
		if last.Len() > 0 {
			r[n] = row
		}
	})
}

// samples gives those of one series.
func (r rows) samples(n name) iter.Seq[series.Sample] { return series.Join(r[n]...) }

// pack writes rows as a file.
func (r rows) pack() []byte {
	var b []byte
	for _, n := range r.names() {
		for _, c := range r[n] {
			b = appendFrame(b, n, c.Bytes())
		}
	}
	return b
}

// names are sorted by kind, then owner.
func (r rows) names() []name {
	all := make([]name, 0, len(r))
	for n := range r {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b name) int {
		return strings.Compare(a.kind+"\x00"+a.owner, b.kind+"\x00"+b.owner)
	})
	return all
}
