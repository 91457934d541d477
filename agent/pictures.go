package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxPictures and maxPicture bound what is sent with a ticket.
const (
	maxPictures = 3
	maxPicture  = 3 << 20
)

var (
	pngBegin  = []byte("\x89PNG\r\n\x1a\n")
	jpegBegin = []byte("\xff\xd8")
	jpegEnd   = []byte("\xff\xd9")

	errNoPicture = errors.New("neither PNG nor JPEG, or damaged")
)

// bare gives pictures without what their files say beside what is seen: where and
// when one was taken, by whom and with what, smaller pictures, notes.
func bare(pictures [][]byte) ([][]byte, error) {
	if len(pictures) > maxPictures {
		return nil, status.Errorf(codes.InvalidArgument, "a ticket has at most %d pictures", maxPictures)
	}
	pictures = slices.Clone(pictures)
	for i, p := range pictures {
		seen, err := seenOfPNG(p)
		if !bytes.HasPrefix(p, pngBegin) {
			seen, err = seenOfJPEG(p)
		}
		if len(p) > maxPicture || err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "a picture is PNG or JPEG, of at most %d MB", maxPicture>>20)
		}
		pictures[i] = seen
	}
	return pictures, nil
}

// pngSeen are the chunks that make what is seen (PNG 1.2, 4.1 and 4.2); names of
// colour profiles, texts, times and EXIF are not among them.
var pngSeen = []string{"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "sBIT"}

// seenOfPNG keeps those chunks, and nothing behind the end. A chunk is a length, a
// name, the content and a checksum.
func seenOfPNG(p []byte) ([]byte, error) {
	rest, found := bytes.CutPrefix(p, pngBegin)
	if !found {
		return nil, errNoPicture
	}
	seen := slices.Clone(pngBegin)
	const around = 12
	for len(rest) >= around {
		size := uint64(binary.BigEndian.Uint32(rest)) + around
		if size > uint64(len(rest)) {
			return nil, errNoPicture
		}
		name := string(rest[4:8])
		if slices.Contains(pngSeen, name) {
			seen = append(seen, rest[:size]...)
		}
		if name == "IEND" {
			return seen, nil
		}
		rest = rest[size:]
	}
	return nil, errNoPicture
}

// seenOfJPEG keeps tables, frames and scans (ITU-T T.81, B.1), and Adobe's word on the
// colours; not the other segments of applications (JFIF, EXIF, XMP, profiles), no
// comments, and nothing behind the end.
func seenOfJPEG(p []byte) ([]byte, error) {
	const comment, app0, app14, app15, scan = 0xfe, 0xe0, 0xee, 0xef, 0xda
	rest, found := bytes.CutPrefix(p, jpegBegin)
	if !found {
		return nil, errNoPicture
	}
	seen := slices.Clone(jpegBegin)
	for len(rest) >= 4 && rest[0] == 0xff {
		marker := rest[1]
		if marker == 0xff { // it may be filled up with such
			rest = rest[1:]
			continue
		}
		if marker == jpegEnd[1] {
			break
		}
		size := 2 + int(binary.BigEndian.Uint16(rest[2:]))
		if size < 4 || size > len(rest) || marker < 0xc0 {
			return nil, errNoPicture
		}
		if marker == scan {
			size += scanned(rest[size:])
		}
		if marker != comment && (marker < app0 || marker > app15 || marker == app14) {
			seen = append(seen, rest[:size]...)
		}
		rest = rest[size:]
	}
	if !bytes.HasPrefix(rest, jpegEnd) {
		return nil, errNoPicture
	}
	return append(seen, jpegEnd...), nil
}

// scanned is how long a scan goes on: to the next marker that is none of its own.
func scanned(p []byte) int {
	for i := 0; i+1 < len(p); i++ {
		const restart0, restart7 = 0xd0, 0xd7
		if p[i] == 0xff && p[i+1] != 0 && p[i+1] != 0xff && (p[i+1] < restart0 || p[i+1] > restart7) {
			return i
		}
	}
	return len(p)
}
