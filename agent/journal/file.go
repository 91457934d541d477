package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// The format of a file (systemd.io/JOURNAL_FILE_FORMAT): objects at offsets, all
// numbers little endian. An entry is a list of data objects, which are
// "FIELD=text" and shared by all entries that have it; those of a field are
// chained from its field object, the one that came last first.
const (
	headerSize      = 208
	objectHeader    = 16
	objectData      = 1
	objectField     = 2
	objectEntry     = 3
	objectArray     = 6
	flagCompressed  = 1<<0 | 1<<1 | 1<<2 // of an object: xz, lz4, zstd
	flagCompact     = 1 << 4             // of a file: offsets of 32 bits
	knownFlags      = 1<<0 | 1<<1 | 1<<2 | 1<<3 | flagCompact
	dataPayload     = 64
	compactPayload  = 72
	fieldPayload    = 40
	entryItems      = 64
	arrayItems      = 24
	maxText         = 768 // of a field; what is longer is compressed or of no interest
	maxItems        = 128 // of an entry
	maxBuckets      = 4096
	maxFields       = 4096
	maxChain        = 64 // arrays double in size
	maxEntriesTaken = 64
)

var (
	errNoJournal = errors.New("no journal of a format that is understood")
	errBounds    = errors.New("the journal leads out of itself")
)

// file is an open journal.
type file struct {
	in      io.ReaderAt
	size    uint64
	compact bool
	// fields and buckets are where the field hash table is, and how large.
	fields, buckets uint64
	newest          time.Time
	buffer          [maxText + compactPayload]byte
}

// open reads a journal's header.
func open(in io.ReaderAt, size int64) (*file, error) {
	var head [headerSize]byte
	if size < headerSize {
		return nil, errNoJournal
	}
	if _, err := in.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("the journal's header: %w", err)
	}
	flags := binary.LittleEndian.Uint32(head[12:])
	if string(head[:8]) != "LPKSHHRH" || flags&^uint32(knownFlags) != 0 {
		return nil, errNoJournal
	}
	f := &file{in: in, size: uint64(size), compact: flags&flagCompact != 0}
	number := func(at int) uint64 { return binary.LittleEndian.Uint64(head[at:]) }
	f.fields, f.buckets = number(120), min(number(128)/16, maxBuckets)
	f.newest = micros(number(192))
	return f, nil
}

// micros is a time of a journal; zero for one that no clock tells.
func micros(n uint64) time.Time {
	if n == 0 || n > 1<<53 {
		return time.Time{}
	}
	return time.UnixMicro(int64(n))
}

// object reads the start of an object, at most as much as fits, and all of what
// it is is checked to lie in the file. The bytes are good until the next call.
func (f *file) object(at uint64, kind byte, least int) (head []byte, size uint64, err error) {
	if at < headerSize || at%8 != 0 || at > f.size-objectHeader {
		return nil, 0, errBounds
	}
	n, err := f.in.ReadAt(f.buffer[:min(uint64(len(f.buffer)), f.size-at)], int64(at))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	head = f.buffer[:n]
	if n < least {
		return nil, 0, errBounds
	}
	size = binary.LittleEndian.Uint64(head[8:])
	if head[0] != kind || size < uint64(least) || size > f.size-at {
		return nil, 0, errBounds
	}
	return head[:min(uint64(n), size)], size, nil
}

// numberAt reads the number at a place of the file.
func (f *file) numberAt(at uint64, bytes int) (uint64, error) {
	var n [8]byte
	if at > f.size-8 {
		return 0, errBounds
	}
	if _, err := f.in.ReadAt(n[:bytes], int64(at)); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(n[:]), nil
}

// data is a data object: its text, "" where it is compressed or too long, and
// where its entries and the next one of its field are.
type data struct {
	text                      []byte
	next, entry, array, count uint64
}

func (f *file) data(at uint64) (d data, err error) {
	payload := dataPayload
	if f.compact {
		payload = compactPayload
	}
	head, size, err := f.object(at, objectData, payload)
	if err != nil {
		return d, err
	}
	number := func(at int) uint64 { return binary.LittleEndian.Uint64(head[at:]) }
	d.next, d.entry, d.array, d.count = number(32), number(40), number(48), number(56)
	if head[1]&flagCompressed == 0 && size == uint64(len(head)) {
		d.text = head[payload:]
	}
	return d, nil
}

// field returns where the chain of a field's data begins; 0 where there is none.
func (f *file) field(name string) (uint64, error) {
	read := 0
	for bucket := range f.buckets {
		at, err := f.numberAt(f.fields+16*bucket, 8)
		if err != nil {
			return 0, err
		}
		for at != 0 {
			if read++; read > maxFields {
				return 0, errBounds
			}
			head, _, err := f.object(at, objectField, fieldPayload)
			if err != nil {
				return 0, err
			}
			if string(head[fieldPayload:]) == name {
				return binary.LittleEndian.Uint64(head[32:]), nil
			}
			at = binary.LittleEndian.Uint64(head[24:])
		}
	}
	return 0, nil
}

// entries are where the last entries of a data object are, oldest first.
func (f *file) entries(d data, most uint64) ([]uint64, error) {
	item := 8
	if f.compact {
		item = 4
	}
	if d.count <= 1 {
		return []uint64{d.entry}, nil
	}
	var offsets []uint64
	if d.count <= most {
		offsets = append(offsets, d.entry)
	}
	left := d.count - 1 // in arrays
	skip := left - min(left, most)
	array := d.array
	for chain := 0; array != 0 && left > 0; chain++ {
		head, size, err := f.object(array, objectArray, arrayItems)
		if err != nil || chain > maxChain {
			return nil, errors.Join(errBounds, err)
		}
		next := binary.LittleEndian.Uint64(head[16:])
		held := min(left, (size-arrayItems)/uint64(item))
		for i := min(skip, held); i < held; i++ {
			offset, err := f.numberAt(array+arrayItems+i*uint64(item), item)
			if err != nil {
				return nil, err
			}
			offsets = append(offsets, offset)
		}
		skip -= min(skip, held)
		left -= held
		array = next
	}
	return offsets, nil
}

// entry reads when an entry was written, and those of its fields that are
// wanted.
func (f *file) entry(at uint64, wanted ...string) (time.Time, map[string]string, error) {
	item := 16
	if f.compact {
		item = 4
	}
	head, size, err := f.object(at, objectEntry, entryItems)
	if err != nil {
		return time.Time{}, nil, err
	}
	written := micros(binary.LittleEndian.Uint64(head[24:]))
	fields := map[string]string{}
	for i := range min((size-entryItems)/uint64(item), maxItems) {
		offset, err := f.numberAt(at+entryItems+i*uint64(item), min(item, 8))
		if err != nil {
			return written, nil, err
		}
		d, err := f.data(offset)
		if err != nil {
			return written, nil, err
		}
		name, value, found := bytes.Cut(d.text, []byte("="))
		for _, want := range wanted {
			if found && string(name) == want {
				fields[want] = strings.ToValidUTF8(string(value), "")
			}
		}
	}
	return written, fields, nil
}
