package host

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Packages keeps the last reading of the package database in files, so that a
// program that starts anew does not read again what has not changed. The files
// are opened once, by whoever has the rights, and used by whoever the process
// is then. It is nothing but a copy: one that is damaged, half written or of
// another version is passed over, and written anew.
type Packages struct {
	file   *os.File
	offers *os.File // what rpm's repositories have newer
}

// maxPackagesFile bounds the file: three times what maxPackages packages take.
const maxPackagesFile = 8 << 20

// OpenPackages opens the files in a directory, which it makes where it is not
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
	file := openCopy(root, "packages")
	if file == nil {
		return nil
	}
	offers := openCopy(root, "offers")
	if offers == nil {
		file.Close()
		return nil
	}
	return &Packages{file, offers}
}

func openCopy(root *os.Root, name string) *os.File {
	file, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		file.Close()
		return nil
	}
	return file
}

// Close closes the files.
func (p *Packages) Close() {
	if p != nil {
		p.file.Close()
		p.offers.Close()
	}
}

// load returns the reading of these files, nil when that is not what is kept.
func (p *Packages) load(stamp string) *debian {
	if p == nil {
		return nil
	}
	d, err := unpackPackages(readCopy(p.file), stamp)
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
	writeCopy(p.file, packPackages(d, stamp))
}

// loadOffers and saveOffers are the same of what rpm's repositories have newer:
// versions by package.
func (p *Packages) loadOffers(stamp string) map[string]string {
	if p == nil {
		return nil
	}
	lines, err := unseal(readCopy(p.offers), stamp)
	if err != nil {
		return nil
	}
	offers := map[string]string{}
	for _, line := range lines {
		name, version, found := strings.Cut(line, "\t")
		if !found {
			return nil
		}
		offers[name] = version
	}
	return offers
}

func (p *Packages) saveOffers(stamp string, offers map[string]string) {
	if p == nil {
		return
	}
	c := newCopy(stamp)
	for _, name := range slices.Sorted(maps.Keys(offers)) {
		c.line(name, offers[name])
	}
	writeCopy(p.offers, c.seal())
}

func readCopy(file *os.File) []byte {
	content, err := io.ReadAll(io.NewSectionReader(file, 0, maxPackagesFile))
	if err != nil {
		return nil
	}
	return content
}

func writeCopy(file *os.File, content []byte) {
	if content == nil || file.Truncate(0) != nil {
		return
	}
	_, _ = file.WriteAt(content, 0) // an unfinished copy is no copy
}

const packagesMark = "constat packages 2 "

var errPackages = errors.New("no copy of the package database")

// packageCopy is a copy that is being written: a line with the sum of all that
// follows, one with the sum of what it was read from, and the lines of what was
// read.
type packageCopy struct {
	bytes.Buffer
	unfit bool // a field has what separates fields
}

func newCopy(stamp string) *packageCopy {
	c := &packageCopy{}
	source := sha256.Sum256([]byte(stamp))
	c.line(hex.EncodeToString(source[:]))
	return c
}

func (c *packageCopy) line(fields ...string) {
	for i, field := range fields {
		c.unfit = c.unfit || strings.ContainsAny(field, "\t\n")
		if i > 0 {
			c.WriteByte('\t')
		}
		c.WriteString(field)
	}
	c.WriteByte('\n')
}

// seal returns the whole copy, nil for what does not go into one.
func (c *packageCopy) seal() []byte {
	sum := sha256.Sum256(c.Bytes())
	content := append([]byte(packagesMark+hex.EncodeToString(sum[:])+"\n"), c.Bytes()...)
	if c.unfit || len(content) > maxPackagesFile {
		return nil
	}
	return content
}

// unseal returns the lines of what was read, of a copy of the same files.
func unseal(content []byte, stamp string) ([]string, error) {
	head, rest, found := bytes.Cut(content, []byte("\n"))
	sum := sha256.Sum256(rest)
	if !found || string(head) != packagesMark+hex.EncodeToString(sum[:]) {
		return nil, errPackages
	}
	lines := strings.Split(strings.TrimSuffix(string(rest), "\n"), "\n")
	source := sha256.Sum256([]byte(stamp))
	if lines[0] != hex.EncodeToString(source[:]) {
		return nil, errPackages
	}
	return lines[1:], nil
}

// packPackages writes a reading: a line with whether it is classified and the
// broken packages, and one for each package. It is nil for what does not go into
// that.
func packPackages(d *debian, stamp string) []byte {
	c := newCopy(stamp)
	c.line(append([]string{strconv.FormatBool(d.classified)}, d.broken...)...)
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
		c.line(one.name, one.version, one.publisher, one.architecture, installed, marks, one.available)
	}
	return c.seal()
}

// unpackPackages reads what packPackages wrote of the same files.
func unpackPackages(content []byte, stamp string) (*debian, error) {
	lines, err := unseal(content, stamp)
	if err != nil {
		return nil, err
	}
	if len(lines) < 1 || len(lines)-1 > maxPackages {
		return nil, errPackages
	}
	head := strings.Split(lines[0], "\t")
	d := &debian{broken: head[1:], packages: make([]dpkgPackage, len(lines)-1)}
	if d.classified, err = strconv.ParseBool(head[0]); err != nil {
		return nil, errPackages
	}
	for i, line := range lines[1:] {
		var fields [7]string
		for at := range fields {
			var found bool
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
