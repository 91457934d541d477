// Package series packs numbers that are measured again and again: an endpoint's
// vitals, the counters of a switch's ports. One chunk holds one hour of one
// series; what belongs to a longer time is a row of chunks.
//
// # Format
//
//	1 byte   version, 1
//	uvarint  the hour, counted from the Unix epoch
//	records
//
// A record is a uvarint whose lowest bit tells whether the time is a surprise,
// and whose rest is the value's difference from the one before, in zigzag. After
// a surprise comes a varint: by how many milliseconds the time since the last
// sample differs from the step before it. So a sample that comes on time and
// differs by less than 32 costs one byte, an hour of them some 70, and a counter
// of a busy port five bytes a sample.
//
// The bit-packed formats of time-series databases would save about a third of
// that. Whole bytes are kept because a chunk then grows only at its end, can be
// followed in a dump, and is decoded in 10 ns a sample.
// Values are integers because what is measured is a count, or was rounded
// already: the difference of two rounded floating-point numbers has a full
// mantissa. The unit is the owner's to know (tenths of a percent, octets).
package series

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"
)

const (
	version = 1
	hourMs  = int64(time.Hour / time.Millisecond)

	// MaxSamples is how many samples a chunk holds: one a second.
	MaxSamples = 3600
	// MaxBytes is the most that a chunk takes: 10 for a value, 5 for a time.
	MaxBytes = 16 + 15*MaxSamples
	// MaxValue bounds values on both sides of zero: the difference of two of
	// them, with its sign and the mark for the time, fits in 64 bits.
	MaxValue = 1 << 60
	// maxHour is the last hour of the year 9999, the last that RFC 3339 writes.
	maxHour = 70389527
)

// What Append refuses.
var (
	ErrHour  = errors.New("series: the sample is not of the chunk's hour")
	ErrOrder = errors.New("series: the sample is not later than the last one")
	ErrRange = errors.New("series: the value is too large")
	ErrFull  = errors.New("series: the chunk is full")
)

// Sample is one measurement.
type Sample struct {
	// At is in UTC, to the millisecond.
	At    time.Time
	Value int64
}

// Chunk is the samples of one series in one hour. Its zero value is empty and
// takes its hour from the first sample. It must not be copied once in use.
type Chunk struct {
	content []byte
	count   int
	cursor
}

// cursor is where a chunk's encoding stands: all that the next record is
// relative to.
type cursor struct {
	hour  int64
	at    int64 // milliseconds since the hour began
	step  int64 // of at, the last time
	value int64
}

// Hour is the start of the hour that a time is in.
func Hour(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

// Append adds a sample. After an error the chunk is what it was.
func (c *Chunk) Append(at time.Time, value int64) error {
	ms := at.UnixMilli()
	if ms < 0 || ms/hourMs > maxHour {
		return ErrHour
	}
	hour, ms := ms/hourMs, ms%hourMs
	switch {
	case c.count > 0 && hour != c.hour:
		return ErrHour
	case c.count > 0 && ms <= c.at:
		return ErrOrder
	case value < -MaxValue || value > MaxValue:
		return ErrRange
	case c.count == MaxSamples:
		return ErrFull
	}
	if c.count == 0 {
		c.cursor = cursor{hour: hour}
		c.content = binary.AppendUvarint(append(c.content[:0], version), uint64(hour))
	}
	step := ms - c.at
	head := zigzag(value-c.value) << 1
	if step == c.step && c.count > 0 {
		c.content = binary.AppendUvarint(c.content, head)
	} else {
		c.content = binary.AppendUvarint(c.content, head|1)
		c.content = binary.AppendVarint(c.content, step-c.step)
	}
	c.at, c.step, c.value = ms, step, value
	c.count++
	return nil
}

func zigzag(n int64) uint64   { return uint64(n<<1) ^ uint64(n>>63) }
func unzigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

// Bytes is the chunk as it is stored. It is valid until the next Append, and
// nil while the chunk is empty.
func (c *Chunk) Bytes() []byte { return c.content }

// Len is how many samples the chunk holds.
func (c *Chunk) Len() int { return c.count }

// Hour is the start of the chunk's hour; zero while it is empty.
func (c *Chunk) Hour() time.Time {
	if c.count == 0 {
		return time.Time{}
	}
	return time.UnixMilli(c.hour * hourMs).UTC()
}

// Parse takes a stored chunk back, checked to its end: what it returns can be
// read and appended to. The chunk keeps content.
func Parse(content []byte) (*Chunk, error) {
	hour, rest, err := header(content)
	if err != nil {
		return nil, err
	}
	// Cut, so that appending does not write into what lies behind.
	c := &Chunk{content: content[:len(content):len(content)], cursor: cursor{hour: hour}}
	for len(rest) > 0 {
		if c.count == MaxSamples {
			return nil, ErrFull
		}
		if rest, err = c.next(rest, c.count == 0); err != nil {
			return nil, fmt.Errorf("series: sample %d: %w", c.count+1, err)
		}
		c.count++
	}
	if c.count == 0 {
		return nil, errors.New("series: a chunk without samples")
	}
	return c, nil
}

func header(content []byte) (hour int64, rest []byte, err error) {
	switch {
	case len(content) > MaxBytes:
		return 0, nil, fmt.Errorf("series: a chunk of %d bytes, at most %d", len(content), MaxBytes)
	case len(content) == 0:
		return 0, nil, errors.New("series: an empty chunk")
	case content[0] != version:
		return 0, nil, fmt.Errorf("series: format %d is not known here, only %d", content[0], version)
	}
	n, size := binary.Uvarint(content[1:])
	if size <= 0 || n > maxHour {
		return 0, nil, errors.New("series: a chunk of no hour")
	}
	return int64(n), content[1+size:], nil
}

var errCut = errors.New("it is cut")

// next reads one record.
func (c *cursor) next(content []byte, first bool) (rest []byte, err error) {
	head, size := binary.Uvarint(content)
	if size <= 0 {
		return nil, errCut
	}
	content = content[size:]
	step := c.step
	if head&1 != 0 {
		change, size := binary.Varint(content)
		if size <= 0 || change < -2*hourMs || change > 2*hourMs {
			return nil, errCut
		}
		content = content[size:]
		step += change
	}
	at, value := c.at+step, c.value+unzigzag(head>>1)
	if at >= hourMs || at < 0 || step <= 0 && !first {
		return nil, errors.New("its time is not in order")
	}
	if value < -MaxValue || value > MaxValue {
		return nil, ErrRange
	}
	c.at, c.step, c.value = at, step, value
	return content, nil
}

// Samples gives the samples in order. Appending meanwhile does not disturb it.
func (c *Chunk) Samples() iter.Seq[Sample] {
	content, count := c.content, c.count
	return func(yield func(Sample) bool) {
		if count == 0 {
			return
		}
		hour, rest, err := header(content)
		at := cursor{hour: hour}
		for i := range count {
			if err == nil {
				rest, err = at.next(rest, i == 0)
			}
			if err != nil {
				return // not in a chunk that Parse or Append made
			}
			if !yield(Sample{time.UnixMilli(hour*hourMs + at.at).UTC(), at.value}) {
				return
			}
		}
	}
}
