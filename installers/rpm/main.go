// Program rpm writes a package of nfpm's anew, in place: with one dictionary
// over all its programs, which share most of their libraries, so that it is a
// third smaller; and with names in its archive that begin with "./", as those of
// rpmbuild do. With absolute ones, tools that unpack it with cpio, rpmlint among
// them, write into the system they run on.
package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: rpm PACKAGE…")
		os.Exit(2)
	}
	for _, name := range os.Args[1:] {
		if err := rewrite(name); err != nil {
			fmt.Fprintf(os.Stderr, "rpm: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

func rewrite(name string) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	archive, err := pipe(payload(old), "xz", "--decompress", "--stdout")
	if err != nil {
		return err
	}
	if archive, err = relative(archive); err != nil {
		return err
	}
	// LEVEL is for tests that can't wait. rpm itself gives its decompressor 100 MiB; this takes 65 of them.
	packed, err := pipe(archive, "xz", "--compress", "--stdout", "--threads=1", "--check=crc32", "--lzma2=preset="+cmp.Or(os.Getenv("LEVEL"), "9e")+",dict=64MiB")
	if err != nil {
		return err
	}
	written, err := replaced(old, packed, len(archive))
	if err != nil {
		return err
	}
	return os.WriteFile(name, written, 0o644)
}

func pipe(in []byte, program string, arguments ...string) ([]byte, error) {
	cmd := exec.Command(program, arguments...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	return cmd.Output()
}

// Tags of the header and of the signature before it (rpm: include/rpm/rpmtag.h).
const (
	payloadDigest = 5092
	signedSize    = 1000
	signedArchive = 1007
	signedDigest  = 273
)

const lead = 96

// header is one of the two in a package: where it begins, where what its entries
// point to begins, and where it ends.
type header struct{ begin, store, end int }

func headers(file []byte) (signature, main header, err error) {
	at := func(begin int) (h header, err error) {
		if begin+16 > len(file) || !bytes.HasPrefix(file[begin:], []byte{0x8e, 0xad, 0xe8, 1}) {
			return h, errors.New("no header where one has to be; is this a package?")
		}
		entries, size := int(binary.BigEndian.Uint32(file[begin+8:])), int(binary.BigEndian.Uint32(file[begin+12:]))
		h = header{begin, begin + 16 + 16*entries, begin + 16 + 16*entries + size}
		if entries > 1<<16 || size > 1<<28 || h.end > len(file) {
			return h, errors.New("a header is longer than the file")
		}
		return h, nil
	}
	if signature, err = at(lead); err == nil {
		main, err = at((signature.end + 7) / 8 * 8)
	}
	return signature, main, err
}

// payload is what follows the headers; nothing where there are none.
func payload(file []byte) []byte {
	_, main, err := headers(file)
	if err != nil {
		return nil
	}
	return file[main.end:]
}

// value is where the value of a tag lies.
func (h header) value(file []byte, tag uint32) (int, error) {
	for entry := h.begin + 16; entry < h.store; entry += 16 {
		if binary.BigEndian.Uint32(file[entry:]) == tag {
			if at := h.store + int(binary.BigEndian.Uint32(file[entry+8:])); at+4 <= h.end {
				return at, nil
			}
		}
	}
	return 0, fmt.Errorf("it has no tag %d", tag)
}

// replaced gives the package with another payload. Every value that tells of it
// keeps its length.
func replaced(file, packed []byte, unpacked int) ([]byte, error) {
	signature, main, err := headers(file)
	if err != nil {
		return nil, err
	}
	out := bytes.Clone(file[:main.end])
	digest := func(h header, tag uint32, of []byte) error {
		at, err := h.value(out, tag)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(of)
		copy(out[at:at+2*sha256.Size], hex.EncodeToString(sum[:]))
		return nil
	}
	number := func(tag uint32, n int) error {
		at, err := signature.value(out, tag)
		if err == nil {
			binary.BigEndian.PutUint32(out[at:], uint32(n))
		}
		return err
	}
	if err := digest(main, payloadDigest, packed); err != nil {
		return nil, err
	}
	err = errors.Join(
		digest(signature, signedDigest, out[main.begin:main.end]),
		number(signedSize, main.end-main.begin+len(packed)),
		number(signedArchive, unpacked),
	)
	return append(out, packed...), err
}

// The archive is cpio's format newc: numbers of eight hexadecimal digits, a name
// and a content, each filled up to four bytes.
const (
	entryHeader = 110
	sizeField   = 6 + 6*8
	nameField   = 6 + 11*8
)

// relative writes an archive anew whose names begin with a slash.
func relative(archive []byte) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(archive) + 4096)
	fill := func() {
		for out.Len()%4 != 0 {
			out.WriteByte(0)
		}
	}
	for at := 0; ; {
		if at+entryHeader > len(archive) || string(archive[at:at+6]) != "070701" {
			return nil, errors.New("the archive is not cpio's format newc")
		}
		field := func(offset int) int {
			n, err := strconv.ParseUint(string(archive[at+offset:at+offset+8]), 16, 32)
			if err != nil {
				return len(archive)
			}
			return int(n)
		}
		nameEnd := at + entryHeader + field(nameField)
		begin := (nameEnd + 3) / 4 * 4
		end := begin + field(sizeField)
		if nameEnd > len(archive) || end > len(archive) || nameEnd <= at+entryHeader {
			return nil, errors.New("the archive ends too early")
		}
		name := archive[at+entryHeader : nameEnd-1]
		if bytes.HasPrefix(name, []byte("/")) {
			name = append([]byte("."), name...)
		}
		out.Write(archive[at : at+nameField])
		fmt.Fprintf(&out, "%08X", len(name)+1)
		out.Write(archive[at+nameField+8 : at+entryHeader])
		out.Write(name)
		out.WriteByte(0)
		fill()
		out.Write(archive[begin:end])
		fill()
		if string(name) == "TRAILER!!!" {
			return out.Bytes(), nil
		}
		at = (end + 3) / 4 * 4
	}
}
