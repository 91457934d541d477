package host

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Packages keeps the last reading of the package database in a file, so that a
// program that starts anew does not read again what has not changed. The file
// is opened once, by whoever has the rights, and used by whoever the process
// is then. It is nothing but a copy: one that is damaged, half written or of
// another version is passed over, and written anew.
type Packages struct{ file *os.File }

// maxPackagesFile bounds the file: three times what maxPackages packages take.
const maxPackagesFile = 8 << 20

// OpenPackages opens the file in a directory, which it makes where it is not
// there; nil, which keeps nothing, when it can't, or when others could write it.
func OpenPackages(dir string) *Packages {
	if runtime.GOOS != "linux" || dir == "" {
		return nil // others have no package database that is read
	}
	if os.MkdirAll(dir, 0o700) != nil {
		return nil
	}
	root, err := os.OpenRoot(dir) // no link leads out of it
	if err != nil {
		return nil
	}
	defer root.Close()
	file, err := root.OpenFile("packages", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		file.Close()
		return nil
	}
	return &Packages{file}
}

// Close closes the file.
func (p *Packages) Close() {
	if p != nil {
		p.file.Close()
	}
}

// load returns the reading of these files, nil when that is not what is kept.
func (p *Packages) load(stamp string) *debian {
	if p == nil {
		return nil
	}
	content, err := io.ReadAll(io.NewSectionReader(p.file, 0, maxPackagesFile))
	if err != nil {
		return nil
	}
	d, err := unpackPackages(content, stamp)
	if err != nil {
		return nil
	}
	return d
}

// save keeps a reading. Writing over the old one needs no rights but the open
// file's; what is cut off or mixed up in doing so has a wrong sum.
func (p *Packages) save(stamp string, d *debian) {
	// Why offers are not known is not kept: it is found out again without
	// reading much.
	if p == nil || d.offered != nil {
		return
	}
	content := packPackages(d, stamp)
	if content == nil || p.file.Truncate(0) != nil {
		return
	}
	_, _ = p.file.WriteAt(content, 0) // an unfinished copy is no copy
}

const packagesMark = "constat packages 1 "

var errPackages = errors.New("no copy of the package database")

// packPackages writes a reading: a line with the sum of all that follows, one
// with the sum of what it was read from, one with the broken packages, and one
// for each package. It is nil for what does not go into that.
func packPackages(d *debian, stamp string) []byte {
	source := sha256.Sum256([]byte(stamp))
	var b bytes.Buffer
	b.WriteString(hex.EncodeToString(source[:]) + "\n")
	// line writes fields; none can hold what separates them.
	fine := true
	line := func(fields ...string) {
		for i, field := range fields {
			fine = fine && !strings.ContainsAny(field, "\t\n")
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(field)
		}
		b.WriteByte('\n')
	}
	line(d.broken...)
	for _, one := range d.packages {
		marks := ""
		if one.held {
			marks += "h"
		}
		if one.security {
			marks += "s"
		}
		installed := ""
		if !one.installed.IsZero() {
			installed = strconv.FormatInt(one.installed.UnixNano(), 36)
		}
		line(one.name, one.version, one.publisher, one.architecture, installed, marks, one.available)
	}
	sum := sha256.Sum256(b.Bytes())
	content := append([]byte(packagesMark+hex.EncodeToString(sum[:])+"\n"), b.Bytes()...)
	if !fine || len(content) > maxPackagesFile {
		return nil
	}
	return content
}

// unpackPackages reads what packPackages wrote of the same files.
func unpackPackages(content []byte, stamp string) (*debian, error) {
	head, rest, found := bytes.Cut(content, []byte("\n"))
	sum := sha256.Sum256(rest)
	if !found || string(head) != packagesMark+hex.EncodeToString(sum[:]) {
		return nil, errPackages
	}
	lines := strings.Split(strings.TrimSuffix(string(rest), "\n"), "\n")
	source := sha256.Sum256([]byte(stamp))
	if len(lines) < 2 || lines[0] != hex.EncodeToString(source[:]) || len(lines)-2 > maxPackages {
		return nil, errPackages
	}
	d := &debian{broken: []string{}, packages: make([]dpkgPackage, len(lines)-2)}
	if lines[1] != "" {
		d.broken = strings.Split(lines[1], "\t")
	}
	for i, line := range lines[2:] {
		var fields [7]string
		for at := range fields {
			fields[at], line, found = strings.Cut(line, "\t")
			if found != (at < len(fields)-1) {
				return nil, errPackages
			}
		}
		one := &d.packages[i]
		one.name, one.version, one.publisher, one.architecture, one.available = fields[0], fields[1], fields[2], fields[3], fields[6]
		one.held, one.security = strings.Contains(fields[5], "h"), strings.Contains(fields[5], "s")
		if fields[4] != "" {
			nanoseconds, err := strconv.ParseInt(fields[4], 36, 64)
			if err != nil {
				return nil, errPackages
			}
			one.installed = time.Unix(0, nanoseconds)
		}
	}
	return d, nil
}
